"""web: a page for browsers, at http://127.0.0.1:8765 unless told otherwise. It works only while somebody looks on.

Subscribes action_model; while a page is open also skeleton_graphs, actions, /diagnostics, and image_raw/preview or, where
           nobody publishes that, image_raw or image_raw/compressed (`image_transport`)
Calls      teach_action, and the parameter services of action, pose and pipeline
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image

from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.messages.records import graphs_of_message, stamp_in
from pose_attention_ros.core.types import Frame
from pose_attention_ros.inference.package_paths import config_dir
from pose_attention_ros.msg import ActionLabelArray, ActionModel, SkeletonGraphArray
from pose_attention_ros.nodes.web_feed import GraphFeed
from pose_attention_ros.ros.action_messages import actions_of_message
from pose_attention_ros.ros.helper import Helper
from pose_attention_ros.ros.image_subscription import ImageSubscription
from pose_attention_ros.ros.image_topic_choice import preview_topic
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.middleware import make_room_for_images
from pose_attention_ros.ros.qos import latched_profile, result_profile
from pose_attention_ros.ros.run import run
from pose_attention_ros.ros.settings import NodeConfig, SynchroniserConfig, WatchImageConfig
from pose_attention_ros.ros.stamps import age_s, stamp_ns_of
from pose_attention_ros.ros.sync import StampSynchroniser
from pose_attention_ros.ros.waiting import Waiting, taken, unfit
from pose_attention_ros.web.hub import Hub, Meter
from pose_attention_ros.web.records import record_of, record_of_model
from pose_attention_ros.web.server import WebServer
from pose_attention_ros.web.settings import WebConfig

_HEALTH_PERIOD_S = 1.0
_REPORTS = 50  # of all nodes in that time
_SHOWN_DETAILS = ("backend", "model", "dropped", "hardware")


@dataclass(frozen=True)
class WebNodeConfig(WebConfig, WatchImageConfig, SynchroniserConfig, NodeConfig):
    """Parameters of the web node."""


class WebNode(ManagedNode):
    """See the module."""

    default_name = "web"
    settings_type = WebNodeConfig
    _server: WebServer | None = None
    _feed: GraphFeed | None = None

    def configure(self) -> None:
        self._hub, self._meter, self._waiting = Hub(self.settings), Meter(), Waiting()
        self._model: ActionModel | None = None
        self._reports: dict[str, Any] = {}
        self._server = WebServer(self._hub)
        self._hub.feed = self._feed = GraphFeed(self, self._look)
        self._server.start()
        self.get_logger().info(f"open {self._server.address}")

    def activate(self) -> None:
        self.listen(ActionModel, "action_model", self._on_model, latched_profile())
        self._camera = ImageSubscription(
            self,
            self._on_image,
            transport=self.settings.image_transport,
            reliability=self.settings.image_reliability,
            raw=True,
        )
        self._watched = False
        self.at_halt.append(self._sleep)
        self._follow()

    def cleanup(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._feed is not None:
            self._feed.close()
        self._server = self._feed = None

    def settings_changed(self, settings: WebNodeConfig) -> None:
        if self._server is not None:
            self._hub.config = settings

    def details(self) -> dict[str, str]:
        return {"address": self._server.address, "pages": str(len(self._hub.pages))} if self._server else {}

    def idle(self) -> bool:
        return not self._watched

    def _look(self) -> None:
        """Pages came or went."""
        if self.active:
            self._follow()

    def _follow(self) -> None:
        """Subscribe while somebody looks on; at other times nothing crosses the middleware for us."""
        if self._hub.watched == self._watched:
            return
        self._sleep()
        if not self._hub.watched:
            return
        self._watched = True
        self._sync = StampSynchroniser(("skeleton_graphs", "actions"), self.settings.buffer_frames)
        self._helper = Helper(self)
        self._graphs = self._wait_for(SkeletonGraphArray, "skeleton_graphs", result_profile())
        self._previews = self._wait_for(CompressedImage, preview_topic(self), result_profile(depth=2))
        self._reports_of_all = self._wait_for(DiagnosticArray, "/diagnostics", result_profile(_REPORTS))
        actions = self.listen(ActionLabelArray, "actions", self._on_actions, result_profile(), through=self._helper.node)
        self._inputs = [self._graphs, self._previews, self._reports_of_all, actions]
        self._choose_images()
        self._helper.watch(_HEALTH_PERIOD_S, self.guarded("health", self._tell_health))
        self._helper.start()

    def _wait_for(self, kind: type, topic: str, profile: QoSProfile) -> Subscription:
        return self.listen(kind, topic, lambda _: None, profile, through=self._helper.node, group=self._waiting)

    def _sleep(self) -> None:
        if not self._watched:
            return
        self._watched = False
        self._helper.stop()
        self.silence(self._inputs)
        self._helper.close()
        self._camera.close()

    def _choose_images(self) -> None:
        """Small ones from the node that has the camera; where it makes none, the camera's own."""
        if self._watched and self._offered():
            self._camera.close()
        elif self._watched:
            self._camera.open()

    def _offered(self) -> bool:
        return self.count_publishers(self._previews.topic_name) > 0

    def _on_actions(self, message: ActionLabelArray) -> None:
        """The last of an image's messages wakes us; the others are taken then."""
        for graphs, _ in taken(self._graphs):
            self._join("skeleton_graphs", graphs)
        self._join("actions", message)
        self._take_preview()

    def _join(self, name: str, message: Any) -> None:
        """Complete sets of messages go to the pages."""
        complete = self._sync.add(name, stamp_ns_of(message.header), message)
        self.meter.dropped = self._sync.given_up
        if complete is None:
            return
        began = time.perf_counter()
        graphs = graphs_of_message(complete[0])
        actions = None if self._model is None else actions_of_message(complete[1], self._model)
        self._feed.see(graphs)
        self._hub.result(record_of(graphs, actions))
        age = age_s(graphs.stamp_ns, self.now_ns())
        self._meter.done(age)
        self.meter.done(time.perf_counter() - began, age)

    def _take_preview(self) -> None:
        """The newest, if one is due."""
        if self._camera.is_open or not self._hub.wants_image(time.monotonic_ns()):
            return
        for message, _ in taken(self._previews):
            self._hub.picture(stamp_ns_of(message.header), message.data.tobytes())

    def _on_image(self, serialised: bytes) -> None:
        """Those that no page gets are not even read."""
        if self._hub.wants_image(time.monotonic_ns()):
            from pose_attention_ros.ros.images import bgr_of  # OpenCV, which only such a page needs

            message = deserialize_message(serialised, CompressedImage if self._camera.compressed else Image)
            self._hub.image(Frame(bgr_of(message), stamp_in(serialised)))

    def _on_model(self, message: ActionModel) -> None:
        self._model = message
        taught = tuple(name for name in message.classes if name in self._feed.taught)
        self._hub.keep(
            record_of_model(
                message.model_id,
                message.model_sha256,
                tuple(message.classes),
                layout(message.layout),
                message.threshold,
                taught,
                self._feed.why_not,
            )
        )

    def _tell_health(self) -> None:
        """Also shows the image where there are no results."""
        for reports, _ in taken(self._reports_of_all):
            self._reports |= {status.name: status for status in reports.status}
        if self._offered() == self._camera.is_open:
            self.executor.create_task(self._choose_images)
        if why := unfit(self, self._graphs):
            self.warn_once(f"{why}; give both sides the same reliability and durability")
        self._take_preview()
        values: dict[str, Any] = {**self._meter.read(), "pages": len(self._hub.pages)}
        warnings = []
        for name, status in sorted(self._reports.items()):
            told = {pair.key: pair.value for pair in status.values}
            for key in (key for key in _SHOWN_DETAILS if told.get(key)):  # of several nodes each with its name
                values[f"{name}: {key}" if key in values else key] = told[key]
            if status.level not in (b"\x00", 0):
                warnings.append([name, status.message])
        self._hub.keep({"type": "health", "values": values, "warnings": warnings})


def main(arguments: list[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    make_room_for_images(config_dir)
    return run(WebNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
