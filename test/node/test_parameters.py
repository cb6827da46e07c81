"""Settings as parameters: what ROS shows of them, and what it refuses."""

from __future__ import annotations

import dataclasses
import importlib

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from lifecycle_msgs.msg import Transition
from rclpy.node import Node
from rclpy.parameter import Parameter

from pose_attention_ros.core.config import Settings
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.nodes.camera import CameraNode
from pose_attention_ros.nodes.skeleton_graph import SkeletonGraphNode
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.parameters import parameter_table

NODES = ("camera", "pose", "skeleton_graph", "action", "overlay", "web", "pipeline", "recorder", "bag_recorder", "evaluator")


def node_class(name: str) -> type[ManagedNode]:
    module = importlib.import_module(f"pose_attention_ros.nodes.{name}")
    return next(
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, ManagedNode) and kind.__module__ == module.__name__
    )


@pytest.fixture
def graph_node(start: object) -> object:
    """A skeleton_graph node that waits to be configured."""
    return start("skeleton_graph", {"autostart": False, "confirm_s": 0})


@pytest.mark.parametrize("name", NODES)
def test_every_node_declares_its_settings_and_nothing_else(ros: None, name: str) -> None:
    kind = node_class(name)
    node = kind(namespace=f"/declared/{name}")
    try:
        assert kind.default_name == name
        for field in dataclasses.fields(kind.settings_type):
            assert node.get_parameter(field.name).value == field.default
            assert node.describe_parameter(field.name).description
        assert node.settings == kind.settings_type()
    finally:
        node.destroy_node()


@pytest.mark.parametrize("name", NODES)
def test_no_two_stages_of_a_node_mean_different_things_by_one_name(name: str) -> None:
    """A node's settings inherit those of its stages: a field may be defined twice only by overriding its own base."""
    kind = node_class(name).settings_type
    for field in dataclasses.fields(kind):
        owners = [base for base in kind.__mro__ if field.name in vars(base).get("__annotations__", {})]
        first = owners[0]
        assert all(issubclass(first, owner) for owner in owners), f"{field.name} is defined by {owners}"


@pytest.mark.parametrize("name", NODES)
def test_help_lists_every_parameter(name: str) -> None:
    kind: type[Settings] = node_class(name).settings_type
    table = parameter_table(kind)
    assert len(table.splitlines()) == len(dataclasses.fields(kind))


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("max_gap_s", 100.0, "max_gap_s is 100.0, expected 0.05 to 10.0 s"),
        ("max_gap_s", "soon", "max_gap_s is 'soon', expected float"),
        ("layout", "centaur", "layout is 'centaur', expected one of"),
        ("autostart", 2, "autostart is 2, expected bool"),
    ],
)
def test_a_value_that_does_not_fit_ends_the_start_with_one_line(ros: None, name: str, value: object, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        SkeletonGraphNode(namespace="/refused", parameter_overrides=[Parameter(name, value=value)])


def test_a_whole_number_may_set_a_float(ros: None) -> None:
    node = SkeletonGraphNode(namespace="/whole", parameter_overrides=[Parameter("max_gap_s", value=1)])
    assert node.settings.max_gap_s == 1.0 and isinstance(node.settings.max_gap_s, float)
    node.destroy_node()


def test_a_number_may_stand_for_a_text(ros: None) -> None:
    """`-p source:=0` is camera 0."""
    node = CameraNode(namespace="/number", parameter_overrides=[Parameter("source", value=0)])
    assert node.settings.source == "0"
    node.destroy_node()


@pytest.mark.parametrize(
    ("given", "shown", "meant"),
    [
        ("rtsp://me:${CAMERA_PW}@cam/1", "rtsp://***@cam/1", "rtsp://me:hunter2@cam/1"),
        ("rtsp://cam/live/${CAMERA_PW}", "rtsp://cam/live/${CAMERA_PW}", "rtsp://cam/live/hunter2"),
    ],
)
def test_a_source_set_as_it_is_shown_is_the_one_that_was_there(
    ros: None, monkeypatch: pytest.MonkeyPatch, given: str, shown: str, meant: str
) -> None:
    monkeypatch.setattr("pose_attention_ros.core.secrets._told", set())
    monkeypatch.setenv("CAMERA_PW", "hunter2")
    node = CameraNode(namespace="/shown", parameter_overrides=[Parameter("source", value=given)])
    try:
        assert (node.get_parameter("source").value, node.settings.source) == (shown, meant)
        for value, expected in (("0", "0"), (shown, meant)):
            node.set_parameters([Parameter("source", value=value)])
            assert (node.get_parameter("source").value, node.settings.source) == (value, expected)
        monkeypatch.setenv("HOME", "/root/hunter2")  # set later, a variable is not read
        node.set_parameters([Parameter("source", value="http://cam/${HOME}")])
        assert node.settings.source == "http://cam/${HOME}"
    finally:
        node.destroy_node()


def test_descriptors_carry_range_unit_and_description(graph_node: object, probe: object) -> None:
    about = probe.describe_parameter("skeleton_graph", "max_gap_s")
    assert (about.floating_point_range[0].from_value, about.floating_point_range[0].to_value) == (0.05, 10.0)
    assert about.description.endswith("[s]")
    assert "common13" in probe.describe_parameter("skeleton_graph", "layout").additional_constraints


def test_changes_are_checked_and_wait_for_their_time(graph_node: object, probe: object) -> None:
    """Unconfigured: everything may change. Configured: live settings only. Never: what is out of range."""
    assert probe.set_parameter("skeleton_graph", "max_gap_s", 0.5) == (True, "")
    successful, reason = probe.set_parameter("skeleton_graph", "layout", "centaur")
    assert not successful and "expected one of" in reason
    successful, reason = probe.set_parameter("skeleton_graph", "max_gap_s", 1000.0)
    assert not successful and "max_gap_s" in reason and "10" in reason

    assert probe.change_state("skeleton_graph", Transition.TRANSITION_CONFIGURE)
    successful, reason = probe.set_parameter("skeleton_graph", "max_gap_s", 0.6)
    assert not successful and reason == (
        "max_gap_s cannot change now: the node is inactive; deactivate and clean it up, set, then configure it again"
    )
    assert probe.get_parameter("skeleton_graph", "max_gap_s") == 0.5
    assert probe.set_parameter("skeleton_graph", "min_joint_score", 0.6) == (True, "")
    successful, reason = probe.set_parameter("skeleton_graph", "min_joint_score", "high")
    assert not successful and reason == "min_joint_score is 'high', expected float"


def test_a_parameter_that_does_not_exist_is_told(start: object) -> None:
    process = start("skeleton_graph", {"max_gap": 1.0})
    process.wait_for_line("there is no parameter 'max_gap'")


def test_a_bad_parameter_ends_the_process_with_one_line(start: object) -> None:
    process = start("skeleton_graph", {"max_gap_s": 100.0})
    assert process.wait() == 1
    assert "max_gap_s is 100.0, expected 0.05 to 10.0 s" in process.output
    assert "Traceback" not in process.output and len(process.lines) == 1


def test_an_integer_sets_a_number_and_does_not_change_its_type(start: object, probe: object) -> None:
    """What `ros2 param set /skeleton_graph max_lost_s 2` sends, and a parameter file's `confirm_s: 0`; and 1 for true."""
    start("skeleton_graph", {"confirm_s": 0, "max_lost_s": 3, "autostart": 0})
    for name, value in (("confirm_s", 0.0), ("max_lost_s", 3.0), ("autostart", False)):
        assert type(probe.get_parameter("skeleton_graph", name)) is type(value)
        assert probe.get_parameter("skeleton_graph", name) == value
    assert probe.set_parameter("skeleton_graph", "max_lost_s", 2) == (True, "")
    if hasattr(Node, "add_pre_set_parameters_callback"):  # Humble leaves the parameter an integer
        assert type(probe.get_parameter("skeleton_graph", "max_lost_s")) is float
    assert probe.get_parameter("skeleton_graph", "max_lost_s") == 2.0
    accepted, reason = probe.set_parameter("skeleton_graph", "max_lost_s", -1)
    assert not accepted and reason
