"""Draws one person's box, limbs and joints."""

from __future__ import annotations

import numpy as np

from pose_attention_ros.visualization.palette import DARK, Colour, attention_colours

# OpenCV takes coordinates in fixed point with this many fractional bits, which keeps slow motion smooth.
_SHIFT = 4
_FAR_PX = 1e5  # beyond it the fixed-point numbers would overflow


def _fixed(points_px: np.ndarray) -> np.ndarray:
    return np.round(np.clip(points_px, -_FAR_PX, _FAR_PX) * (1 << _SHIFT)).astype(np.int32)


def draw_limbs(
    image_bgr: np.ndarray, points_px: np.ndarray, mask: np.ndarray, limbs: np.ndarray, colour: Colour, width_px: float
) -> None:
    """points_px (V, 2), mask (V,) bool, limbs (L, 2) rows; a limb with a missing end is not drawn."""
    import cv2

    lines = list(_fixed(points_px[limbs[mask[limbs].all(1)]]))
    rim = 2 * max(1, round(0.45 * width_px)) if width_px > 1 else 1
    for tone, thickness in ((DARK, max(1, round(width_px)) + rim), (colour, max(1, round(width_px)))):
        cv2.polylines(image_bgr, lines, False, tone, thickness, cv2.LINE_AA, _SHIFT)


def draw_joints(
    image_bgr: np.ndarray,
    points_px: np.ndarray,
    mask: np.ndarray,
    levels: np.ndarray | None,
    colour: Colour,
    radius_px: float,
) -> None:
    """Joints as discs, coloured and sized by their attention `levels` (V,) in [0, 1]; all alike where that is None."""
    import cv2

    if levels is None:
        levels, tones = np.zeros(len(mask)), [colour] * len(mask)
    else:
        tones = attention_colours(levels)
    centres = _fixed(points_px).tolist()
    inner = radius_px * (0.8 + levels)
    rims = np.round((inner + np.clip(0.3 * radius_px, 0.6, None)) * (1 << _SHIFT)).astype(int).tolist()
    discs = np.round(inner * (1 << _SHIFT)).astype(int).tolist()
    for joint in np.argsort(levels, kind="stable").tolist():  # the most important on top
        if mask[joint]:
            cv2.circle(image_bgr, centres[joint], rims[joint], DARK, -1, cv2.LINE_AA, _SHIFT)
            cv2.circle(image_bgr, centres[joint], discs[joint], tones[joint], -1, cv2.LINE_AA, _SHIFT)


_TURN = np.linspace(0, np.pi / 2, 5)[:, None]
_ROUND_CORNER = 1 - np.hstack([np.cos(_TURN), np.sin(_TURN)])
_CORNER_SIGNS = np.array([[1, 1], [-1, 1], [1, -1], [-1, -1]])


def draw_box(image_bgr: np.ndarray, box_xyxy: np.ndarray, colour: Colour, width_px: int) -> None:
    """The four corners of a box, rounded."""
    import cv2

    left, top, right, bottom = box_xyxy
    arm = 0.22 * min(right - left, bottom - top)
    # The upper left corner: up along the left side, round, and along the top; the other three mirror it.
    corner = np.vstack([[0, arm], 0.4 * arm * _ROUND_CORNER, [arm, 0]])
    tips = np.array([[left, top], [right, top], [left, bottom], [right, bottom]])
    lines = list(_fixed(tips[:, None] + corner * _CORNER_SIGNS[:, None]))
    for tone, thickness in ((DARK, width_px + 2), (colour, width_px)):
        cv2.polylines(image_bgr, lines, False, tone, thickness, cv2.LINE_AA, _SHIFT)
