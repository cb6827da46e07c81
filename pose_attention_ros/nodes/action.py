"""action: says what each tracked person is doing.

Subscribes skeleton_graphs; where the model reads the image too, image_raw or image_raw/compressed (`image_transport`)
Publishes  actions, labels (std_msgs/String: "3 wave 0.92" for each person, only while subscribed), action_model (latched)
Serves     teach_action
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from pose_attention_ros.core.action_stage import ActionConfig, ActionStage
from pose_attention_ros.core.actions.pixels import PixelFeed
from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.types import Frame, SkeletonGraphs
from pose_attention_ros.inference.networks import SMALL_RUNTIME_DOC, SMALL_RUNTIMES
from pose_attention_ros.inference.pixel_feeds import PixelFeedConfig, create_pixel_feed
from pose_attention_ros.inference.recogniser import DEFAULT_MODEL, load_recogniser
from pose_attention_ros.inference.teaching import TAUGHT_DOC
from pose_attention_ros.msg import ActionModel
from pose_attention_ros.nodes.teach_service import TeachService
from pose_attention_ros.ros.action_messages import message_of_model
from pose_attention_ros.ros.action_topics import AnswerTopics
from pose_attention_ros.ros.graph_input import GraphAndImageInput, GraphInput
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.qos import latched_profile
from pose_attention_ros.ros.run import run
from pose_attention_ros.ros.settings import NodeConfig, SynchroniserConfig, WatchImageConfig
from pose_attention_ros.ros.stamps import age_s


@dataclass(frozen=True)
class ModelConfig(Settings):
    """Which recogniser."""

    model: str = setting(DEFAULT_MODEL, "recogniser: a name under models/, or the path of a model directory")
    model_runtime: str = setting(SMALL_RUNTIMES[0], f"recogniser: {SMALL_RUNTIME_DOC}", choices=SMALL_RUNTIMES)
    taught: str = setting("", TAUGHT_DOC)


@dataclass(frozen=True)
class ActionNodeConfig(ActionConfig, ModelConfig, PixelFeedConfig, WatchImageConfig, SynchroniserConfig, NodeConfig):
    """Parameters of the action node; those of images and of the feature extractor matter to models that read the image."""


class ActionNode(ManagedNode):
    """See the module."""

    default_name = "action"
    settings_type = ActionNodeConfig
    _stage: ActionStage | None = None
    _input: GraphInput | None = None
    _feed: PixelFeed | None = None
    _teacher: TeachService | None = None

    def configure(self) -> None:
        recogniser = load_recogniser(self.settings.model, runtime=self.settings.model_runtime)
        recogniser.warm_up()
        self._feed = create_pixel_feed(recogniser.spec, self.settings)
        self._stage = ActionStage(recogniser, self.settings, self._feed)
        self._input = (GraphAndImageInput if self._feed else GraphInput)(self, self._process)
        self._answers = AnswerTopics(self)
        model = self.advertise(ActionModel, "action_model", latched_profile())
        self._teacher = TeachService(self, self._stage, recogniser, lambda spec: model.publish(message_of_model(spec)))

    def activate(self) -> None:
        self._stage.reset()
        self._input.open()

    def cleanup(self) -> None:
        if self._teacher is not None:
            self._teacher.close()
        self._teacher = self._stage = self._input = self._feed = None

    def settings_changed(self, settings: ActionNodeConfig) -> None:
        if self._stage is not None:
            self._stage.configure(settings)

    def details(self) -> dict[str, str]:
        spec = self._stage.described if self._stage else None
        told = {"model": spec.model_id, "model_sha256": spec.sha256} if spec else {}
        return told | (self._feed.details() if self._feed else {})

    def trouble(self) -> str:
        return self._input.trouble() if self.active else ""

    def _process(self, graphs: SkeletonGraphs, frame: Frame | None) -> Callable[[], None]:
        """The answer to one image's people; what is returned publishes it again."""
        began = time.perf_counter()
        estimates = self._stage(graphs, frame)
        answer = self._answers.publish(graphs, estimates)
        self.meter.done(time.perf_counter() - began, age_s(estimates.stamp_ns, self.now_ns()))
        return lambda: self._answers.publish(graphs, estimates, answer)


def main(arguments: list[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(ActionNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
