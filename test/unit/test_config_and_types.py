"""Settings are checked where they are made, and so are the records between stages."""

from dataclasses import dataclass

import numpy as np
import pytest

from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.graph_stage import GraphConfig
from pose_attention_ros.core.types import Frame, Skeletons


@dataclass(frozen=True)
class Example(Settings):
    rate_hz: float = setting(10.0, "rate", unit="Hz", low=1.0, high=60.0)
    threads: int = setting(1, "threads", low=1)
    mode: str = setting("a", "mode", choices=("a", "b"))


@pytest.mark.parametrize(
    "wrong, says",
    [
        ({"rate_hz": 0.5}, "rate_hz is 0.5, expected 1.0 to 60.0 Hz"),
        ({"rate_hz": float("nan")}, "finite"),
        ({"rate_hz": "10"}, "expected float"),
        ({"threads": 0}, "threads is 0, expected at least 1"),
        ({"threads": True}, "expected int"),
        ({"mode": "c"}, "expected one of 'a', 'b'"),
    ],
)
def test_wrong_settings_are_refused_with_name_value_and_expectation(wrong, says):
    with pytest.raises(UserError, match=says):
        Example(**wrong)


def test_an_integer_is_good_enough_for_a_float():
    assert Example(rate_hz=5).rate_hz == 5.0


def test_composed_settings_check_every_part():
    with pytest.raises(UserError, match="max_distance"):
        GraphConfig(max_distance=-1.0)


@pytest.mark.parametrize(
    "image, says",
    [
        (np.zeros((4, 4), np.uint8), r"expected uint8 \(height, width, 3\)"),
        (np.zeros((4, 4, 3), np.float32), "float32"),
        (np.zeros((0, 4, 3), np.uint8), "empty"),
        (None, "NoneType"),
    ],
)
def test_a_frame_is_a_bgr_image(image, says):
    with pytest.raises(ValueError, match=says):
        Frame(image, 0)


def _skeletons(**changes):
    fields = {
        "keypoints_px": np.zeros((2, 13, 2)),
        "scores": np.ones((2, 13)),
        "boxes_xyxy": np.zeros((2, 4)),
        "person_scores": np.ones(2),
    } | changes
    return Skeletons(0, "cam", layout("common13"), (640, 480), **fields)


def test_nan_joints_become_missing_joints():
    keypoints = np.ones((2, 13, 2))
    keypoints[1, 4, 0] = np.nan
    people = _skeletons(keypoints_px=keypoints)
    assert people.scores[1, 4] == 0 and people.scores.sum() == 25
    assert np.isfinite(people.keypoints_px).all()


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"scores": np.ones((2, 12))}, "scores has shape"),
        ({"boxes_xyxy": np.zeros((1, 4))}, "boxes_xyxy has shape"),
        ({"boxes_xyxy": np.full((2, 4), np.nan)}, "boxes_xyxy holds NaN"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        _skeletons(**changes)


def test_nobody_in_view_is_a_valid_record():
    assert len(Skeletons.empty(0, "cam", "coco17", (640, 480))) == 0
