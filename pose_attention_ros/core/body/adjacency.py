"""The human graph's edges as matrices."""

from __future__ import annotations

import numpy as np

from pose_attention_ros.core.body.layouts import Layout


def adjacency(layout: Layout) -> np.ndarray:
    """A (V, V) float32, 1 where a limb joins two joints; symmetric, 0 on the diagonal."""
    matrix = np.zeros((len(layout.joints),) * 2, np.float32)
    a, b = layout.limb_indices.T
    matrix[a, b] = matrix[b, a] = 1
    return matrix


def normalised_adjacency(matrix: np.ndarray) -> np.ndarray:
    """D~^-1/2 (A + I) D~^-1/2 of A (V, V), the propagation matrix of Li and Wang (2020), eq. 1."""
    with_self = matrix + np.eye(len(matrix), dtype=matrix.dtype)
    inverse_root = 1 / np.sqrt(with_self.sum(1))
    return inverse_root[:, None] * with_self * inverse_root[None, :]
