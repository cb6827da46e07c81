"""3D motion seen by virtual cameras, as 2D clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.data.dataset import Clip, SkeletonDataset
from pose_attention_ros.data.finishing import LeftOut, finished
from pose_attention_ros.data.motion3d.record import Motion

IMAGE_SIZE = (640, 480)
FOCAL_PX = 525.0
NEAREST_M = 0.3  # a joint closer than this to the image plane is not seen


@dataclass(frozen=True)
class CameraRing(Settings):
    """Where the virtual cameras stand: by default all round the person, drawn at random for every clip."""

    views: int = setting(4, "cameras a clip", low=1)
    side_deg: float = setting(
        180.0, "how far to either side of the recording's own camera they stand", unit="deg", low=0, high=180
    )
    elevation_low_deg: float = setting(-5.0, "lowest camera, seen from the person", unit="deg", low=-60, high=80)
    elevation_high_deg: float = setting(40.0, "highest camera", unit="deg", low=-60, high=80)
    distance_low_m: float = setting(2.5, "nearest camera", unit="m", low=1)
    distance_high_m: float = setting(8.0, "farthest camera", unit="m", low=1)


def seen_by_cameras(motions: Sequence[Motion], ring: CameraRing, seed: int, left_out: LeftOut) -> SkeletonDataset:
    """Clips of `motions` (which share their joints), each through `ring.views` cameras that its number and `seed` place. The
    group is `<set>/s<subject>`; no split."""
    return finished(_clips(motions, ring, seed), motions[0].joints if motions else (), left_out)


def _clips(motions: Sequence[Motion], ring: CameraRing, seed: int) -> Iterator[Clip]:
    for motion in motions:
        xyz = motion.annotated()
        rng = np.random.default_rng([seed, motion.number])
        for _ in range(ring.views):
            keypoints, depth_m = project(xyz, motion.root(), rng, ring)
            scores = depth_m > NEAREST_M
            yield Clip(
                np.where(scores[..., None], keypoints, 0),
                scores.astype(np.float32),
                motion.label,
                motion.fps,
                "",
                motion.group,
                IMAGE_SIZE,
            )


def project(xyz: np.ndarray, root: np.ndarray, rng: np.random.Generator, ring: CameraRing) -> tuple[np.ndarray, np.ndarray]:
    """xyz (n, V, 3) and root (n, 3) metres -> keypoints (n, V, 2) float32 pixels and depth (n, V) metres, by a pinhole
    camera that looks at the middle of the person's path from a random side."""
    yaw = rng.uniform(-np.pi, np.pi) * ring.side_deg / 180
    elevation = np.deg2rad(rng.uniform(ring.elevation_low_deg, ring.elevation_high_deg))
    distance_m = rng.uniform(ring.distance_low_m, ring.distance_high_m)
    path = xyz - np.median(root, axis=0)
    right, up, away = -path[..., 0], path[..., 1], path[..., 2]
    right, away = np.cos(yaw) * right - np.sin(yaw) * away, np.sin(yaw) * right + np.cos(yaw) * away
    up, away = np.cos(elevation) * up + np.sin(elevation) * away, np.cos(elevation) * away - np.sin(elevation) * up
    depth_m = distance_m + away
    image = np.stack([right, -up], -1) * (FOCAL_PX / np.maximum(depth_m, NEAREST_M))[..., None]
    return (image + np.array(IMAGE_SIZE) / 2).astype(np.float32), depth_m
