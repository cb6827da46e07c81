"""Video in, actions out: the same stamps, labels and numbers as separate nodes, as the composed node, and without ROS."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from people_messages import message_of_graphs, message_of_skeletons
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from pose_attention_ros.cameras import CameraConfig, open_source
from pose_attention_ros.core.action_stage import ActionStage
from pose_attention_ros.core.graph_stage import GraphStage
from pose_attention_ros.core.messages.records import graphs_of_message
from pose_attention_ros.core.pipeline import Pipeline
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator
from pose_attention_ros.inference.recogniser import load_recogniser
from pose_attention_ros.msg import ActionLabelArray, ActionModel, SkeletonArray, SkeletonGraphArray, SourceStatus
from pose_attention_ros.ros.action_messages import actions_of_message, message_of_actions
from pose_attention_ros.ros.qos import latched_profile, result_profile
from pose_attention_ros.ros.stamps import stamp_ns_of

INPUT_SIZE = 192
FRAMES = 30
FORMS = pytest.mark.parametrize("composed", [False, True], ids=["separate nodes", "composed node"])
LOCKSTEP = {"pace": "lockstep", "acknowledge": "recorded"}
PATIENT = {**LOCKSTEP, "lockstep_timeout_s": 60.0}  # a frame that has to be sent again was lost, and not slow


def offline(source: Path, frames: int) -> list[Any]:
    """What the pipeline makes of each frame, without ROS."""
    recogniser = load_recogniser("everyday")
    pipeline = Pipeline(create_pose_estimator(PoseConfig(input_size=INPUT_SIZE)), GraphStage(), ActionStage(recogniser))
    camera = open_source(str(source), CameraConfig())
    results = []
    while len(results) < frames and (frame := camera.read()) is not None:
        results.append(pipeline(frame))
    camera.close()
    return results


def start_graph(start: Callable, source: Path, composed: bool, **play: Any) -> list[Any]:
    """The nodes of either form, the one that plays the source last."""
    pose = {"input_size": INPUT_SIZE}
    if composed:
        return [start("pipeline", {"source": str(source), **pose, **play})]
    nodes = [start("pose", pose), start("skeleton_graph"), start("action")]
    return [*nodes, start("camera", {"source": str(source), **play})]


@FORMS
def test_real_people_get_the_same_labels_as_without_ros(
    start: Callable, probe: Any, exercise_video: Path, pose_weights: None, composed: bool
) -> None:
    """To the last bit, in every field of every message."""
    wanted = offline(exercise_video, FRAMES)
    assert max(len(result.actions) for result in wanted) == 3
    heard = probe.acknowledge(skeletons=SkeletonArray, skeleton_graphs=SkeletonGraphArray, actions=ActionLabelArray)
    models = probe.collect(ActionModel, "action_model", latched_profile())
    nodes = start_graph(start, exercise_video, composed, max_frames=FRAMES, **PATIENT)
    probe.until(lambda: len(heard["actions"]) == len(wanted), "the answer to the last frame", timeout_s=180)
    probe.until(lambda: bool(models), "the model")
    assert nodes[-1].wait() == 0
    for skeletons, graphs, actions, result in zip(*heard.values(), wanted):
        assert skeletons == message_of_skeletons(result.skeletons)
        assert graphs == message_of_graphs(result.graphs)
        assert actions.header == skeletons.header == graphs.header
        assert actions.actions == message_of_actions(result.actions, 0).actions
        assert math.isnan(actions.latency)  # the stamps of a video are not of this clock
        assert len(actions_of_message(actions, models[-1])) == len(graphs_of_message(graphs))
    assert len(heard["skeleton_graphs"][-1].graphs) == 3
    assert not any("attempts" in node.output for node in nodes)


@FORMS
def test_every_image_of_a_video_is_answered_with_its_stamp(
    start: Callable, probe: Any, drawn_video: Path, pose_weights: None, composed: bool
) -> None:
    """A video that needs nothing from elsewhere; the images themselves are published too, and the end is told."""
    heard = probe.acknowledge(image_raw=Image, actions=ActionLabelArray)
    status = probe.collect(SourceStatus, "source_status", latched_profile())
    nodes = start_graph(start, drawn_video, composed, **LOCKSTEP)
    probe.until(lambda: bool(status) and status[-1].state == SourceStatus.STATE_ENDED, "the end", timeout_s=180)
    assert nodes[-1].wait() == 0
    stamps = [stamp_ns_of(message.header) for message in heard["actions"]]
    assert stamps == [100_000_000 * number for number in range(12)]
    assert (status[-1].frames, status[-1].frames_total) == (12, 12)
    assert stamp_ns_of(status[-1].header) == stamps[-1]
    camera = open_source(str(drawn_video), CameraConfig())
    for image in heard["image_raw"]:
        assert np.array_equal(np.frombuffer(image.data, np.uint8), camera.read().image_bgr.ravel())
    assert camera.read() is None


def test_images_of_full_hd_are_not_lost(start: Callable, probe: Any, large_video: Path, pose_weights: None) -> None:
    """Best effort, as the nodes subscribe by default: one frame after the other, none sent twice."""
    heard = probe.acknowledge(actions=ActionLabelArray)
    nodes = start_graph(start, large_video, False, **PATIENT)
    probe.until(lambda: len(heard["actions"]) == 12, "twelve answers", timeout_s=180)
    assert "attempts" not in nodes[-1].output


@FORMS
def test_in_real_time_the_latency_is_the_age_of_the_image(
    start: Callable, probe: Any, drawn_video: Path, pose_weights: None, composed: bool
) -> None:
    actions = probe.collect(ActionLabelArray, "actions")
    start_graph(start, drawn_video, composed, loop=True)
    probe.until(lambda: len(actions) >= 5, "five answers")
    now_s = probe.node.get_clock().now().nanoseconds * 1e-9
    for message in actions[:5]:
        assert 0 < message.latency < 60
        assert abs(now_s - stamp_ns_of(message.header) * 1e-9) < 180


def test_a_frame_given_again_is_answered_again_without_a_second_step(
    start: Callable, probe: Any, exercise_video: Path, pose_weights: None
) -> None:
    """A lockstep camera asks again when an answer is lost; the result of the stream must not depend on it."""
    wanted = offline(exercise_video, 12)
    nodes = start_graph(start, exercise_video, False, **LOCKSTEP, max_frames=12, lockstep_timeout_s=0.3)
    actions: list[ActionLabelArray] = []
    given: list[int] = []
    acknowledged = probe.publisher(Header, "recorded")

    def take(message: ActionLabelArray) -> None:
        """Every third frame is acknowledged only when it comes a second time."""
        given.append(stamp_ns_of(message.header))
        if given.count(given[-1]) == (1 if len(set(given)) % 3 else 2):
            actions.append(message)
            acknowledged.publish(message.header)

    probe.node.create_subscription(ActionLabelArray, "actions", take, result_profile())
    probe.until(lambda: len(actions) == 12, "twelve answers", timeout_s=180)
    for message, result in zip(actions, wanted):
        assert message.actions == message_of_actions(result.actions, 0).actions
    nodes[-1].wait_for_line("1 of 10 attempts")
