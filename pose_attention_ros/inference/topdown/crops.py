"""A person's part of the image as a network's input, and joints back to the image. Coordinates are continuous: (0, 0) is the
outer corner of the first pixel."""

from __future__ import annotations

import numpy as np


def crop_boxes(boxes_xyxy: np.ndarray, margin: float, aspect: float) -> np.ndarray:
    """(N, 4) x, y, width, height of what is cut out: the boxes grown by the factor `margin`, then to the shape
    width / height = `aspect`."""
    boxes = np.asarray(boxes_xyxy, np.float32).reshape(-1, 2, 2)
    middle, size = boxes.mean(1), np.maximum((boxes[:, 1] - boxes[:, 0]) * margin, 1)
    width = np.maximum(size[:, 0], size[:, 1] * aspect)
    size = np.stack([width, width / aspect], 1)
    return np.concatenate([middle - size / 2, size], 1)


def cut(image_bgr: np.ndarray, crop: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) uint8 of one crop (x, y, width, height) at `size` = (W, H); black outside the image."""
    import cv2

    scale = size[0] / float(crop[2])
    shift = -np.asarray(crop[:2], np.float64) * scale + (scale - 1) / 2  # OpenCV counts from the middle of the first pixel
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    return cv2.warpAffine(image_bgr, matrix, size, flags=cv2.INTER_LINEAR)


def to_image(points: np.ndarray, crops: np.ndarray) -> np.ndarray:
    """(N, V, 2) fractions of the crops (N, 4) -> pixels of the image."""
    return (points * crops[:, None, 2:] + crops[:, None, :2]).astype(np.float32)
