"""Images as features: the extractor that models which read pixels are trained and run with, features that a pose estimator
has anyway, and what the action stage asks for. D channels of features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pose_attention_ros.core.types import Frame, SkeletonGraphs


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


@dataclass(frozen=True, eq=False)
class ImageFeatures:
    """Features of a whole image out of a network that has run already.

    stamp_ns: of the image; sha256: of the network's file; stride: input pixels a cell; scale (x, y): input pixels an image
    pixel; offset_px (x, y): where the image's corner lies in the input; cube (D, h, w) float32.
    """

    stamp_ns: int
    sha256: str
    stride: int
    scale: tuple[float, float]
    offset_px: tuple[float, float]
    cube: np.ndarray

    def sampled(self, square: np.ndarray, cells: tuple[int, int]) -> np.ndarray:
        """(D, *cells) float32: the square (centre x, centre y, side) of the image at that many rows and columns of cells,
        bilinear; 0 outside the image's features."""
        rows, columns = (self._weights(square, axis, count) for axis, count in ((1, cells[0]), (0, cells[1])))
        return rows @ self.cube @ columns.T

    def pixels_a_cell(self, side_px: float, cells: int) -> float:
        """How many of the network's input pixels each of `cells` cells has on a side of side_px image pixels."""
        return side_px * float(np.mean(self.scale)) / cells

    def _weights(self, square: np.ndarray, axis: int, count: int) -> np.ndarray:
        """(count, size of the cube along axis): what each wanted cell takes of those that are there."""
        begin = square[axis] - square[2] / 2
        middles_px = begin + (np.arange(count) + 0.5) * square[2] / count
        at = (middles_px * self.scale[axis] + self.offset_px[axis]) / self.stride - 0.5
        there = np.arange(self.cube.shape[2 - axis])
        return np.maximum(0, 1 - np.abs(at[:, None] - there)).astype(np.float32)


class PixelFeed(Protocol):
    """Gives a recogniser what it reads of the images; state is kept a person and freed with their track."""

    def see(self, frame: Frame, graphs: SkeletonGraphs) -> None:
        """The next image and its people. Costs next to nothing."""
        ...

    def pixels(self, people: list[int]) -> np.ndarray:
        """(n, *ModelSpec.pixels_shape) float32: of the people in these rows of the newest graphs, in the newest image."""
        ...

    def reset(self) -> None:
        """Forget everybody."""
        ...

    def details(self) -> dict[str, str]:
        """For the diagnostics: how often features were computed, and how often they were there already."""
        ...


def mean_over_cells(cubes: np.ndarray) -> np.ndarray:
    """(..., D, K1, K2) -> (..., D): features averaged over the image."""
    return cubes.mean((-2, -1))
