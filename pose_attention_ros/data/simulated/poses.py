"""Poses as joint angles, and what follows from them: the pelvis' tilt and the directions of bones in the pelvis' frame.

A pose is a vector of degrees, one for each name in `ANGLES`; `pose(hip_flex=90, elbow_l=30)` sets both hips and one elbow.
"""

from __future__ import annotations

import numpy as np

from pose_attention_ros.data.simulated.body import BONE, SIDES

_LIMB = ("hip_flex", "hip_abd", "hip_twist", "knee", "ankle", "arm_flex", "arm_abd", "arm_twist", "elbow")
# pitch: the pelvis leans forward; roll: to the left; twist of a limb: inwards; ankle: toes down
ANGLES = (
    "pitch",
    "roll",
    "spine_flex",
    "spine_side",
    "spine_twist",
    "neck_flex",
    "neck_side",
    *(f"{name}_{side[0]}" for side, _ in SIDES for name in _LIMB),
)
_AT = {name: i for i, name in enumerate(ANGLES)}
_MIRRORED = [_AT[name[:-1] + {"l": "r", "r": "l"}[name[-1]]] if name[-2:] in ("_l", "_r") else i for name, i in _AT.items()]
_SIGNS = np.array([-1.0 if name in ("roll", "spine_side", "spine_twist", "neck_side") else 1.0 for name in ANGLES])


def pose(base: np.ndarray | None = None, **degrees: float) -> np.ndarray:
    """`base` (or all zero: standing to attention) with these angles changed."""
    angles = np.zeros(len(ANGLES)) if base is None else base.copy()
    for name, value in degrees.items():
        for key in (name,) if name in _AT else (f"{name}_l", f"{name}_r"):
            angles[_AT[key]] = value
    return angles


def mirrored(angles: np.ndarray) -> np.ndarray:
    """The pose with left and right exchanged."""
    return angles[..., _MIRRORED] * _SIGNS


def jittered(angles: np.ndarray, rng: np.random.Generator, degrees: float = 6.0) -> np.ndarray:
    """The pose as another person, or the same one later, would take it."""
    spread = np.where(np.isin(ANGLES, ("pitch", "roll")), 0.4, 1.0) * degrees
    changed = angles + rng.normal(0, 1, angles.shape) * spread
    for name in ("knee_l", "knee_r", "elbow_l", "elbow_r"):
        changed[_AT[name]] = np.clip(changed[_AT[name]], 1, 150)
    return changed


def _turn(axis: int, degrees: np.ndarray) -> np.ndarray:
    """(n,) degrees -> (n, 3, 3) rotations about one axis."""
    angle = np.deg2rad(degrees)
    c, s = np.cos(angle), np.sin(angle)
    a, b = (axis + 1) % 3, (axis + 2) % 3
    turn = np.zeros((*angle.shape, 3, 3))
    turn[..., axis, axis] = 1
    turn[..., a, a] = turn[..., b, b] = c
    turn[..., a, b], turn[..., b, a] = -s, s
    return turn


def turned_about_y(degrees: np.ndarray | float) -> np.ndarray:
    return _turn(1, np.asarray(degrees, float))


def tilt_and_directions(angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Angles (n, 25) -> the pelvis' tilt (n, 3, 3) and directions of bones (n, 19, 3) in the pelvis' frame."""
    angle = {name: angles[:, i] for name, i in _AT.items()}
    directions = np.zeros((len(angles), len(BONE), 3))
    chest = _turn(1, angle["spine_twist"]) @ _turn(0, angle["spine_flex"]) @ _turn(2, -angle["spine_side"])
    skull = chest @ _turn(0, angle["neck_flex"]) @ _turn(2, -angle["neck_side"])
    directions[:, BONE["spine"]] = (0, 1, 0)
    directions[:, BONE["neck"]] = chest @ (0, 1, 0)
    directions[:, BONE["head"]] = skull @ (0, 0.91, 0.41)
    for side, sign in SIDES:
        at = {name: angle[f"{name}_{side[0]}"] for name in _LIMB}
        thigh = _turn(0, -at["hip_flex"]) @ _turn(2, sign * at["hip_abd"]) @ _turn(1, -sign * at["hip_twist"])
        shank = thigh @ _turn(0, at["knee"])
        upper = chest @ _turn(0, -at["arm_flex"]) @ _turn(2, sign * at["arm_abd"]) @ _turn(1, -sign * at["arm_twist"])
        fore = upper @ _turn(0, -at["elbow"])
        for joint, frame, axis in (
            ("hip", None, (sign * 0.9, -0.43, 0)),
            ("knee", thigh, (0, -1, 0)),
            ("ankle", shank, (0, -1, 0)),
            ("foot", shank @ _turn(0, at["ankle"]), (sign * 0.12, -0.27, 0.95)),
            ("shoulder", chest, (sign * 0.985, -0.17, 0)),
            ("elbow", upper, (0, -1, 0)),
            ("wrist", fore, (0, -1, 0)),
            ("hand", fore, (0, -1, 0)),
        ):
            axis = np.array(axis) / np.linalg.norm(axis)
            directions[:, BONE[f"{side}_{joint}"]] = axis if frame is None else frame @ axis
    return _turn(2, -angle["roll"]) @ _turn(0, angle["pitch"]), directions


STAND = pose(arm_abd=9, elbow=12, hip_abd=3, knee=4, hip_flex=3, arm_flex=3)
SIT = pose(hip_flex=88, hip_abd=8, knee=88, arm_flex=25, elbow=65, arm_twist=25, arm_abd=8)
LIE_BACK = pose(pitch=-90, arm_abd=20, elbow=15, hip_abd=8, knee=6, ankle=30, neck_flex=5)
LIE_BELLY = pose(pitch=90, arm_abd=140, elbow=80, arm_twist=-85, hip_abd=10, ankle=60, neck_flex=-25, knee=4)
LIE_SIDE = pose(roll=90, hip_flex=40, knee=60, arm_flex=60, elbow=60, spine_flex=12)  # on the left side
CURLED = pose(roll=90, hip_flex=95, knee=110, arm_flex=50, elbow=110, spine_flex=35, neck_flex=25)
ALL_FOURS = pose(pitch=80, hip_flex=80, knee=88, ankle=50, arm_flex=82, elbow=6, hip_abd=5, neck_flex=-25)
PLANK = pose(pitch=78, hip_flex=0, knee=2, ankle=-10, arm_flex=78, elbow=5, neck_flex=-15)
KNEEL = pose(pitch=4, hip_flex=6, knee=92, ankle=45, arm_abd=8, elbow=25, hip_abd=6)
KNEEL_SAT = pose(pitch=10, hip_flex=72, knee=145, ankle=50, arm_flex=30, elbow=40, hip_abd=8)
HALF_KNEEL = pose(
    pitch=20,
    hip_flex_l=105,
    knee_l=92,
    hip_flex_r=18,
    knee_r=92,
    ankle_r=40,
    arm_flex_l=50,
    elbow_l=70,
    arm_flex_r=20,
    elbow_r=20,
    spine_flex=12,
)
CROUCH = pose(pitch=25, hip_flex=125, knee=135, ankle=-15, hip_abd=12, arm_flex=60, elbow=40, spine_flex=15)
BENT = pose(pitch=55, hip_flex=75, knee=30, ankle=-8, spine_flex=35, arm_flex=75, elbow=12, hip_abd=5)
FLOOR_SIT = pose(pitch=-12, hip_flex=82, knee=20, hip_abd=10, arm_flex=10, elbow=30, spine_flex=20, ankle=20)
CROSS_LEGGED = pose(pitch=-8, hip_flex=90, hip_abd=42, hip_twist=-40, knee=120, spine_flex=22, arm_flex=30, elbow=60)
KNEES_UP = pose(pitch=-15, hip_flex=112, knee=105, spine_flex=30, arm_flex=60, elbow=35, hip_abd=6, arm_twist=15)
SIDE_SIT = pose(
    pitch=-5,
    roll=14,
    hip_flex=82,
    hip_abd_l=20,
    hip_twist_l=-62,
    knee_l=95,
    hip_abd_r=0,
    hip_twist_r=55,
    knee_r=100,
    spine_side=-10,
    spine_flex=12,
    arm_flex_l=5,
    arm_abd_l=28,
    elbow_l=5,
    arm_flex_r=30,
    elbow_r=50,
)
PROPPED = pose(pitch=-48, hip_flex=55, knee=35, arm_flex=-35, elbow=70, spine_flex=20, hip_abd=10)  # half up, on the elbows
SIDE_PROPPED = pose(
    roll=48,
    hip_flex=82,
    knee=85,
    hip_twist_l=-44,
    hip_twist_r=44,
    arm_abd_l=30,
    arm_flex_l=25,
    elbow_l=25,
    arm_flex_r=50,
    elbow_r=30,
    spine_side=-12,
    spine_flex=15,
)
