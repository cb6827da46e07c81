"""Bodies in space and persons of ROS4HRI (REP-155): frames on /tf, and what is told of each person."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
from geometry_msgs.msg import TransformStamped
from rclpy.publisher import Publisher
from std_msgs.msg import Bool, Float32, String

from pose_attention_ros.core.people.placing import Place, quaternion
from pose_attention_ros.core.types import SkeletonGraphs
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.qos import latched_profile, result_profile
from pose_attention_ros.ros.stamps import header_of

PERSONS = "/humans/persons"  # REP-155 wants the global namespace
_FRAMES_IN_MIDDLEWARE = 100  # as tf2_ros has it
_SEEN, _OUT_OF_SIGHT, _NOWHERE = 1.0, 0.5, 0.0  # location_confidence


class Frames:
    """The frames of the bodies that have a place: body_<id> within the camera's, head_<id> within the body, person_<id> at
    the head. Without tf2_msgs there are none, and nobody has a place."""

    def __init__(self, node: ManagedNode) -> None:
        self.placed: dict[str, Place] = {}
        self._publisher: Publisher | None = None
        if importlib.util.find_spec("tf2_msgs") is None:
            node.get_logger().warning("bodies get no frames on /tf: tf2_msgs is not installed")
            return
        from tf2_msgs.msg import TFMessage

        self._kind = TFMessage
        self._publisher = node.advertise(TFMessage, "/tf", result_profile(_FRAMES_IN_MIDDLEWARE))

    def send(self, graphs: SkeletonGraphs, listed: list[str], places: dict[str, Place | None]) -> None:
        """The frames of those `listed`: at their new places, or where they were last."""
        if self._publisher is None:
            return
        self.placed.update((each, found) for each, found in places.items() if found is not None and each in listed)
        frames = [frame for each in listed if each in self.placed for frame in self._frames_of(graphs, each)]
        if frames:
            self._publisher.publish(self._kind(transforms=frames))

    def forget(self, identity: str) -> None:
        """That body has no place any more."""
        self.placed.pop(identity, None)

    def _frames_of(self, graphs: SkeletonGraphs, identity: str) -> list[TransformStamped]:
        found = self.placed[identity]
        body = f"body_{identity}"
        frames = [_frame(graphs, graphs.frame_id, body, found.body, quaternion(found.axes))]
        nearest = body
        if found.head is not None:
            nearest = f"head_{identity}"
            frames.append(_frame(graphs, body, nearest, found.axes.T @ (found.head - found.body)))
        return [*frames, _frame(graphs, nearest, f"person_{identity}", np.zeros(3))]


class Persons:
    """Each body as an anonymous person of the same id.

    :param tracked: makes an IdsList of stamp, frame and ids
    """

    def __init__(self, node: ManagedNode, tracked: Callable[[int, str, list[str]], Any]) -> None:
        self._node, self._tracked = node, tracked
        self._list = node.advertise(type(tracked(0, "", [])), f"{PERSONS}/tracked", result_profile(1))
        self._topics: dict[str, dict[str, Publisher]] = {}

    def publish(self, graphs: SkeletonGraphs, listed: list[str], placed: dict[str, bool]) -> None:
        """Those `listed`; `placed`: those who have a place, and whether they are seen now."""
        for identity in listed:
            if identity not in self._topics:
                self._topics[identity] = self._introduced(identity)
            sure = _NOWHERE if identity not in placed else _SEEN if placed[identity] else _OUT_OF_SIGHT
            self._topics[identity]["location_confidence"].publish(Float32(data=sure))
        self._list.publish(self._tracked(graphs.stamp_ns, graphs.frame_id, listed))

    def forget(self, identity: str) -> None:
        """That person has gone."""
        for publisher in self._topics.pop(identity, {}).values():
            self._node.destroy_publisher(publisher)

    def _introduced(self, identity: str) -> dict[str, Publisher]:
        where = f"{PERSONS}/{identity}"
        topics = {
            "anonymous": self._node.create_publisher(Bool, f"{where}/anonymous", latched_profile()),
            "body_id": self._node.create_publisher(String, f"{where}/body_id", latched_profile()),
            "location_confidence": self._node.create_publisher(Float32, f"{where}/location_confidence", result_profile(1)),
        }
        topics["anonymous"].publish(Bool(data=True))
        topics["body_id"].publish(String(data=identity))
        return topics


def _frame(
    graphs: SkeletonGraphs,
    parent: str,
    child: str,
    offset_m: np.ndarray,
    turn: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0),
) -> TransformStamped:
    made = TransformStamped(header=header_of(graphs.stamp_ns, parent), child_frame_id=child)
    shift, rotation = made.transform.translation, made.transform.rotation
    shift.x, shift.y, shift.z = map(float, offset_m)
    rotation.x, rotation.y, rotation.z, rotation.w = turn
    return made
