"""Images recorded in a ROS bag as a frame source, read without ROS."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pose_attention_ros.bags.opening import Bag, Topic
from pose_attention_ros.bags.streams import KINDS, frame_of, pictures
from pose_attention_ros.cameras.base import CameraConfig
from pose_attention_ros.core.errors import MessageError, SourceError
from pose_attention_ros.core.messages.images import ImageError
from pose_attention_ros.core.time.stamps import StampOrder
from pose_attention_ros.core.types import Frame

_PROBED_IMAGES = 60


class BagImages:
    """The images of one topic in the order they were recorded, with the stamps and frame ids of their headers.

    `core.time.stamps.StampOrder` says which stamps are used, and which images are left out for theirs. A header without
    a stamp takes the time at which it was recorded. An image that cannot be decoded is left out with a warning; a bag that
    breaks off ends with one. `left_out` counts them all.

    :param path: bag folder, or a single .db3, .mcap or .bag file
    :raises SourceError: not a bag, no image topic, several of which none is chosen, or no image that can be decoded
    """

    live = False

    def __init__(self, path: Path, config: CameraConfig) -> None:
        self._path, self._config = path, config
        self._bag: Bag | None = Bag(path)
        self.left_out = self._bag.left_out
        try:
            self._topic = _image_topic(path, self._bag.topics, config.topic)
        except SourceError:
            self.close()
            raise
        count = self._bag.topics[self._topic].count
        self.frame_count = 0 if config.loop else count
        self.fps = self._usual_fps() or config.assumed_fps
        self._shift_ns, self._why = 0, ""
        self._frames: Iterator[Frame] = self._round()
        self._ahead = next(self._frames, None)
        if self._ahead is None:
            self.close()
            raise SourceError(f"bag {path} holds no image that can be decoded on topic {self._topic}{self._why}")
        self._first_ns = self._last_ns = self._ahead.stamp_ns
        height, width = self._ahead.image_bgr.shape[:2]
        self.size = (width, height)

    def read(self) -> Frame | None:
        """The next image, None at the end."""
        frame, self._ahead = self._ahead, None
        if frame is None:
            frame = next(self._frames, None)
        if frame is None and self._config.loop and self._bag is not None:
            self._shift_ns = self._last_ns - self._first_ns + round(1e9 / self.fps)
            self._frames = self._round()
            frame = next(self._frames, None)
        if frame is not None:
            self._last_ns = max(self._last_ns, frame.stamp_ns)
        return frame

    def close(self) -> None:
        """Close the bag."""
        bag, self._bag = self._bag, None
        self._frames, self._ahead = iter(()), None
        if bag is not None:
            bag.close()

    def _usual_fps(self) -> float:
        """The rate of the first images by their stamps; 0 where these do not tell."""
        stamps_ns = []
        for _, recorded_ns, raw in itertools.islice(self._bag.messages([self._topic]), _PROBED_IMAGES):
            stamps_ns.append(self._bag.stamp_of(raw) or recorded_ns)
        steps_ns = np.diff(stamps_ns)
        steps_ns = steps_ns[steps_ns > 0]
        return round(1e9 / float(np.median(steps_ns)), 3) if len(steps_ns) else 0.0

    def _round(self) -> Iterator[Frame]:
        """The frames of one pass through the bag."""
        bag = self._bag
        msgtype, order = bag.topics[self._topic].msgtype, StampOrder(self.left_out)
        for _, recorded_ns, raw in bag.messages([self._topic]):
            try:
                frame = frame_of(bag.read(self._topic, raw), msgtype)
            except (ImageError, MessageError) as error:
                self._why = f": {error}"
                bag.left_out.add(f"bag {self._path}, {self._topic}: images left out: {error}")
                continue
            stamp_ns = order.use(order.stated(frame.stamp_ns, recorded_ns), recorded_ns)
            if stamp_ns is not None:
                yield Frame(frame.image_bgr, stamp_ns + self._shift_ns, frame.frame_id)


def _image_topic(path: Path, topics: dict[str, Topic], wanted: str) -> str:
    """The topic to read. Raises SourceError that lists the image topics of the bag."""
    images = sorted(name for name, info in topics.items() if info.msgtype in KINDS["images"] and info.count)
    if not topics:
        raise SourceError(f"bag {path} is empty; expected at least one image topic")
    if not wanted:
        images = pictures(images)
    if not images:
        raise SourceError(f"bag {path} holds no images; its topics are {', '.join(sorted(topics))}")
    if wanted and wanted not in images:
        raise SourceError(f"topic {wanted!r} holds no images in bag {path}; image topics are {', '.join(images)}")
    if not wanted and len(images) > 1:
        raise SourceError(f"bag {path} has several image topics; choose one with the setting topic: {', '.join(images)}")
    return wanted or images[0]
