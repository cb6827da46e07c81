"""Pictures of the moments of a report: the person, cut out of the image of that very stamp, with skeleton and attention."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_attention_ros.bags.opening import Bag
from pose_attention_ros.bags.streams import KINDS, Input, frame_of
from pose_attention_ros.core.errors import MessageError
from pose_attention_ros.core.messages.images import ImageError
from pose_attention_ros.core.types import Frame
from pose_attention_ros.evaluation.recordings.worst_scenes import Moment

_HEIGHT_PX, _WIDEST_PX = 260, 420
_MARGIN = 0.35  # of the person's size, on every side
_EARLIER_NS, _LATER_NS = 3_000_000_000, 500_000_000  # an image was recorded so long before its result, at most
_BACKGROUND = (46, 40, 36)


@dataclass(frozen=True, eq=False)
class Picture:
    """A moment with its picture as JPEG bytes, None where neither image nor skeleton is known."""

    moment: Moment
    jpeg: bytes | None


def draw_moments(bag: Bag, chosen: Input, moments: list[Moment]) -> list[Picture]:
    """One picture a moment, on the camera's image where the bag holds it, else on a plain ground."""
    topics = (
        [chosen.topic]
        if chosen.kind == "images"
        else sorted(topic.name for topic in bag.topics.values() if topic.msgtype in KINDS["images"] and topic.count)
    )
    return [Picture(moment, draw_moment(moment, _image(bag, topics, moment))) for moment in moments]


def draw_moment(moment: Moment, image_bgr: np.ndarray | None) -> bytes | None:
    """JPEG of the person in the image (height, width, 3) uint8, or on a plain ground."""
    import cv2

    from pose_attention_ros.visualization.overlay import Overlay, OverlayConfig

    graphs = moment.graphs
    if graphs is None or moment.track_id not in graphs.track_ids:
        return None
    width, height = graphs.image_size
    if image_bgr is None:
        image_bgr = np.full((height or 480, width or 640, 3), _BACKGROUND, np.uint8)
    canvas = Overlay(OverlayConfig(legend=False)).draw(image_bgr, graphs, moment.actions)
    scale = canvas.shape[1] / max(width, 1)
    box = graphs.boxes_xyxy[graphs.track_ids.tolist().index(moment.track_id)] * scale
    margin = _MARGIN * float(max(box[2:] - box[:2]))
    left, top, right, bottom = (round(float(side)) for side in box + np.array((-margin, -margin, margin, margin)))
    cut = canvas[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if not cut.size:
        cut = canvas
    factor = min(_HEIGHT_PX / cut.shape[0], _WIDEST_PX / cut.shape[1])
    size = (max(1, round(cut.shape[1] * factor)), max(1, round(cut.shape[0] * factor)))
    cut = cv2.resize(cut, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    return cv2.imencode(".jpg", cut, (cv2.IMWRITE_JPEG_QUALITY, 82))[1].tobytes()


def _image(bag: Bag, topics: list[str], moment: Moment) -> np.ndarray | None:
    begin, end = moment.recorded_ns - _EARLIER_NS, moment.recorded_ns + _LATER_NS
    for topic, recorded_ns, raw in bag.messages(topics, begin, end):
        if bag.stamp_of(raw) in (moment.stamp_ns, 0):
            try:
                frame: Frame = frame_of(bag.read(topic, raw), bag.topics[topic].msgtype)
            except (ImageError, MessageError):
                continue
            if (frame.stamp_ns or recorded_ns) == moment.stamp_ns:
                return frame.image_bgr
    return None
