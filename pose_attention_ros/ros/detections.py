"""The people as detections of vision_msgs, where that is installed: a box, the track's id, and what the person is doing."""

from __future__ import annotations

import importlib.util
from typing import Any

from pose_attention_ros.core.types import FEATURE_NAMES, ActionEstimates, LabelState, SkeletonGraphs
from pose_attention_ros.ros.stamps import header_of

PERSON = "person"
_SCORE = FEATURE_NAMES.index("score")


def detections_type() -> type | None:
    """vision_msgs/Detection2DArray, or None where the package is not installed."""
    if importlib.util.find_spec("vision_msgs") is None:
        return None
    from vision_msgs.msg import Detection2DArray

    return Detection2DArray


def message_of_detections(graphs: SkeletonGraphs, estimates: ActionEstimates) -> Any:
    """A Detection2DArray. The first hypothesis of each is `person` with the mean score of the joints that were seen, the
    second, once an action is confirmed, its label with its confidence. Boxes in pixels, their poses are empty."""
    from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

    def hypothesis(name: str, score: float) -> ObjectHypothesisWithPose:
        made = ObjectHypothesisWithPose()
        made.hypothesis.class_id, made.hypothesis.score = name, score
        return made

    header = header_of(graphs.stamp_ns, graphs.frame_id)
    doing = {person.track_id: person for person in estimates.people if person.state == LabelState.CONFIRMED}
    array = Detection2DArray(header=header)
    for row, track_id in enumerate(graphs.track_ids.tolist()):
        seen = graphs.mask[row]
        made = Detection2D(header=header, id=str(track_id))
        made.results = [hypothesis(PERSON, float(graphs.features[row, seen, _SCORE].mean()) if seen.any() else 0.0)]
        if (person := doing.get(track_id)) is not None:
            made.results.append(hypothesis(person.label, float(person.confidence)))
        left, top, right, bottom = graphs.boxes_xyxy[row].tolist()
        box, centre = made.bbox, made.bbox.center
        where = getattr(centre, "position", centre)  # in older versions the centre has x and y itself
        where.x, where.y, box.size_x, box.size_y = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
        array.detections.append(made)
    return array
