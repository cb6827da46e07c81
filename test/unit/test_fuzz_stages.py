"""Whatever arrives, the stages neither fail nor say a number that is none; what never was a measurement never counts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pose_attention_ros.core.action_stage import ActionStage
from pose_attention_ros.core.body.layouts import LAYOUTS, layout
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.graph_stage import GraphStage
from pose_attention_ros.core.messages.images import ENCODINGS, bgr_from_compressed, bgr_from_image
from pose_attention_ros.core.messages.records import actions_of_message, graphs_of_message, skeletons_of_message
from pose_attention_ros.core.types import FEATURE_NAMES, Skeletons
from pose_attention_ros.inference.recogniser import load_recogniser

ANY = st.floats(width=32) | st.sampled_from([0.0, 1e30, -3e38, 3e38, float("nan"), float("inf"), -float("inf")])
SOLID = st.floats(-1e4, 1e4, width=32)
STEPS_NS = st.sampled_from([33_000_000, 100_000_000, 1, 0, -50_000_000, 5_000_000_000, -(10**18), 10**18])
INTS = st.integers(-(2**31), 2**31 - 1)


@cache
def recogniser() -> Any:
    return load_recogniser("everyday")


@st.composite
def some_stream(draw: Callable) -> list[Skeletons]:
    """A few images with up to four people, joints anywhere and nowhere, stamps that jump."""
    table, stamp_ns, stream = layout(draw(st.sampled_from(sorted(LAYOUTS)))), 10**18, []
    for _ in range(draw(st.integers(1, 5))):
        people, joints = draw(st.integers(0, 4)), len(table.joints)
        points = draw(arrays(np.float32, (people, joints, 2), elements=draw(st.sampled_from([ANY, SOLID]))))
        scores = draw(arrays(np.float32, (people, joints), elements=st.floats(0, 1, width=32)))
        boxes = draw(arrays(np.float32, (people, 4), elements=SOLID))
        stream.append(Skeletons(stamp_ns, "camera", table, (640, 480), points, scores, boxes, np.ones(people)))
        stamp_ns += draw(STEPS_NS)
    return stream


@settings(max_examples=50)
@given(some_stream())
def test_a_stream_of_anything_gives_finite_answers(stream: list[Skeletons]) -> None:
    graph, action = GraphStage(), ActionStage(recogniser())
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for skeletons in stream:
            graphs = graph(skeletons)
            for person in action(graphs).people:
                assert np.isfinite(person.scores).all() and abs(person.scores.sum() - 1) < 1e-3
                assert np.isfinite(person.joint_attention).all() and np.isfinite(person.frame_attention).all()
                assert np.isfinite(person.confidence)


def test_a_person_of_nothing_but_infinities_is_nobody() -> None:
    table = layout("coco17")
    for value in (np.nan, np.inf, -np.inf, 3e38, -1e7):
        skeletons = Skeletons(
            0, "", table, (640, 480), np.full((1, 17, 2), value), np.ones((1, 17)), np.zeros((1, 4)), np.ones(1)
        )
        assert not skeletons.scores.any() and not skeletons.keypoints_px.any()


def _floats(size: int) -> st.SearchStrategy[list[float]]:
    return st.lists(ANY, min_size=size, max_size=size)


def messages(fields: Callable[[Callable], dict[str, Any]]) -> st.SearchStrategy[SimpleNamespace]:
    """A message of these fields: any object with them is one."""
    return st.composite(lambda draw: SimpleNamespace(**fields(draw)))()


STAMPS = st.builds(lambda sec, nanosec: SimpleNamespace(sec=sec, nanosec=nanosec), INTS, st.integers(0, 2**32 - 1))
HEADERS = st.builds(lambda stamp, frame: SimpleNamespace(stamp=stamp, frame_id=frame), STAMPS, st.text(max_size=4))
LAYOUT_NAMES = st.sampled_from(["common13", "common13", "common13", "coco17", "centaur"])
SIZES = st.sampled_from([26, 34, 13, 17, 0, 1, 65])


def _fitting(draw: Callable, size: int) -> list[float]:
    """Mostly as many values as common13 wants, sometimes not."""
    return draw(_floats(size if draw(st.integers(0, 5)) else draw(SIZES)))


def _people(draw: Callable, make: Callable[[], dict[str, Any]]) -> list[SimpleNamespace]:
    return [SimpleNamespace(**make()) for _ in range(draw(st.integers(0, 3)))]


SKELETON_ARRAYS = messages(
    lambda draw: {
        "header": draw(HEADERS),
        "layout": draw(LAYOUT_NAMES),
        "image_width": draw(st.integers(0, 2**32 - 1)),
        "image_height": draw(st.integers(0, 2**32 - 1)),
        "skeletons": _people(
            draw,
            lambda: {
                "score": draw(ANY),
                "box_xyxy": draw(_floats(4)),
                "keypoints_px": _fitting(draw, 26),
                "keypoint_scores": _fitting(draw, 13),
            },
        ),
    }
)
GRAPH_ARRAYS = messages(
    lambda draw: {
        "header": draw(HEADERS),
        "layout": draw(LAYOUT_NAMES),
        "image_width": 640,
        "image_height": 480,
        "feature_names": draw(st.sampled_from([list(FEATURE_NAMES), ["x"], []])),
        "graphs": _people(
            draw,
            lambda: {
                "track_id": draw(st.integers(-(2**63), 2**63 - 1)),
                "age": draw(ANY),
                "nodes": _fitting(draw, 26),
                "features": _fitting(draw, 65),
                "mask": draw(st.lists(st.booleans(), min_size=13, max_size=14)),
                "root_px": draw(_floats(2)),
                "scale_px": draw(ANY),
                "box_xyxy": draw(_floats(4)),
            },
        ),
    }
)
MODELS = messages(
    lambda draw: {
        "model_id": "m",
        "model_sha256": "00",
        "layout": draw(LAYOUT_NAMES),
        "classes": draw(st.sampled_from([["walk"], [], ["walk", "run"]])),
    }
)
ACTION_ARRAYS = messages(
    lambda draw: {
        "header": draw(HEADERS),
        "model_id": "m",
        "model_sha256": draw(st.sampled_from(["00", "ab"])),
        "latency": draw(ANY),
        "actions": _people(
            draw,
            lambda: {
                "track_id": draw(INTS),
                "label": draw(st.text(max_size=5)),
                "state": draw(st.integers(0, 255)),
                "confidence": draw(ANY),
                "scores": draw(_floats(draw(st.integers(0, 2)))),
                "onset": draw(STAMPS),
                "evidence_start": draw(STAMPS),
                "evidence_end": draw(STAMPS),
                "joint_attention": _fitting(draw, 13),
                "frame_attention": draw(_floats(draw(st.integers(0, 2)))),
                "frame_offsets": draw(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=2)),
            },
        ),
    }
)
IMAGES = messages(
    lambda draw: {
        "height": draw(st.integers(0, 6)),
        "width": draw(st.integers(0, 6)),
        "step": draw(st.integers(0, 60)),
        "encoding": draw(st.sampled_from([*ENCODINGS, "", "32FC1", "h264", "bgr8; nonsense"])),
        "is_bigendian": draw(st.booleans()),
        "data": draw(st.binary(max_size=200)),
    }
)
COMPRESSED = messages(lambda draw: {"format": draw(st.text(max_size=6)), "data": draw(st.binary(max_size=60))})
CONVERTERS = {
    "SkeletonArray": (SKELETON_ARRAYS, skeletons_of_message),
    "SkeletonGraphArray": (GRAPH_ARRAYS, graphs_of_message),
    "ActionLabelArray": (st.tuples(ACTION_ARRAYS, MODELS), lambda both: actions_of_message(*both)),
    "Image": (IMAGES, bgr_from_image),
    "CompressedImage": (COMPRESSED, bgr_from_compressed),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CONVERTERS)
def test_a_message_is_read_or_refused_with_one_line(name: str) -> None:
    """Nothing but a UserError leaves a converter, and its text is one line."""
    made, convert = CONVERTERS[name]

    @settings(max_examples=100)
    @given(made)
    def check(message: Any) -> None:
        try:
            convert(message)
        except UserError as error:
            assert "\n" not in str(error) and len(str(error)) < 500, str(error)

    check()


def test_moments_are_offsets_and_in_older_bags_stamps() -> None:
    def stamp(sec: int, nanosec: int) -> SimpleNamespace:
        return SimpleNamespace(sec=sec, nanosec=nanosec)

    def person(**moments: object) -> SimpleNamespace:
        return SimpleNamespace(
            track_id=1,
            label="walk",
            state=2,
            confidence=0.9,
            scores=[1.0],
            onset=stamp(1, 0),
            evidence_start=stamp(1, 500),
            evidence_end=stamp(3, 0),
            joint_attention=[1 / 13] * 13,
            frame_attention=[0.25, 0.75],
            **moments,
        )

    model = SimpleNamespace(model_id="m", model_sha256="00", layout="common13", classes=["walk"])
    for moments in ({"frame_offsets": [-1_999_999_500, 0]}, {"frame_stamps": [stamp(1, 500), stamp(3, 0)]}):
        message = SimpleNamespace(
            header=SimpleNamespace(stamp=stamp(3, 0), frame_id="c"),
            model_id="m",
            model_sha256="00",
            actions=[person(**moments)],
        )
        assert actions_of_message(message, model).people[0].frame_stamps_ns.tolist() == [1_000_000_500, 3_000_000_000]
