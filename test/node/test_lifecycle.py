"""Managed nodes over their services, from another process."""

from __future__ import annotations

import signal

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from people_messages import message_of_skeletons

from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.types import Skeletons
from pose_attention_ros.msg import SkeletonArray, SkeletonGraphArray


def standing_person(stamp_s: float) -> SkeletonArray:
    """One upright person, 340 pixels tall."""
    table = layout("coco17")
    height = {"nose": 60, "shoulder": 120, "elbow": 170, "wrist": 220, "hip": 230, "knee": 310, "ankle": 400}
    points = [
        (
            320 + 30 * (joint.startswith("right") - joint.startswith("left")),
            next((y for part, y in height.items() if part in joint), 55),
        )
        for joint in table.joints
    ]
    return message_of_skeletons(
        Skeletons(
            round(stamp_s * 1e9),
            "camera",
            table,
            (640, 480),
            np.array([points]),
            np.full((1, 17), 0.9),
            np.array([[280, 50, 360, 410]]),
            np.array([0.9]),
        )
    )


def test_the_states_do_what_they_say(start: object, probe: object) -> None:
    process = start("skeleton_graph", {"autostart": False, "confirm_s": 0.0})
    assert probe.state("skeleton_graph") == "unconfigured"
    assert probe.node.count_publishers("skeleton_graphs") == 0

    assert probe.change_state("skeleton_graph", Transition.TRANSITION_CONFIGURE)
    assert probe.state("skeleton_graph") == "inactive"
    assert probe.node.count_subscribers("skeletons") == 0

    assert probe.change_state("skeleton_graph", Transition.TRANSITION_ACTIVATE)
    graphs = probe.collect(SkeletonGraphArray, "skeleton_graphs")
    skeletons = probe.publisher(SkeletonArray, "skeletons")
    probe.until(lambda: probe.node.count_publishers("skeleton_graphs") == 1, "the publisher")
    skeletons.publish(standing_person(1.0))
    skeletons.publish(standing_person(1.1))
    probe.until(lambda: len(graphs) == 2, "two answers")
    assert [graph.header.stamp.nanosec for graph in graphs] == [0, 100_000_000]
    assert len(graphs[1].graphs) == 1

    assert probe.change_state("skeleton_graph", Transition.TRANSITION_DEACTIVATE)
    probe.until(lambda: skeletons.get_subscription_count() == 0, "the end of the subscription")

    assert probe.change_state("skeleton_graph", Transition.TRANSITION_ACTIVATE)
    probe.until(lambda: skeletons.get_subscription_count() == 1, "the subscription")
    skeletons.publish(standing_person(2.0))
    probe.until(lambda: len(graphs) == 3, "an answer after the second activation")

    assert probe.change_state("skeleton_graph", Transition.TRANSITION_DEACTIVATE)
    assert probe.change_state("skeleton_graph", Transition.TRANSITION_CLEANUP)
    assert probe.state("skeleton_graph") == "unconfigured"
    probe.until(lambda: probe.node.count_publishers("skeleton_graphs") == 0, "the end of the publisher")
    assert probe.change_state("skeleton_graph", Transition.TRANSITION_CONFIGURE)
    assert probe.change_state("skeleton_graph", Transition.TRANSITION_INACTIVE_SHUTDOWN)
    assert probe.state("skeleton_graph") == "finalized"
    assert process.running and "Traceback" not in process.output


def test_a_live_setting_acts_at_once(start: object, probe: object) -> None:
    start("skeleton_graph", {"confirm_s": 0.0})
    graphs = probe.collect(SkeletonGraphArray, "skeleton_graphs")
    skeletons = probe.publisher(SkeletonArray, "skeletons")
    skeletons.publish(standing_person(1.0))
    probe.until(lambda: len(graphs) == 1, "an answer")
    assert all(graphs[0].graphs[0].mask)
    assert probe.set_parameter("skeleton_graph", "min_joint_score", 0.95) == (True, "")
    skeletons.publish(standing_person(1.1))
    probe.until(lambda: len(graphs) == 2, "an answer")
    assert not any(any(graph.mask) for graph in graphs[1].graphs)


def test_a_failed_configuration_can_be_mended(start: object, probe: object) -> None:
    process = start("action", {"autostart": False, "model": "/no/such/model"})
    assert not probe.change_state("action", Transition.TRANSITION_CONFIGURE)
    assert probe.state("action") == "unconfigured"
    process.wait_for_line("cannot configure: no model '/no/such/model'")
    assert probe.set_parameter("action", "model", "everyday") == (True, "")
    assert probe.change_state("action", Transition.TRANSITION_CONFIGURE)
    assert probe.state("action") == "inactive"


def test_a_failed_start_ends_the_process(start: object) -> None:
    process = start("action", {"model": "/no/such/model"})
    assert process.wait() == 1
    assert len(process.lines) == 1 and "no model '/no/such/model'" in process.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_node_quietly(start: object, number: signal.Signals) -> None:
    process = start("skeleton_graph")
    process.wait_for_line("active")
    assert process.interrupt(number) == 0
    assert "Traceback" not in process.output and "rror" not in process.output


def test_diagnostics_tell_state_rate_and_rejects(start: object, probe: object) -> None:
    reports = probe.collect(DiagnosticArray, "/diagnostics")
    start("skeleton_graph", {"diagnostics_period_s": 0.1, "confirm_s": 0.0})
    skeletons = probe.publisher(SkeletonArray, "skeletons")

    def values() -> dict[str, str]:
        mine = [status for report in reports for status in report.status if probe.namespace.strip("/") in status.name]
        return {pair.key: pair.value for pair in mine[-1].values} if mine else {}

    for tick in range(5):
        skeletons.publish(standing_person(1 + tick / 10))
    skeletons.publish(SkeletonArray(layout="centaur"))
    probe.until(lambda: values().get("processed") == "5" and values().get("rejected") == "1", "the counts")
    assert values()["state"] == "active"
    assert float(values()["stage_ms_p50"]) > 0 and float(values()["stage_ms_p95"]) >= float(values()["stage_ms_p50"])
    assert "centaur" in values()["last_problem"]
