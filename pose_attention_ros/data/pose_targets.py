"""What the pose network should say about labelled people: confidence maps, part-affinity fields, and where it counts.

Source: Cao et al. (2017), (6) to (10). Map cell (i, j) is centred at input pixel (8 j + 4, 8 i + 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pose_attention_ros.core.body.layouts import Layout
from pose_attention_ros.core.config import Settings, setting

STRIDE = 8


@dataclass(frozen=True)
class TargetConfig(Settings):
    sigma_cells: float = setting(1.0, "spread of a joint's peak", unit="cells", low=0.3, high=5)
    limb_cells: float = setting(1.0, "half the width of a limb's field", unit="cells", low=0.3, high=5)
    missing_weight: float = setting(
        0.3, "weight of a map inside the box of a labelled person whose joint is not labelled", low=0, high=1
    )


class Targets(NamedTuple):
    """confidence (V + 1, h, w), affinity (2 L, h, w) and their weights, of the same shapes, in [0, 1]; all float32."""

    confidence: np.ndarray
    affinity: np.ndarray
    confidence_weight: np.ndarray
    affinity_weight: np.ndarray


def make_targets(
    keypoints_px: np.ndarray,
    labelled: np.ndarray,
    boxes_xyxy: np.ndarray,
    valid: np.ndarray,
    layout: Layout,
    config: TargetConfig,
) -> Targets:
    """Targets of one image.

    :param keypoints_px: (P, V, 2) in pixels of the network's input
    :param labelled: (P, V) bool
    :param boxes_xyxy: (P, 4) around each person
    :param valid: (h, w) float32, 0 where people are not labelled
    """
    height, width = valid.shape
    points = keypoints_px / STRIDE - 0.5  # in cells, cell centres at whole numbers
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    joints = _peaks(points, labelled, x, y, config.sigma_cells)
    confidence = np.concatenate((joints, 1 - joints.max(0, keepdims=True)))
    affinity = _fields(points, labelled, x, y, layout, config.limb_cells)
    weight = np.broadcast_to(valid, joints.shape).copy()
    for box, seen in zip(boxes_xyxy / STRIDE, labelled):
        left, top, right, bottom = (int(side) for side in np.concatenate((np.floor(box[:2]), np.ceil(box[2:]))).clip(0))
        inside = weight[~seen, top:bottom, left:right]
        weight[~seen, top:bottom, left:right] = np.minimum(inside, config.missing_weight)
    first, second = layout.limb_indices.T
    limbs = np.repeat(np.minimum(weight[first], weight[second]), 2, axis=0)
    return Targets(confidence, affinity, np.concatenate((weight, valid[None])), limbs)


def _peaks(points: np.ndarray, labelled: np.ndarray, x: np.ndarray, y: np.ndarray, sigma: float) -> np.ndarray:
    """(V, h, w): the highest of the people's Gaussians."""
    spread = -0.5 / sigma**2
    across = np.exp(spread * (x - points[..., 0, None]) ** 2) * labelled[..., None]
    down = np.exp(spread * (y - points[..., 1, None]) ** 2)
    peaks = down[..., :, None] * across[..., None, :]
    return peaks.max(0, initial=0).astype(np.float32)


def _fields(
    points: np.ndarray, labelled: np.ndarray, x: np.ndarray, y: np.ndarray, layout: Layout, half_width: float
) -> np.ndarray:
    """(2 L, h, w): the mean of the unit vectors of the limbs that pass a cell."""
    first, second = layout.limb_indices.T
    ends = points[:, second] - points[:, first]
    length = np.linalg.norm(ends, axis=-1)
    there = labelled[:, first] & labelled[:, second] & (length > 0)
    unit = ends / np.maximum(length, 1e-6)[..., None]
    dx = x[None, None, None, :] - points[:, first, 0, None, None]
    dy = y[None, None, :, None] - points[:, first, 1, None, None]
    ux, uy = unit[..., 0, None, None], unit[..., 1, None, None]
    along, aside = dx * ux + dy * uy, np.abs(dx * uy - dy * ux)
    on = (along >= -0.5) & (along <= length[..., None, None] + 0.5) & (aside <= half_width) & there[..., None, None]
    count = np.maximum(on.sum(0), 1)
    fields = np.stack(((on * ux).sum(0), (on * uy).sum(0)), 1) / count[:, None]
    return fields.reshape(-1, len(y), len(x)).astype(np.float32)
