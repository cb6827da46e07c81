"""Crops of a person's parts at the joints, as Das et al. (WACV 2019, 3.1) glimpse at them: left hand, right hand, full body.

A crop is a square (centre x, centre y, side) in pixels. Joints may be missing and squares may reach out of the image.
V joints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.config import Settings, setting

CROPS: tuple[str, ...] = ("left_hand", "right_hand", "full_body")
_BODY = CROPS.index("full_body")
# The person fills this share of the square around them, and stays in it as long as they fill between the shares below.
_FILLED, _LEAST, _MOST = 0.62, 0.35, 0.95


@dataclass(frozen=True)
class CropConfig(Settings):
    """How much of the image belongs to a part."""

    crop_size: int = setting(64, "width and height to which a crop is scaled", unit="px", low=16, high=512)
    hand_side: float = setting(1.2, "side of a hand's crop", unit="torso lengths", low=0.2, high=5)
    hand_beyond: float = setting(
        0.25, "a hand's crop is centred this far beyond the wrist, as a share of the forearm", low=0, high=1
    )
    body_margin: float = setting(
        1.25, "side of the body's crop, as a multiple of the longer side of the joints' box", low=1, high=3
    )


class PartSquares:
    """Where one person's parts are, frame after frame.

    A hand whose wrist is missing is taken where it was last, seen from the body; one that was never seen is the body. A
    person without any joint is where they were last, and before that the whole image.
    """

    def __init__(self, joints: tuple[str, ...], config: CropConfig) -> None:
        """:param joints: V names; both wrists, shoulders and hips must be among them, else ValueError"""
        self._config = config
        try:
            self._wrists = [joints.index(f"{side}_wrist") for side in ("left", "right")]
            self._trunk = [joints.index(f"{side}_{name}") for name in ("shoulder", "hip") for side in ("left", "right")]
        except ValueError as error:
            raise ValueError(f"crops need wrists, shoulders and hips: {error}; the joints are {', '.join(joints)}") from None
        self._elbows = [joints.index(name) if name in joints else None for name in ("left_elbow", "right_elbow")]
        self._torso_px: float | None = None
        self._body: np.ndarray | None = None
        self._hands: list[np.ndarray | None] = [None, None]  # from the body's centre, in sides of the body's square

    def __call__(self, keypoints_px: np.ndarray, present: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
        """keypoints_px (V, 2), present (V,) bool, image_size (width, height) -> (3, 3) float64, rows as CROPS."""
        body = self._body_square(keypoints_px[present], image_size)
        trunk = keypoints_px[self._trunk]
        if present[self._trunk].all():
            self._torso_px = max(float(np.hypot(*(trunk[:2].mean(0) - trunk[2:].mean(0)))), 0.15 * body[2])
        return np.stack([*(self._hand_square(hand, keypoints_px, present, body) for hand in range(2)), body])

    def _body_square(self, there_px: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
        if len(there_px) >= 2 and np.ptp(there_px, 0).max() >= 1:
            low, high = there_px.min(0), there_px.max(0)
            self._body = np.array([*(low + high) / 2, (high - low).max() * self._config.body_margin])
        elif self._body is None:
            return np.array([image_size[0] / 2, image_size[1] / 2, max(image_size)])
        return self._body

    def _hand_square(self, hand: int, keypoints_px: np.ndarray, present: np.ndarray, body: np.ndarray) -> np.ndarray:
        wrist, elbow = self._wrists[hand], self._elbows[hand]
        side_px = self._config.hand_side * (self._torso_px or 0.3 * body[2] / self._config.body_margin)
        if present[wrist]:
            centre = keypoints_px[wrist].astype(np.float64)
            if elbow is not None and present[elbow]:
                centre = centre + self._config.hand_beyond * (centre - keypoints_px[elbow])
            self._hands[hand] = (centre - body[:2]) / body[2]
        elif self._hands[hand] is not None:
            centre = body[:2] + self._hands[hand] * body[2]
        else:
            return body
        return np.array([*centre, side_px])


class SteadySquare:
    """One square around the person that stands still while they act within it, as the image of a clip does."""

    def __init__(self) -> None:
        self._square: np.ndarray | None = None

    def __call__(self, box_xyxy: np.ndarray) -> np.ndarray:
        """box_xyxy (4,) around the person's joints in pixels -> (3,) float64."""
        middle, reach = (box_xyxy[:2] + box_xyxy[2:]) / 2, float((box_xyxy[2:] - box_xyxy[:2]).max())
        if self._square is not None:
            outermost = 2 * np.abs(box_xyxy.reshape(2, 2) - self._square[:2]).max() / self._square[2]
            if outermost <= _MOST and reach >= _LEAST * self._square[2]:
                return self._square
        self._square = np.array([*middle, max(reach, 1.0) / _FILLED])
        return self._square


def square_crop(image_bgr: np.ndarray, square: np.ndarray, size: int) -> np.ndarray:
    """(size, size, 3) uint8: the square (centre x, centre y, side) of image_bgr (H, W, 3), black outside the image."""
    import cv2

    side = max(2, round(float(square[2])))
    left, top = (round(float(centre) - side / 2) for centre in square[:2])
    height, width = image_bgr.shape[:2]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    if x0 >= x1 or y0 >= y1:
        return np.zeros((size, size, 3), np.uint8)
    part = image_bgr[y0:y1, x0:x1]
    if part.shape[:2] != (side, side):
        part = cv2.copyMakeBorder(part, y0 - top, top + side - y1, x0 - left, left + side - x1, cv2.BORDER_CONSTANT)
    return cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA if side > size else cv2.INTER_LINEAR)


def crop_parts(
    images_bgr: np.ndarray, keypoints_px: np.ndarray, scores: np.ndarray, joints: tuple[str, ...], config: CropConfig
) -> np.ndarray:
    """The crops of a clip: images_bgr (F, H, W, 3) uint8, keypoints_px (F, V, 2), scores (F, V), 0 where a joint is missing
    -> (F, 3, size, size, 3) uint8, the second axis as CROPS. A frame's crops rest on it and those before it alone."""
    squares = PartSquares(joints, config)
    size = (images_bgr.shape[2], images_bgr.shape[1])
    return np.stack(
        [
            np.stack([square_crop(image, square, config.crop_size) for square in squares(keypoints, score > 0, size)])
            for image, keypoints, score in zip(images_bgr, keypoints_px, scores)
        ]
    )
