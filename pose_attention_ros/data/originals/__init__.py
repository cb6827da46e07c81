"""Data sets with pixels, laid out as they are published; each module opens one as a data.pixel_clips.PixelSource."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.dataset import SkeletonDataset
from pose_attention_ros.data.pixel_clips import PixelSource

# name -> module with open_original(folder) -> PixelSource
ORIGINALS: dict[str, str] = {
    "penn": "pose_attention_ros.data.originals.penn",
    "jhmdb": "pose_attention_ros.data.originals.jhmdb",
    "ntu": "pose_attention_ros.data.originals.ntu",
    "nucla": "pose_attention_ros.data.originals.nucla",
}


def open_original(name: str, folder: Path) -> PixelSource:
    """The data set `name` in its original folder. Raises UserError where it is not there or damaged."""
    return _module(name, folder).open_original(folder)


def import_original(name: str, folder: Path) -> SkeletonDataset:
    """The joints alone of the data set `name` (ntu or nucla) in its original folder: videos and images may be absent.

    :raises UserError: it is not there or damaged
    """
    return _module(name, folder).import_joints(folder)


def _module(name: str, folder: Path) -> Any:
    if not folder.is_dir():
        raise UserError(f"SRC {folder} is no folder; expected the original {name} data set")
    return importlib.import_module(ORIGINALS[name])
