"""cv2.VideoCapture without the chatter of the libraries beneath it."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from pose_attention_ros.core.machine.file_names import utf8_name

# OpenCV reads this when a process first uses FFmpeg; -8 is silence.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

# A kernel's stamp that makes a frame older than this is of another clock than the monotonic one.
_OLDEST_FRAME_S = 1.0

# A property of cv2.VideoCapture by the name of its OpenCV constant, such as ("CAP_PROP_FPS", 30.0).
Properties = tuple[tuple[str, float], ...]


class Capture:
    """One cv2.VideoCapture, opened when it is made; look at `opened`.

    :param target: device path, file, URL or GStreamer pipeline
    :param backend: name of an OpenCV backend constant, for example "CAP_V4L2"
    :param open_with: properties that count while it opens (time-outs of FFmpeg)
    :param then_set: properties set afterwards; a device ignores what it cannot do
    :param stamped: the position that the backend tells is the kernel's monotonic time of capture, as that of V4L2 is
    """

    def __init__(
        self,
        target: str,
        backend: str = "CAP_ANY",
        open_with: Properties = (),
        then_set: Properties = (),
        stamped: bool = False,
    ) -> None:
        import cv2

        self._stamped = stamped

        # OpenCV moved this function between 4.6, which ROS distributions ship, and 4.8; 0 is silence.
        (getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel)(0)
        self._cv2 = cv2
        parameters = [int(number) for name, value in open_with for number in (getattr(cv2, name), value)]
        with utf8_name(target) as name:
            self._capture = cv2.VideoCapture(name, getattr(cv2, backend), parameters)
        for name, value in then_set:
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
        """Take the next frame without decoding it; False at the end or on an error."""
        return bool(self._capture.grab())

    def age_s(self) -> float:
        """Seconds since the grabbed frame was taken; 0 where the device does not tell."""
        taken_s = self.get("CAP_PROP_POS_MSEC") * 1e-3 if self._stamped else 0.0
        age_s = time.monotonic() - taken_s
        return age_s if taken_s and 0 <= age_s <= _OLDEST_FRAME_S else 0.0

    def retrieve(self) -> np.ndarray | None:
        """The grabbed frame as (height, width, 3) uint8 BGR, None where it cannot be decoded."""
        ok, image = self._capture.retrieve()
        return as_bgr(image) if ok and image is not None and image.size else None

    def release(self) -> None:
        """Close the target."""
        self._capture.release()


def as_bgr(image: Any) -> np.ndarray:
    """A decoded image of one, three or four channels, 8 or 16 bit, as (height, width, 3) uint8 BGR."""
    import cv2

    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.ndim == 2 or image.shape[2] == 1:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return cv2.cvtColor(image, cv2.COLOR_BGRA2BGR) if image.shape[2] == 4 else image


def has_backend(name: str) -> bool:
    """Whether this OpenCV can use a capture backend, for example "CAP_GSTREAMER"."""
    import cv2

    return bool(cv2.videoio_registry.hasBackend(getattr(cv2, name)))
