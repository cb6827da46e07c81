"""hri_bridge: publishes the tracked people as bodies and persons of ROS4HRI (REP-155); needs the package hri_msgs.

Subscribes skeletons, skeleton_graphs, actions, camera_info
Publishes  /humans/bodies/tracked (hri_msgs/IdsList), and for each body /humans/bodies/<id>/roi
           (NormalizedRegionOfInterest2D), skeleton2d (Skeleton2D) and gesture (Gesture: WAVING or OTHER, while an action
           is confirmed); with `persons` /humans/persons/tracked and for each person /humans/persons/<id>/anonymous, body_id
           (both latched) and location_confidence; where camera_info has a calibration, on /tf the frames body_<id>,
           head_<id> and person_<id>, at distances that rest on `person_height_m`
"""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass

from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo

from pose_attention_ros.core.config import setting
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.messages.records import graphs_of_message, skeletons_of_message
from pose_attention_ros.core.people.placing import Pinhole, place
from pose_attention_ros.core.types import SkeletonGraphs, Skeletons
from pose_attention_ros.msg import ActionLabelArray, SkeletonArray, SkeletonGraphArray
from pose_attention_ros.ros.hri_messages import BodyMessages, confirmed_label, rows_of_people
from pose_attention_ros.ros.hri_persons import Frames, Persons
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.qos import result_profile, sensor_profile
from pose_attention_ros.ros.run import run
from pose_attention_ros.ros.settings import NodeConfig, SynchroniserConfig
from pose_attention_ros.ros.stamps import age_s, stamp_ns_of
from pose_attention_ros.ros.sync import StampSynchroniser

BODIES = "/humans/bodies"  # REP-155 wants the global namespace
_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True)
class HriBridgeNodeConfig(SynchroniserConfig, NodeConfig):
    """Parameters of the hri_bridge node."""

    id_prefix: str = setting("body", "a body's id is this and the track id; give each camera another one")
    forget_s: float = setting(
        1.0,
        "a body that was not seen for this long, by image stamps, is no longer listed",
        unit="s",
        low=0.0,
        high=60.0,
        live=True,
    )

    persons: bool = setting(True, "publish each body as an anonymous person, too; false leaves them to hri_person_manager")
    person_height_m: float = setting(
        1.7,
        "height that everybody is taken to have: one camera sees no distance, and who is "
        "shorter is placed too far by as much",
        unit="m",
        low=0.5,
        high=2.5,
        live=True,
    )

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
            raise UserError(
                f"hri_bridge needs hri_msgs ({error}); run: sudo apt install ros-$ROS_DISTRO-hri-msgs, or build "
                "github.com/ros4hri/hri_msgs (branch humble-devel) in your workspace"
            ) from None
        self._tracked = self.advertise(self._messages.types["tracked"], f"{BODIES}/tracked", result_profile(1))
        self._frames = Frames(self)
        self._persons = Persons(self, self._messages.tracked) if self.settings.persons else None

    def activate(self) -> None:
        self._bodies: dict[int, dict[str, Publisher]] = {}
        self._seen_ns: dict[int, int] = {}
        self._camera: Pinhole | None = None
        self._sync = StampSynchroniser(("skeletons", "skeleton_graphs"), self.settings.buffer_frames)
        self.listen(SkeletonArray, "skeletons", lambda message: self._join("skeletons", message), result_profile())
        self.listen(
            SkeletonGraphArray, "skeleton_graphs", lambda message: self._join("skeleton_graphs", message), result_profile()
        )
        self.listen(ActionLabelArray, "actions", self._on_actions, result_profile())
        self.listen(CameraInfo, "camera_info", self._on_camera, sensor_profile("best_effort"))

    def deactivate(self) -> None:
        """Nobody is tracked any more."""
        for track_id in list(self._bodies):
            self._forget(track_id)

    def details(self) -> dict[str, str]:
        if not self.active:
            return {}
        placed = "no calibration on camera_info" if self._camera is None else str(len(self._frames.placed))
        return {"bodies": str(len(self._bodies)), "placed": placed}

    def _on_camera(self, message: CameraInfo) -> None:
        self._camera = Pinhole.of(list(message.k), (message.width, message.height))

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
        self._place(graphs)

    def _place(self, graphs: SkeletonGraphs) -> None:
        """Frames of those who can be placed, where they were of those who are out of sight, and persons."""
        places = (
            {}
            if self._camera is None
            else {
                self._id(int(track_id)): place(graphs, row, self._camera, self.settings.person_height_m)
                for row, track_id in enumerate(graphs.track_ids)
            }
        )
        listed = [self._id(track_id) for track_id in self._bodies]
        self._frames.send(graphs, listed, places)
        if self._persons is not None:
            seen = {self._id(int(track_id)) for track_id in graphs.track_ids}
            self._persons.publish(graphs, listed, {each: each in seen for each in self._frames.placed})

    def _on_actions(self, message: ActionLabelArray) -> None:
        for person in message.actions:
            label = confirmed_label(person.state, person.label)
            if label is not None and person.track_id in self._bodies:
                stamp_ns = stamp_ns_of(message.header)
                self._bodies[person.track_id]["gesture"].publish(
                    self._messages.gesture(stamp_ns, message.header.frame_id, label)
                )

    def _id(self, track_id: int) -> str:
        return f"{self.settings.id_prefix}{track_id}"

    def _body(self, track_id: int) -> dict[str, Publisher]:
        return {
            name: self.create_publisher(
                self._messages.types[name], f"{BODIES}/{self._id(track_id)}/{name}", result_profile(1)
            )
            for name in ("roi", "skeleton2d", "gesture")
        }

    def _forget(self, track_id: int) -> None:
        self._seen_ns.pop(track_id, None)
        for publisher in self._bodies.pop(track_id, {}).values():
            self.destroy_publisher(publisher)
        self._frames.forget(self._id(track_id))
        if self._persons is not None:
            self._persons.forget(self._id(track_id))


def main(arguments: list[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(HriBridgeNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
