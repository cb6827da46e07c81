"""Images of a topic as frames: the newest one only, what is dropped is counted, and no stamp is processed twice."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from sensor_msgs.msg import CompressedImage, Image

from pose_attention_ros.core.clocks import StampWatch
from pose_attention_ros.core.types import Frame
from pose_attention_ros.ros.images import frame_from_compressed, frame_from_image
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.no_images import why_no_images
from pose_attention_ros.ros.qos import sensor_profile
from pose_attention_ros.ros.repeats import RepeatedStamp
from pose_attention_ros.ros.stamps import SECOND_NS, age_s, stamp_ns_of

_TOPIC = "image_raw"
_OTHER_PUBLISHER = 1000  # a jump of the publisher's count beyond this is another publisher, not a loss
_STANDSTILL = 30  # images with one and the same stamp before it is worth a warning


class ImageInput:
    """The image subscription of a node whose settings are an ImageInputConfig.

    One message waits in the middleware while a frame is processed, and a newer one replaces it: that is the whole queue.

    :param process: called with each frame to work on; returns how to publish its answer again
    :param admits: whether to work on the image of a stamp
    """

    def __init__(self, node: ManagedNode, process: Callable[[Frame], Callable[[], None]],
                 admits: Callable[[int], bool]) -> None:
        self._node, self._process, self._admits = node, process, admits
        self._repeated = RepeatedStamp()
        self._sequence: int | None = None
        self._missing = False

    def open(self) -> None:
        """Subscribe to the form of image that the settings ask for; the compressed one follows a remapped image_raw."""
        compressed = self._node.settings.image_transport == "compressed"
        topic = self._node.resolve_topic_name(_TOPIC) + "/compressed" if compressed else _TOPIC
        self._read = frame_from_compressed if compressed else frame_from_image
        self._repeated.clear()
        self._sequence = None
        self._stamps = StampWatch()
        self._heard_s = time.monotonic()
        self._subscription = self._node.listen(
            CompressedImage if compressed else Image, topic, self._on_image,
            sensor_profile(self._node.settings.image_reliability), remedy="set image_reliability:=best_effort",
            about=self._count_drops)

    def trouble(self) -> str:
        """Whether images stay away, and what to do about it, or that their clock is not ours; also logged."""
        silent_s, limit_s = time.monotonic() - self._heard_s, self._node.settings.image_timeout_s
        if limit_s and silent_s > limit_s:
            self._missing = True
            text = f"no image on {self._subscription.topic_name} for {silent_s:.0f} s: " + \
                why_no_images(self._node, self._subscription)
        elif self._stamps.sender_ahead_s:
            text = (f"images are stamped up to {self._stamps.sender_ahead_s:.3f} s in the future: the clocks of the "
                    "camera's machine and of this one differ, and ages and latencies are wrong; synchronise them (chrony)")
        else:
            return ""
        self._node.warn_once(text)
        return text

    def _count_drops(self, info: dict[str, Any]) -> None:
        """What the publisher sent and we never saw: replaced by a newer image while we worked, or lost on the way."""
        sequence = info.get("publication_sequence_number")
        if sequence is None:
            return
        if self._sequence is not None and 0 < sequence - self._sequence < _OTHER_PUBLISHER:
            self._node.meter.dropped += sequence - self._sequence - 1
        self._sequence = sequence

    def _on_image(self, message: Image | CompressedImage) -> None:
        stamp_ns, now_ns = stamp_ns_of(message.header), self._node.now_ns()
        self._heard(stamp_ns, now_ns)
        if self._repeated.answered(stamp_ns):
            if self._repeated.times == _STANDSTILL:
                self._node.warn_once(f"{_STANDSTILL} images came with the same stamp, {stamp_ns * 1e-9:.3f} s: nothing "
                                     "moves on until the camera driver stamps its images")
            return
        oldest_s = self._node.settings.max_image_age_s
        age = age_s(stamp_ns, now_ns)
        if (oldest_s and not math.isnan(age) and age > oldest_s) or not self._admits(stamp_ns):
            self._node.meter.dropped += 1
            return
        self._repeated.keep(stamp_ns, self._process(self._read(message)))

    def _heard(self, stamp_ns: int, now_ns: int) -> None:
        self._heard_s = time.monotonic()
        self._stamps.see((now_ns - stamp_ns) / SECOND_NS)
        if self._missing:
            self._missing = False
            self._node.get_logger().info("images are back")
