"""What turns images into features: the protocol that models which read pixels are trained and run with."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class FeatureExtractor(Protocol):
    """A network without memory of its own. `name` is its key in inference.extractors.EXTRACTORS; `sha256` identifies its
    weights; `channels` D; `stride` image pixels a cell; `frames_per_cell` 1, or how many successive images a network over
    space and time makes into one cell of time."""

    name: str
    sha256: str
    channels: int
    stride: int
    frames_per_cell: int

    def __call__(self, images_bgr: np.ndarray) -> np.ndarray:
        """images_bgr (n, H, W, 3) uint8 -> (n / frames_per_cell, D, H / stride, W / stride) float32, sizes rounded as the
        network rounds them. Raises UserError for an image that is too small or a number of images that does not fit."""
        ...


def mean_over_cells(cubes: np.ndarray) -> np.ndarray:
    """(..., D, K1, K2) -> (..., D): features averaged over the image."""
    return cubes.mean((-2, -1))
