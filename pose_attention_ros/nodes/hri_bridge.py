"""hri_bridge: publishes the tracked people as bodies of ROS4HRI (REP-155); needs the package hri_msgs.

Subscribes skeletons, skeleton_graphs, actions
Publishes  /humans/bodies/tracked (hri_msgs/IdsList), and for each body /humans/bodies/<id>/roi
           (NormalizedRegionOfInterest2D), skeleton2d (Skeleton2D) and gesture (Gesture: WAVING or OTHER, while an action
           is confirmed)
"""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass

from rclpy.publisher import Publisher

from pose_attention_ros.core.config import setting
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.types import SkeletonGraphs, Skeletons
from pose_attention_ros.msg import ActionLabelArray, SkeletonArray, SkeletonGraphArray
from pose_attention_ros.ros.hri_messages import BodyMessages, confirmed_label, rows_of_people
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.qos import result_profile
from pose_attention_ros.ros.run import run
from pose_attention_ros.ros.settings import NodeConfig, SynchroniserConfig
from pose_attention_ros.ros.skeleton_messages import graphs_of_message, skeletons_of_message
from pose_attention_ros.ros.stamps import age_s, stamp_ns_of
from pose_attention_ros.ros.sync import StampSynchroniser

BODIES = "/humans/bodies"  # REP-155 wants the global namespace
_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True)
class HriBridgeNodeConfig(SynchroniserConfig, NodeConfig):
    """Parameters of the hri_bridge node."""

    id_prefix: str = setting("body", "a body's id is this and the track id; give each camera another one")
    forget_s: float = setting(1.0, "a body that was not seen for this long, by image stamps, is no longer listed", unit="s",
                              low=0.0, high=60.0, live=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not _PREFIX.fullmatch(self.id_prefix):
            raise UserError(f"id_prefix is {self.id_prefix!r}, expected a letter, then letters, digits and underscores")


class HriBridgeNode(ManagedNode):
    """See the module."""

    default_name = "hri_bridge"
    settings_type = HriBridgeNodeConfig

    def configure(self) -> None:
        try:
            self._messages = BodyMessages()
        except ImportError as error:
            raise UserError(f"hri_bridge needs hri_msgs ({error}); run: sudo apt install ros-$ROS_DISTRO-hri-msgs, or build "
                            "github.com/ros4hri/hri_msgs (branch humble-devel) in your workspace") from None
        self._tracked = self.advertise(self._messages.types["tracked"], f"{BODIES}/tracked", result_profile(1))

    def activate(self) -> None:
        self._bodies: dict[int, dict[str, Publisher]] = {}
        self._seen_ns: dict[int, int] = {}
        self._sync = StampSynchroniser(("skeletons", "skeleton_graphs"), self.settings.buffer_frames)
        self.listen(SkeletonArray, "skeletons", lambda message: self._join("skeletons", message), result_profile())
        self.listen(SkeletonGraphArray, "skeleton_graphs", lambda message: self._join("skeleton_graphs", message),
                    result_profile())
        self.listen(ActionLabelArray, "actions", self._on_actions, result_profile())

    def deactivate(self) -> None:
        """Nobody is tracked any more."""
        for track_id in list(self._bodies):
            self._forget(track_id)

    def details(self) -> dict[str, str]:
        return {"bodies": str(len(self._bodies))} if self.active else {}

    def _join(self, name: str, message: SkeletonArray | SkeletonGraphArray) -> None:
        complete = self._sync.add(name, stamp_ns_of(message.header), message)
        self.meter.dropped = self._sync.given_up
        if complete is not None:
            began = time.perf_counter()
            self._publish(skeletons_of_message(complete[0]), graphs_of_message(complete[1]))
            self.meter.done(time.perf_counter() - began, age_s(stamp_ns_of(message.header), self.now_ns()))

    def _publish(self, skeletons: Skeletons, graphs: SkeletonGraphs) -> None:
        now_ns, made = graphs.stamp_ns, self._messages
        track_ids = graphs.track_ids.tolist()
        self._seen_ns.update(dict.fromkeys(track_ids, now_ns))
        kept_ns = round(self.settings.forget_s * 1e9)
        for track_id in [each for each, seen in self._seen_ns.items() if not 0 <= now_ns - seen <= kept_ns]:
            self._forget(track_id)
        for track_id in track_ids:
            if track_id not in self._bodies:
                self._bodies[track_id] = self._body(track_id)
        self._tracked.publish(made.tracked(now_ns, graphs.frame_id, [self._id(track_id) for track_id in self._bodies]))
        for row, (track_id, source) in enumerate(zip(track_ids, rows_of_people(graphs, skeletons))):
            score = 0.0 if source is None else float(skeletons.person_scores[source])
            self._bodies[track_id]["roi"].publish(made.roi(graphs, row, score))
            if source is not None:
                self._bodies[track_id]["skeleton2d"].publish(made.skeleton2d(skeletons, source))

    def _on_actions(self, message: ActionLabelArray) -> None:
        for person in message.actions:
            label = confirmed_label(person.state, person.label)
            if label is not None and person.track_id in self._bodies:
                stamp_ns = stamp_ns_of(message.header)
                self._bodies[person.track_id]["gesture"].publish(
                    self._messages.gesture(stamp_ns, message.header.frame_id, label))

    def _id(self, track_id: int) -> str:
        return f"{self.settings.id_prefix}{track_id}"

    def _body(self, track_id: int) -> dict[str, Publisher]:
        return {name: self.create_publisher(self._messages.types[name], f"{BODIES}/{self._id(track_id)}/{name}",
                                            result_profile(1)) for name in ("roi", "skeleton2d", "gesture")}

    def _forget(self, track_id: int) -> None:
        self._seen_ns.pop(track_id, None)
        for publisher in self._bodies.pop(track_id, {}).values():
            self.destroy_publisher(publisher)


def main(arguments: list[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(HriBridgeNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
