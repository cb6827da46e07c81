"""Object keypoint similarity and the suppression of people found twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.inference.detections import coco_sigmas, keep_distinct, oks

JOINTS = LAYOUTS["coco17"].joints
SIGMAS = coco_sigmas(JOINTS)
PERSON = np.random.default_rng(3).uniform((0, 0), (60, 160), (17, 2)).astype(np.float32)
AREA = 60 * 160.0
SEEN = np.ones(17, bool)


def test_oks_follows_its_equation():
    moved = PERSON + np.array([3.0, 4.0])
    expected = np.mean([np.exp(-25 / (2 * AREA * (2 * sigma) ** 2)) for sigma in SIGMAS])
    assert oks(moved[None], PERSON, SEEN, AREA, SIGMAS)[0] == pytest.approx(expected, rel=1e-5)


def test_oks_counts_only_the_joints_it_is_told_to():
    wrong_wrist = PERSON.copy()
    wrong_wrist[JOINTS.index("left_wrist")] += 500
    counts = np.array([joint != "left_wrist" for joint in JOINTS])
    assert oks(wrong_wrist[None], PERSON, counts, AREA, SIGMAS)[0] == 1
    assert oks(wrong_wrist[None], PERSON, SEEN, AREA, SIGMAS)[0] == pytest.approx(16 / 17, abs=1e-6)
    assert oks(PERSON[None], PERSON, np.zeros(17, bool), AREA, SIGMAS)[0] == 0


@given(st.floats(0, 200), st.floats(0, 200), st.floats(1, 4))
def test_oks_does_not_depend_on_the_scale_of_the_image(dx, dy, zoom):
    small = oks((PERSON + (dx, dy))[None], PERSON, SEEN, AREA, SIGMAS)[0]
    large = oks(zoom * (PERSON + (dx, dy))[None], zoom * PERSON, SEEN, zoom**2 * AREA, SIGMAS)[0]
    assert 0 <= small <= 1 and small == pytest.approx(large, abs=1e-4)


def people(*offsets_px: float):
    keypoints = np.stack([PERSON + (offset, 0) for offset in offsets_px]) if offsets_px else np.zeros((0, 17, 2))
    boxes = np.concatenate([keypoints.min(1), keypoints.max(1)], 1) if offsets_px else np.zeros((0, 4))
    return keypoints, np.ones(keypoints.shape[:2]), boxes


@pytest.mark.parametrize(
    "offsets_px,person_scores,kept",
    [
        ((), (), []),
        ((0,), (0.5,), [0]),
        ((0, 2), (0.5, 0.9), [1]),  # one person twice: the more certain stays
        ((0, 70), (0.5, 0.9), [1, 0]),  # two people side by side
        ((0, 2, 70, 1), (0.4, 0.9, 0.6, 0.5), [1, 2]),
    ],
)
def test_duplicates_are_suppressed_and_neighbours_are_not(offsets_px, person_scores, kept):
    rows = keep_distinct(*people(*offsets_px), np.array(person_scores), SIGMAS, 0.5, 0.1)
    assert rows.tolist() == kept


def test_joints_that_only_one_of_two_sees_do_not_make_them_alike():
    keypoints, scores, boxes = people(0, 0)
    scores[1] = 0.01  # all guesses
    assert keep_distinct(keypoints, scores, boxes, np.array([0.9, 0.3]), SIGMAS, 0.5, 0.1).tolist() == [0, 1]


def test_layout_without_known_spread_is_refused():
    with pytest.raises(KeyError):
        coco_sigmas(("left_wing",))
