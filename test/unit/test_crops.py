"""Crops of hands and body at the joints: where they are, what stands in for missing joints, and the edge of the image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_attention_ros.core.body.crops import CROPS, CropConfig, PartSquares, crop_parts, square_crop
from pose_attention_ros.core.body.layouts import LAYOUTS

LAYOUT = LAYOUTS["common13"]
SIZE = (200, 160)
CONFIG = CropConfig()
LEFT, RIGHT, BODY = range(3)


def standing(x: float = 100.0, y: float = 80.0) -> np.ndarray:
    """(13, 2) pixels: torso of 30 px, left forearm pointing right in the image."""
    # fmt: off
    places = {"head": (0, -45), "left_shoulder": (10, -30), "right_shoulder": (-10, -30), "left_elbow": (20, -15),
              "right_elbow": (-15, -15), "left_wrist": (40, -15), "right_wrist": (-15, 5), "left_hip": (8, 0),
              "right_hip": (-8, 0), "left_knee": (8, 25), "right_knee": (-8, 25), "left_ankle": (8, 50),
              "right_ankle": (-8, 50)}
    # fmt: on
    return np.array([places[joint] for joint in LAYOUT.joints], np.float32) + np.array([x, y], np.float32)


def present(*missing: str) -> np.ndarray:
    there = np.ones(len(LAYOUT.joints), bool)
    there[[LAYOUT.index(joint) for joint in missing]] = False
    return there


def squares_of(*frames: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """(F, 3, 3): one person's squares over successive frames."""
    squares = PartSquares(LAYOUT.joints, CONFIG)
    return np.stack([squares(keypoints, there, SIZE) for keypoints, there in frames])


def test_hands_beyond_the_wrists_and_the_body_around_its_joints():
    (found,) = squares_of((standing(), present()))
    np.testing.assert_allclose(found[LEFT], [100 + 40 + 0.25 * 20, 80 - 15, 1.2 * 30])
    np.testing.assert_allclose(found[RIGHT], [100 - 15, 80 + 5 + 0.25 * 20, 1.2 * 30])
    np.testing.assert_allclose(found[BODY], [100 + 12.5, 80 + 2.5, 1.25 * 95])
    assert CROPS == ("left_hand", "right_hand", "full_body")


def test_a_hidden_hand_is_taken_where_it_was_last_and_goes_with_the_body():
    moved = standing(x=120)
    moved[LAYOUT.index("left_wrist")] = 0  # a missing joint has any place
    before, after = squares_of((standing(), present()), (moved, present("left_wrist")))
    # Without the wrist the body's box is narrower: the place is kept in sides of that box.
    np.testing.assert_allclose(
        (after[LEFT, :2] - after[BODY, :2]) / after[BODY, 2], (before[LEFT, :2] - before[BODY, :2]) / before[BODY, 2]
    )
    assert after[LEFT, 2] == before[LEFT, 2]
    assert abs(after[LEFT, 0] - before[LEFT, 0] - 20) < 20


def test_a_hand_that_was_never_seen_is_the_body():
    (found,) = squares_of((standing(), present("right_wrist")))
    np.testing.assert_array_equal(found[RIGHT], found[BODY])


@pytest.mark.parametrize("missing", [("left_elbow",), ("left_hip",), ("left_shoulder", "right_shoulder", "left_elbow")])
def test_without_elbow_or_trunk_the_hand_is_at_the_wrist_and_as_large_as_a_body_suggests(missing):
    (found,) = squares_of((standing(), present(*missing)))
    assert np.hypot(*(found[LEFT, :2] - standing()[LAYOUT.index("left_wrist")])) <= 5.1
    assert 20 < found[LEFT, 2] < 60


def test_nobody_is_where_they_were_and_before_that_the_whole_image():
    nobody = (np.zeros((13, 2), np.float32), np.zeros(13, bool))
    never, seen, gone = squares_of(nobody, (standing(), present()), nobody)
    np.testing.assert_allclose(never, [[100, 80, 200]] * 3)
    np.testing.assert_array_equal(gone, seen)


def test_joints_that_crops_need():
    with pytest.raises(ValueError, match="crops need wrists"):
        PartSquares(("head", "left_wrist"), CONFIG)


@given(st.floats(-80, 280), st.floats(-80, 240), st.floats(1, 300), st.sampled_from([16, 64]))
def test_a_crop_shows_its_square_and_black_outside_the_image(x, y, side, size):
    """The image is brighter than 100 everywhere: black is outside."""
    columns, rows = np.meshgrid(np.arange(200), np.arange(160))
    image = np.stack([100 + columns * 0.7, 100 + rows * 0.9, np.full(rows.shape, 255.0)], -1).astype(np.uint8)
    crop = square_crop(image, np.array([x, y, side]), size)
    assert crop.shape == (size, size, 3) and crop.dtype == np.uint8
    at = (np.arange(size) + 0.5) / size * round(side) - round(side) / 2
    inside = ((x + at > 3) & (x + at < 197))[None, :] & ((y + at > 3) & (y + at < 157))[:, None]
    outside = ((x + at < -3) | (x + at > 203))[None, :] | ((y + at < -3) | (y + at > 163))[:, None]
    blur = side / size + 3  # pixels that one of the crop's pixels may mix
    if side >= 2:
        assert not crop[outside & (blur < 6)].any()
    wanted = np.stack(np.broadcast_arrays(100 + (x + at)[None, :] * 0.7, 100 + (y + at)[:, None] * 0.9), -1)
    if side >= 2 and blur < 6:
        assert np.abs(crop[..., :2].astype(float) - wanted)[inside].max(initial=0) < 6


def test_a_clips_crops_rest_on_the_past_alone():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (5, 160, 200, 3), np.uint8)
    keypoints = np.stack([standing(60 + 15 * frame) for frame in range(5)])
    scores = (rng.uniform(size=(5, 13)) > 0.3).astype(np.float32)
    config = CropConfig(crop_size=24)
    whole = crop_parts(images, keypoints, scores, LAYOUT.joints, config)
    assert whole.shape == (5, 3, 24, 24, 3)
    np.testing.assert_array_equal(whole[:3], crop_parts(images[:3], keypoints[:3], scores[:3], LAYOUT.joints, config))
    square = PartSquares(LAYOUT.joints, config)(keypoints[0], scores[0] > 0, SIZE)[BODY]
    np.testing.assert_array_equal(whole[0, BODY], square_crop(images[0], square, 24))
