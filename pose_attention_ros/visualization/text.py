"""Smooth small text: OpenCV's stroke font drawn large once, scaled down, and kept."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pose_attention_ros.visualization.palette import Colour

_SUPERSAMPLING = 4
_CAP_HEIGHT_AT_SCALE_1 = 21


@lru_cache(maxsize=1024)
def text_mask(text: str, cap_height_px: int, bold: bool = False) -> np.ndarray:
    """Coverage of `text` in [0, 1], (height, width) float32; height is 1.5 cap heights: a third of it hangs
    below the base line."""
    import cv2

    large = cap_height_px * _SUPERSAMPLING
    scale = large / _CAP_HEIGHT_AT_SCALE_1
    weight = max(1, round(large * (0.17 if bold else 0.125)))
    (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, weight)
    canvas = np.zeros((weight + large + large // 2, width + 2 * weight), np.uint8)
    cv2.putText(canvas, text, (weight // 2, weight + large), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, weight, cv2.LINE_AA)
    size = (max(1, round(canvas.shape[1] / _SUPERSAMPLING)), max(1, round(canvas.shape[0] / _SUPERSAMPLING)))
    mask = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    mask.flags.writeable = False
    return mask


def put_mask(image_bgr: np.ndarray, mask: np.ndarray, corner: tuple[int, int], colour: Colour) -> None:
    """Paint `colour` through `mask` with its upper left at `corner` (x, y); what lies outside the image is cut off."""
    x, y = corner
    height, width = image_bgr.shape[:2]
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + mask.shape[1], width), min(y + mask.shape[0], height)
    if left >= right or top >= bottom:
        return
    region = image_bgr[top:bottom, left:right]
    share = mask[top - y : bottom - y, left - x : right - x, None]
    region[:] = (region + share * (np.array(colour, np.float32) - region)).astype(np.uint8)
