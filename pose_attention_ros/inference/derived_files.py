"""Files that are made on this machine out of fetched weights and kept in the cache beside them.

Beside a file lies a line: the sha256 of what it was made of, and its own. One that is damaged, or of other weights, is none.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

from pose_attention_ros.core.errors import ModelError
from pose_attention_ros.inference.weights import cache_dir, write_file

_log = logging.getLogger(__name__)


def derived_dir() -> Path:
    """Where these files lie."""
    return cache_dir() / "derived"


def derived_path(weights: str, version: int, kind: str) -> Path:
    """Of a file made of the weights of this name.

    :param version: of what makes it
    """
    return derived_dir() / f"{weights}_{version}_{kind}"


def int8_path(weights: str, version: int, tensorrt: bool) -> Path:
    """Of the form in int8: TensorRT wants one of its own."""
    return derived_path(weights, version, "int8_tensorrt.onnx" if tensorrt else "int8.onnx")


def derived_file(path: Path, made_of: str, make: Callable[[], bytes]) -> bytes:
    """The content of the file, which is made where it is not there.

    :param path: in `derived_dir`; other versions of what makes it want another name
    :param made_of: sha256 of the weights
    """
    content = stored_file(path, made_of)
    if content is not None:
        return content
    content = make()
    try:
        store_file(path, made_of, content)
    except ModelError as error:  # a cache that cannot be written costs time at every start, and nothing else
        _log.info("%s", error)
    return content


def stored_file(path: Path, made_of: str) -> bytes | None:
    """The content of the file, verified; None where there is none."""
    try:
        content = path.read_bytes()
        whole = _beside(path).read_text() == _line(made_of, content)
    except (OSError, UnicodeDecodeError):
        return None
    if not whole:
        _log.warning("%s is damaged, or of other weights, and is not used", path)
    return content if whole else None


def store_file(path: Path, made_of: str, content: bytes) -> None:
    """Write the file. Raises ModelError where the cache cannot be written."""
    write_file(path, content)
    write_file(_beside(path), _line(made_of, content).encode())


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _line(made_of: str, content: bytes) -> str:
    return f"{made_of} {hashlib.sha256(content).hexdigest()}\n"
