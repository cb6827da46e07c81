"""What surrounds the figure: a textured ground, things that drift, stray arms and legs that move as if they acted, and what
passes in front. T frames of size x size pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pose_attention_ros.data.rendered.drawing import Clothes, Colour, any_colour, hand, limb, polygon

MARGIN = 0.08  # of the image's size: how far the camera may shake


def background(rng: np.random.Generator, size: int) -> np.ndarray:
    """(size + 2 m, size + 2 m, 3) uint8 with a margin of m on all sides: noise of several widths, and furniture."""
    wide = size + 2 * round(MARGIN * size)
    image = np.full((wide, wide, 3), any_colour(rng), np.float32)
    for cells, contrast in ((3, 60), (8, 40), (24, 25), (64, 14)):
        light, tint = rng.standard_normal((cells, cells, 1), np.float32), rng.standard_normal((cells, cells, 3), np.float32)
        noise = (light + np.float32(0.3) * tint) * np.float32(contrast * rng.uniform(0.2, 1))
        image += cv2.resize(noise, (wide, wide), interpolation=cv2.INTER_LINEAR)
    image = np.clip(image, 0, 255).astype(np.uint8)
    for _ in range(rng.integers(4, 12)):
        polygon(image, _shape(rng, rng.uniform(0, wide, 2), rng.uniform(0.05, 0.25) * size), any_colour(rng))
    return image


def _shape(rng: np.random.Generator, centre_px: np.ndarray, radius_px: float) -> np.ndarray:
    """(n, 2): a convex polygon of 3 to 8 corners."""
    turns = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 9)))
    return centre_px + radius_px * np.stack([np.cos(turns), np.sin(turns) * rng.uniform(0.3, 1)], -1)


@dataclass(frozen=True, eq=False)
class Drifting:
    """A shape that moves in a straight line and turns: corners (T, n, 2) pixels."""

    corners_px: np.ndarray
    colour: Colour

    @classmethod
    def drawn(
        cls, rng: np.random.Generator, frames: int, size: int, largest: float, through_px: np.ndarray | None = None
    ) -> Drifting:
        """It crosses at most half of the image.

        :param largest: radius as a share of the image's size
        :param through_px: (2,) where it is in the middle of the clip; None: it begins anywhere
        """
        shape = _shape(rng, np.zeros(2), rng.uniform(0.3, 1) * largest * size)
        begin, step = rng.uniform(0, size, 2), rng.uniform(-0.5, 0.5, 2) * size / frames
        if through_px is not None:
            begin = through_px - step * frames / 2
        turns = rng.uniform(-0.2, 0.2) * np.arange(frames)
        cos, sin = np.cos(turns), np.sin(turns)
        turned = np.einsum("ijt,nj->tni", np.array([[cos, -sin], [sin, cos]]), shape)
        return cls(turned + (begin + step * np.arange(frames)[:, None])[:, None], any_colour(rng))

    def paint(self, image: np.ndarray, frame: int) -> None:
        """Into one frame."""
        polygon(image, self.corners_px[frame], self.colour)


@dataclass(frozen=True, eq=False)
class StrayLimb:
    """An arm or a leg that belongs to nobody: chain_px (T, 3, 2), from its root to its end."""

    chain_px: np.ndarray
    radius_px: float
    clothes: Clothes

    @classmethod
    def drawn(
        cls, rng: np.random.Generator, times_s: np.ndarray, size: int, height_px: float, clothes: Clothes
    ) -> StrayLimb:
        """As long as the limbs of a person of height_px; it swings as waving arms and kicking legs do."""
        length_px = height_px * rng.uniform(0.13, 0.22, 2)
        phase = 2 * np.pi * (rng.uniform(0.5, 1.5) * times_s + rng.uniform())
        first = rng.uniform(-np.pi, np.pi) + rng.uniform(0, 0.6) * np.sin(phase)
        second = first + rng.uniform(-1.2, 1.2) + rng.uniform(0.2, 0.8) * np.sin(phase + rng.uniform(0, 1))
        root = rng.uniform(0, size, 2) + np.outer(times_s, rng.uniform(-0.08, 0.08, 2) * size)
        middle = root + length_px[0] * np.stack([np.cos(first), np.sin(first)], -1)
        end = middle + length_px[1] * np.stack([np.cos(second), np.sin(second)], -1)
        return cls(np.stack([root, middle, end], 1), height_px * rng.uniform(0.022, 0.036), clothes)

    def paint(self, image: np.ndarray, frame: int) -> None:
        """Into one frame."""
        chain = self.chain_px[frame]
        limb(image, chain[:2], (self.radius_px * 1.15, self.radius_px), self.clothes.shirt)
        fore = self.clothes.shirt if self.clothes.long_sleeves else self.clothes.skin
        limb(image, chain[1:], (self.radius_px, self.radius_px * 0.8), fore)
        hand(image, chain[1:], self.radius_px, self.clothes.skin)


def shake(rng: np.random.Generator, times_s: np.ndarray, size: int, strength: float) -> np.ndarray:
    """(T, 2) pixels, whole ones: how far the camera is off; `strength` as a share of the image's size."""
    phases = 2 * np.pi * (rng.uniform(0.2, 1.0, 2) * times_s[:, None] + rng.uniform(size=2))
    return np.rint(np.sin(phases) * strength * size * rng.uniform(size=2)).astype(int)
