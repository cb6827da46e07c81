"""Records to messages and back: nothing is lost, and what does not fit is refused with one line."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from people_messages import message_of_graphs, message_of_skeletons
from rclpy.serialization import deserialize_message, serialize_message

from pose_attention_ros.core.actions.recogniser import ModelSpec
from pose_attention_ros.core.body.layouts import LAYOUTS, layout
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.messages.packed import bytes_of_graphs, bytes_of_skeletons
from pose_attention_ros.core.messages.records import graphs_of_message, skeletons_of_message
from pose_attention_ros.core.teaching.commands import COMMANDS
from pose_attention_ros.core.types import (
    FEATURE_NAMES,
    ActionEstimate,
    ActionEstimates,
    LabelState,
    SkeletonGraphs,
    Skeletons,
)
from pose_attention_ros.msg import ActionLabelArray, ActionModel, SkeletonArray, SkeletonGraphArray
from pose_attention_ros.ros.action_messages import actions_of_message, message_of_actions, message_of_model
from pose_attention_ros.ros.errors import MessageError
from pose_attention_ros.ros.skeleton_messages import graphs_of_raw, skeletons_of_raw
from pose_attention_ros.ros.stamps import PLAUSIBLE_AGE_S, age_s, ns_of, time_of
from pose_attention_ros.ros.teach_messages import command_of_request, request_of_command
from pose_attention_ros.srv import TeachAction

STAMPS = st.integers(0, 2**31 * 10**9 - 1)
FRAME_IDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)  # C ends a string at a 0
SPEC = ModelSpec(
    "everyday", "ab" * 32, ("walk", "wave", "sit down"), layout("common13"), FEATURE_NAMES, 15.0, 8, 0.1, 2.0, 1.3, 0.5
)


def numbers(*shape: int, low: float = -1e4, high: float = 1e4) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.float32, shape, elements=st.floats(low, high, width=32))


@st.composite
def some_skeletons(draw: Callable) -> Skeletons:
    table, people = layout(draw(st.sampled_from(sorted(LAYOUTS)))), draw(st.integers(0, 4))
    joints = len(table.joints)
    size = draw(st.integers(1, 4000)), draw(st.integers(1, 4000))
    return Skeletons(
        draw(STAMPS),
        draw(FRAME_IDS),
        table,
        size,
        draw(numbers(people, joints, 2)),
        draw(numbers(people, joints, low=0, high=1)),
        draw(numbers(people, 4)),
        draw(numbers(people, low=0, high=1)),
    )


@st.composite
def some_graphs(draw: Callable) -> SkeletonGraphs:
    table, people = layout(draw(st.sampled_from(sorted(LAYOUTS)))), draw(st.integers(0, 4))
    joints = len(table.joints)
    ids = draw(st.lists(st.integers(0, 2**62), min_size=people, max_size=people, unique=True))
    shape = (people, joints)
    return SkeletonGraphs(
        draw(STAMPS),
        "camera",
        table,
        (640, 480),
        np.array(ids, np.int64),
        draw(numbers(*shape, 2)),
        draw(numbers(*shape, len(FEATURE_NAMES))),
        draw(arrays(np.bool_, shape)),
        draw(numbers(people, low=0)),
        draw(numbers(people, 2)),
        draw(numbers(people)),
        draw(numbers(people, 4)),
    )


@st.composite
def some_actions(draw: Callable) -> ActionEstimates:
    def person(track_id: int) -> ActionEstimate:
        moments = draw(st.integers(1, 40))
        return ActionEstimate(
            track_id,
            draw(st.sampled_from([*SPEC.classes, "unknown"])),
            draw(st.sampled_from(LabelState)),
            float(np.float32(draw(st.floats(0, 1)))),
            draw(numbers(len(SPEC.classes))),
            draw(STAMPS),
            draw(STAMPS),
            draw(STAMPS),
            draw(numbers(len(SPEC.layout.joints))),
            draw(numbers(moments)),
            np.array(draw(st.lists(STAMPS, min_size=moments, max_size=moments)), np.int64),
        )

    people = tuple(person(track_id) for track_id in range(draw(st.integers(0, 3))))
    return ActionEstimates(draw(STAMPS), "camera", SPEC.layout, SPEC.classes, SPEC.model_id, SPEC.sha256, people)


def assert_same(found: Any, wanted: Any) -> None:
    """Equal to the last bit, field by field."""
    assert type(found) is type(wanted)
    for name, value in vars(wanted).items():
        other = getattr(found, name)
        if name == "people":
            assert len(other) == len(value)
            for one, two in zip(other, value):
                assert_same(one, two)
        elif isinstance(value, np.ndarray):
            assert other.dtype == value.dtype, name
            assert np.array_equal(other, value), name
        else:
            assert other == value, name


def through_the_wire(message: Any) -> Any:
    """As another process gets it."""
    return deserialize_message(serialize_message(message), type(message))


@given(some_skeletons())
def test_skeletons_round_trip(skeletons: Skeletons) -> None:
    assert_same(skeletons_of_message(through_the_wire(message_of_skeletons(skeletons))), skeletons)


@given(some_skeletons(), some_graphs())
@settings(max_examples=30)
def test_what_the_nodes_publish_is_what_ros_writes(skeletons: Skeletons, graphs: SkeletonGraphs) -> None:
    for record, raw, read in (
        (skeletons, bytes_of_skeletons(skeletons), skeletons_of_raw),
        (graphs, bytes_of_graphs(graphs), graphs_of_raw),
    ):
        kind = SkeletonArray if read is skeletons_of_raw else SkeletonGraphArray
        written = serialize_message(deserialize_message(raw, kind))
        assert len(written) == len(raw)
        assert_same(read(written), record)
        assert_same(read(raw), record)


def test_people_of_another_writer_are_read_field_by_field() -> None:
    """Joint by joint as long as it must be, but not everybody alike: refused, and with the reason."""
    message = two_people()
    message.skeletons[1].keypoint_scores = [0.5] * 16
    with pytest.raises(MessageError, match="keypoint_scores of person 1 has 16 values, expected 17"):
        skeletons_of_raw(serialize_message(message))


@given(some_graphs())
def test_graphs_round_trip(graphs: SkeletonGraphs) -> None:
    assert_same(graphs_of_message(through_the_wire(message_of_graphs(graphs))), graphs)


@given(some_actions())
def test_actions_round_trip(actions: ActionEstimates) -> None:
    model = through_the_wire(message_of_model(SPEC))
    assert_same(actions_of_message(through_the_wire(message_of_actions(actions, actions.stamp_ns)), model), actions)


@given(STAMPS)
def test_stamps_round_trip(stamp_ns: int) -> None:
    assert ns_of(time_of(stamp_ns)) == stamp_ns


@pytest.mark.parametrize(
    ("stamp_s", "now_s", "age"),
    [
        (100.0, 100.25, 0.25),
        (100.0, 100.0, 0.0),
        (100.0, 99.9, math.nan),
        (0.0, 1.7e9, math.nan),
        (100.0, 100.0 + PLAUSIBLE_AGE_S + 1, math.nan),
    ],
)
def test_an_age_by_another_clock_is_not_a_number(stamp_s: float, now_s: float, age: float) -> None:
    assert age_s(round(stamp_s * 1e9), round(now_s * 1e9)) == pytest.approx(age, nan_ok=True)


def two_people() -> SkeletonArray:
    table = layout("coco17")
    return message_of_skeletons(
        Skeletons(
            7, "camera", table, (640, 480), np.ones((2, 17, 2)), np.full((2, 17), 0.5), np.ones((2, 4)), np.full(2, 0.5)
        )
    )


def two_graphs() -> SkeletonGraphArray:
    shape = (2, 13)
    return message_of_graphs(
        SkeletonGraphs(
            7,
            "camera",
            layout("common13"),
            (640, 480),
            np.arange(2),
            np.zeros((*shape, 2)),
            np.zeros((*shape, 5)),
            np.ones(shape, bool),
            np.ones(2),
            np.ones((2, 2)),
            np.ones(2),
            np.ones((2, 4)),
        )
    )


def one_action() -> ActionLabelArray:
    person = ActionEstimate(
        3,
        "wave",
        LabelState.CONFIRMED,
        0.75,
        np.ones(3, np.float32) / 3,
        1,
        2,
        3,
        np.ones(13, np.float32) / 13,
        np.ones(2, np.float32) / 2,
        np.array([2, 3], np.int64),
    )
    estimates = ActionEstimates(7, "camera", SPEC.layout, SPEC.classes, SPEC.model_id, SPEC.sha256, (person,))
    return message_of_actions(estimates, 9)


def changed(message: Any, path: str, value: Any) -> Any:
    """`message` with the field at a dotted path replaced; numbers are indices."""
    *way, last = path.split(".")
    owner = message
    for step in way:
        owner = owner[int(step)] if step.isdigit() else getattr(owner, step)
    if last.isdigit():
        owner[int(last)] = value
    else:
        setattr(owner, last, value)
    return message


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("layout", "centaur", "no skeleton layout 'centaur'"),
        ("layout", "common13", "keypoints_px of person 0 has 34 values, expected 26"),
        ("skeletons.1.keypoints_px", [1.0] * 33, "keypoints_px of person 1 has 33 values, expected 34"),
        ("skeletons.1.keypoint_scores", [], "keypoint_scores of person 1 has 0 values, expected 17"),
        ("skeletons.0.keypoint_scores.3", 1.5, "keypoint_scores holds 1.5, expected 0 to 1"),
        ("skeletons.0.score", -0.5, "score holds -0.5, expected 0 to 1"),
        ("skeletons.0.score", math.nan, "person_scores holds NaN"),
        ("skeletons.0.box_xyxy", np.array([0, 0, math.inf, 1], np.float32), "boxes_xyxy holds NaN or infinity"),
    ],
)
def test_unusable_skeletons_are_refused(path: str, value: Any, complaint: str) -> None:
    with pytest.raises(MessageError, match=complaint):
        skeletons_of_message(changed(two_people(), path, value))


def test_a_joint_that_is_not_a_number_is_a_missing_joint() -> None:
    message = changed(two_people(), "skeletons.0.keypoints_px.4", math.nan)
    skeletons = skeletons_of_message(changed(message, "skeletons.1.keypoint_scores.5", math.nan))
    assert skeletons.scores[0, 2] == 0 and skeletons.scores[1, 5] == 0
    assert np.isfinite(skeletons.keypoints_px).all()


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("layout", "", "no skeleton layout ''"),
        ("feature_names", ["x", "y"], "feature_names is"),
        ("graphs.1.track_id", 0, "track_id occurs twice"),
        ("graphs.0.nodes", [0.0] * 25, "nodes of person 0 has 25 values, expected 26"),
        ("graphs.0.mask", [True], "mask of person 0 has 1 values, expected 13"),
        ("graphs.1.features.0", math.nan, "features holds NaN"),
        ("graphs.1.scale_px", math.inf, "scales_px holds NaN or infinity"),
    ],
)
def test_unusable_graphs_are_refused(path: str, value: Any, complaint: str) -> None:
    with pytest.raises(MessageError, match=complaint):
        graphs_of_message(changed(two_graphs(), path, value))


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("model_sha256", "00", "actions come from model 'everyday'"),
        ("actions.0.scores", [1.0], "scores of track 3 is 1 values, expected 3"),
        ("actions.0.joint_attention.2", math.nan, "joint_attention of track 3"),
        ("actions.0.frame_attention", [], "frame_attention of track 3 is 0 values, expected 2"),
        ("actions.0.state", 9, "9 is not a valid LabelState"),
    ],
)
def test_unusable_actions_are_refused(path: str, value: Any, complaint: str) -> None:
    with pytest.raises(MessageError, match=complaint):
        actions_of_message(changed(one_action(), path, value), message_of_model(SPEC))


def test_the_model_message_names_classes_and_joints() -> None:
    model = message_of_model(SPEC)
    assert isinstance(model, ActionModel)
    assert (tuple(model.classes), tuple(model.joints), model.rate, model.threshold) == (
        SPEC.classes,
        SPEC.layout.joints,
        SPEC.rate_hz,
        SPEC.threshold,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_teaching_survives_its_request(command: str) -> None:
    example = {str: "side lunge", int: 7}
    fields = {name: example[kind] for name, kind in COMMANDS[command].items()}
    request = request_of_command(command, **fields)
    received = deserialize_message(serialize_message(request), TeachAction.Request)
    assert command_of_request(received) == (command, fields)


def test_a_request_that_is_no_command_is_refused_and_any_take_fits_one() -> None:
    with pytest.raises(UserError, match="command is 9, expected 0 to 6"):
        command_of_request(TeachAction.Request(command=9))
    assert [request_of_command("drop", take=take).take for take in (-1, 3, 2**40)] == [0, 3, 2**32 - 1]
