"""People who do nothing: a pose at the beginning or end of a clip, held, with the sway that no living body is without."""

from __future__ import annotations

import numpy as np

from pose_attention_ros.core.layouts import Layout
from pose_attention_ros.data.augment import UNIT_PX, correlated
from pose_attention_ros.data.streams import Example

FPS = 15.0
SWAY = 0.03  # spread of the slow sway of the whole body, body units
FIDGET = 0.03  # spread of the slow motion of single joints, body units
SWAY_TIME_S = 1.5
ARMS_POSED = 0.4  # share of held poses whose arms are put elsewhere: folded, on the hips, at the face
UPPER_ARM_DEG, FOREARM_DEG = 20.0, 140.0
_HEIGHT = {"head": 1.5, "shoulder": 1.0, "elbow": 0.8, "wrist": 0.7, "hip": 0.0, "knee": 0.0, "ankle": 0.0}


def rest_example(example: Example, where: str, seconds: float, rng: np.random.Generator, layout: Layout,
                 target: int) -> Example:
    """`example`'s first (`where` = "start") or last ("end") pose held for `seconds`."""
    pose, scores = (part[0 if where == "start" else -1] for part in (example.keypoints, example.scores))
    frames = max(int(seconds * FPS), 3)
    dt_s = np.full((1, frames), 1 / FPS)
    lever = np.array([next(h for end, h in _HEIGHT.items() if joint.endswith(end)) for joint in layout.joints])
    lean = correlated(rng, dt_s, SWAY_TIME_S, (1, 2))[0] * lever[:, None] * np.array([1.0, 0.3]) * SWAY
    pose = _arms_posed(pose, rng, layout) if rng.uniform() < ARMS_POSED else pose
    still = rng.uniform(0.2, 2.0)
    fidget = correlated(rng, dt_s, SWAY_TIME_S, (len(lever), 2))[0] * FIDGET * (0.3 + lever[:, None])
    keypoints = pose + UNIT_PX * still * (lean + fidget)
    return Example(keypoints.astype(np.float32), np.repeat(scores[None], frames, 0), FPS, target)


def _arms_posed(pose: np.ndarray, rng: np.random.Generator, layout: Layout) -> np.ndarray:
    """`pose` (V, 2) with each arm turned at the shoulder and bent at the elbow, in the image plane."""
    pose = pose.copy()
    for side in ("left", "right"):
        shoulder, elbow, wrist = (layout.index(f"{side}_{joint}") for joint in ("shoulder", "elbow", "wrist"))
        for pivot, moved, angle_deg in ((shoulder, (elbow, wrist), rng.normal(0, UPPER_ARM_DEG)),
                                        (elbow, (wrist,), rng.uniform(-FOREARM_DEG, FOREARM_DEG))):
            cos, sin = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
            turn = np.array([[cos, -sin], [sin, cos]], pose.dtype)
            pose[list(moved)] = (pose[list(moved)] - pose[pivot]) @ turn.T + pose[pivot]
    return pose
