"""Every shipped model that is not the main one, on a real video through real topics: the same answers as without ROS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from diagnostic_msgs.msg import DiagnosticArray

from pose_attention_ros.cameras import CameraConfig, open_source
from pose_attention_ros.core.action_stage import ActionStage
from pose_attention_ros.core.graph_stage import GraphConfig, GraphStage
from pose_attention_ros.core.pipeline import Pipeline
from pose_attention_ros.inference.pixel_feeds import PixelFeedConfig, create_pixel_feed
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator
from pose_attention_ros.inference.recogniser import load_recogniser
from pose_attention_ros.msg import ActionLabelArray, SkeletonGraphArray
from pose_attention_ros.ros.action_messages import message_of_actions
from pose_attention_ros.ros.stamps import time_of

FRAMES = 16
LOCKSTEP = {"pace": "lockstep", "acknowledge": "recorded", "max_frames": FRAMES}
MODELS = ("rpan", "where_to_focus", "temporal_attention")


def offline(source: Path, model: str, pose: PoseConfig) -> tuple[list[Any], dict[str, str]]:
    """What the pipeline makes of each frame without ROS, and what its feed tells."""
    recogniser = load_recogniser(model)
    estimator = create_pose_estimator(pose)
    feed = create_pixel_feed(recogniser.spec, PixelFeedConfig(), estimator.image_features)
    pipeline = Pipeline(
        estimator, GraphStage(GraphConfig(layout=recogniser.spec.layout.name)), ActionStage(recogniser, None, feed)
    )
    camera = open_source(str(source), CameraConfig())
    results = [pipeline(camera.read()).actions for _ in range(FRAMES)]
    camera.close()
    return results, feed.details() if feed else {}


def compare(heard: list[Any], wanted: list[Any]) -> None:
    """To the last bit; and each answer has its attention in the fields that every model fills."""
    assert len(heard) == len(wanted) == FRAMES
    for message, estimates in zip(heard, wanted):
        assert message.actions == message_of_actions(estimates, 0).actions
    assert len(heard[-1].actions) == 3
    for person in heard[-1].actions:
        assert sum(person.joint_attention) == pytest.approx(1, abs=1e-4)
        assert sum(person.frame_attention) == pytest.approx(1, abs=1e-4)
        assert len(person.frame_attention) == len(person.frame_offsets) > 3
        assert sum(person.scores) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("model", MODELS)
def test_as_separate_nodes(start: Callable, probe: Any, exercise_video: Path, pose_weights: None, model: str) -> None:
    """The action node joins graphs and images by stamp, and extracts features of its own. Graphs come in common13, whose
    joints are those of a model that calls them penn13."""
    wanted, _ = offline(exercise_video, model, PoseConfig(input_size=192))
    heard = probe.acknowledge(actions=ActionLabelArray)
    start("pose", {"input_size": 192})
    start("skeleton_graph")
    start("action", {"model": model})
    camera = start("camera", {"source": str(exercise_video), **LOCKSTEP})
    probe.until(lambda: len(heard["actions"]) == FRAMES, "the answer to the last frame", timeout_s=180)
    assert camera.wait() == 0
    compare(heard["actions"], wanted)


def test_in_one_process_with_the_pose_networks_own_features(start: Callable, probe: Any, exercise_video: Path) -> None:
    """RPAN on pose_cnn at a size at which people are about as large as in training: hardly a feature is computed twice."""
    wanted, told = offline(exercise_video, "rpan", PoseConfig(estimator="pose_cnn", input_size=320))
    heard = probe.acknowledge(actions=ActionLabelArray)
    diagnostics = probe.collect(DiagnosticArray, "/diagnostics")
    layout = load_recogniser("rpan").spec.layout.name
    node = start(
        "pipeline",
        {
            "source": str(exercise_video),
            "model": "rpan",
            "layout": layout,
            "estimator": "pose_cnn",
            "input_size": 320,
            "diagnostics_period_s": 0.1,
            **LOCKSTEP,
        },
    )

    def shared() -> int:
        values = {value.key: value.value for message in diagnostics for status in message.status for value in status.values}
        return int(values.get("features_shared", 0))

    probe.until(lambda: len(heard["actions"]) == FRAMES, "the answer to the last frame", timeout_s=180)
    probe.until(lambda: shared() > 0, "a report of shared features")
    assert node.wait() == 0
    for message, estimates in zip(heard["actions"], wanted):
        assert message.actions == message_of_actions(estimates, 0).actions
    assert int(told["features_shared"]) > int(told["features_computed"])
    assert shared() <= int(told["features_shared"])


def test_a_composed_node_takes_a_model_of_equal_joints_by_another_name(
    start: Callable, drawn_video: Path, pose_weights: None
) -> None:
    """As every profile has it, that leaves the layout common13 alone."""
    assert load_recogniser("temporal_attention").spec.layout.name == "penn13"
    start(
        "pipeline", {"source": str(drawn_video), "model": "temporal_attention", "input_size": 64, "loop": True}
    ).wait_for_line("active")


def test_graphs_whose_images_stay_away_are_told(start: Callable, probe: Any) -> None:
    node = start("action", {"model": "rpan", "diagnostics_period_s": 0.1})
    graphs = probe.publisher(SkeletonGraphArray, "skeleton_graphs")
    layout = load_recogniser("rpan").spec.layout.name
    numbers = iter(range(1, 10_000))

    def publish() -> bool:
        message = SkeletonGraphArray(layout=layout, image_width=64, image_height=48)
        message.header.stamp = time_of(next(numbers) * 100_000_000)
        graphs.publish(message)
        return "graphs came without theirs on" in node.output

    probe.until(publish, "the warning")
    assert "set image_transport and the remapping of image_raw" in node.output
