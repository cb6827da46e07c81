"""cv2.VideoCapture, opened without the chatter of the libraries beneath it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from pose_attention_ros.core.quiet import quiet_native_stderr


class Capture:
    """One opened cv2.VideoCapture.

    :param target: device number, device path, file, URL or GStreamer pipeline
    :param backend: name of an OpenCV backend constant, for example "CAP_V4L2"
    :param properties: (name of an OpenCV property constant, value) pairs, set when the capture opens
    """

    def __init__(self, target: int | str, backend: str = "CAP_ANY", properties: tuple[tuple[str, float], ...] = ()) -> None:
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
        import cv2

        self._cv2 = cv2
        level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        try:
            with quiet_native_stderr():
                self._capture = cv2.VideoCapture(target, getattr(cv2, backend))
        finally:
            cv2.utils.logging.setLogLevel(level)
        for name, value in properties:
            self._capture.set(getattr(cv2, name), value)

    @property
    def opened(self) -> bool:
        """Whether the target could be opened."""
        return self._capture.isOpened()

    def get(self, name: str) -> float:
        """Value of a property such as "CAP_PROP_FPS"; 0 where it is unknown."""
        value = self._capture.get(getattr(self._cv2, name))
        return value if np.isfinite(value) and value > 0 else 0.0

    def grab(self) -> bool:
        """Take the next frame from the device without decoding it; False at the end or on an error."""
        return bool(self._capture.grab())

    def retrieve(self) -> np.ndarray | None:
        """The grabbed frame as (height, width, 3) uint8 BGR, None where it cannot be decoded."""
        ok, image = self._capture.retrieve()
        return as_bgr(image) if ok and image is not None and image.size else None

    def release(self) -> None:
        """Close the target."""
        self._capture.release()


def as_bgr(image: Any) -> np.ndarray:
    """A decoded image of any channel count and depth as (height, width, 3) uint8 BGR."""
    import cv2

    if image.dtype != np.uint8:
        image = cv2.convertScaleAbs(image, alpha=255.0 / np.iinfo(image.dtype).max)
    if image.ndim == 2 or image.shape[2] == 1:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return cv2.cvtColor(image, cv2.COLOR_BGRA2BGR) if image.shape[2] == 4 else image


def has_backend(name: str) -> bool:
    """Whether this OpenCV was built with a capture backend, for example "GSTREAMER"."""
    import cv2

    registry = cv2.videoio_registry
    return name in {registry.getBackendName(backend) for backend in registry.getBackends()}
