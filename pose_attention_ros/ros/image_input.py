"""Images of a topic as frames: the newest one only, what is dropped is counted, and no stamp is processed twice."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from sensor_msgs.msg import CompressedImage, Image

from pose_attention_ros.core.time.clocks import StampWatch
from pose_attention_ros.core.time.stamps import LeftOut, StampOrder
from pose_attention_ros.core.types import Frame
from pose_attention_ros.ros.image_subscription import ImageSubscription
from pose_attention_ros.ros.images import frame_of
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.no_images import why_no_images
from pose_attention_ros.ros.repeated_stamps import RepeatedStamp
from pose_attention_ros.ros.stamps import SECOND_NS, age_s, stamp_ns_of

_REPEATED = 30  # images with the stamp of the one before them before it is worth a warning


class ImageInput:
    """The image subscription of a node whose settings are an ImageInputConfig.

    Of the images that came while a frame was processed the newest is taken: that is the whole queue.

    :param process: called with each frame to work on; returns how to publish its answer again
    :param admits: whether to work on the image of a stamp
    """

    def __init__(
        self, node: ManagedNode, process: Callable[[Frame], Callable[[], None]], admits: Callable[[int], bool]
    ) -> None:
        self._node, self._process, self._admits = node, process, admits
        self._repeated = RepeatedStamp()
        self._missing = False
        self._images = ImageSubscription(
            node, self._on_image, transport=node.settings.image_transport, reliability=node.settings.image_reliability
        )

    def open(self) -> None:
        """Subscribe to the form of image that the settings ask for, or that there is."""
        self._repeated.clear()
        self._counted = self._images.losses.dropped
        self._stamps, self._left_out = StampWatch(), LeftOut()
        self._order = StampOrder(self._left_out, live=True)
        self._again = 0
        self._heard_s = time.monotonic()
        self._images.open()

    def details(self) -> dict[str, str]:
        """For the diagnostics: what is subscribed, and how many images were lost on their way or left out."""
        if not self._node.active:
            return {}
        left_out = self._again + self._left_out.reasons.total()
        return {**self._images.details(), "left_out": str(left_out), "unstamped": str(self._order.unstamped)}

    def trouble(self) -> str:
        """Whether images stay away or get lost, and what to do about it, or that their clock is not ours; also logged."""
        silent_s, limit_s = time.monotonic() - self._heard_s, self._node.settings.image_timeout_s
        if limit_s and silent_s > limit_s:
            self._missing = True
            text = f"no image on {self._images.topic} for {silent_s:.0f} s: " + why_no_images(self._node, self._images)
        elif self._stamps.sender_ahead_s:
            text = (
                f"images are stamped up to {self._stamps.sender_ahead_s:.3f} s in the future: the clocks of the "
                "camera's machine and of this one differ, and ages and latencies are wrong; synchronise them (chrony)"
            )
        else:
            return self._images.trouble()
        self._node.warn_once(text)
        return text

    def _on_image(self, message: Image | CompressedImage) -> None:
        stamp_ns, now_ns = stamp_ns_of(message.header), self._node.now_ns()
        self._heard(stamp_ns, now_ns)
        self._count_drops()
        stated_ns = self._order.stated(stamp_ns, now_ns)
        stamped = stated_ns != 0 or self._images.play_a_recording()  # whose stamps may begin at 0, and wait for an answer
        if stamped and self._repeated.answered(stamp_ns):
            self._tell_repeated(stamp_ns)
            return
        used_ns = self._order.use(max(stamp_ns, 1) if stamped else 0, now_ns)
        if used_ns is None:
            frame_of(message)  # one that cannot be read is told, whatever its stamp
            return
        if stamped:
            used_ns = stamp_ns
        oldest_s = self._node.settings.max_image_age_s
        age = age_s(used_ns, now_ns)
        if (oldest_s and not math.isnan(age) and age > oldest_s) or not self._admits(used_ns):
            self._node.meter.dropped += 1
            return
        self._repeated.keep(used_ns, self._process(frame_of(message, used_ns)))

    def _count_drops(self) -> None:
        """What the publisher sent and we never saw: replaced by a newer image while we worked, or lost on the way."""
        counted, self._counted = self._counted, self._images.losses.dropped
        self._node.meter.dropped += self._counted - counted

    def _tell_repeated(self, stamp_ns: int) -> None:
        """A camera in lockstep sends its first frame again until it is answered; a driver should not."""
        self._again += 1
        if self._again == _REPEATED:
            self._node.warn_once(
                f"{_REPEATED} images came with the stamp of the one before them, the last at "
                f"{stamp_ns * 1e-9:.3f} s, and are left out: does the driver send each image twice, or "
                "does its clock stand still?"
            )

    def _heard(self, stamp_ns: int, now_ns: int) -> None:
        self._heard_s = time.monotonic()
        if stamp_ns:
            self._stamps.see((now_ns - stamp_ns) / SECOND_NS)
        if self._missing:
            self._missing = False
            self._node.get_logger().info("images are back")
