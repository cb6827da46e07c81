"""Data sets with pixels, laid out as they are published; each module opens one as a data.pixel_clips.PixelSource."""

from __future__ import annotations

import importlib
from pathlib import Path

from pose_attention_ros.core.errors import UserError
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
    if not folder.is_dir():
        raise UserError(f"SRC {folder} is no folder; expected the original {name} data set")
    return importlib.import_module(ORIGINALS[name]).open_original(folder)
