"""Draws one person's box, limbs and joints."""

from __future__ import annotations

import numpy as np

from pose_attention_ros.visualization.palette import DARK, Colour, attention_colour

# OpenCV takes coordinates in fixed point with this many fractional bits, which keeps slow motion smooth.
_SHIFT = 4
_FAR_PX = 1e5  # beyond it the fixed-point numbers would overflow


def _fixed(points_px: np.ndarray) -> np.ndarray:
    return np.round(np.clip(points_px, -_FAR_PX, _FAR_PX) * (1 << _SHIFT)).astype(np.int32)


def draw_limbs(image_bgr: np.ndarray, points_px: np.ndarray, mask: np.ndarray, limbs: np.ndarray, colour: Colour,
               width_px: int) -> None:
    """points_px (V, 2), mask (V,) bool, limbs (L, 2) rows; a limb with a missing end is not drawn."""
    import cv2

    lines = _fixed(points_px[limbs[mask[limbs].all(1)]])
    for tone, thickness in ((DARK, width_px + max(2, width_px)), (colour, width_px)):
        cv2.polylines(image_bgr, list(lines), False, tone, thickness, cv2.LINE_AA, _SHIFT)


def draw_joints(image_bgr: np.ndarray, points_px: np.ndarray, mask: np.ndarray, levels: np.ndarray | None, colour: Colour,
                radius_px: float) -> None:
    """Joints as discs, coloured and sized by their attention `levels` (V,) in [0, 1]; all alike where that is None."""
    import cv2

    order = range(len(mask)) if levels is None else np.argsort(levels)  # the most important on top
    for joint in order:
        if not mask[joint]:
            continue
        level = 0.0 if levels is None else float(levels[joint])
        tone = colour if levels is None else attention_colour(level)
        centre = tuple(_fixed(points_px[joint]).tolist())
        radius = radius_px * (0.85 + 0.9 * level)
        for disc, disc_tone in ((radius + max(1.0, radius_px * 0.3), DARK), (radius, tone)):
            cv2.circle(image_bgr, centre, round(disc * (1 << _SHIFT)), disc_tone, -1, cv2.LINE_AA, _SHIFT)


def draw_box(image_bgr: np.ndarray, box_xyxy: np.ndarray, colour: Colour, width_px: int) -> None:
    """The four corners of a box, rounded."""
    import cv2

    left, top, right, bottom = box_xyxy
    arm = 0.22 * min(right - left, bottom - top)
    radius = 0.4 * arm
    turn = np.linspace(0, np.pi / 2, 5)[:, None]
    # The corner of the upper left: down along the left side, round, and along the top; the others mirror it.
    corner = np.concatenate([[[0, arm]], radius * (1 - np.hstack([np.cos(turn), np.sin(turn)])), [[arm, 0]]])
    lines = [_fixed(np.array([x, y]) + corner * (sign_x, sign_y))
             for x, sign_x in ((left, 1), (right, -1)) for y, sign_y in ((top, 1), (bottom, -1))]
    for tone, thickness in ((DARK, width_px + 2), (colour, width_px)):
        cv2.polylines(image_bgr, lines, False, tone, thickness, cv2.LINE_AA, _SHIFT)
