"""The label plate of a person: id, label, confidence, and the attention of the past moments."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pose_attention_ros.core.types import ActionEstimate, LabelState
from pose_attention_ros.visualization.palette import (
    DARK,
    GREY,
    WHITE,
    Colour,
    attention_levels,
    attention_scale,
    dimmed,
    track_colour,
)
from pose_attention_ros.visualization.text import put_mask, text_mask

_OPACITY = 0.82
_SHORTEST_STRIP_NS = 1_000_000_000


@dataclass(frozen=True, eq=False)
class Plate:
    """A finished plate: its pixels (height, width, 3) uint8 BGR and how much they cover, (height, width, 1) float32."""

    pixels: np.ndarray
    cover: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]


def legend_plate(cap_height_px: int) -> Plate:
    """A small colour bar: which colour is how much attention."""
    plate = _composed([("attention", GREY, False)], DARK, None, cap_height_px)
    bar = np.full((plate.size[1], 9 * cap_height_px, 3), DARK, np.uint8)
    middle, inset = plate.size[1] // 2, round(0.6 * cap_height_px)
    bar[middle - cap_height_px // 2 : middle + cap_height_px // 2, :-inset] = attention_scale()[
        np.linspace(0, 255, bar.shape[1] - inset).astype(int)
    ]
    pixels = np.hstack([plate.pixels, bar])
    return Plate(pixels, _rounded(pixels.shape[1], pixels.shape[0], max(2, round(0.35 * cap_height_px))))


def person_plate(track_id: int, estimate: ActionEstimate | None, cap_height_px: int) -> Plate:
    """The plate of one person; `estimate` is None where nothing is said of them yet."""
    confirmed = estimate is not None and estimate.state is LabelState.CONFIRMED
    colour = track_colour(track_id) if confirmed else dimmed(track_colour(track_id), 0.6)
    words: list[tuple[str, Colour, bool]] = [(f"#{track_id}", colour, True)]
    if estimate is not None:
        words.append(
            (
                "..." if estimate.state is LabelState.WARMING_UP else estimate.label.replace("_", " "),
                WHITE if confirmed else GREY,
                confirmed,
            )
        )
        if confirmed:
            words.append((f"{estimate.confidence:.0%}", GREY, False))
    strip = None
    if estimate is not None and len(estimate.frame_attention) > 1:
        strip = estimate
    return _composed(words, colour, strip, cap_height_px)


def _composed(words: list[tuple[str, Colour, bool]], colour: Colour, strip: ActionEstimate | None, cap: int) -> Plate:
    """Colour bar on the left, words in a row, the strip below them."""
    masks = [text_mask(text, cap, bold) for text, _, bold in words]
    edge, gap, bar = round(0.55 * cap), round(0.6 * cap), max(3, round(0.4 * cap))
    row = masks[0].shape[0] + round(0.55 * cap)
    width = bar + 2 * edge + sum(mask.shape[1] for mask in masks) + gap * (len(masks) - 1)
    strip_height = round(0.9 * cap) if strip is not None else 0
    height = row + (strip_height + edge // 2 if strip is not None else 0)
    pixels = np.full((height, width, 3), DARK, np.uint8)
    pixels[:, :bar] = colour
    x, y = bar + edge, round(0.38 * cap)
    for mask, (_, tone, _) in zip(masks, words):
        put_mask(pixels, mask, (x, y), tone)
        x += mask.shape[1] + gap
    if strip is not None:
        _draw_strip(pixels[row : row + strip_height, bar + edge : width - edge], strip)
    return Plate(pixels, _rounded(width, height, max(2, round(0.35 * cap))))


def _draw_strip(region: np.ndarray, estimate: ActionEstimate) -> None:
    """Attention over time: a bar a moment, newest on the right; region (height, width, 3) is painted in place."""
    height, width = region.shape[:2]
    stamps, levels = estimate.frame_stamps_ns, attention_levels(estimate.frame_attention)
    span = max(int(stamps[-1] - stamps[0]), _SHORTEST_STRIP_NS)
    # The moment shown in each column: the first that is not older than the column.
    column_ns = stamps[-1] - span * (1 - (np.arange(width) + 1) / width)
    moment = np.searchsorted(stamps, column_ns, side="left").clip(0, len(stamps) - 1)
    level = np.where(column_ns < stamps[0], 0, levels[moment])
    filled = np.arange(height)[::-1, None] < np.maximum(1, np.round(level * height))[None]
    region[:] = np.where(filled[..., None], attention_scale()[np.round(level * 255).astype(int)], np.uint8((52, 46, 42)))


@lru_cache(maxsize=256)
def _rounded(width: int, height: int, radius: int) -> np.ndarray:
    """Cover of a rounded rectangle, (height, width, 1) float32."""
    x = np.maximum(np.abs(np.arange(width) - (width - 1) / 2) - (width / 2 - radius), 0)
    y = np.maximum(np.abs(np.arange(height) - (height - 1) / 2) - (height / 2 - radius), 0)
    outside = np.hypot(x[None], y[:, None]) - radius
    cover = (np.clip(0.5 - outside, 0, 1) * _OPACITY).astype(np.float32)[..., None]
    cover.flags.writeable = False
    return cover


def paste(image_bgr: np.ndarray, plate: Plate, corner: tuple[int, int]) -> None:
    """Lay a plate that fits inside the image onto it."""
    import cv2

    x, y = corner
    width, height = plate.size
    region = image_bgr[y : y + height, x : x + width]
    cv2.blendLinear(plate.pixels, region, plate.cover[..., 0], 1 - plate.cover[..., 0], dst=region)


def place(
    size: tuple[int, int],
    box_xyxy: np.ndarray,
    image_size: tuple[int, int],
    taken: list[tuple[int, int, int, int]],
    gap_px: int,
) -> tuple[int, int]:
    """Corner (x, y) of a plate near a box: above it, else below, else beside, always inside the image and, where there is
    room, not on one of the `taken` rectangles (left, top, right, bottom)."""
    width, height = size
    left, top, right, bottom = (round(float(side)) for side in box_xyxy)
    candidates = [
        (left, top - height - gap_px),
        (right - width, top - height - gap_px),
        (left, bottom + gap_px),
        (right + gap_px, top),
        (left - width - gap_px, top),
        (left, top - 2 * (height + gap_px)),
        (right - width, top - 2 * (height + gap_px)),
        (left, bottom + 2 * gap_px + height),
    ]
    inside = [
        (min(max(x, 0), max(image_size[0] - width, 0)), min(max(y, 0), max(image_size[1] - height, 0)))
        for x, y in candidates
    ]
    free = (corner for corner in inside if not any(_overlap(corner, size, other) for other in taken))
    return next(free, inside[0])


def _overlap(corner: tuple[int, int], size: tuple[int, int], other: tuple[int, int, int, int]) -> bool:
    x, y = corner
    return x < other[2] and x + size[0] > other[0] and y < other[3] and y + size[1] > other[1]
