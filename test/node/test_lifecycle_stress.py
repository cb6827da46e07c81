"""Every node through its states again and again: it does its work each time, and leaves no memory, thread or file behind.

POSE_ATTENTION_CYCLES says how often; `make soak` runs 100 cycles of each.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from lifecycle_msgs.msg import Transition
from people_messages import message_of_graphs
from sensor_msgs.msg import Image
from test_lifecycle import standing_person
from visualization_msgs.msg import MarkerArray

from benchmarks.process_use import process_use
from pose_attention_ros.core.action_stage import ActionStage
from pose_attention_ros.core.graph_stage import GraphConfig, GraphStage
from pose_attention_ros.core.messages.records import graphs_of_message, skeletons_of_message
from pose_attention_ros.inference.pose import ESTIMATORS
from pose_attention_ros.inference.recogniser import load_recogniser
from pose_attention_ros.msg import ActionLabelArray, ActionModel, SkeletonArray, SkeletonGraphArray
from pose_attention_ros.ros.action_messages import message_of_actions, message_of_model
from pose_attention_ros.ros.images import image_from_bgr
from pose_attention_ros.ros.qos import latched_profile

ROOT = Path(__file__).resolve().parents[2]
CYCLES = int(os.environ.get("POSE_ATTENTION_CYCLES", "8"))
GREY = np.full((96, 128, 3), 90, np.uint8)
# A leak is looked for, and not how long glibc likes to keep a block that is free.
PROMPT_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
MOST_GROWTH_KB, NOISE_KB = 40, 4000  # a cycle; and of all cycles together, what the allocator makes of it
UP = (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)
DOWN = (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP)


def image(stamp_s: float) -> Image:
    return image_from_bgr(GREY, round(stamp_s * 1e9), "camera")


def graphs(stamp_s: float) -> SkeletonGraphArray:
    return message_of_graphs(GraphStage(GraphConfig(confirm_s=0.0))(skeletons_of_message(standing_person(stamp_s))))


@cache
def recogniser() -> Any:
    return load_recogniser("everyday")


def actions(stamp_s: float) -> ActionLabelArray:
    return message_of_actions(ActionStage(recogniser())(graphs_of_message(graphs(stamp_s))), round(stamp_s * 1e9))


class Work(NamedTuple):
    """Of a node, whose name is the first word in the table: parameters; what it is given, topic -> (type,
    message of a stamp); what it must answer, if anything.

    In parameters VIDEO stands for a short video, FOLDER for a new folder.
    """

    parameters: dict[str, Any]
    given: dict[str, tuple[type, Callable[[float], Any]]]
    answer: tuple[type, str] | None


NOT_TRIED = ("movenet_thunder", "top_down", "auto")  # two want networks of the user's, the last is one of the others
SKELETONS = {"skeletons": (SkeletonArray, standing_person)}
GRAPHS = {"skeleton_graphs": (SkeletonGraphArray, graphs)}
ACTIONS = {"actions": (ActionLabelArray, actions)}
WORK = {
    "camera": Work({"source": "VIDEO", "loop": True}, {}, (Image, "image_raw")),
    **{
        f"pose {estimator}": Work(
            {"estimator": estimator, "input_size": 64, "image_reliability": "reliable"},
            {"image_raw": (Image, image)},
            (SkeletonArray, "skeletons"),
        )
        for estimator in ESTIMATORS
        if estimator not in NOT_TRIED
    },
    "skeleton_graph": Work({}, SKELETONS, (SkeletonGraphArray, "skeleton_graphs")),
    "action": Work({}, GRAPHS, (ActionLabelArray, "actions")),
    "overlay": Work({}, {**GRAPHS, **ACTIONS}, (MarkerArray, "markers")),
    "pipeline": Work({"source": "VIDEO", "loop": True, "input_size": 64}, {}, (ActionLabelArray, "actions")),
    "recorder": Work(
        {"out": "FOLDER", "video": False, "idle_timeout_s": 0.0, "overwrite": True}, {**GRAPHS, **ACTIONS}, None
    ),
    "bag_recorder": Work({"images": "none"}, SKELETONS, None),
    "evaluator": Work({"out": "FOLDER", "images": "none"}, {**GRAPHS, **ACTIONS}, None),
}
NOTHING_HEARD = "no answers were heard"  # the evaluator rightly says so where it is stopped before its first message came


@pytest.mark.parametrize("name", WORK)
def test_nothing_is_left_behind(
    start: Callable,
    probe: Any,
    drawn_video: Path,
    tmp_path: Path,
    pose_weights: None,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    work, node = WORK[name], name.split()[0]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.chdir(tmp_path)  # where bag_recorder makes its bags
    places = {"VIDEO": str(drawn_video), "FOLDER": str(tmp_path / "out")}
    parameters = {key: places.get(str(value), value) for key, value in work.parameters.items()}
    process = start(node, {**parameters, "autostart": False}, environment=PROMPT_ALLOCATOR)
    change = probe.transitions(node)
    model = probe.node.create_publisher(ActionModel, "action_model", latched_profile())
    model.publish(message_of_model(recogniser().spec))
    publishers = {topic: probe.node.create_publisher(kind, topic, 10) for topic, (kind, _) in work.given.items()}
    heard = probe.collect(*work.answer) if work.answer else None
    uses = []
    for cycle in range(CYCLES):
        for transition in UP:
            assert change(transition), process.output
        one_piece_of_work(probe, work, publishers, heard, stamp_s=1.0 + 10 * cycle)
        for transition in DOWN:
            assert process.running and change(transition), process.output
        uses.append(process_use(process.pid))
    errors = [line for line in process.output.splitlines() if "ERROR" in line and NOTHING_HEARD not in line]
    assert process.running and "Traceback" not in process.output and not errors, process.output
    warm = uses[len(uses) // 3 :]
    memory_kb = [1024 * use.memory_mb for use in warm]
    slope_kb = typical_slope(memory_kb)
    print(
        f"{name}: {CYCLES} cycles, {slope_kb:+.1f} kB a cycle, threads {warm[0].threads} -> {warm[-1].threads}, "
        f"files {warm[0].files} -> {warm[-1].files}, memory {warm[0].memory_mb:.1f} -> {warm[-1].memory_mb:.1f} MB"
    )
    assert warm[-1].threads <= warm[0].threads and warm[-1].files <= warm[0].files, uses
    assert slope_kb < MOST_GROWTH_KB + NOISE_KB / CYCLES, memory_kb


def typical_slope(values: list[float]) -> float:
    """Growth a step: the median over all pairs (Theil, Sen), which one jump of the allocator does not move."""
    pairs = ((i, j) for i in range(len(values)) for j in range(i + 1, len(values)))
    return float(np.median([(values[j] - values[i]) / (j - i) for i, j in pairs]))


def one_piece_of_work(probe: Any, work: Work, publishers: dict[str, Any], heard: list[Any] | None, stamp_s: float) -> None:
    """Give the node its input until it answers; a node that only listens gets its input once it has subscribed."""
    probe.until(lambda: all(publisher.get_subscription_count() for publisher in publishers.values()), "subscriptions")
    if heard is not None:
        heard.clear()
    stamps = (stamp_s + number / 10 for number in range(1000))

    def answered() -> bool:
        stamp = next(stamps)
        for topic, (_, make) in work.given.items():
            publishers[topic].publish(make(stamp))
        return heard is None or bool(heard)

    probe.until(answered, "an answer")
