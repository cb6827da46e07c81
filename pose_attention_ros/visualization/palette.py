"""Colours, BGR: one a track, and a perceptually even scale for attention."""

from __future__ import annotations

from functools import cache

import numpy as np

Colour = tuple[int, int, int]

DARK: Colour = (24, 20, 18)
WHITE: Colour = (255, 255, 255)
GREY: Colour = (170, 166, 162)

# Bright, well apart from each other, and neither grass, skin nor asphalt.
# fmt: off
_TRACKS: tuple[Colour, ...] = (
    (255, 196, 62), (94, 121, 255), (112, 226, 148), (86, 205, 255), (255, 142, 196), (222, 222, 96), (70, 160, 255),
    (255, 160, 120), (190, 130, 255), (120, 240, 220))
# fmt: on


def track_colour(track_id: int) -> Colour:
    """The same colour for a track in every frame."""
    return _TRACKS[track_id % len(_TRACKS)]


def dimmed(colour: Colour, share: float = 0.5) -> Colour:
    """`colour` drawn towards grey."""
    return tuple(round(part * share + grey * (1 - share)) for part, grey in zip(colour, GREY))


@cache
def attention_scale() -> np.ndarray:
    """(256, 3) uint8 BGR from no attention (deep blue) to the most (yellow)."""
    import cv2

    return cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_PLASMA)[:, 0]


def attention_colours(levels: np.ndarray) -> list[Colour]:
    """The scale at each of `levels` (V,) in [0, 1]."""
    return attention_scale()[np.round(255 * np.clip(levels, 0, 1)).astype(int)].tolist()


def attention_levels(weights: np.ndarray) -> np.ndarray:
    """Weights that sum to 1 as levels in [0, 1]: 1 is the greatest weight, or three times the even share if that is more, so
    that even attention looks even and dim."""
    return weights / max(float(weights.max(initial=0)), 3 / max(len(weights), 1))
