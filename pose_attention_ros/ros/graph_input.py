"""The action node's input: graphs alone, or each with the image that it was made from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pose_attention_ros.core.messages.records import stamp_in
from pose_attention_ros.core.types import Frame, SkeletonGraphs
from pose_attention_ros.msg import SkeletonGraphArray
from pose_attention_ros.ros.image_subscription import ImageSubscription
from pose_attention_ros.ros.images import frame_of
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.qos import result_profile
from pose_attention_ros.ros.repeated_stamps import RepeatedStamp
from pose_attention_ros.ros.skeleton_messages import graphs_of_raw
from pose_attention_ros.ros.stamps import stamp_ns_of
from pose_attention_ros.ros.sync import StampSynchroniser

_TOPIC = "skeleton_graphs"
_IMAGES_IN_MIDDLEWARE = 5  # those that come while a graph is worked on
_MANY = 10  # graphs without their image before that is a trouble

Process = Callable[[SkeletonGraphs, "Frame | None"], Callable[[], None]]


class GraphInput:
    """Graphs as they come. `process` is called with each, and None; it returns how to publish its answer again."""

    def __init__(self, node: ManagedNode, process: Process) -> None:
        self._node, self._process = node, process
        self._repeated = RepeatedStamp()

    def open(self) -> None:
        """Subscribe."""
        self._repeated.clear()
        self._node.listen(SkeletonGraphArray, _TOPIC, self._on_graphs, result_profile(), raw=True)

    def trouble(self) -> str:
        """What keeps this from working, and what to do about it."""
        return ""

    def _on_graphs(self, raw: bytes) -> None:
        if not self._repeated.answered(stamp_in(raw)):
            self._work(raw, None)

    def _work(self, raw: bytes, frame: Frame | None) -> None:
        self._repeated.keep(stamp_in(raw), self._process(graphs_of_raw(raw), frame))


class GraphAndImageInput(GraphInput):
    """Each graph message with the image of its stamp; one whose image was lost is dropped and counted. The node's settings
    are a WatchImageConfig and a SynchroniserConfig."""

    def open(self) -> None:
        """Subscribe to both; images wait undecoded."""
        super().open()
        self._sync = StampSynchroniser((_TOPIC, "image"), self._node.settings.buffer_frames)
        self._without_image = 0
        settings = self._node.settings
        self._images = ImageSubscription(
            self._node,
            self._on_image,
            transport=settings.image_transport,
            reliability=settings.image_reliability,
            depth=_IMAGES_IN_MIDDLEWARE,
        )
        self._images.open()

    def trouble(self) -> str:
        """See GraphInput."""
        if self._without_image < _MANY:
            return self._images.trouble()
        text = (
            f"the model reads images too, and the last {self._without_image} graphs came without theirs on "
            f"{self._images.topic}: set image_transport and the remapping of image_raw as for the pose node"
        )
        self._node.warn_once(text)
        return text

    def _on_graphs(self, raw: bytes) -> None:
        if not self._repeated.answered(stamp_in(raw)):
            self._without_image += 1
            self._join(_TOPIC, stamp_in(raw), raw)

    def _on_image(self, message: Any) -> None:
        stamp_ns = stamp_ns_of(message.header)
        if stamp_ns != self._repeated.stamp_ns:
            self._join("image", stamp_ns, message)

    def _join(self, name: str, stamp_ns: int, message: Any) -> None:
        complete = self._sync.add(name, stamp_ns, message)
        self._node.meter.dropped = self._sync.given_up_of[_TOPIC]
        if complete is not None:
            self._without_image = 0
            graphs, image = complete
            self._work(graphs, frame_of(image))
