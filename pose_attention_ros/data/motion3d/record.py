"""One clip of 3D motion, and how its skeleton differs from the one that annotators and estimators see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pose_attention_ros.core.body.layouts import Layout

# Of the trunk's length, as hand-annotated joints and MoveNet show a body.
_THIGH, _HIP_WIDTH, _SHOULDER_WIDTH, _HEAD_HEIGHT = 0.8, 0.4, 0.65, 0.4
_ENOUGH_FRAMES = 20_000  # a median over these says all about a set


@dataclass(frozen=True)
class Proportions:
    """What brings a skeleton to trunk : thigh = 1 : 0.8, the proportions of hand-annotated joints.

    Kinect's hips lie high in the trunk and close together, its head is the top of the skull; motion capture has the centres
    of the joints: shoulders close together, the head at the skull's base.
    """

    hip_drop: float = 0.0  # the hips go down the trunk by this share of its length
    hip_width: float = 1.0  # factor on the distance between the hips
    head_height: float = 1.0  # factor on the height of the head above the shoulders
    shoulder_width: float = 1.0  # factor on the distance between the shoulders


@dataclass(frozen=True, eq=False)
class Motion:
    """xyz (n, V, 3) float32 metres in the one world, as the sensor gave it; joints (V,) canonical names; fps > 0; group
    `<set>/s<person>`; number of the clip in its source; extra what else the source says of it (style, form, dataset, and
    `sequence`, a number that clips share which follow one another in one motion without a gap)."""

    name: str
    xyz: np.ndarray
    joints: tuple[str, ...]
    fps: float
    label: str
    group: str
    number: int = 0
    extra: Mapping[str, str] = field(default_factory=dict)
    proportions: Proportions = Proportions()

    def root(self) -> np.ndarray:
        """(n, 3): the centre of the hips."""
        if "hip_center" in self.joints:
            return self.xyz[:, self.joints.index("hip_center")]
        return (self.xyz[:, self.joints.index("left_hip")] + self.xyz[:, self.joints.index("right_hip")]) / 2

    def annotated(self) -> np.ndarray:
        """(n, V, 3): xyz with hips, shoulders and head where annotators of images put them."""
        return as_annotated(self.xyz, self.joints, self.proportions)


def as_annotated(xyz: np.ndarray, joints: Sequence[str], proportions: Proportions) -> np.ndarray:
    """(n, V, 3) with hips, shoulders and head moved by `proportions`; the input is left alone."""
    xyz = xyz.copy()
    left_hip, right_hip, left, right, head = (
        joints.index(joint) for joint in ("left_hip", "right_hip", "left_shoulder", "right_shoulder", "head")
    )
    shoulders, hips = (xyz[:, left] + xyz[:, right]) / 2, (xyz[:, left_hip] + xyz[:, right_hip]) / 2
    lower = hips + proportions.hip_drop * (hips - shoulders)
    for hip in (left_hip, right_hip):
        xyz[:, hip] = lower + proportions.hip_width * (xyz[:, hip] - hips)
    xyz[:, head] = shoulders + proportions.head_height * (xyz[:, head] - shoulders)
    if proportions.shoulder_width != 1:
        for shoulder in (left, right):
            xyz[:, shoulder] = shoulders + proportions.shoulder_width * (xyz[:, shoulder] - shoulders)
    return xyz


def measured(motions: Sequence[Motion]) -> list[Motion]:
    """The same motions with the proportions that all of them together call for. They share their joints."""
    if not motions:
        return []
    proportions = _proportions(np.concatenate([motion.xyz for motion in motions]), motions[0].joints)
    return [replace(motion, proportions=proportions) for motion in motions]


def _proportions(xyz: np.ndarray, joints: tuple[str, ...]) -> Proportions:
    """From the median lengths over xyz (n, V, 3)."""
    xyz = xyz[:: max(1, len(xyz) // _ENOUGH_FRAMES)].astype(np.float64)
    at = {joint: xyz[:, i] for i, joint in enumerate(joints)}
    shoulders, hips = ((at[f"left_{joint}"] + at[f"right_{joint}"]) / 2 for joint in ("shoulder", "hip"))
    trunk, thigh, hip_width, shoulder_width, head_height = (
        max(float(np.median(np.linalg.norm(a - b, axis=-1))), 1e-3)
        for a, b in (
            (shoulders, hips),
            (at["left_hip"], at["left_knee"]),
            (at["left_hip"], at["right_hip"]),
            (at["left_shoulder"], at["right_shoulder"]),
            (at["head"], shoulders),
        )
    )
    hip_drop = float(np.clip((thigh - _THIGH * trunk) / ((1 + _THIGH) * trunk), 0, 0.5))
    seen = trunk * (1 + hip_drop)
    factor = lambda share, length: float(np.clip(share * seen / length, 0.5, 2))  # noqa: E731
    return Proportions(
        hip_drop,
        factor(_HIP_WIDTH, hip_width),
        factor(_HEAD_HEIGHT, head_height),
        max(1.0, factor(_SHOULDER_WIDTH, shoulder_width)),
    )


def on_the_floor(xyz: np.ndarray, layout: Layout) -> np.ndarray:
    """(n, V, 3) moved so that the lowest ankle of most frames has height 0 and the hips are, in the middle, over (0, 0)."""
    ankles = [layout.index("left_ankle"), layout.index("right_ankle")]
    hips = xyz[:, [layout.index("left_hip"), layout.index("right_hip")]].mean(1)
    middle = np.median(hips, 0)
    return (xyz - np.array([middle[0], np.quantile(xyz[:, ankles, 1].min(1), 0.1), middle[2]])).astype(np.float32)
