"""Images recorded in a ROS bag, read without ROS: rosbag2 in sqlite3 or MCAP, and ROS 1 bags."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pose_attention_ros.cameras.base import CameraConfig
from pose_attention_ros.core.errors import SourceError
from pose_attention_ros.core.images import ImageError, bgr_from_compressed, bgr_from_image
from pose_attention_ros.core.types import Frame

_DECODERS: dict[str, Callable[[Any], Any]] = {
    "sensor_msgs/msg/Image": bgr_from_image,
    "sensor_msgs/msg/CompressedImage": bgr_from_compressed,
}
log = logging.getLogger(__name__)


class BagImages:
    """The images of one topic in the order they were recorded, with the stamps and frame ids of their headers.

    A header without a stamp takes the time at which it was recorded. An image that cannot be decoded is left out with a
    warning; a bag that breaks off ends with one.

    :param path: bag folder, or a single .db3, .mcap or .bag file
    :raises SourceError: not a bag, no image topic, several of which none is chosen, or no image that can be decoded
    """

    live = False

    def __init__(self, path: Path, config: CameraConfig) -> None:
        self._path, self._config = path, config
        self._reader = _opened(path)
        self._topic = _image_topic(path, self._reader.topics, config.topic)
        count = self._reader.topics[self._topic].msgcount
        self.frame_count = 0 if config.loop else count
        seconds = self._reader.duration / 1e9
        self.fps = (count - 1) / seconds if count > 1 and seconds > 0 else config.assumed_fps
        self._shift_ns = 0
        self._frames: Iterator[Frame] = self._round()
        self._ahead = next(self._frames, None)
        if self._ahead is None:
            self.close()
            raise SourceError(f"bag {path} holds no image that can be decoded on topic {self._topic}")
        self._first_ns = self._last_ns = self._ahead.stamp_ns
        height, width = self._ahead.image_bgr.shape[:2]
        self.size = (width, height)

    def read(self) -> Frame | None:
        """The next image, None at the end."""
        frame, self._ahead = self._ahead, None
        if frame is None:
            frame = next(self._frames, None)
        if frame is None and self._config.loop and self._reader is not None:
            self._shift_ns = self._last_ns - self._first_ns + round(1e9 / self.fps)
            self._frames = self._round()
            frame = next(self._frames, None)
        if frame is not None:
            self._last_ns = max(self._last_ns, frame.stamp_ns)
        return frame

    def close(self) -> None:
        """Close the bag."""
        reader, self._reader = self._reader, None
        self._frames, self._ahead = iter(()), None
        if reader is not None:
            reader.close()

    def _round(self) -> Iterator[Frame]:
        """The frames of one pass through the bag."""
        connections = self._reader.topics[self._topic].connections
        try:
            for connection, recorded_ns, raw in self._reader.messages(connections=connections):
                frame = self._decoded(connection.msgtype, recorded_ns, self._reader.deserialize(raw, connection.msgtype))
                if frame is not None:
                    yield frame
        # The reader lets errors of sqlite3, struct and the decompressors through; each means that the bag is damaged here.
        except Exception as error:
            log.warning("bag %s breaks off and is read up to here (%s: %s)", self._path, type(error).__name__, error)

    def _decoded(self, msgtype: str, recorded_ns: int, message: Any) -> Frame | None:
        stamp = message.header.stamp
        stamp_ns = (stamp.sec * 1_000_000_000 + stamp.nanosec or recorded_ns) + self._shift_ns
        try:
            return Frame(_DECODERS[msgtype](message), stamp_ns, message.header.frame_id)
        except ImageError as error:
            log.warning("bag %s, %s at %d ns is left out: %s", self._path, self._topic, stamp_ns, error)
            return None


def _opened(path: Path) -> Any:
    try:
        from rosbags.highlevel import AnyReader
        from rosbags.typesys import Stores, get_typestore
    except ImportError:
        raise SourceError("reading a bag needs rosbags, which is not installed; run: pip install rosbags") from None
    try:
        reader = AnyReader([path], default_typestore=get_typestore(Stores.LATEST))
        reader.open()
    except Exception as error:  # see _round
        raise SourceError(f"{path} is not a bag that can be read ({_one_line(error)}); expected a rosbag2 folder, "
                          ".db3, .mcap or .bag, closed properly by its recorder (try: ros2 bag reindex)") from None
    return reader


def _image_topic(path: Path, topics: dict[str, Any], wanted: str) -> str:
    """The topic to read. Raises SourceError that lists the image topics of the bag."""
    images = sorted(name for name, info in topics.items() if info.msgtype in _DECODERS and info.msgcount)
    if not topics:
        raise SourceError(f"bag {path} is empty; expected at least one image topic")
    if not images:
        raise SourceError(f"bag {path} holds no images; its topics are {', '.join(sorted(topics))}")
    if wanted and wanted not in images:
        raise SourceError(f"topic {wanted!r} holds no images in bag {path}; image topics are {', '.join(images)}")
    if not wanted and len(images) > 1:
        raise SourceError(f"bag {path} has several image topics; choose one with the setting topic: {', '.join(images)}")
    return wanted or images[0]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
