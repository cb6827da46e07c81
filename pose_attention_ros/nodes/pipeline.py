"""pipeline: camera or image topic to actions in one process; no image crosses the middleware unless someone wants it.

Reads      `source`; or, where that is empty, subscribes image_raw (image_raw/compressed with `image_transport: compressed`)
Publishes  skeletons, skeleton_graphs, actions, labels (a line for each person; all only while subscribed), action_model
           (latched); with a `source` also
           image_raw, image_raw/compressed, image_raw/preview (each only while subscribed), camera_info (with
           `calibration`) and source_status (latched)
Serves     teach_action
Subscribes recorded (`pace: lockstep` with `acknowledge: recorded` only)
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from pose_attention_ros.core.action_stage import ActionConfig, ActionStage
from pose_attention_ros.core.actions.pixels import PixelFeed
from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.config import setting
from pose_attention_ros.core.errors import ModelError
from pose_attention_ros.core.graph_stage import GraphConfig, GraphStage
from pose_attention_ros.core.machine.load import LoadConfig
from pose_attention_ros.core.messages.packed import bytes_of_graphs, bytes_of_skeletons
from pose_attention_ros.core.pipeline import STAGES, Pipeline
from pose_attention_ros.core.types import Frame
from pose_attention_ros.inference.package_paths import config_dir
from pose_attention_ros.inference.pixel_feeds import PixelFeedConfig, create_pixel_feed
from pose_attention_ros.inference.pose import STRIDE, PoseConfig, PoseEstimator, create_pose_estimator
from pose_attention_ros.inference.recogniser import load_recogniser
from pose_attention_ros.msg import ActionLabelArray, ActionModel, SkeletonArray, SkeletonGraphArray
from pose_attention_ros.nodes.action import ModelConfig
from pose_attention_ros.nodes.pose import WARM_UP_SIZE
from pose_attention_ros.nodes.teach_service import TeachService
from pose_attention_ros.ros.action_messages import message_of_model
from pose_attention_ros.ros.action_topics import AnswerTopics
from pose_attention_ros.ros.diagnostics import StageMeter
from pose_attention_ros.ros.image_input import ImageInput
from pose_attention_ros.ros.image_output import CameraTopics, CameraTopicsConfig
from pose_attention_ros.ros.load import LoadControl
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.middleware import make_room_for_images
from pose_attention_ros.ros.on_demand import OnDemand
from pose_attention_ros.ros.playback import Playback
from pose_attention_ros.ros.player import PlayerConfig
from pose_attention_ros.ros.qos import latched_profile, result_profile
from pose_attention_ros.ros.run import run
from pose_attention_ros.ros.settings import ImageInputConfig, NodeConfig
from pose_attention_ros.ros.stamps import age_s


@dataclass(frozen=True)
class PipelineNodeConfig(
    ActionConfig,
    ModelConfig,
    PixelFeedConfig,
    GraphConfig,
    PoseConfig,
    LoadConfig,
    PlayerConfig,
    CameraTopicsConfig,
    ImageInputConfig,
    NodeConfig,
):
    """Parameters of the pipeline node: those of the camera and of the three stages."""

    source: str = setting("", "as for the camera node; empty: subscribe to images instead")


class PipelineNode(ManagedNode):
    """See the module."""

    default_name = "pipeline"
    settings_type = PipelineNodeConfig
    _estimator: PoseEstimator | None = None
    _load: LoadControl | None = None
    _input: ImageInput | None = None
    _playback: Playback | None = None
    _images: CameraTopics | None = None
    _stages: tuple[GraphStage, ActionStage] | None = None
    _feed: PixelFeed | None = None
    _teacher: TeachService | None = None

    def configure(self) -> None:
        size = self._open_input()
        recogniser = load_recogniser(self.settings.model, runtime=self.settings.model_runtime)
        recogniser.warm_up()
        if recogniser.spec.layout.joints != layout(self.settings.layout).joints:
            raise ModelError(
                f"layout is {self.settings.layout!r}, expected {recogniser.spec.layout.name!r}, which model "
                f"{recogniser.spec.model_id!r} reads"
            )
        self._estimator = create_pose_estimator(self.settings)
        self._estimator.warm_up(size)
        self._load = LoadControl(self, STRIDE if self._estimator.resizable else 0, self._estimator.resize)
        self._feed = create_pixel_feed(recogniser.spec, self.settings, self._estimator.image_features)
        self._stages = GraphStage(self.settings), ActionStage(recogniser, self.settings, self._feed)
        self._pipeline = Pipeline(self._estimator, *self._stages)
        self._stage_meters = {name: StageMeter() for name in (*STAGES, "network")}
        self._skeletons = OnDemand(self.advertise(SkeletonArray, "skeletons", result_profile()))
        self._graphs = OnDemand(self.advertise(SkeletonGraphArray, "skeleton_graphs", result_profile()))
        self._answers = AnswerTopics(self)
        model = self.advertise(ActionModel, "action_model", latched_profile())
        self._teacher = TeachService(self, self._stages[1], recogniser, lambda spec: model.publish(message_of_model(spec)))

    def activate(self) -> None:
        self._pipeline.reset()
        if self._playback is not None:
            self._playback.start()
        else:
            self._input.open()

    def deactivate(self) -> None:
        if self._playback is not None:
            self._playback.stop()

    def cleanup(self) -> None:
        if self._playback is not None:
            self._playback.close()
        if self._estimator is not None:
            self._estimator.close()
        if self._teacher is not None:
            self._teacher.close()
        self._teacher = None
        self._playback = self._input = self._estimator = self._load = self._images = self._stages = self._feed = None

    def settings_changed(self, settings: PipelineNodeConfig) -> None:
        for part in (self._load, *(self._stages or ()), self._estimator):  # the load first: it may refuse
            if part is not None:
                part.configure(settings)

    def details(self) -> dict[str, str]:
        if self._estimator is None or self._stages is None:
            return {}
        told = {"backend": self._estimator.backend, "model": self._stages[1].spec.model_id, **self._load.details()}
        for name, meter in self._stage_meters.items():
            told |= meter.times(name)
        if self._feed is not None:
            told |= self._feed.details()
        told |= self._input.details() if self._input else {}
        return told | (self._playback.details() if self._playback else {})

    def trouble(self) -> str:
        return (self._input.trouble() if self._input else "") or self._load.trouble()

    def _open_input(self) -> tuple[int, int]:
        """Open the source or prepare the subscription; returns the image size (width, height) to warm up with."""
        if not self.settings.source:
            self._input = ImageInput(self, self._process, self._admits)
            return WARM_UP_SIZE
        self._playback = Playback(self, self._process, lambda: self._answers.subscribers(), self._admits, works=True)
        size = self._playback.open()
        self._images = CameraTopics(self, size)
        return size

    def _admits(self, stamp_ns: int) -> bool:
        return self._load.admits(stamp_ns)

    def _process(self, frame: Frame) -> Callable[[], None]:
        """One frame through all stages; what is returned publishes its answers again."""
        began = time.perf_counter()
        result = self._pipeline(frame)
        skeletons_again = self._skeletons.answer(lambda: bytes_of_skeletons(result.skeletons))
        graphs_again = self._graphs.answer(lambda: bytes_of_graphs(result.graphs))
        answer: ActionLabelArray | None = None

        def publish() -> None:
            nonlocal answer
            answer = self._answers.publish(result.graphs, result.actions, answer)
            if self._images is not None:
                self._images.publish(frame)

        def publish_again() -> None:
            skeletons_again()
            graphs_again()
            publish()

        publish()
        for meter, seconds in zip(self._stage_meters.values(), (*result.stage_seconds, self._estimator.network_s)):
            meter.done(seconds)
        took_s, age = time.perf_counter() - began, age_s(frame.stamp_ns, self.now_ns())
        self.meter.done(took_s, age)
        self._load.done(took_s, age)
        return publish_again


def main(arguments: list[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    make_room_for_images(config_dir)
    return run(PipelineNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
