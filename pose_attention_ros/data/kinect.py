"""3D Kinect actions (Northwestern-UCLA, UTKinect-Action3D, MSR Action3D) seen by virtual cameras, as 2D clips.

World: Kinect's, metres, right-handed and mirrored: an unmirrored image has u = -x, v = -y.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.errors import UserError, reading
from pose_attention_ros.core.layouts import LAYOUTS
from pose_attention_ros.data.dataset import Clip, SkeletonDataset
from pose_attention_ros.data.finishing import LeftOut, finished

LAYOUT = LAYOUTS["kinect20"]
IMAGE_SIZE = (640, 480)
FOCAL_PX = 525.0
NEAREST_M = 0.3  # a joint closer than this to the image plane is not seen
_MSR_JOINTS = ("left_shoulder", "right_shoulder", "neck", "spine", "left_hip", "right_hip", "hip_center", "left_elbow",
               "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand", "left_knee", "right_knee",
               "left_ankle", "right_ankle", "left_foot", "right_foot", "head")


@dataclass(frozen=True)
class CameraRing(Settings):
    """Where the virtual cameras stand: all round the person, drawn at random for every clip."""

    views: int = setting(4, "cameras a clip", low=1)
    elevation_low_deg: float = setting(-5.0, "lowest camera, seen from the person", unit="deg", low=-60, high=80)
    elevation_high_deg: float = setting(40.0, "highest camera", unit="deg", low=-60, high=80)
    distance_low_m: float = setting(2.5, "nearest camera", unit="m", low=1)
    distance_high_m: float = setting(8.0, "farthest camera", unit="m", low=1)


@dataclass(frozen=True, eq=False)
class _Source:
    """One compact file: how its name, labels, subjects, joints and frame rate are read, and how its skeleton differs from
    that of annotators and estimators.

    The rates are estimates from the period of walking and jogging: the files do not state them. Kinect's hips lie higher in
    the trunk and closer (in MSR's file: farther) together, its head is the top of the skull; the corrections bring
    trunk : thigh : shank from 1 : 1.25 : 0.9 to the 1 : 0.8 : 0.75 that hand-annotated joints and MoveNet show.
    """

    name: str
    marker: str  # an array that only this file has
    fps: float
    hip_drop: float  # the hips go down the trunk by this share of its length
    hip_width: float  # factor on the distance between the hips
    joints: tuple[str, ...] = LAYOUT.joints


_HEAD_HEIGHT = 0.67  # factor on the height of the head above the shoulders
_SOURCES = (_Source("nw_ucla", "view", 12.0, 0.3, 1.4), _Source("msr_action3d", "confidence", 15.0, 0.45, 0.6, _MSR_JOINTS),
            _Source("utkinect", "xyz", 15.0, 0.3, 1.4))


def import_kinect(source: Path, ring: CameraRing, seed: int) -> SkeletonDataset:
    """Every clip of one compact 3D file (xyz (F, 20, 3), offsets, subject, and action or label with class_names),
    projected through `ring.views` cameras. The group is `<set>/s<subject>`; the split is left open."""
    with reading(source, "a compact 3D file"):
        with np.load(source, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        table = next((s for s in _SOURCES if s.marker in arrays and {"xyz", "offsets", "subject"} <= set(arrays)), None)
        if table is None:
            raise UserError(f"{source} is no compact 3D file: expected arrays xyz, offsets, subject, action or label")
        left_out = LeftOut()
        return finished(_clips(arrays, table, ring, seed, left_out), table.joints, left_out)


def _clips(arrays: dict[str, np.ndarray], table: _Source, ring: CameraRing, seed: int, left_out: LeftOut) -> Iterator[Clip]:
    labels = arrays["action"] if "action" in arrays else arrays["class_names"][arrays["label"]]
    hip = table.joints.index("hip_center")
    for i, label in enumerate(labels):
        rows = slice(arrays["offsets"][i], arrays["offsets"][i + 1])
        xyz = arrays["xyz"][rows]
        tracked = np.abs(xyz[:, hip]).sum(-1) > 0
        if tracked.sum() < 2:
            left_out.add("nobody tracked for two frames", f"clip {i} ({label})")
            continue
        xyz = as_annotated(xyz, table)
        rng = np.random.default_rng([seed, i])
        for _ in range(ring.views):
            keypoints, depth_m = project(xyz[tracked], hip, rng, ring)
            scores = depth_m > NEAREST_M
            yield Clip(np.where(scores[..., None], keypoints, 0), scores.astype(np.float32), str(label), table.fps, "",
                       f"{table.name}/s{int(arrays['subject'][i]):02d}", IMAGE_SIZE)


def as_annotated(xyz: np.ndarray, table: _Source) -> np.ndarray:
    """(n, 20, 3) with hips and head where annotators of images put them."""
    xyz = xyz.copy()
    left_hip, right_hip, left, right, head = (table.joints.index(joint) for joint in (
        "left_hip", "right_hip", "left_shoulder", "right_shoulder", "head"))
    shoulders, hips = (xyz[:, left] + xyz[:, right]) / 2, (xyz[:, left_hip] + xyz[:, right_hip]) / 2
    lower = hips + table.hip_drop * (hips - shoulders)
    for hip in (left_hip, right_hip):
        xyz[:, hip] = lower + table.hip_width * (xyz[:, hip] - hips)
    xyz[:, head] = shoulders + _HEAD_HEIGHT * (xyz[:, head] - shoulders)
    return xyz


def project(xyz: np.ndarray, hip: int, rng: np.random.Generator, ring: CameraRing) -> tuple[np.ndarray, np.ndarray]:
    """xyz (n, 20, 3) metres -> keypoints (n, 20, 2) float32 pixels and depth (n, 20) metres, by a pinhole camera that looks
    at the middle of the person's path from a random side."""
    yaw = rng.uniform(-np.pi, np.pi)
    elevation = np.deg2rad(rng.uniform(ring.elevation_low_deg, ring.elevation_high_deg))
    distance_m = rng.uniform(ring.distance_low_m, ring.distance_high_m)
    path = xyz - np.median(xyz[:, hip], axis=0)
    right, up, away = -path[..., 0], path[..., 1], path[..., 2]
    right, away = np.cos(yaw) * right - np.sin(yaw) * away, np.sin(yaw) * right + np.cos(yaw) * away
    up, away = np.cos(elevation) * up + np.sin(elevation) * away, np.cos(elevation) * away - np.sin(elevation) * up
    depth_m = distance_m + away
    image = np.stack([right, -up], -1) * (FOCAL_PX / np.maximum(depth_m, NEAREST_M))[..., None]
    return (image + np.array(IMAGE_SIZE) / 2).astype(np.float32), depth_m
