"""What counts as a file of the user's among those in a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def visible(paths: Iterable[Path]) -> list[Path]:
    """Sorted, without hidden files: macOS leaves a `._NAME` with its own notes beside each NAME on other people's disks."""
    return sorted(path for path in paths if not path.name.startswith("."))
