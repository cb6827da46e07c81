"""Which of the images of a recording the robot never answered."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from pose_attention_ros.bags.opening import Bag
from pose_attention_ros.bags.streams import Input
from pose_attention_ros.bags.types import COMPRESSED_IMAGE, IMAGE

_FRAMES = ("sensor_msgs/msg/CameraInfo", COMPRESSED_IMAGE, IMAGE)  # the smallest first
_PATIENCE = 300  # an image not answered within so many later ones never is
_PROBE = 200


def dropped_frames(bag: Bag, chosen: Input) -> dict[str, Any] | None:
    """Plain values; None where the bag has no images, or camera_info, that its results name the stamps of."""
    topic = _frames_topic(bag, chosen)
    if topic is None:
        return None
    count = Unanswered()
    for name, _, raw in bag.messages([chosen.topic, topic]):
        (count.answer if name == chosen.topic else count.image)(bag.stamp_of(raw))
    return {"frames_topic": topic, **count.summary()}


class Unanswered:
    """Counts images without an answer, whichever of the two comes first, in constant memory."""

    def __init__(self) -> None:
        self.images = self._lost = 0
        self._waiting: OrderedDict[int, None] = OrderedDict()
        self._answered: OrderedDict[int, None] = OrderedDict()

    def image(self, stamp_ns: int) -> None:
        """An image was published."""
        self.images += 1
        if stamp_ns not in self._answered:
            self._waiting[stamp_ns] = None
            if len(self._waiting) > _PATIENCE:
                self._waiting.popitem(last=False)
                self._lost += 1

    def answer(self, stamp_ns: int) -> None:
        """There is an answer for the image of this stamp."""
        self._waiting.pop(stamp_ns, None)
        self._answered[stamp_ns] = None
        if len(self._answered) > _PATIENCE:
            self._answered.popitem(last=False)

    def summary(self) -> dict[str, Any]:
        """Plain values."""
        lost = self._lost + len(self._waiting)
        return {"frames": self.images, "without_result": lost, "share": round(lost / max(self.images, 1), 4)}


def _frames_topic(bag: Bag, chosen: Input) -> str | None:
    """The topic that has a message for each image, if the results name their stamps."""
    if chosen.kind == "images":
        return None
    stamps = set()
    for _, _, raw in bag.messages([chosen.topic]):
        stamps.add(bag.stamp_of(raw))
        if len(stamps) == _PROBE:
            break
    for msgtype in _FRAMES:
        for topic in sorted(each.name for each in bag.topics.values() if each.msgtype == msgtype and each.count):
            for place, (_, _, raw) in enumerate(bag.messages([topic])):
                if bag.stamp_of(raw) in stamps:
                    return topic
                if place == _PROBE:
                    break
    return None
