"""Video files, and videos of a known length behind an http address."""

from __future__ import annotations

import logging

from pose_attention_ros.cameras.base import CameraConfig
from pose_attention_ros.cameras.capture import Capture, Properties
from pose_attention_ros.cameras.stamps import Timeline
from pose_attention_ros.core.errors import SourceError
from pose_attention_ros.core.types import Frame

_HIGHEST_BELIEVABLE_FPS = 1000.0
log = logging.getLogger(__name__)


class VideoFile:
    """Every frame of a video, stamped `start_stamp_ns` plus its presentation time.

    :param path: a file, or the address of one
    :param open_with: properties to open it with
    :param name: how messages call it, where that is not its path
    :raises SourceError: not a video that can be decoded
    """

    live = False

    def __init__(self, path: str, config: CameraConfig, start_stamp_ns: int = 0, open_with: Properties = (),
                 name: str = "") -> None:
        self._path, self._config, self._open_with, self._name = path, config, open_with, name or path
        self._capture = self._opened()
        stated = self._capture.get("CAP_PROP_FPS")
        self.fps = stated if 0 < stated <= _HIGHEST_BELIEVABLE_FPS else config.assumed_fps
        count = int(self._capture.get("CAP_PROP_FRAME_COUNT"))
        self.frame_count = 0 if config.loop else count
        self._timeline = Timeline(start_stamp_ns, self.fps)
        self._closed = False
        self._ahead = self._next()
        if self._ahead is None:
            self._capture.release()
            raise SourceError(f"{self._name} holds no frame that can be decoded; expected a video file")
        height, width = self._ahead.image_bgr.shape[:2]
        self.size = (width, height)

    def read(self) -> Frame | None:
        """The next frame, None at the end."""
        frame, self._ahead = self._ahead, None
        if frame is None and not self._closed:
            frame = self._next()
            if frame is None and self._config.loop:
                self._rewind()
                frame = self._next()
        return frame

    def close(self) -> None:
        """Close the file."""
        self._closed = True
        self._capture.release()

    def _next(self) -> Frame | None:
        while not self._closed and self._capture.grab():
            image = self._capture.retrieve()
            stamp_ns = self._timeline.stamp(round(self._capture.get("CAP_PROP_POS_MSEC") * 1e6))
            if image is not None:
                return Frame(image, stamp_ns, self._config.frame_id)
            log.warning("%s: a frame cannot be decoded and is left out", self._name)
        return None

    def _rewind(self) -> None:
        self._capture.release()
        self._capture = self._opened()
        self._timeline.restart()

    def _opened(self) -> Capture:
        capture = Capture(self._path, open_with=self._open_with)
        if not capture.opened:
            raise SourceError(f"{self._name} is not a video that OpenCV can read; expected for example .mp4, .avi or .mkv")
        return capture
