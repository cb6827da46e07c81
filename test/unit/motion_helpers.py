"""3D motion of a file as the command `data import` shows it to cameras."""

from __future__ import annotations

from pathlib import Path

from pose_attention_ros.data.dataset import SkeletonDataset
from pose_attention_ros.data.finishing import LeftOut
from pose_attention_ros.data.motion3d.cameras import CameraRing, seen_by_cameras
from pose_attention_ros.data.motion3d.compact import read_motions


def seen(path: Path, views: int = 1, seed: int = 0) -> SkeletonDataset:
    """A compact file's clips, each through so many cameras."""
    left_out = LeftOut()
    return seen_by_cameras(read_motions(path, left_out), CameraRing(views=views), seed, left_out)
