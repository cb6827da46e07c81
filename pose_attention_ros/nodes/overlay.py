"""overlay: draws people, labels and attention into the images; works only while someone looks.

Subscribes image_raw or image_raw/compressed (`image_transport`), skeleton_graphs, actions, action_model; the image only
           while `overlay` is subscribed, nothing while none of its topics is
Publishes  overlay, overlay/compressed, markers, annotations (the last where foxglove_msgs is installed)
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any

from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image
from visualization_msgs.msg import MarkerArray

from pose_attention_ros.core.messages.records import graphs_of_message
from pose_attention_ros.core.types import ActionEstimates
from pose_attention_ros.inference.package_paths import config_dir
from pose_attention_ros.msg import ActionLabelArray, ActionModel, SkeletonGraphArray
from pose_attention_ros.ros.action_messages import actions_of_message
from pose_attention_ros.ros.annotations import Annotator, annotation_type
from pose_attention_ros.ros.image_output import ImageTopic, JpegConfig
from pose_attention_ros.ros.image_subscription import ImageSubscription
from pose_attention_ros.ros.images import bgr_of
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.markers import markers_of
from pose_attention_ros.ros.middleware import make_room_for_images
from pose_attention_ros.ros.qos import latched_profile, result_profile
from pose_attention_ros.ros.run import run
from pose_attention_ros.ros.settings import NodeConfig, SynchroniserConfig, WatchImageConfig
from pose_attention_ros.ros.stamps import age_s, stamp_ns_of
from pose_attention_ros.ros.sync import StampSynchroniser
from pose_attention_ros.visualization.overlay import Overlay, OverlayConfig

_LOOK_PERIOD_S = 0.25  # how soon a new subscriber of the overlay is noticed


@dataclass(frozen=True)
class OverlayNodeConfig(OverlayConfig, JpegConfig, WatchImageConfig, SynchroniserConfig, NodeConfig):
    """Parameters of the overlay node."""


class OverlayNode(ManagedNode):
    """See the module."""

    default_name = "overlay"
    settings_type = OverlayNodeConfig
    _overlay: Overlay | None = None

    def configure(self) -> None:
        self._overlay = Overlay(self.settings)
        self._images = ImageTopic(self, "overlay")
        self._markers = self.advertise(MarkerArray, "markers", result_profile(depth=2))
        kind = annotation_type()
        self._annotations = self.advertise(kind, "annotations", result_profile(depth=2)) if kind else None
        self._annotate = Annotator() if kind else None
        self._model: ActionModel | None = None

    def activate(self) -> None:
        self.listen(ActionModel, "action_model", self._on_model, latched_profile())
        self._inputs: list[Subscription] = []
        self._camera = ImageSubscription(
            self,
            lambda message: self._join("image", message),
            transport=self.settings.image_transport,
            reliability=self.settings.image_reliability,
        )
        self._wanted: tuple[str, ...] = ()
        self._sync: StampSynchroniser | None = None
        self._given_up = 0  # before the present onlookers
        self._watch = self.watch(_LOOK_PERIOD_S, self._look)

    def deactivate(self) -> None:
        self.destroy_timer(self._watch)

    def settings_changed(self, settings: OverlayNodeConfig) -> None:
        if self._overlay is not None:
            self._overlay.configure(settings)

    def details(self) -> dict[str, str]:
        return {"working_for": " ".join(self._wanted) or "nobody"} if self.active else {}

    def idle(self) -> bool:
        return not self._wanted

    def _on_model(self, message: ActionModel) -> None:
        self._model = message

    def _look(self) -> None:
        """Subscribe to what the present onlookers need."""
        onlookers = {
            "image": self._images.subscribers(),
            "markers": self._markers.get_subscription_count(),
            "annotations": self._annotations.get_subscription_count() if self._annotations else 0,
        }
        wanted = tuple(name for name, count in onlookers.items() if count)
        if wanted == self._wanted:
            return
        self._wanted = wanted
        self.silence(self._inputs)
        self._inputs = []
        self._camera.close()
        if not wanted:
            return
        self._given_up += self._sync.given_up if self._sync else 0
        names = ("skeleton_graphs", "actions") + ("image",) * ("image" in wanted)
        self._sync = StampSynchroniser(names, self.settings.buffer_frames)
        self._inputs = [self._listen(SkeletonGraphArray, "skeleton_graphs"), self._listen(ActionLabelArray, "actions")]
        if "image" in wanted:
            self._camera.open()

    def _listen(self, kind: type, topic: str) -> Subscription:
        return self.listen(kind, topic, lambda message: self._join(topic, message), result_profile())

    def _join(self, name: str, message: Any) -> None:
        """Complete sets of messages are drawn."""
        complete = self._sync.add(name, stamp_ns_of(message.header), message)
        self.meter.dropped = self._given_up + self._sync.given_up
        if complete is not None:
            self._draw(*complete)

    def _draw(
        self,
        graphs_message: SkeletonGraphArray,
        actions_message: ActionLabelArray,
        image_message: Image | CompressedImage | None = None,
    ) -> None:
        began = time.perf_counter()
        graphs = graphs_of_message(graphs_message)
        actions: ActionEstimates | None = None if self._model is None else actions_of_message(actions_message, self._model)
        if image_message is not None:
            drawn = self._overlay.draw(bgr_of(image_message), graphs, actions)
            self._images.publish(drawn, graphs.stamp_ns, graphs.frame_id)
        if "markers" in self._wanted:
            self._markers.publish(markers_of(graphs, actions))
        if "annotations" in self._wanted:
            self._annotations.publish(self._annotate(graphs, actions))
        self.meter.done(time.perf_counter() - began, age_s(graphs.stamp_ns, self.now_ns()))


def main(arguments: list[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    make_room_for_images(config_dir)
    return run(OverlayNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
