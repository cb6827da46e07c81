"""People drawn as ideal confidence maps and affinity fields, for tests of what reads such maps."""

from __future__ import annotations

import numpy as np

from pose_attention_ros.core.body.layouts import layout

LAYOUT = layout("openpose18")
# A standing person: torso length 2, about 2.5 wide and 6.5 high; x right, y down, origin between the hips.
# fmt: off
_STANDING = {"nose": (0, -2.9), "neck": (0, -2), "right_shoulder": (-0.9, -1.9), "right_elbow": (-1.25, -0.9),
             "right_wrist": (-1.3, 0.2), "left_shoulder": (0.9, -1.9), "left_elbow": (1.25, -0.9), "left_wrist": (1.3, 0.2),
             "right_hip": (-0.6, 0), "right_knee": (-0.7, 1.7), "right_ankle": (-0.7, 3.3), "left_hip": (0.6, 0),
             "left_knee": (0.7, 1.7), "left_ankle": (0.7, 3.3), "right_eye": (-0.3, -3.3), "left_eye": (0.3, -3.3),
             "right_ear": (-0.65, -3.0), "left_ear": (0.65, -3.0)}
# fmt: on
STANDING = np.array([_STANDING[joint] for joint in LAYOUT.joints])  # (V, 2)


def crowd(count: int, size: float = 4.5, seed: int = 0) -> tuple[np.ndarray, tuple[int, int]]:
    """`count` people on a grid, each a little different: joints (N, V, 2) in cells, and maps' (width, height).

    :param size: cells a unit of STANDING
    """
    rng = np.random.default_rng(seed)
    columns = max(1, int(np.ceil(np.sqrt(2 * count))))
    place = np.stack([np.arange(count) % columns, np.arange(count) // columns], 1) * (4.0, 7.6) + (2.0, 3.9)
    joints = (STANDING + place[:, None] + rng.normal(0, 0.08, (count, *STANDING.shape))) * size
    return joints, (int(columns * 4.0 * size), int(max(1, -(-count // columns)) * 7.6 * size))


def maps_of(
    people: np.ndarray, size: tuple[int, int], sigma: float = 1.0, missing: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Confidence (V + 1, H, W) and affinity (2 L, H, W) of people (N, V, 2) in cells; missing: (N, V) bool.

    The greatest Gaussian counts where people overlap, the mean of the fields where their limbs do (Cao et al. 2017).
    """
    width, height = size
    missing = np.zeros(people.shape[:2], bool) if missing is None else missing
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    confidence = np.zeros((len(LAYOUT.joints) + 1, height, width))
    field, crossing = np.zeros((len(LAYOUT.limbs), 2, height, width)), np.zeros((len(LAYOUT.limbs), height, width))
    for joints, absent in zip(people, missing):
        for joint in np.flatnonzero(~absent):
            squared = (x - joints[joint, 0]) ** 2 + (y - joints[joint, 1]) ** 2
            confidence[joint] = np.maximum(confidence[joint], np.exp(-squared / (2 * sigma**2)))
        for limb, (a, b) in enumerate(LAYOUT.limb_indices):
            if absent[a] or absent[b]:
                continue
            line = joints[b] - joints[a]
            length = np.hypot(*line)
            unit = line / length
            along = (x - joints[a, 0]) * unit[0] + (y - joints[a, 1]) * unit[1]
            across = np.abs((x - joints[a, 0]) * unit[1] - (y - joints[a, 1]) * unit[0])
            near = (along > -1) & (along < length + 1) & (across < 1)
            field[limb][:, near] += unit[:, None]
            crossing[limb][near] += 1
    confidence[-1] = 1 - confidence[:-1].max(0)
    field /= np.maximum(crossing, 1)[:, None]
    return confidence.astype(np.float32), field.reshape(-1, height, width).astype(np.float32)
