"""Engines on disk. An engine fits one TensorRT, one kind of GPU and one network: all of that is its key, kept beside it.

A file is one line of JSON (the key, and the engine's size and sha256), then the engine.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pose_attention_ros.core.errors import ModelError
from pose_attention_ros.inference.network_types import NetworkFile, Profile
from pose_attention_ros.inference.trt.cuda import Device
from pose_attention_ros.inference.trt.library import Library
from pose_attention_ros.inference.weights import CACHE_VARIABLE, cache_dir

_SUFFIX = ".engine"
_MOST_HEADER_BYTES = 64 << 10
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EngineKey:
    """All that an engine depends on. network, precision and shapes say which engine is wanted; a difference in any of the
    others makes one that is there stale (built here, by or of something older) or foreign (another GPU's)."""

    network: str
    precision: str
    shapes: str
    onnx_sha256: str
    library: str
    version: str
    gpu: str
    compute_capability: str

    @classmethod
    def of(cls, file: NetworkFile, profile: Profile, library: Library, device: Device) -> EngineKey:
        """The key of `file`'s engine on this machine."""
        shapes = " ".join(f"{name}:{shape}" for name, shape in sorted(profile.items()))
        return cls(
            file.name,
            file.precision,
            shapes,
            file.sha256,
            library.name,
            library.version,
            device.name,
            device.compute_capability,
        )

    @property
    def slot(self) -> str:
        """What all engines of this network, precision and shapes share: the beginning of their file names."""
        plain = re.sub(r"[^\w.-]+", "_", f"{self.network}-{self.precision}")
        return f"{plain}-{_short(self.shapes)}"

    @property
    def path(self) -> Path:
        """Where the engine of this very key lies."""
        return engines_dir() / f"{self.slot}-{_short(json.dumps(asdict(self)))}{_SUFFIX}"

    def differences(self, other: EngineKey) -> list[str]:
        """What `other` was made for, in words, where it is not this."""
        return [
            f"{what} {getattr(other, field)}, not {getattr(self, field)}"
            for field, what in _WORDS.items()
            if getattr(other, field) != getattr(self, field)
        ]


_WORDS = {
    "onnx_sha256": "ONNX file",
    "library": "library",
    "version": "version",
    "gpu": "GPU",
    "compute_capability": "compute capability",
}


def engines_dir() -> Path:
    """Folder of the engines, in the cache."""
    return cache_dir() / "engines"


def cached_engine(key: EngineKey, build: Callable[[], bytes], load: Callable[[bytes], Any]) -> Any:
    """What `load` makes of the engine of `key`, which is built where the cache has none that fits; one log line says why.

    :param load: deserialises an engine; None where it cannot, as after an update of the driver
    :raises ModelError: what `build` raises, or the cache cannot be written
    """
    content, why = load_engine(key)
    if content is not None:
        engine = load(content)
        if engine is not None:
            return engine
        why = f"TensorRT refuses the one that is there, {key.path}"
    _log.warning("building the TensorRT engine of %s (%s): %s; this can take minutes", key.network, key.precision, why)
    began = time.monotonic()
    content = build()
    store_engine(key, content)
    _log.info("built the engine of %s in %.0f s", key.network, time.monotonic() - began)
    return load(content)


def load_engine(key: EngineKey) -> tuple[bytes | None, str]:
    """The engine of `key`, or None and the reason why there is none that fits."""
    try:
        found, engine = read_engine(key.path)
    except FileNotFoundError:
        return None, _why_none(key)
    except (OSError, ValueError) as error:
        return None, f"{key.path} is damaged ({error})"
    if found != key:
        return None, f"{key.path} is of {', '.join(key.differences(found)) or 'another network'}"
    return engine, ""


def store_engine(key: EngineKey, engine: bytes) -> Path:
    """Write the engine in one step, and remove those of the same GPU that it replaces. Raises ModelError."""
    for path, other in _others(key):
        if (other.gpu, other.compute_capability) == (key.gpu, key.compute_capability):
            path.unlink(missing_ok=True)
    try:
        key.path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=key.path.parent, prefix=key.path.name, delete=False) as part:
            part.write(_header(key, engine) + engine)
        os.replace(part.name, key.path)
    except OSError as error:
        raise ModelError(f"cannot write {key.path}: {error.strerror}; set {CACHE_VARIABLE} to a writable folder") from None
    return key.path


def read_engine(path: Path) -> tuple[EngineKey, bytes]:
    """A file's key and engine. Raises OSError, or ValueError for what is no whole engine file."""
    with path.open("rb") as file:
        try:
            header = json.loads(file.readline(_MOST_HEADER_BYTES))
            key, size, sha256 = EngineKey(**header["key"]), int(header["bytes"]), str(header["sha256"])
        except (KeyError, TypeError, ValueError):
            raise ValueError("no header") from None
        engine = file.read()
    if len(engine) != size or hashlib.sha256(engine).hexdigest() != sha256:
        raise ValueError(f"{len(engine)} of {size} bytes, or other bytes than were written")
    return key, engine


def _header(key: EngineKey, engine: bytes) -> bytes:
    header = {"key": asdict(key), "bytes": len(engine), "sha256": hashlib.sha256(engine).hexdigest()}
    return json.dumps(header).encode() + b"\n"


def _why_none(key: EngineKey) -> str:
    """Of the engines in the same slot, what is wrong with the one that differs least."""
    others = [key.differences(other) for _, other in _others(key)]
    if not others:
        return "there is none yet"
    return f"the one that is there is for {', '.join(sorted(others, key=len)[0])}"


def _others(key: EngineKey) -> list[tuple[Path, EngineKey]]:
    """The readable engines of the key's slot."""
    found = []
    for path in sorted(engines_dir().glob(f"{key.slot}-*{_SUFFIX}")):
        try:
            found.append((path, read_engine(path)[0]))
        except (OSError, ValueError):
            continue
    return found


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]
