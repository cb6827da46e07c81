"""Names of the user's files, as they come: hidden ones, and those that libraries beneath Python cannot take."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


def visible(paths: Iterable[Path]) -> list[Path]:
    """Sorted, without hidden files: macOS leaves a `._NAME` with its own notes beside each NAME on other people's disks."""
    return sorted(path for path in paths if not path.name.startswith("."))


def at_home(name: str) -> Path:
    """The path `name`, its ~ or ~USER replaced; as it is where there is no such user, and where a file is called so."""
    path = Path(name)
    return path if os.path.lexists(path) else Path(os.path.expanduser(path))


def is_utf8(name: str) -> bool:
    """Whether a name from the file system or the command line is text; the bytes of others stand in it as surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


@contextmanager
def utf8_name(path: str) -> Iterator[str]:
    """`path`, or where that is not UTF-8 a link to it that exists within the block: OpenCV crashes on other names.

    :raises OSError: no link can be made
    """
    if is_utf8(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / f"link{Path(path).suffix if is_utf8(Path(path).suffix) else ''}"
        link.symlink_to(Path(path).absolute())
        yield str(link)
