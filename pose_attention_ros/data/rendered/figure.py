"""An articulated figure: how a body is built, where its joints are in space for given angles, and how a camera sees them.

Body space: x to the person's left, y up, z forwards, in body heights; the middle of the hips stands over the origin.
T frames, V joints of LAYOUT.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.body.layouts import LAYOUTS

LAYOUT = LAYOUTS["common13"]
# A segment's direction is two angles in degrees: how far it is raised from hanging down, and towards where: 0 sideways, away
# from the body, 90 forwards. Upper segments first in each limb.
SEGMENTS = (
    "left_upper_arm",
    "left_forearm",
    "right_upper_arm",
    "right_forearm",
    "left_thigh",
    "left_shank",
    "right_thigh",
    "right_shank",
)
# fmt: off
_ENDS = {"upper_arm": ("shoulder", "elbow"), "forearm": ("elbow", "wrist"),
         "thigh": ("hip", "knee"), "shank": ("knee", "ankle")}
# fmt: on


@dataclass(frozen=True)
class Body:
    """Lengths in body heights (an average adult's); radii of the drawn limbs beside them."""

    torso: float = 0.29
    shoulder_half: float = 0.115
    hip_half: float = 0.075
    head_above_shoulders: float = 0.125
    upper_arm: float = 0.17
    forearm: float = 0.15
    thigh: float = 0.245
    shank: float = 0.245
    head_radius: float = 0.068
    arm_radius: float = 0.026
    leg_radius: float = 0.038

    @classmethod
    def drawn(cls, rng: np.random.Generator, spread: float) -> Body:
        """Another person: lengths vary by up to `spread` around the average, widths by up to twice as much."""
        build = 1 + 2 * spread * rng.uniform(-1, 1)
        average = cls()
        lengths = {name: getattr(average, name) * (1 + spread * rng.uniform(-1, 1)) for name in cls.__dataclass_fields__}
        widths = ("shoulder_half", "hip_half", "arm_radius", "leg_radius")
        return cls(**{name: length * (build if name in widths else 1) for name, length in lengths.items()})


@dataclass(frozen=True, eq=False)
class Motion:
    """angles (T, 8, 2) degrees by SEGMENTS; lean (T,) degrees of the trunk forwards; lift (T,) of the lowest ankle above the
    ground; travel (T, 2) of the hips to the left and forwards. Lengths in body heights. Actions write into the arrays."""

    angles: np.ndarray
    lean: np.ndarray
    lift: np.ndarray
    travel: np.ndarray

    @classmethod
    def standing(cls, frames: int) -> Motion:
        """Arms and legs hang down."""
        angles = np.zeros((frames, len(SEGMENTS), 2))
        angles[:, :4, 0] = 8.0
        angles[:, 4:, 0] = 4.0
        return cls(angles, np.zeros(frames), np.zeros(frames), np.zeros((frames, 2)))

    def set(self, segment: str, raised: np.ndarray | float, towards: np.ndarray | float) -> None:
        """Raise one segment by (T,) degrees towards (T,) degrees."""
        row = SEGMENTS.index(segment)
        self.angles[:, row, 0], self.angles[:, row, 1] = raised, towards


@dataclass(frozen=True)
class View:
    """A weak-perspective camera: yaw_deg > 0 shows more of the person's right side, elevation_deg > 0 looks down;
    centre_px is where the middle of the standing body is seen, height_px what a body height measures."""

    yaw_deg: float
    elevation_deg: float
    height_px: float
    centre_px: tuple[float, float]

    def __call__(self, xyz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """xyz (..., 3) in body space -> pixels (..., 2), and depth (...), larger where nearer, in body heights."""
        yaw, elevation = np.deg2rad(self.yaw_deg), np.deg2rad(self.elevation_deg)
        across = xyz[..., 0] * np.cos(yaw) - xyz[..., 2] * np.sin(yaw)
        near = xyz[..., 0] * np.sin(yaw) + xyz[..., 2] * np.cos(yaw)
        up = (xyz[..., 1] - 0.5) * np.cos(elevation) - near * np.sin(elevation)
        return np.stack([across, -up], -1) * self.height_px + np.array(self.centre_px), near * np.cos(elevation) + xyz[
            ..., 1
        ] * np.sin(elevation)


def joints_in_space(body: Body, motion: Motion) -> np.ndarray:
    """(T, V, 3): every joint in body space, the feet on the ground (but for `motion.lift`)."""
    frames = len(motion.lean)
    xyz = np.zeros((frames, len(LAYOUT.joints), 3))
    at = {joint: xyz[:, row] for row, joint in enumerate(LAYOUT.joints)}
    lean = np.deg2rad(motion.lean)
    up = np.stack([np.zeros(frames), np.cos(lean), np.sin(lean)], -1)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        at[f"{side}_hip"][:] = (sign * body.hip_half, 0, 0)
        at[f"{side}_shoulder"][:] = np.array([sign * body.shoulder_half, 0, 0]) + body.torso * up
        for segment, (begin, end) in _ENDS.items():
            row = SEGMENTS.index(f"{side}_{segment}")
            along = _direction(motion.angles[:, row], sign)
            at[f"{side}_{end}"][:] = at[f"{side}_{begin}"] + getattr(body, segment) * along
    at["head"][:] = (body.torso + body.head_above_shoulders) * up
    ground = np.minimum(at["left_ankle"][:, 1], at["right_ankle"][:, 1])
    xyz[..., 1] += (motion.lift - ground)[:, None]
    xyz[..., 0] += motion.travel[:, :1]
    xyz[..., 2] += motion.travel[:, 1:]
    return xyz


def _direction(angles: np.ndarray, sign: float) -> np.ndarray:
    """angles (T, 2) -> unit vectors (T, 3); sign 1 for the left side of the body, -1 for the right."""
    raised, towards = np.deg2rad(angles[:, 0]), np.deg2rad(angles[:, 1])
    return np.stack([sign * np.sin(raised) * np.cos(towards), -np.cos(raised), np.sin(raised) * np.sin(towards)], -1)
