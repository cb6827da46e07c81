"""Smoothing, body frame, tracking and gaps: what must hold of the graphs whatever the camera does."""

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose_attention_ros.core.body.features import FeatureStream
from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.body.smoothing import JointSmoother, SmoothingConfig
from pose_attention_ros.core.graph_stage import GraphConfig, GraphStage
from pose_attention_ros.core.types import Skeletons

LAYOUT = layout("common13")
# Somebody standing, in body units around the middle of the hips; x right, y down.
# fmt: off
STANDING = np.array([(0, -1.5), (.4, -1), (-.4, -1), (.5, -.4), (-.5, -.4), (.5, .1), (-.5, .1), (.2, 0), (-.2, 0),
                     (.2, .85), (-.2, .85), (.2, 1.7), (-.2, 1.7)], np.float32)
# fmt: on


def person(x_px, y_px=200.0, scale_px=50.0, wave=0.0):
    """A skeleton (13, 2) in pixels; `wave` lifts the left wrist by that many body units."""
    joints = STANDING.copy()
    joints[LAYOUT.index("left_wrist"), 1] -= wave
    return joints * scale_px + (x_px, y_px)


def skeletons(stamp_ns, people, scores=None):
    keypoints = np.array(people, np.float32).reshape(-1, 13, 2)
    boxes = np.concatenate([keypoints.min(1), keypoints.max(1)], 1)
    scores = np.full(keypoints.shape[:2], 0.9) if scores is None else scores
    return Skeletons(stamp_ns, "cam", LAYOUT, (640, 480), keypoints, scores, boxes, np.ones(len(keypoints)))


def run(frames, stage=None):
    """frames: (stamp in s, people). Returns the graphs of every frame."""
    stage = stage or GraphStage()
    return [stage(skeletons(round(stamp_s * 1e9), people)) for stamp_s, people in frames]


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(scale=st.floats(0.2, 5), dx=st.floats(-500, 500), dy=st.floats(-500, 500))
def test_features_do_not_depend_on_where_and_how_large_a_person_is(scale, dx, dy):
    frames = [(i / 20, person(200 + 4 * i, wave=np.sin(i / 3))) for i in range(20)]
    here = run([(t, [p]) for t, p in frames])[-1]
    there = run([(t, [p * scale + (dx, dy)]) for t, p in frames])[-1]
    np.testing.assert_allclose(there.features, here.features, atol=2e-3)


def test_nodes_turn_back_into_pixels():
    graphs = run([(i / 30, [person(100), person(400)]) for i in range(15)])[-1]
    order = np.argsort(graphs.roots_px[:, 0])
    np.testing.assert_allclose(graphs.keypoints_px()[order], [person(100), person(400)], atol=0.01)


@pytest.mark.parametrize("fps", [10, 15, 25, 30])
def test_velocity_is_in_body_units_a_second_at_any_frame_rate(fps):
    graphs = run([(i / fps, [person(100 + 60 * i / fps)]) for i in range(2 * fps)])[-1]  # 60 px/s at 50 px a unit
    np.testing.assert_allclose(graphs.features[0, :, 2], 1.2, rtol=0.05)
    np.testing.assert_allclose(graphs.features[0, :, 3], 0, atol=0.02)


def test_a_missing_joint_is_masked_and_all_zero_and_comes_back():
    stage, wrist = GraphStage(), LAYOUT.index("left_wrist")
    for i in range(30):
        scores = np.full((1, 13), 0.9)
        if 10 <= i < 20:
            scores[0, wrist] = 0.05
        graphs = stage(skeletons(i * 33_000_000, [person(200)], scores))
        if len(graphs):
            assert graphs.mask[0, wrist] == (not 10 <= i < 20)
            if not graphs.mask[0, wrist]:
                assert (graphs.features[0, wrist] == 0).all() and (graphs.nodes[0, wrist] == 0).all()


@pytest.mark.parametrize("fps", [10, 30])
def test_two_people_who_cross_keep_their_ids(fps):
    frames = [(i / fps, [person(100 + 100 * i / fps), person(500 - 100 * i / fps, y_px=230)]) for i in range(4 * fps)]
    graphs = run(frames)
    first, last = graphs[fps // 2], graphs[-1]
    left, right = first.track_ids[np.argsort(first.roots_px[:, 0])]
    assert last.track_ids[np.argsort(last.roots_px[:, 0])].tolist() == [right, left]


def test_a_short_occlusion_keeps_the_id_and_a_long_one_does_not():
    def graphs_with_gap(hidden_s):
        return run([(i / 20, [] if 1 <= i / 20 < 1 + hidden_s else [person(200)]) for i in range(110)])

    short = graphs_with_gap(1.6)
    assert {i for g in short for i in g.track_ids} == {1}
    long = graphs_with_gap(3.0)
    assert sorted({i for g in long for i in g.track_ids}) == [1, 2]


@pytest.mark.parametrize("jump_s, says", [(2.0, "no image for 2.05 s"), (-1.0, "stamps went back by 0.95 s")])
def test_a_jump_in_time_starts_afresh_with_one_log_line_and_new_ids(jump_s, says, caplog):
    stage = GraphStage()
    before = run([(i / 20, [person(200)]) for i in range(20)], stage)
    with caplog.at_level(logging.WARNING):
        after = run([(0.95 + 0.05 + jump_s + i / 20, [person(200)]) for i in range(20)], stage)
    assert len(caplog.records) == 1 and says in caplog.text
    assert not set(before[-1].track_ids) & set(after[-1].track_ids)
    assert after[-1].ages_s[0] < 1


def test_order_of_detections_does_not_matter():
    frames = [(i / 20, [person(100 + 3 * i), person(300), person(500 - 3 * i)]) for i in range(20)]
    there = run(frames)[-1]
    shuffled = run([(t, [p[2], p[0], p[1]]) if i % 2 else (t, p) for i, (t, p) in enumerate(frames)])[-1]
    a, b = np.argsort(there.roots_px[:, 0]), np.argsort(shuffled.roots_px[:, 0])
    np.testing.assert_allclose(there.features[a], shuffled.features[b], atol=1e-5)


def test_nobody_for_a_while_is_no_error():
    assert all(len(g) == 0 for g in run([(i / 10, []) for i in range(20)]))


@pytest.mark.parametrize(
    "seen",
    [
        ["head", "left_shoulder", "right_shoulder"],
        ["head", "left_shoulder", "right_shoulder", "left_wrist", "right_wrist"],
        ["left_wrist", "right_wrist"],
        ["head"],
    ],
)
@pytest.mark.parametrize("scale_px", [20.0, 300.0])
def test_somebody_without_a_single_bone_has_a_body_size_too(seen, scale_px):
    """At a desk, or hanging from a bar above the picture: nobody's features may be hundreds of body units."""
    mask = np.isin(LAYOUT.joints, seen)
    stream = FeatureStream(LAYOUT)
    for dt_s in (0.0, 0.1):
        graph = stream(person(320, scale_px=scale_px), np.ones(13, np.float32), mask, np.float32(dt_s))
        assert np.isfinite(graph.features).all() and np.abs(graph.nodes[mask]).max() < 3
        assert not graph.features[~mask].any()
    whole = stream(person(320, scale_px=scale_px), np.ones(13, np.float32), np.ones(13, bool), np.float32(60.0))
    assert whole.scale_px == pytest.approx(scale_px, rel=0.05)  # bones, once seen, decide


@given(seed=st.integers(0, 2**16), rows=st.lists(st.integers(-1, 3), max_size=5))
def test_rows_of_a_feature_stream_are_independent_people(seed, rows):
    rng = np.random.default_rng(seed)
    clip = rng.normal(300, 60, (6, 4, 13, 2)).astype(np.float32)
    mask = rng.uniform(size=(6, 4, 13)) > 0.2
    together, alone = FeatureStream(LAYOUT, (4,)), [FeatureStream(LAYOUT, (1,)) for _ in range(4)]
    ones = np.ones((4, 13), np.float32)
    for t in range(5):
        graph = together(clip[t], ones, mask[t], np.full(4, 0.05))
        single = [alone[i](clip[t, i : i + 1], ones[:1], mask[t, i : i + 1], np.full(1, 0.05)) for i in range(4)]
    np.testing.assert_allclose(graph.features, np.concatenate([s.features for s in single]), atol=1e-5)
    together.select(np.array(rows, np.int64))
    chosen = together(clip[5][rows], ones[:1].repeat(len(rows), 0), mask[5][rows], np.full(len(rows), 0.05))
    for row, source in enumerate(rows):
        stream = alone[source] if source >= 0 and rows.index(source) == row else None
        if stream is not None:
            expected = stream(clip[5, source : source + 1], ones[:1], mask[5, source : source + 1], np.full(1, 0.05))
            np.testing.assert_allclose(chosen.features[row], expected.features[0], atol=1e-5)
        elif source < 0:
            expected = FeatureStream(LAYOUT, (1,))(clip[5, -1:], ones[:1], mask[5, -1:], np.full(1, 0.05))
            np.testing.assert_allclose(chosen.features[row], expected.features[0], atol=1e-5)


def test_who_shows_all_joints_is_read_the_same_beside_somebody_who_does_not():
    """Where everybody shows everything less is computed; to the last bit it comes to the same."""
    rng = np.random.default_rng(0)
    clip = person(300) + rng.normal(0, 5, (12, 2, 13, 2)).astype(np.float32)
    mask = np.ones((12, 2, 13), bool)
    mask[:, 1] = rng.uniform(size=(12, 13)) > 0.4
    together, alone = FeatureStream(LAYOUT, (2,)), FeatureStream(LAYOUT, (1,))
    scores = np.full((2, 13), 0.7, np.float32)
    for t, points in enumerate(clip.astype(np.float32)):
        both = together(points, scores, mask[t], np.full(2, 0.1, np.float32))
        one = alone(points[:1], scores[:1], mask[t, :1], np.full(1, 0.1, np.float32))
        for name in ("nodes", "features", "root_px", "scale_px"):
            np.testing.assert_array_equal(getattr(both, name)[0], getattr(one, name)[0], err_msg=name)


def test_one_euro_against_its_published_recursion():
    """A joint that is always there, scale 1: the published filter on raw differences, written out sample by sample."""
    config, rng = GraphConfig(), np.random.default_rng(3)
    signal = np.cumsum(rng.normal(0, 0.1, (50, 1, 2)), 0).astype(np.float32)
    smoother, dt = JointSmoother((1,), config), 0.04

    def gain(cutoff):
        return 1 / (1 + 1 / (2 * np.pi * cutoff * dt))

    position, velocity = signal[0].astype(float), np.zeros((1, 2))
    for t in range(50):
        if t:
            velocity = velocity + gain(config.velocity_cutoff_hz) * ((signal[t] - signal[t - 1]) / dt - velocity)
            cutoff = config.min_cutoff_hz + config.cutoff_slope * max(np.linalg.norm(velocity) - config.still_speed, 0)
            position = position + gain(cutoff) * (signal[t] - position)
        got, got_velocity = smoother(signal[t], np.array([True]), np.float32(1), np.float32(dt))
        np.testing.assert_allclose(got, position, atol=1e-4)
        np.testing.assert_allclose(got_velocity, velocity, atol=1e-3)


BEFORE = SmoothingConfig(min_cutoff_hz=2.0, cutoff_slope=1.5, still_speed=0.0)  # docs/pose_choice.md


def smoothed(signal, config, dt_s=0.1):
    smoother = JointSmoother((1,), config)
    return np.array(
        [smoother(point, np.array([True]), np.float32(1), np.float32(dt_s))[0] for point in signal.astype(np.float32)]
    )


def test_still_speed_halves_the_tremble_and_makes_nothing_later():
    rng = np.random.default_rng(5)
    still = rng.normal(0, 0.02, (300, 1, 2))
    fast = np.stack([np.linspace(0, 6, 31), np.zeros(31)], -1)[:, None]  # two body units a second
    tremble = {
        name: np.linalg.norm(np.diff(smoothed(still, config), axis=0), axis=-1).mean()
        for name, config in (("before", BEFORE), ("now", SmoothingConfig()))
    }
    late = {
        name: (fast - smoothed(fast, config))[10:, 0, 0].mean()
        for name, config in (("before", BEFORE), ("now", SmoothingConfig()))
    }
    assert tremble["now"] < 0.5 * tremble["before"] and late["now"] <= late["before"]


@pytest.mark.parametrize("zoom", [0.5, 1.25, 2.0])
def test_a_camera_that_changes_its_image_size_keeps_everybody(zoom: float) -> None:
    """Ids, nodes and velocities as if nothing had changed; pixels are those of each image."""

    def frames(zoom: float) -> list[Skeletons]:
        made = []
        for number in range(30):
            people = np.stack([person(100 + 4 * number, wave=0.1 * number), person(400, wave=0.2 * number)])
            scale = zoom if number >= 15 else 1.0
            plain = skeletons(10**9 + number * 10**8, people)
            made.append(
                Skeletons(
                    plain.stamp_ns,
                    plain.frame_id,
                    plain.layout,
                    tuple(round(side * scale) for side in plain.image_size),
                    plain.keypoints_px * scale,
                    plain.scores,
                    plain.boxes_xyxy * scale,
                    plain.person_scores,
                )
            )
        return made

    def last(frames: list[Skeletons]):
        stage = GraphStage()
        return [stage(frame) for frame in frames][-1]

    expected, found = last(frames(1.0)), last(frames(zoom))
    assert found.track_ids.tolist() == expected.track_ids.tolist() and len(found) == 2
    assert found.features == pytest.approx(expected.features, abs=1e-3)
    assert found.keypoints_px() == pytest.approx(expected.keypoints_px() * zoom, rel=1e-3, abs=0.05)
