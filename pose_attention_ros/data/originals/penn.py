"""PennAction as published: frames/0001/000001.jpg and labels/0001.mat."""

from __future__ import annotations

from pathlib import Path

from pose_attention_ros.core.machine.file_names import visible
from pose_attention_ros.data.originals.images import from_images
from pose_attention_ros.data.penn import LAYOUT, original_clips
from pose_attention_ros.data.pixel_clips import PixelSource


def open_original(folder: Path) -> PixelSource:
    """See originals.open_original."""
    clips, names = original_clips(folder)
    return from_images(clips, LAYOUT.joints, [visible((folder / "frames" / name).glob("*.jpg")) for name in names])
