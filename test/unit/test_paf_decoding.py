"""Decoding of confidence maps and affinity fields: known people come back, whoever they are, however many, however near."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pose_maps import LAYOUT, STANDING, crowd, maps_of

from pose_attention_ros.inference.paf_decoding import DecodeConfig, connect, decode, find_peaks


def nearest(found, people: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Row of the found person that is nearest to each of `people` (N, V, 2); each found person is taken at most once."""
    distance = np.linalg.norm(found.keypoints[None] * size - people[:, None], axis=-1).mean(-1)
    rows = distance.argmin(1)
    assert len(set(rows.tolist())) == len(rows)
    return rows


@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_everybody_comes_back_to_a_tenth_of_a_cell(count):
    people, size = crowd(count)
    found = decode(*maps_of(people, size), LAYOUT)
    assert len(found) == count and (found.scores > 0.9).all()
    rows = nearest(found, people, size)
    np.testing.assert_allclose(found.keypoints[rows] * size, people, atol=0.1)


@pytest.mark.parametrize("noise", [0.0, 0.09])
def test_nobody_is_nobody(noise):
    rng = np.random.default_rng(0)
    confidence, affinity = (noise * rng.uniform(-1, 1, (maps, 30, 40)).astype(np.float32) for maps in (19, 38))
    found = decode(confidence, affinity, LAYOUT)
    assert found.keypoints.shape == (0, 18, 2) and found.scores.shape == (0, 18) and found.person_scores.shape == (0,)


def test_noise_does_not_invent_people():
    """Peaks everywhere, and no field that joins them."""
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0, 1, (19, 24, 32)).astype(np.float32)
    assert len(decode(confidence, np.zeros((38, 24, 32), np.float32), LAYOUT)) == 0


def held_together(missing: np.ndarray) -> np.ndarray:
    """(V,) bool: the joints that limbs of joints not `missing` (V,) join to the neck."""
    reached = np.arange(len(missing)) == LAYOUT.index("neck")
    for _ in missing:
        for a, b in LAYOUT.limb_indices:
            if not missing[a] and not missing[b]:
                reached[[a, b]] |= reached[a] | reached[b]
    return reached


def test_not_a_number_is_nobody():
    people, size = crowd(1)
    confidence, affinity = maps_of(people, size)
    assert len(decode(np.full_like(confidence, np.nan), affinity, LAYOUT)) == 0
    assert len(decode(confidence, np.full_like(affinity, np.nan), LAYOUT)) == 0


def test_missing_joints_stay_missing_and_the_rest_holds_together():
    people, size = crowd(5)
    missing = np.random.default_rng(3).random((5, 18)) < 0.2
    missing[:, [LAYOUT.index("neck"), LAYOUT.index("left_hip"), LAYOUT.index("left_shoulder")]] = False
    found = decode(*maps_of(people, size, missing=missing), LAYOUT)
    seen = [int(np.argmax((np.abs(found.keypoints * size - person).max(-1) < 0.1).sum(1))) for person in people]
    assert len(set(seen)) == 5
    for person, row, absent in zip(people, seen, missing):
        there = found.scores[row] > 0
        np.testing.assert_array_equal(there, held_together(absent))
        np.testing.assert_allclose(found.keypoints[row][there] * size, person[there], atol=0.1)
        assert not found.keypoints[row][~there].any()


def test_arms_that_cross_go_to_their_owners():
    """Two people side by side, each reaching across the other: the nearer wrist is the other's."""
    people = np.stack([STANDING * 5 + (14, 21), STANDING * 5 + (30, 21)])
    left_wrist, left_elbow, right_elbow, right_wrist = (
        LAYOUT.index(f"{side}_{joint}")
        for side, joint in (("left", "wrist"), ("left", "elbow"), ("right", "elbow"), ("right", "wrist"))
    )
    people[0, left_elbow], people[0, left_wrist] = (20, 19), (28, 24)
    people[1, left_elbow], people[1, left_wrist] = (24, 25), (16, 20)  # the same joints, so that they can be mixed up
    people[1, right_elbow], people[1, right_wrist] = (36, 17), (40, 22)
    size = (48, 42)
    found = decode(*maps_of(people, size), LAYOUT)
    assert len(found) == 2
    for person, row in zip(people, nearest(found, people, size)):
        np.testing.assert_allclose(found.keypoints[row, left_wrist] * size, person[left_wrist], atol=0.6)
        np.testing.assert_allclose(found.keypoints[row, left_elbow] * size, person[left_elbow], atol=0.6)


def test_a_limb_across_the_image_gives_way_to_a_shorter_one():
    """An arm's field runs on through a second person: the far wrist is the other's."""
    elbow, wrist = LAYOUT.index("left_elbow"), LAYOUT.index("left_wrist")
    limb = LAYOUT.limbs.index(("left_elbow", "left_wrist"))
    confidence, affinity = np.zeros((19, 20, 30), np.float32), np.zeros((38, 20, 30), np.float32)
    confidence[elbow, 9, 3] = confidence[wrist, 9, 9] = confidence[wrist, 9, 28] = 0.9
    affinity[2 * limb, 9] = np.linspace(0.6, 0.9, 30)  # the longer the stronger
    peaks = find_peaks(confidence[:18], DecodeConfig())
    for limb_length, column in ((0.5, 9), (10.0, 28)):
        found = connect(peaks, affinity, LAYOUT, DecodeConfig(limb_length=limb_length))
        assert [int(peaks.xy[b, 0]) for b in found.second] == [column]


def test_the_assignment_is_the_best_of_all_not_the_first_come():
    """Two elbows and two wrists; the surest single pair must be given up, for the sum is what counts."""
    elbow, wrist = LAYOUT.index("left_elbow"), LAYOUT.index("left_wrist")
    limb = LAYOUT.limbs.index(("left_elbow", "left_wrist"))
    confidence, affinity = np.zeros((19, 20, 30), np.float32), np.zeros((38, 20, 30), np.float32)
    for joint, row, column in ((elbow, 5, 5), (elbow, 9, 5), (wrist, 5, 25), (wrist, 9, 25)):
        confidence[joint, row, column] = 0.9
    affinity[2 * limb, 2:13] = 0.7  # to the right everywhere: every pair is possible
    affinity[2 * limb + 1, 6:9] = 0.2  # and downwards in between
    peaks = find_peaks(confidence[:18], DecodeConfig())
    found = connect(peaks, affinity, LAYOUT, DecodeConfig(limb_length=1.0))
    row = peaks.xy[:, 1].astype(int).tolist()
    pairs = {(row[a], row[b]): score for a, b, score in zip(found.first, found.second, found.score)}
    assert sorted(pairs) == [(5, 5), (9, 9)]
    np.testing.assert_allclose(list(pairs.values()), 0.7, atol=1e-5)


@settings(max_examples=100)
@given(x=st.floats(2, 17), y=st.floats(2, 12), sigma=st.floats(0.7, 2), height=st.floats(0.3, 1))
def test_a_peak_is_where_the_gaussian_is(x, y, sigma, height):
    columns, rows = np.meshgrid(np.arange(20) + 0.5, np.arange(15) + 0.5)
    gaussian = height * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    peaks = find_peaks(gaussian[None].astype(np.float32), DecodeConfig())
    assert len(peaks.joint) == 1
    np.testing.assert_allclose(peaks.xy[0], (x, y), atol=0.01)
    np.testing.assert_allclose(peaks.score[0], height, atol=0.01)


@settings(max_examples=20)
@given(count=st.integers(1, 4), seed=st.integers(0, 1000), scale=st.floats(0.7, 1.8))
def test_size_does_not_matter(count, seed, scale):
    """The same people drawn larger or smaller have the same joints in fractions of the image, to a tenth of a cell."""
    people, size = crowd(count, seed=seed)
    larger = tuple(round(side * scale) for side in size)
    found = decode(*maps_of(people * np.divide(larger, size), larger), LAYOUT)
    rows = nearest(found, people * np.divide(larger, size), larger)
    assert len(found) == count
    np.testing.assert_allclose(found.keypoints[rows] * larger, people * np.divide(larger, size), atol=0.15)


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), noise=st.floats(0, 0.08), data=st.data())
def test_the_order_of_people_does_not_matter(seed, noise, data):
    people, size = crowd(4, seed=seed)
    order = data.draw(st.permutations(range(4)))
    disturb = noise * np.random.default_rng(seed).uniform(-1, 1, (19, *size[::-1])).astype(np.float32)
    (one, field), (other, _) = maps_of(people, size), maps_of(people[order], size)
    first, second = decode(one + disturb, field, LAYOUT), decode(other + disturb, field, LAYOUT)
    np.testing.assert_array_equal(first.keypoints, second.keypoints)
    np.testing.assert_array_equal(first.scores, second.scores)


@settings(max_examples=20)
@given(count=st.integers(1, 4), seed=st.integers(0, 1000))
def test_a_mirrored_image_has_mirrored_people(count, seed):
    """Columns turned round, left and right joints and limbs exchanged, x of the fields negated."""
    people, size = crowd(count, seed=seed)
    confidence, affinity = maps_of(people, size)
    joints = np.r_[LAYOUT.mirror, len(LAYOUT.joints)]
    names = [tuple(LAYOUT.joints[LAYOUT.mirror[LAYOUT.index(joint)]] for joint in limb) for limb in LAYOUT.limbs]
    limbs = [LAYOUT.limbs.index(limb) for limb in names]
    turned = affinity.reshape(-1, 2, *size[::-1])[limbs, ..., ::-1] * np.array([-1, 1], np.float32)[:, None, None]
    straight = decode(confidence, affinity, LAYOUT)
    mirrored = decode(confidence[joints, :, ::-1], turned.reshape(affinity.shape), LAYOUT)
    back = mirrored.keypoints[:, LAYOUT.mirror] * (-1, 1) + (1, 0)
    assert len(straight) == len(mirrored) == count
    rows = nearest(straight, back * size, size)
    np.testing.assert_allclose(straight.keypoints[rows], back, atol=1e-4)
    np.testing.assert_allclose(straight.scores[rows], mirrored.scores[:, LAYOUT.mirror], atol=1e-4)


def test_a_joint_at_the_border_stays_inside():
    people = STANDING[None] * 4 + (0.5, 0.5)
    size = (12, 16)
    found = decode(*maps_of(people, size), LAYOUT)
    assert len(found) == 1
    assert ((found.keypoints >= 0) & (found.keypoints <= 1)).all()


def test_the_number_of_peaks_is_bounded():
    confidence = np.random.default_rng(0).uniform(0, 1, (18, 60, 80)).astype(np.float32)
    peaks = find_peaks(confidence, DecodeConfig(most_peaks=7))
    assert np.bincount(peaks.joint).tolist() == [7] * 18
    every = find_peaks(confidence[:1], DecodeConfig(most_peaks=1000))
    np.testing.assert_allclose(peaks.score[:7], every.score[:7])


@pytest.mark.parametrize(
    "confidence, affinity", [((17, 8, 8), (38, 8, 8)), ((19, 8, 8), (36, 8, 8)), ((19, 8, 8), (38, 8, 9))]
)
def test_maps_of_another_layout_are_refused(confidence, affinity):
    with pytest.raises(ValueError, match="do not fit layout 'openpose18'"):
        decode(np.zeros(confidence, np.float32), np.zeros(affinity, np.float32), LAYOUT)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_the_smallest_maps_work(size):
    confidence = np.ones((19, *size), np.float32)
    assert len(decode(confidence, np.ones((38, *size), np.float32), LAYOUT)) == 0
