"""3D motions joined to streams, seen by cameras that hold a part of a person, and estimated as a pose network would."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.data.augment import UNIT_PX, AugmentConfig, Surroundings, estimate
from pose_attention_ros.data.motion3d.record import Motion
from pose_attention_ros.data.streams import Example, Stream, StreamConfig, examples_of_motions, join, root_of, turned_like
from pose_attention_ros.data.views import ViewConfig, in_an_image, projected, shot

LAYOUT = layout("common13")
V = len(LAYOUT.joints)
# A person of 1.7 m who stands and faces the camera (-z), the wrists half a metre before the body; the left side at -x.
# fmt: off
POSE = {"head": (0, 1.6, 0), "shoulder": (0.2, 1.4, 0), "elbow": (0.22, 1.15, 0), "wrist": (0.2, 1.15, -0.5),
        "hip": (0.12, 0.9, 0), "knee": (0.12, 0.5, 0), "ankle": (0.12, 0.08, 0)}
# fmt: on


def standing(frames: int = 30, turn: float = 0.0, place: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """(n, V, 3) metres."""
    rows = []
    for joint in LAYOUT.joints:
        x, y, z = POSE[joint.rpartition("_")[2]]
        rows.append((-x if joint.startswith("left") else x, y, z))
    cos, sin = np.cos(turn), np.sin(turn)
    body = np.array(rows) @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]]).T
    return np.repeat((body + [place[0], 0, place[1]])[None], frames, 0).astype(np.float32)


def stream(keypoints: np.ndarray, fps: float = 15.0) -> Stream:
    count = len(keypoints)
    return Stream(
        np.arange(count) / fps, keypoints, np.ones((count, V), bool), np.zeros(count, np.int64), np.zeros(count, bool)
    )


class Fixed:
    """A generator that gives the middle of every range but one angle all round."""

    def __init__(self, yaw: float) -> None:
        self.yaw = yaw

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        return self.yaw if high == np.pi else (low + high) / 2

    def normal(self, mean: float, spread: float, count: int) -> np.ndarray:
        return np.full(count, mean)


@given(yaw=st.floats(-1.2, 1.2), behind=st.booleans())
def test_a_camera_does_not_mirror(yaw, behind):
    image = projected(stream(standing(2)), Fixed(yaw + np.pi * behind), LAYOUT, ViewConfig())
    at = dict(zip(LAYOUT.joints, image.keypoints[0, :, 0]))
    assert (at["left_shoulder"] < at["right_shoulder"]) == behind  # the left hand of one who faces us is at our right


@given(seed=st.integers(0, 2000))
def test_upright_stays_upright_and_a_body_unit_is_a_body_unit(seed):
    config = ViewConfig(nearest_m=2.0, overhead=0.0)
    image = projected(stream(standing(4)), np.random.default_rng(seed), LAYOUT, config)
    head, hips, ankle = (
        image.keypoints[0, [i for i, name in enumerate(LAYOUT.joints) if name.endswith(end)], 1].mean()
        for end in ("head", "hip", "ankle")
    )
    assert head < hips < ankle and 100 < ankle - head < 600


@given(seed=st.integers(0, 2000), cut=st.booleans())
def test_an_edge_cuts_the_person_only_where_one_is_wanted(seed, cut):
    view = shot(stream(standing()), np.random.default_rng(seed), LAYOUT, ViewConfig(cut=float(cut), furniture=0.0))
    beyond = Surroundings.of([view]).beyond(view.stream.keypoints[None]) > 0
    assert beyond.any() == cut and not beyond.all()
    assert view.unit_input_px >= ViewConfig().smallest_px


def around(window: tuple[float, ...], furniture: tuple[float, ...] = (0, 0, 0, 0), unit_px: float = 40.0) -> Surroundings:
    return Surroundings(np.array([window]), np.array([furniture]), np.array([unit_px]))


def seen(surroundings: Surroundings, seed: int, frames: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True (1, M, V, 2), guessed and scores of one who stands with the hips at (0, 0) and the ankles at y = 170."""
    flat = standing(frames)[..., :2] * [1, -1] * 2 * UNIT_PX + [0, 1.8 * UNIT_PX]
    keypoints = flat[None].astype(np.float32)
    config = AugmentConfig(cut_legs=0, cut_hips=0, occlusion=0, swap=0, score_low=1.0, score_high=1.0)
    estimated, scores = estimate(
        np.random.default_rng(seed),
        keypoints,
        np.ones(keypoints.shape[:3], bool),
        np.full((1, frames), 1 / 15),
        LAYOUT,
        config,
        surroundings,
    )
    return keypoints, estimated, scores


def test_what_lies_beyond_the_edge_is_guessed_at_the_edge_or_missing():
    edge = 40.0
    knees, ankles, shoulders = (
        np.array([name.endswith(end) for name in LAYOUT.joints]) for end in ("knee", "ankle", "shoulder")
    )
    there = np.zeros(3)
    for seed in range(30):
        _, estimated, scores = seen(around((-500, -500, 500, edge)), seed, 60)
        there += [(scores[0][:, rows] > 0).mean() / 30 for rows in (shoulders, knees, ankles)]
        guessed = estimated[0][:, knees | ankles][scores[0][:, knees | ankles] > 0]
        assert len(guessed) == 0 or (np.quantile(guessed[:, 1], (0.02, 0.98)) - edge == pytest.approx(-15, abs=45))
    assert there[0] > 0.9 and 0.6 > there[1] > 0.1 > there[2]  # the knees are 0.6 units beyond it, the ankles 1.3


@pytest.mark.parametrize("seed", range(3))
def test_what_furniture_hides_is_less_certain_and_more_wrong(seed):
    true, estimated, scores = seen(around((-900, -900, 900, 900), (-900, 50, 900, 900)), seed)
    plain_true, plain, plain_scores = seen(around((-900, -900, 900, 900)), seed)
    legs = np.array([name.endswith(("knee", "ankle")) for name in LAYOUT.joints])
    assert scores[..., legs].mean() < 0.8 * plain_scores[..., legs].mean()
    error = lambda a, b: np.linalg.norm(a - b, axis=-1)[..., legs].mean()  # noqa: E731
    assert error(true, estimated) > 1.3 * error(plain_true, plain)


def test_small_people_are_seen_worse():
    errors = [
        np.linalg.norm(np.subtract(*seen(around((-900, -900, 900, 900), unit_px=px), 0)[:2]), axis=-1).mean()
        for px in (80, 40, 10)
    ]
    assert errors[0] < errors[1] < errors[2]


@given(turns=st.lists(st.floats(-3, 3), min_size=2, max_size=3), seed=st.integers(0, 99))
@settings(max_examples=30)
def test_joined_motions_go_on_where_and_how_the_one_before_ended(turns, seed):
    examples = [
        Example(standing(20, turn, (2.0 * i, -1.0 * i)), np.ones((20, V), np.float32), 20.0, i)
        for i, turn in enumerate(turns)
    ]
    config = StreamConfig(trim=0, join=1, longest_s=20)
    joined = join(examples, np.random.default_rng(seed), LAYOUT, config)
    roots = np.stack([root_of(pose, np.ones(V, bool), LAYOUT) for pose in joined.keypoints])
    np.testing.assert_allclose(roots, roots[:1].repeat(len(roots), 0), atol=1e-4)
    np.testing.assert_allclose(joined.keypoints, joined.keypoints[:1].repeat(len(roots), 0), atol=1e-4)
    changes = np.flatnonzero(np.diff(joined.targets)) + 1
    assert len(changes) == len(turns) - 1 and joined.ignored[changes].all() and not joined.ignored[0]


def test_turned_like_turns_about_the_vertical_alone():
    turned = turned_like(standing(3, 1.0), standing(1, -0.5)[0], LAYOUT)
    np.testing.assert_allclose(turned, standing(3, -0.5), atol=1e-5)


def test_parts_of_one_motion_stay_in_their_places():
    whole = standing(10)
    whole[..., 0] += np.arange(10)[:, None] * 0.1
    parts = [
        Motion(f"a/{i}", part, LAYOUT.joints, 30.0, label, "a/s1", i, {"sequence": "7"})
        for i, (part, label) in enumerate(zip(np.split(whole, [4]), ("walk", "fall")))
    ]
    alone = dataclasses.replace(parts[0], extra={})
    (_, first), (_, second), (_, other) = examples_of_motions([*parts, alone], LAYOUT, 0)
    np.testing.assert_allclose(np.diff(np.concatenate([first.keypoints, second.keypoints])[:, 0, 0]), 0.1, atol=1e-5)
    assert abs(other.keypoints[:, LAYOUT.index("left_hip"), 0].mean() + 0.12) < 0.02  # centred by itself
    for example in (first, second, other):
        assert example.keypoints[:, LAYOUT.index("left_ankle"), 1].min() == pytest.approx(0, abs=1e-5)


def test_a_clip_in_an_image_already_stays_as_it_is():
    example = Example(standing(5)[..., :2], np.ones((5, V), np.float32), 10.0, 0)
    assert in_an_image(example, np.random.default_rng(0), LAYOUT, ViewConfig()) is example
