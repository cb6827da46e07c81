"""Small images for people who look on: so many a second at most, scaled down, as JPEG."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.machine.load import RateCap


@dataclass(frozen=True)
class PreviewConfig(Settings):
    """How many, how large and how good."""

    preview_rate_hz: float = setting(
        8.0, "images a second for those who look on, at most; 0: none", unit="Hz", low=0.0, high=60.0, live=True
    )
    preview_width: int = setting(
        640, "wider images are scaled down to this for them", unit="px", low=64, high=4096, live=True
    )
    preview_quality: int = setting(70, "JPEG quality of these images", low=10, high=100, live=True)


class Preview:
    """The images of one stream."""

    def __init__(self) -> None:
        self._cap = RateCap()

    def due(self, stamp_ns: int, config: PreviewConfig) -> bool:
        """Whether to make one of the image of this stamp."""
        return config.preview_rate_hz > 0 and self._cap.admits(stamp_ns, config.preview_rate_hz)

    @staticmethod
    def jpeg(image_bgr: np.ndarray, config: PreviewConfig) -> np.ndarray:
        """The (h, w, 3) uint8 image as (bytes,) uint8."""
        import cv2

        small = scaled_down(image_bgr, config.preview_width)
        return cv2.imencode(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, config.preview_quality))[1]


def scaled_down(image: np.ndarray, width: int) -> np.ndarray:
    """An image (h, w, 3) at most `width` wide. Halved while it is twice as wide, then by bilinear interpolation: a fifth of
    the time of averages over areas, and what lies between the pixels still counts."""
    import cv2

    while image.shape[1] >= 2 * width:
        image = cv2.resize(image, (image.shape[1] // 2, max(image.shape[0] // 2, 1)), interpolation=cv2.INTER_LINEAR)
    if image.shape[1] <= width:
        return image
    height = max(round(image.shape[0] * width / image.shape[1]), 1)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
