"""People who do nothing: a pose at the beginning or end of a clip, held, with the sway that no living body is without."""

from __future__ import annotations

import numpy as np

from pose_attention_ros.core.body.layouts import Layout
from pose_attention_ros.data.augment import UNIT_PX, correlated
from pose_attention_ros.data.streams import Example

FPS = 15.0
UNIT_M = 0.5  # a body unit of a 3D motion
SWAY = 0.03  # spread of the slow sway of the whole body, body units
FIDGET = 0.03  # spread of the slow motion of single joints, body units
_LEAN = np.array([1.0, 0.3, 1.0])  # of it sideways, up and down, and forwards
SWAY_TIME_S = 1.5
ARMS_POSED = 0.4  # share of held poses whose arms are put elsewhere: folded, on the hips, at the face
UPPER_ARM_DEG, FOREARM_DEG = 20.0, 140.0
_HEIGHT = {"head": 1.5, "shoulder": 1.0, "elbow": 0.8, "wrist": 0.7, "hip": 0.0, "knee": 0.0, "ankle": 0.0}


def rest_example(
    example: Example, where: str, seconds: float, rng: np.random.Generator, layout: Layout, target: int
) -> Example:
    """`example`'s first (`where` = "start") or last ("end") pose held for `seconds`."""
    pose, scores = (part[0 if where == "start" else -1] for part in (example.keypoints, example.scores))
    frames = max(int(seconds * FPS), 3)
    dt_s = np.full((1, frames), 1 / FPS)
    lever = np.array([next(h for end, h in _HEIGHT.items() if joint.endswith(end)) for joint in layout.joints])
    dimensions = pose.shape[-1]
    unit = UNIT_PX if dimensions == 2 else UNIT_M
    lean = correlated(rng, dt_s, SWAY_TIME_S, (1, dimensions))[0] * lever[:, None] * _LEAN[:dimensions] * SWAY
    pose = _arms_posed(pose, rng, layout) if rng.uniform() < ARMS_POSED else pose
    still = rng.uniform(0.2, 2.0)
    fidget = correlated(rng, dt_s, SWAY_TIME_S, (len(lever), dimensions))[0] * FIDGET * (0.3 + lever[:, None])
    keypoints = pose + unit * still * (lean + fidget)
    return Example(keypoints.astype(np.float32), np.repeat(scores[None], frames, 0), FPS, target)


def _turn(angle: float, rng: np.random.Generator, dimensions: int) -> np.ndarray:
    """A rotation by `angle`, in three dimensions about a random axis (Rodrigues)."""
    cos, sin = np.cos(angle), np.sin(angle)
    if dimensions == 2:
        return np.array([[cos, -sin], [sin, cos]])
    axis = rng.standard_normal(3)
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + sin * cross + (1 - cos) * cross @ cross


def _arms_posed(pose: np.ndarray, rng: np.random.Generator, layout: Layout) -> np.ndarray:
    """`pose` (V, 2 or 3) with each arm turned at shoulder and elbow, in the image plane or about any axis."""
    pose = pose.copy()
    for side in ("left", "right"):
        shoulder, elbow, wrist = (layout.index(f"{side}_{joint}") for joint in ("shoulder", "elbow", "wrist"))
        for pivot, moved, angle_deg in (
            (shoulder, (elbow, wrist), rng.normal(0, UPPER_ARM_DEG)),
            (elbow, (wrist,), rng.uniform(-FOREARM_DEG, FOREARM_DEG)),
        ):
            turn = _turn(np.deg2rad(angle_deg), rng, pose.shape[-1]).astype(pose.dtype)
            pose[list(moved)] = (pose[list(moved)] - pose[pivot]) @ turn.T + pose[pivot]
    return pose
