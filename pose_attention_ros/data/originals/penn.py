"""PennAction as published: frames/0001/000001.jpg and labels/0001.mat."""

from __future__ import annotations

from pathlib import Path

from pose_attention_ros.data.originals.images import from_images
from pose_attention_ros.data.penn import import_penn
from pose_attention_ros.data.pixel_clips import PixelSource


def open_original(folder: Path) -> PixelSource:
    """See originals.open_original."""
    data = import_penn(folder)
    names = [path.stem for path in sorted((folder / "labels").glob("*.mat"))]
    return from_images(list(data), data.joints, [sorted((folder / "frames" / name).glob("*.jpg")) for name in names])
