"""What a managed node does when a transition cannot be made or fails half-way, and what changes while it runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from lifecycle_msgs.msg import Transition
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from test_parameters import NODES, node_class

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.nodes.skeleton_graph import SkeletonGraphNode

PARAMETERS = {
    "web": {"port": 0},
    "camera": {"source": "VIDEO", "loop": True},
    "pose": {"input_size": 64},
    "pipeline": {"source": "VIDEO", "loop": True, "input_size": 64},
    "recorder": {"out": "FOLDER/recorder", "video": False},
    "bag_recorder": {"out": "FOLDER/bag"},
    "evaluator": {"out": "FOLDER/evaluator"},
}


def parameters_of(name: str, video: Path, folder: Path) -> list[Parameter]:
    """What the node called `name` needs to become active."""
    values = {
        key: value.replace("VIDEO", str(video)).replace("FOLDER", str(folder)) if isinstance(value, str) else value
        for key, value in PARAMETERS.get(name, {}).items()
    }
    return [Parameter(key, value=value) for key, value in values.items()]


def test_an_impossible_transition_is_refused_and_harms_nobody(start: Callable, probe: Any) -> None:
    process = start("skeleton_graph")
    process.wait_for_line("active")
    for transition in (Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP, 77):
        assert not probe.change_state("skeleton_graph", transition)
    process.wait_for_line("is not possible while the node is active")
    assert probe.state("skeleton_graph") == "active"
    assert probe.change_state("skeleton_graph", Transition.TRANSITION_DEACTIVATE)
    assert process.running and "Traceback" not in process.output


class FailsOnce(SkeletonGraphNode):
    """A node with one step that fails the first time, as a driver that does not answer would."""

    step = ""
    error: Exception = UserError("the device does not answer")
    failed = False

    def _fail(self, step: str) -> None:
        if step == self.step and not self.failed:
            self.failed = True
            raise self.error

    def configure(self) -> None:
        super().configure()
        self._fail("configure")

    def activate(self) -> None:
        super().activate()
        self._fail("activate")

    def deactivate(self) -> None:
        self._fail("deactivate")

    def cleanup(self) -> None:
        self._fail("cleanup")
        super().cleanup()


@pytest.fixture
def node(ros: None) -> Iterator[FailsOnce]:
    made = FailsOnce(namespace="/fails_once")
    yield made
    made.release()
    made.destroy_node()


@pytest.mark.parametrize("error", [UserError("the device does not answer"), ValueError("a programmer's mistake")], ids=type)
@pytest.mark.parametrize(
    ("step", "state_after"),
    [("configure", "unconfigured"), ("activate", "inactive"), ("deactivate", "unconfigured"), ("cleanup", "unconfigured")],
)
def test_a_failed_step_is_recovered_from(node: FailsOnce, step: str, state_after: str, error: Exception) -> None:
    """The way up fails back to where it began; the way down ends unconfigured. From there all works again."""
    node.step, node.error = step, error
    way = {
        "configure": node.trigger_configure,
        "activate": node.trigger_activate,
        "deactivate": node.trigger_deactivate,
        "cleanup": node.trigger_cleanup,
    }
    for name, trigger in way.items():
        done = trigger()
        if name == step:
            assert done != TransitionCallbackReturn.SUCCESS
            break
        assert done == TransitionCallbackReturn.SUCCESS
    assert node._state_machine.current_state[1] == state_after == node._state
    assert node.count_subscribers("skeletons") == 0, "nothing works in a node that is not active"
    assert node.count_publishers("skeleton_graphs") == (state_after == "inactive")
    if state_after == "unconfigured":
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    for trigger in (node.trigger_activate, node.trigger_deactivate, node.trigger_cleanup):
        assert trigger() == TransitionCallbackReturn.SUCCESS
    assert node.count_publishers("skeleton_graphs") == 0


@pytest.mark.parametrize("name", NODES)
def test_a_parameter_changes_while_the_node_runs_or_says_why_not(
    ros: None, name: str, drawn_video: Path, tmp_path: Path, pose_weights: None
) -> None:
    """Every parameter of every node, set to its own value while the node is active."""
    node = node_class(name)(namespace=f"/live/{name}", parameter_overrides=parameters_of(name, drawn_video, tmp_path))
    try:
        assert node.trigger_configure() == node.trigger_activate() == TransitionCallbackReturn.SUCCESS
        live = 0
        for field in dataclasses.fields(node.settings_type):
            (result,) = node.set_parameters([Parameter(field.name, value=getattr(node.settings, field.name))])
            assert result.successful == field.metadata["live"], (field.name, result.reason)
            assert result.successful or result.reason.startswith(f"{field.name} cannot change now: the node is active; ")
            live += field.metadata["live"]
        assert live >= 1
    finally:
        node.release()
        node.destroy_node()


def test_a_change_that_is_refused_changes_nothing(ros: None) -> None:
    """Two parameters at once, one of them impossible: neither changes, in the node's record or in ROS."""
    node = SkeletonGraphNode(namespace="/refused_change")
    before = node.settings
    result = node.set_parameters_atomically([Parameter("min_joint_score", value=0.9), Parameter("max_gap_s", value=-1.0)])
    assert not result.successful and "max_gap_s" in result.reason
    assert node.settings == before and node.get_parameter("min_joint_score").value == before.min_joint_score
    node.destroy_node()


@pytest.mark.parametrize("name", ["pose", "pipeline"])
def test_a_node_is_warm_before_it_becomes_active(
    ros: None, name: str, drawn_video: Path, tmp_path: Path, pose_weights: None
) -> None:
    """Once configured, the network has run; nothing is subscribed or played yet."""
    node = node_class(name)(namespace=f"/warm/{name}", parameter_overrides=parameters_of(name, drawn_video, tmp_path))
    try:
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        assert node._estimator.network_s > 0
        assert node.count_subscribers("image_raw") == 0 and node.meter.processed == 0
    finally:
        node.release()
        node.destroy_node()
