"""Our people as ROS4HRI messages (REP-155, package hri_msgs), which is imported only where a function here is called.

hri_msgs says "OpenPose's order" of a Skeleton2D and numbers left before right at the eyes and ears, where OpenPose has right
before left. So no order is written down here: every joint goes where the message's own constant says.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pose_attention_ros.core.body.layouts import JointMap, Layout, joint_map, layout
from pose_attention_ros.core.types import LabelState, SkeletonGraphs, Skeletons
from pose_attention_ros.ros.stamps import header_of

# Labels that hri_msgs/Gesture has a constant for; a confirmed label of another name is OTHER.
GESTURES = {"wave": "WAVING", "wave_left_hand": "WAVING", "wave_right_hand": "WAVING", "wave_both_hands": "WAVING"}


def hri_joints(skeleton_type: type) -> tuple[str, ...]:
    """Our names of the message's joints in its order.

    :param skeleton_type: hri_msgs.msg.Skeleton2D, or anything with its constants (NOSE, LEFT_EYE, ...)
    :raises ValueError: a joint is not in the message, or two have one place
    """
    joints = layout("openpose18").joints  # the same set, in OpenPose's own order
    places = {joint: getattr(skeleton_type, joint.upper(), None) for joint in joints}
    if sorted(map(str, places.values())) != sorted(map(str, range(len(joints)))):
        raise ValueError(f"Skeleton2D numbers its joints {places}, expected each of 0 to {len(joints) - 1} once")
    return tuple(sorted(joints, key=places.__getitem__))


class BodyMessages:
    """Makes the messages of one body.

    :raises ImportError: hri_msgs is not installed
    """

    def __init__(self) -> None:
        from hri_msgs.msg import Gesture, IdsList, NormalizedPointOfInterest2D, NormalizedRegionOfInterest2D, Skeleton2D

        self.types = {"tracked": IdsList, "roi": NormalizedRegionOfInterest2D, "skeleton2d": Skeleton2D, "gesture": Gesture}
        self._point = NormalizedPointOfInterest2D
        self._joints = hri_joints(Skeleton2D)
        self._maps: dict[str, JointMap] = {}

    def tracked(self, stamp_ns: int, frame_id: str, ids: list[str]) -> Any:
        """IdsList of the bodies in view."""
        return self.types["tracked"](header=header_of(stamp_ns, frame_id), ids=ids)

    def roi(self, graphs: SkeletonGraphs, row: int, score: float) -> Any:
        """The person's box in fractions of the image, with the certainty that it is one."""
        left, top, right, bottom = _fractions(graphs.boxes_xyxy[row].reshape(2, 2), graphs.image_size).ravel().tolist()
        return self.types["roi"](
            header=header_of(graphs.stamp_ns, graphs.frame_id), xmin=left, ymin=top, xmax=right, ymax=bottom, c=score
        )

    def skeleton2d(self, skeletons: Skeletons, row: int) -> Any:
        """The person's joints in fractions of the image; a joint that was not seen is (0, 0) with c = 0."""
        points, scores = self._mapped(skeletons.layout, skeletons.keypoints_px[row], skeletons.scores[row])
        points = np.where(scores[:, None] > 0, _fractions(points, skeletons.image_size), 0)
        return self.types["skeleton2d"](
            header=header_of(skeletons.stamp_ns, skeletons.frame_id),
            skeleton=[self._point(x=x, y=y, c=c) for (x, y), c in zip(points.tolist(), scores.tolist())],
        )

    def gesture(self, stamp_ns: int, frame_id: str, label: str) -> Any:
        """The Gesture that a confirmed label means."""
        kind = self.types["gesture"]
        return kind(header=header_of(stamp_ns, frame_id), gesture=getattr(kind, GESTURES.get(label, "OTHER")))

    def _mapped(self, source: Layout, points: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if source.name not in self._maps:
            self._maps[source.name] = joint_map(source.joints, self._joints)
        return self._maps[source.name](points, scores)


def _fractions(points_px: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """Pixels as fractions of the image, which the messages want within [0, 1]."""
    return np.clip(points_px / np.maximum(image_size, 1), 0, 1)


def rows_of_people(graphs: SkeletonGraphs, skeletons: Skeletons) -> list[int | None]:
    """For each tracked person the row of the skeleton that it was made of, which has the same box; None: there is none."""
    boxes = {tuple(box): row for row, box in enumerate(skeletons.boxes_xyxy.tolist())}
    return [boxes.get(tuple(box)) for box in graphs.boxes_xyxy.tolist()]


def confirmed_label(state: int, label: str) -> str | None:
    """`label` where the recogniser commits itself to it."""
    return label if state == LabelState.CONFIRMED else None
