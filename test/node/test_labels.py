"""Other forms of the answers: readable lines, vision_msgs' detections; and what the diagnostics call the hardware."""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from diagnostic_msgs.msg import DiagnosticArray
from people_messages import message_of_graphs
from std_msgs.msg import String

from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.graph_stage import GraphConfig, GraphStage
from pose_attention_ros.core.types import Skeletons
from pose_attention_ros.msg import ActionLabelArray, SkeletonGraphArray

COCO = layout("coco17")


def two_people(number: int) -> Skeletons:
    joints = np.arange(17)
    points = np.array([np.stack([left + 3 * joints, 10 + 10 * joints], -1) for left in (100, 400)], np.float64)
    boxes = np.array([(left, 10, left + 60, 180) for left in (100, 400)], np.float64)
    return Skeletons((1 + number) * 10**8, "camera", COCO, (640, 480), points, np.full((2, 17), 0.9), boxes, np.full(2, 0.9))


@pytest.mark.skipif(importlib.util.find_spec("vision_msgs") is None, reason="vision_msgs is not installed")
def test_each_person_is_a_detection_where_vision_msgs_is(start: Callable, probe: Any) -> None:
    from vision_msgs.msg import Detection2DArray

    start("action")
    answers = probe.collect(ActionLabelArray, "actions")
    detections = probe.collect(Detection2DArray, "detections")
    graphs = probe.publisher(SkeletonGraphArray, "skeleton_graphs")
    stage, number = GraphStage(GraphConfig(confirm_s=0.0)), iter(range(10_000))

    def seen() -> bool:
        graphs.publish(message_of_graphs(stage(two_people(next(number)))))
        probe.spin_for(0.05)
        both = any(len(answer.actions) == 2 for answer in answers)
        return both and any(len(array.detections) == 2 for array in detections)

    probe.until(seen, "two detections, and answers on both")
    array = next(array for array in reversed(detections) if len(array.detections) == 2)
    assert array.header.frame_id == "camera"
    for found, left in zip(sorted(array.detections, key=lambda each: each.bbox.center.position.x), (100, 400)):
        box = found.bbox
        assert (box.center.position.x, box.center.position.y, box.size_x, box.size_y) == (left + 30, 95, 60, 170)
        assert found.results[0].hypothesis.class_id == "person"
        assert found.results[0].hypothesis.score == pytest.approx(0.9, abs=1e-3)
        assert found.id in {str(person.track_id) for answer in answers for person in answer.actions}


def test_each_person_is_a_line_while_someone_reads(start: Callable, probe: Any) -> None:
    start("action")
    lines, reports = probe.collect(String, "labels"), probe.collect(DiagnosticArray, "/diagnostics")
    graphs = probe.publisher(SkeletonGraphArray, "skeleton_graphs")
    probe.until(lambda: probe.node.count_publishers("labels") == 1, "the publisher")
    stage, number = GraphStage(GraphConfig(confirm_s=0.0)), iter(range(10_000))

    def read() -> bool:
        graphs.publish(message_of_graphs(stage(two_people(next(number)))))
        probe.spin_for(0.05)
        return len({line.data.split()[0] for line in lines}) >= 2

    probe.until(read, "a line of each of two people")
    track_id, label, confidence = lines[-1].data.split()
    assert int(track_id) >= 0 and label and 0 <= float(confidence) <= 1

    def hardware() -> set[str]:
        return {
            status.hardware_id
            for report in reports
            for status in report.status
            if status.name.startswith(probe.namespace.strip("/"))
        }

    probe.until(lambda: bool(hardware()), "a report")
    assert hardware() == {socket.gethostname()}
