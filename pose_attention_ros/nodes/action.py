"""action: says what each tracked person is doing.

Subscribes skeleton_graphs
Publishes  actions, action_model (latched)
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from pose_attention_ros.core.action_stage import ActionConfig, ActionStage
from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.inference.recogniser import DEFAULT_MODEL, load_recogniser
from pose_attention_ros.msg import ActionLabelArray, ActionModel, SkeletonGraphArray
from pose_attention_ros.ros.action_messages import message_of_actions, message_of_model
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.qos import latched_profile, result_profile
from pose_attention_ros.ros.repeats import RepeatedStamp
from pose_attention_ros.ros.run import run
from pose_attention_ros.ros.settings import NodeConfig
from pose_attention_ros.ros.skeleton_messages import graphs_of_message
from pose_attention_ros.ros.stamps import age_s, stamp_ns_of


@dataclass(frozen=True)
class ModelConfig(Settings):
    """Which recogniser."""

    model: str = setting(DEFAULT_MODEL, "recogniser: a name under models/, or the path of a model directory")


@dataclass(frozen=True)
class ActionNodeConfig(ActionConfig, ModelConfig, NodeConfig):
    """Parameters of the action node."""


class ActionNode(ManagedNode):
    """See the module."""

    default_name = "action"
    settings_type = ActionNodeConfig
    _stage: ActionStage | None = None

    def configure(self) -> None:
        recogniser = load_recogniser(self.settings.model)
        self._stage = ActionStage(recogniser, self.settings)
        self._publisher = self.advertise(ActionLabelArray, "actions", result_profile())
        self.advertise(ActionModel, "action_model", latched_profile()).publish(message_of_model(recogniser.spec))

    def activate(self) -> None:
        self._stage.reset()
        self._repeated = RepeatedStamp()
        self.listen(SkeletonGraphArray, "skeleton_graphs", self._on_graphs, result_profile())

    def cleanup(self) -> None:
        self._stage = None

    def settings_changed(self, settings: ActionNodeConfig) -> None:
        if self._stage is not None:
            self._stage.configure(settings)

    def details(self) -> dict[str, str]:
        spec = self._stage.spec if self._stage else None
        return {"model": spec.model_id, "model_sha256": spec.sha256} if spec else {}

    def _on_graphs(self, message: SkeletonGraphArray) -> None:
        began = time.perf_counter()
        if self._repeated.answered(stamp_ns_of(message.header)):
            return
        estimates = self._stage(graphs_of_message(message))
        answer = message_of_actions(estimates, self.now_ns())
        self._publisher.publish(answer)
        self._repeated.keep(estimates.stamp_ns, lambda: self._publisher.publish(answer))
        self.meter.done(time.perf_counter() - began, age_s(estimates.stamp_ns, self.now_ns()))


def main(arguments: list[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(ActionNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
