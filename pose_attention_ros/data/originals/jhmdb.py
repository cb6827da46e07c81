"""J-HMDB as published: Rename_Images/ACTION/VIDEO/00001.png, joint_positions/ACTION/VIDEO/joint_positions.mat, splits/."""

from __future__ import annotations

from pathlib import Path

from pose_attention_ros.core.machine.file_names import visible
from pose_attention_ros.data.jhmdb import LAYOUT, original_clips, original_videos
from pose_attention_ros.data.originals.images import from_images
from pose_attention_ros.data.pixel_clips import PixelSource

_FRAMES = "Rename_Images"


def open_original(folder: Path) -> PixelSource:
    """See originals.open_original; `split` is that of official split 1, the others are in `official_splits`."""
    files = [visible((folder / _FRAMES / action / video).glob("*.png")) for action, video, _ in original_videos(folder)]
    return from_images(original_clips(folder), LAYOUT.joints, files)
