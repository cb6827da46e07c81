"""The simulated body: the 20 Kinect joints as a tree of rigid bones, and how people's bodies differ.

Axes of a body: x to its left, y up along the trunk, z forward; the same handedness as the world's (y up). Joints lie where
annotators of images put them (the head is the middle of the face), so nothing need be corrected before projection.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.body.layouts import LAYOUTS

JOINTS = LAYOUTS["kinect20"].joints
INDEX = {name: i for i, name in enumerate(JOINTS)}
ROOT = INDEX["hip_center"]
SIDES = (("left", 1.0), ("right", -1.0))
PARENTS = {"spine": "hip_center", "neck": "spine", "head": "neck"}
for _side, _ in SIDES:
    PARENTS |= {
        f"{_side}_{child}": parent if parent in ("neck", "hip_center") else f"{_side}_{parent}"
        for child, parent in (
            ("shoulder", "neck"),
            ("elbow", "shoulder"),
            ("wrist", "elbow"),
            ("hand", "wrist"),
            ("hip", "hip_center"),
            ("knee", "hip"),
            ("ankle", "knee"),
            ("foot", "ankle"),
        )
    }
# (child, parent) joint numbers, parents first; bone b ends at joint BONES[b][0]
BONES = tuple((INDEX[child], INDEX[parent]) for child, parent in PARENTS.items())
BONE = {JOINTS[child]: b for b, (child, _) in enumerate(BONES)}

# Share of the body's height: length of the bone that ends at the joint, and how far the joint's skin is from its centre.
_LENGTHS = {
    "spine": 0.115,
    "neck": 0.175,
    "head": 0.105,
    "shoulder": 0.105,
    "elbow": 0.17,
    "wrist": 0.148,
    "hand": 0.05,
    "hip": 0.063,
    "knee": 0.242,
    "ankle": 0.236,
    "foot": 0.075,
}
# fmt: off
_RADII = {"hip_center": 0.058, "spine": 0.062, "neck": 0.05, "head": 0.06, "shoulder": 0.048, "elbow": 0.027, "wrist": 0.02,
          "hand": 0.017, "hip": 0.055, "knee": 0.034, "ankle": 0.04, "foot": 0.02}
# fmt: on
# Kilograms at the joints of a body of 70 kg
# fmt: off
_MASSES = {"hip_center": 7.0, "spine": 13.0, "neck": 9.0, "head": 5.0, "shoulder": 3.5, "elbow": 1.8, "wrist": 1.2,
           "hand": 0.4,
           "hip": 5.5, "knee": 4.0, "ankle": 1.8, "foot": 0.6}
# fmt: on
KINDS = ("adult", "child", "old")


def _kind_of(joint: str) -> str:
    return joint.split("_")[1] if joint.startswith(("left_", "right_")) else joint


def _table(values: dict[str, float], joints: tuple[str, ...]) -> np.ndarray:
    return np.array([values[_kind_of(joint)] for joint in joints])


MASSES = _table(_MASSES, JOINTS)


@dataclass(frozen=True, eq=False)
class Body:
    """One person's measures.

    :param kind: adult, child or old
    :param height_m: from the soles to the top of the head, standing straight
    :param lengths_m: (19,) of `BONES`
    :param radii_m: (20,) how high a joint's centre lies when it rests on the floor
    :param stoop_deg: how far an old person's back is bent
    :param pace: speed of ordinary motions, 1 for a brisk adult
    """

    kind: str
    height_m: float
    lengths_m: np.ndarray
    radii_m: np.ndarray
    stoop_deg: float
    pace: float

    @staticmethod
    def drawn(rng: np.random.Generator) -> Body:
        kind = str(rng.choice(KINDS, p=(0.55, 0.2, 0.25)))
        height_m = {"adult": rng.normal(1.72, 0.1), "child": rng.uniform(1.1, 1.5), "old": rng.normal(1.64, 0.09)}[kind]
        height_m = float(np.clip(height_m, 1.1, 1.95))
        child = np.clip((1.6 - height_m) / 0.5, 0, 1) if kind == "child" else 0.0
        changes = {name: rng.normal(1, 0.05) for name in _LENGTHS}
        changes["head"] *= 1 + 0.25 * child  # children: large heads, short legs and arms
        for name in ("knee", "ankle", "elbow", "wrist"):
            changes[name] *= 1 - 0.08 * child
        lengths = {name: height_m * share * np.clip(changes[name], 0.85, 1.35) for name, share in _LENGTHS.items()}
        girth = rng.uniform(0.9, 1.25)
        radii = {name: height_m * share * (girth if share > 0.045 else 1.0) for name, share in _RADII.items()}
        return Body(
            kind,
            height_m,
            _table(lengths, tuple(PARENTS)),
            _table(radii, JOINTS),
            float(rng.uniform(5, 40)) if kind == "old" else float(rng.uniform(0, 8)),
            float(rng.uniform(0.45, 0.8) if kind == "old" else rng.uniform(0.8, 1.2)),
        )


def from_root(directions: np.ndarray, lengths_m: np.ndarray) -> np.ndarray:
    """Directions (..., 19, 3) and lengths (..., 19) of bones -> (..., 20, 3) joints, seen from the root joint."""
    joints = np.zeros((*directions.shape[:-2], len(JOINTS), 3), directions.dtype)
    bones = directions * lengths_m[..., None]
    for b, (child, parent) in enumerate(BONES):
        joints[..., child, :] = joints[..., parent, :] + bones[..., b, :]
    return joints


def directions_of(joints: np.ndarray) -> np.ndarray:
    """(..., 20, 3) joints -> (..., 19, 3) unit vectors along the bones."""
    children, parents = (list(side) for side in zip(*BONES, strict=True))
    bones = joints[..., children, :] - joints[..., parents, :]
    return bones / np.maximum(np.linalg.norm(bones, axis=-1, keepdims=True), 1e-9)


def frames_of(joints: np.ndarray) -> np.ndarray:
    """(..., 20, 3) joints -> (..., 3, 3) pelvis: columns left, up, forward."""
    left_hip, right_hip, spine = (joints[..., INDEX[name], :] for name in ("left_hip", "right_hip", "spine"))
    up = spine - joints[..., ROOT, :]
    up = up / np.maximum(np.linalg.norm(up, axis=-1, keepdims=True), 1e-9)
    left = left_hip - right_hip
    left = left - up * (left * up).sum(-1, keepdims=True)
    left = left / np.maximum(np.linalg.norm(left, axis=-1, keepdims=True), 1e-9)
    return np.stack([left, up, np.cross(left, up)], -1)
