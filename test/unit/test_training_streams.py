"""What training shows the network: streams, cameras, rough estimates, and the robot's own feature path."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

from pose_attention_ros.core.body.features import FeatureStream
from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.time.resampling import TickResampler, push_frame
from pose_attention_ros.data.augment import UNIT_PX, AugmentConfig, correlated, estimate, mirrored
from pose_attention_ros.data.dataset import Clip
from pose_attention_ros.data.standing_still import rest_example
from pose_attention_ros.data.streams import Example, Stream, StreamConfig, example_of, join, root_of, sampled, seen_by_camera
from pose_attention_ros.models.losses import IGNORE, OTHER
from pose_attention_ros.training.batches import draw_chances, read_examples, read_streams

pytestmark = pytest.mark.training

LAYOUT = layout("common13")
V = len(LAYOUT.joints)
# A person upright at UNIT_PX a torso length, root (mid-hip) at 0.
UPRIGHT = (
    np.array(
        [
            [0, -1.5],
            [0.25, -1],
            [-0.25, -1],
            [0.3, -0.5],
            [-0.3, -0.5],
            [0.3, 0],
            [-0.3, 0],
            [0.15, 0],
            [-0.15, 0],
            [0.15, 0.85],
            [-0.15, 0.85],
            [0.15, 1.7],
            [-0.15, 1.7],
        ],
        np.float32,
    )
    * UNIT_PX
)


def moving(frames: int, seed: int = 0, missing: float = 0.1, target: int = 0, fps: float = 20.0) -> Example:
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(0, 3, (frames, 1, 2)), 0)
    keypoints = UPRIGHT + walk + rng.normal(0, 5, (frames, V, 2))
    return Example(keypoints.astype(np.float32), rng.uniform(size=(frames, V)) >= missing, fps, target)


def stream_of(example: Example) -> Stream:
    frames = len(example.keypoints)
    return Stream(
        np.arange(frames) / example.fps,
        example.keypoints,
        example.mask,
        np.full(frames, example.target),
        np.zeros(frames, bool),
    )


@given(seeds=st.lists(st.integers(0, 1000), min_size=1, max_size=4), lengths=st.integers(2, 50))
@settings(max_examples=20, deadline=None)
def test_a_batch_reads_each_stream_as_the_robot_would(seeds, lengths):
    """Padding, batching and other people change nothing: frame by frame through the core stages gives the same ticks."""
    rng = np.random.default_rng(seeds[0])
    streams = [seen_by_camera(stream_of(moving(lengths + seed % 7, seed)), rng, StreamConfig()) for seed in seeds]
    scores = [np.where(s.mask, rng.uniform(0.2, 1, s.mask.shape), 0).astype(np.float32) for s in streams]
    batch = read_streams(streams, scores, LAYOUT, 15.0)
    for row, (stream, score) in enumerate(zip(streams, scores)):
        path, resampler, ticks, before = FeatureStream(LAYOUT), TickResampler(15.0), [], 0.0
        for time_s, keypoints, joint_scores in zip(stream.time_s, stream.keypoints, score):
            graph = path(keypoints, joint_scores, joint_scores > 0, np.float32(time_s - before))
            ticks.append(push_frame([resampler], round(time_s * 1e9), graph.features[None]).features)
            before = time_s
        ticks = np.concatenate(ticks)
        assert batch.ticks[row] == len(ticks)
        np.testing.assert_allclose(batch.features[row, : len(ticks)], ticks, atol=2e-4)
        assert (batch.targets[row, len(ticks) :] == IGNORE).all() and (batch.targets[row, : len(ticks)] == 0).all()


@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_joined_clips(data):
    counts = data.draw(st.lists(st.integers(4, 40), min_size=1, max_size=4))
    examples = [moving(n, i, missing=0.0, target=i) for i, n in enumerate(counts)]
    config = StreamConfig(ignore_s=0.4)
    stream = join(examples, np.random.default_rng(data.draw(st.integers(0, 99))), LAYOUT, config)
    assert (np.diff(stream.time_s) > 0).all() and stream.time_s[0] == 0
    assert set(stream.targets.tolist()) <= set(range(len(counts)))
    assert (np.diff(stream.targets) >= 0).all(), "clips come one after another"
    for target in range(1, stream.targets.max() + 1):
        rows = np.flatnonzero(stream.targets == target)
        since = stream.time_s[rows] - stream.time_s[rows[0]]
        np.testing.assert_array_equal(stream.ignored[rows], since < config.ignore_s - 1e-9)
        gap = root_of(stream.keypoints[rows[0]], stream.mask[rows[0]], LAYOUT) - root_of(
            stream.keypoints[rows[0] - 1], stream.mask[rows[0] - 1], LAYOUT
        )
        np.testing.assert_allclose(gap, 0, atol=1e-2)
    assert not stream.ignored[stream.targets == 0].any()


def test_a_camera_at_the_clips_own_times_shows_the_clip():
    stream = stream_of(moving(20))
    again = sampled(stream, stream.time_s)
    np.testing.assert_allclose(again.keypoints[stream.mask], stream.keypoints[stream.mask], atol=1e-3)
    np.testing.assert_array_equal(again.mask, stream.mask)


@given(seed=st.integers(0, 1000), fps=st.sampled_from([8.0, 30.0]), drop=st.sampled_from([0.0, 0.5]))
@settings(max_examples=20, deadline=None)
def test_camera_times(seed, fps, drop):
    config = StreamConfig(fps_low=fps, fps_high=fps, drop=drop)
    stream = seen_by_camera(stream_of(moving(60)), np.random.default_rng(seed), config)
    gaps = np.diff(stream.time_s)
    assert (gaps > 0).all() and stream.time_s[0] == 0
    if not drop:
        assert (gaps > 0.05 / fps).all() and (gaps < 1.95 / fps).all()


def test_a_person_is_lost_for_a_while_where_they_move_fast():
    shift = np.interp(np.arange(120), [60, 66], [0, 200])  # two seconds at rest, a fifth of a second's motion, and rest
    keypoints = UPRIGHT + shift.astype(np.float32)[:, None, None]
    example = Example(keypoints, np.ones((120, V), bool), 30.0, 0)
    config = StreamConfig(fps_low=30, fps_high=30, drop=0, stamp_jitter=0, lost=1, lost_high_s=0.6)
    gaps = []
    for seed in range(20):
        time_s = seen_by_camera(stream_of(example), np.random.default_rng(seed), config).time_s
        longest = int(np.diff(time_s).argmax())
        gaps.append(time_s[longest + 1] - time_s[longest])
        assert gaps[-1] < 0.6 + 2 / 30
        assert gaps[-1] < 0.1 or (time_s[longest] < 2.3 and time_s[longest + 1] > 1.9)
    assert np.median(gaps) > 0.2


def test_correlated_noise_has_unit_spread_and_forgets():
    dt_s = np.full((400, 40), 0.1)
    noise = correlated(np.random.default_rng(0), dt_s, 0.5, (3,))
    assert abs(noise.std() - 1) < 0.03
    for lag in (1, 5, 20):
        found = (noise[:, lag:] * noise[:, :-lag]).mean()
        assert abs(found - np.exp(-0.1 * lag / 0.5)) < 0.05


def _estimated(config: AugmentConfig, seed: int = 0):
    example = moving(60, 3, missing=0.1)
    keypoints, mask = (np.repeat(a[None], 8, 0) for a in (example.keypoints, example.mask))
    return keypoints, mask, *estimate(np.random.default_rng(seed), keypoints, mask, np.full((8, 60), 0.05), LAYOUT, config)


def test_strength_0_is_the_annotation():
    keypoints, mask, found, scores = _estimated(AugmentConfig(strength=0.0))
    np.testing.assert_array_equal(found, keypoints)
    np.testing.assert_array_equal(scores, mask)


def test_estimates_look_like_estimates():
    config = AugmentConfig(swap=0.0)
    _, mask, found, scores = _estimated(config)
    assert np.isfinite(found).all() and scores.max() <= 1
    assert not scores[~mask].any(), "a joint that was never seen does not appear"
    assert ((scores == 0) | (scores >= config.min_score)).all()
    assert 0.01 < (scores[mask] == 0).mean() < 0.4, "some joints are lost, most are not"


def test_swaps_exchange_left_and_right():
    plain = _estimated(AugmentConfig(swap=0.0, noise=0.0, jitter=0.0))[2]
    swapped = _estimated(AugmentConfig(swap=0.3, noise=0.0, jitter=0.0))[2]
    changed = np.abs(plain - swapped).max(-1) > 1e-3
    assert 0.1 < changed.mean() < 0.5
    np.testing.assert_allclose(swapped[changed], plain[:, :, LAYOUT.mirror][changed], atol=1e-3)


def test_mirroring_twice_is_nothing():
    example = moving(5)
    once = mirrored(example.keypoints, example.mask, LAYOUT)
    left, right = LAYOUT.index("left_wrist"), LAYOUT.index("right_wrist")
    np.testing.assert_array_equal(once[0][:, left, 0], -example.keypoints[:, right, 0])
    twice = mirrored(*once, LAYOUT)
    np.testing.assert_array_equal(twice[0], example.keypoints)
    np.testing.assert_array_equal(twice[1], example.mask)


def test_people_who_rest_stay_where_they_are():
    example = moving(30, missing=0.0)
    trunk = [LAYOUT.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("shoulder", "hip", "knee", "ankle")]
    for seed in range(8):
        rest = rest_example(example, "end", 3.0, np.random.default_rng(seed), LAYOUT, 5)
        assert rest.target == 5 and len(rest.keypoints) == 45
        away = np.abs(rest.keypoints - example.keypoints[-1])[:, trunk].max() / UNIT_PX
        assert 0.005 < away < 0.5
        speed = np.abs(np.diff(rest.keypoints, axis=0)).mean() / UNIT_PX * rest.fps
        assert speed < 0.5


@pytest.mark.parametrize("size_px", [20.0, 300.0])
def test_clips_of_any_size_become_one_size(size_px):
    clip = Clip(UPRIGHT[None].repeat(4, 0) * size_px / UNIT_PX, np.ones((4, V), np.float32), "x")
    example = example_of(clip, LAYOUT.joints, LAYOUT, 0)
    np.testing.assert_allclose(
        example.keypoints[0],
        example_of(Clip(UPRIGHT[None], np.ones((1, V), np.float32), "x"), LAYOUT.joints, LAYOUT, 0).keypoints[0],
        rtol=1e-4,
    )


def test_scores_reach_training_and_a_joint_that_the_robot_would_not_see_is_missing():
    scores = np.ones((4, V), np.float32)
    scores[:, :3] = 1.0, 0.7, 0.05
    example = example_of(Clip(UPRIGHT[None].repeat(4, 0), scores, "x", 15.0), LAYOUT.joints, LAYOUT, 0)
    batch = read_examples([example], LAYOUT, 15.0)
    np.testing.assert_allclose(batch.features[0, :, :3, -1], np.array([[1.0, 0.7, 0.0]] * 4), atol=1e-6)
    assert not batch.features[0, :, 2].any()


@given(sizes=st.lists(st.integers(1, 200), min_size=2, max_size=6), balance=st.sampled_from([0.0, 0.5, 1.0]))
def test_draw_chances(sizes, balance):
    targets = np.concatenate([np.full(n, k) for k, n in zip([OTHER, *range(len(sizes))], sizes)])
    chances = draw_chances(targets, ["a"] * len(targets), balance, 0.1)
    np.testing.assert_allclose(chances.sum(), 1)
    np.testing.assert_allclose(chances[targets == OTHER].sum(), 0.1)
    if balance == 1:
        shares = [chances[targets == k].sum() for k in range(len(sizes) - 1)]
        np.testing.assert_allclose(shares, 0.9 / len(shares))
