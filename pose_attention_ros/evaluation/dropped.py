"""Which of the images of a recording the robot never answered."""

from __future__ import annotations

import struct
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
    waiting: OrderedDict[int, None] = OrderedDict()
    images = unanswered = 0
    for name, _, raw in bag.messages([chosen.topic, topic]):
        if name == chosen.topic:
            waiting.pop(stamp_in(raw), None)
            continue
        images += 1
        waiting[stamp_in(raw)] = None
        if len(waiting) > _PATIENCE:
            waiting.popitem(last=False)
            unanswered += 1
    unanswered += len(waiting)
    return {"frames_topic": topic, "frames": images, "without_result": unanswered, "share": round(unanswered / images, 4)}


def _frames_topic(bag: Bag, chosen: Input) -> str | None:
    """The topic that has a message for each image, if the results name their stamps."""
    if chosen.kind == "images":
        return None
    stamps = set()
    for _, _, raw in bag.messages([chosen.topic]):
        stamps.add(stamp_in(raw))
        if len(stamps) == _PROBE:
            break
    for msgtype in _FRAMES:
        for topic in sorted(each.name for each in bag.topics.values() if each.msgtype == msgtype and each.count):
            for place, (_, _, raw) in enumerate(bag.messages([topic])):
                if stamp_in(raw) in stamps:
                    return topic
                if place == _PROBE:
                    break
    return None


def stamp_in(raw: bytes) -> int:
    """Stamp of a serialised message (CDR) that begins with a header, without reading the rest; -1 if there is none."""
    if len(raw) < 12:
        return -1
    seconds, nanoseconds = struct.unpack_from("<iI" if raw[1] & 1 else ">iI", raw, 4)
    return seconds * 1_000_000_000 + nanoseconds
