"""Other people's bodies doing the same: limbs, trunk, head, shoulders and hips longer, shorter, wider or narrower.

Bones are scaled where they are seen, so the same code serves 3D joints and joints in an image. m frames, V joints.
"""

from __future__ import annotations

import numpy as np

from pose_attention_ros.core.body.layouts import PARTS, Layout

_LIMBS = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
# How much a bone's length differs between people and between the joints of sensors and annotators, beside that of a limb.
_WIDTHS = {"shoulder": 1.5, "hip": 2.0}
_HEAD = 1.5
_ALONG_TRUNK = {"neck": 1.0, "spine_shoulder": 1.0, "spine": 0.5, "belly": 0.5}  # share of the trunk's change
_BEYOND = {"hand": "wrist", "hand_tip": "wrist", "thumb": "wrist", "foot": "ankle"}  # move with the limb's last joint


def proportioned(
    keypoints: np.ndarray, mask: np.ndarray, rng: np.random.Generator, layout: Layout, spread: float
) -> np.ndarray:
    """keypoints (m, V, 2 or 3) of another body, the middle of its hips unmoved; mask (m, V) bool.

    :param spread: standard deviation of the logarithm of a limb's length; left and right are alike
    """
    if not spread:
        return keypoints
    shift = np.zeros_like(keypoints)

    def change(share: float) -> np.float32:
        return np.float32(np.exp(share * spread * rng.standard_normal()) - 1)

    def both(end: str) -> list[int]:
        return [layout.index(f"{side}_{end}") for side in ("left", "right")]

    middle = {}
    for end in ("shoulder", "hip"):
        rows = both(end)
        middle[end] = keypoints[:, rows].mean(1, keepdims=True)
        whole = mask[:, rows].all(1)[:, None, None]
        shift[:, rows] += np.where(whole, change(_WIDTHS[end]) * (keypoints[:, rows] - middle[end]), 0)
        middle[end] = np.where(whole, middle[end], np.nan)
    trunk = np.nan_to_num(change(1.0) * (middle["shoulder"] - middle["hip"]))
    head = np.flatnonzero(layout.part_indices == PARTS.index("head"))
    shift[:, head] += trunk + np.nan_to_num(change(_HEAD) * (keypoints[:, head] - middle["shoulder"]))
    shift[:, both("shoulder")] += trunk
    for parent, child in _LIMBS:
        factor = change(1.0)
        for a, b in zip(both(parent), both(child)):
            seen = (mask[:, a] & mask[:, b])[:, None]
            shift[:, b] = shift[:, a] + np.where(seen, factor * (keypoints[:, b] - keypoints[:, a]), 0)
    for row, joint in enumerate(layout.joints):
        if joint in _ALONG_TRUNK:
            shift[:, row] = _ALONG_TRUNK[joint] * trunk[:, 0]
        side, _, end = joint.partition("_")
        if end in _BEYOND:
            shift[:, row] = shift[:, layout.index(f"{side}_{_BEYOND[end]}")]
    return (keypoints + shift).astype(np.float32)
