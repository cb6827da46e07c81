"""The human graph's edges as a matrix."""

from __future__ import annotations

import numpy as np

from pose_attention_ros.core.body.layouts import Layout


def adjacency(layout: Layout) -> np.ndarray:
    """A (V, V) float32, 1 where a limb joins two joints; symmetric, 0 on the diagonal."""
    matrix = np.zeros((len(layout.joints),) * 2, np.float32)
    a, b = layout.limb_indices.T
    matrix[a, b] = matrix[b, a] = 1
    return matrix
