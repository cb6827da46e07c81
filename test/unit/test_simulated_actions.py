"""Simulated exercises and gestures: what each is called is what the body does."""

from __future__ import annotations

import numpy as np
import pytest

from pose_attention_ros.data.simulated import exercises, gestures, scripts, standing
from pose_attention_ros.data.simulated.body import BONES, INDEX, ROOT, Body
from pose_attention_ros.data.simulated.sequences import LABELS, SimulationConfig, simulate, simulate_actions
from pose_attention_ros.data.simulated.track import FPS

pytestmark = pytest.mark.slow

# What actions have beside falls.
ACTED = {"run", "wave", "clap", "throw", "push", "kick", "squat", "sit_up", "jumping_jacks"}
CONFIG = SimulationConfig(sequences=40, bodies=15, seed=4)


@pytest.fixture(scope="module")
def sequences():
    return simulate_actions(CONFIG)


def begun(number):
    """A standing body, another for each number."""
    rng = np.random.default_rng(number)
    return scripts.begun(rng, Body.drawn(rng), "standing", 0.0)


def spans(motion, label, bodies=12):
    """The joints (n, 20, 3) of each span of a label where each of some bodies makes that motion once, as if 1.7 m tall."""
    found = []
    for number in range(bodies):
        track = begun(number)
        if motion.__module__ == gestures.__name__:
            motion(track, standing.upright(track))
        else:
            motion(track)
        there = np.flatnonzero(np.array(track.labels) == label)
        joints = track.placed() * 1.7 / track.body.height_m
        found += [joints[rows] for rows in np.split(there, np.flatnonzero(np.diff(there) > 1) + 1) if len(rows)]
    assert found, f"nobody does {label}"
    return found


def height(joints, name):
    return joints[:, [INDEX[f"left_{name}"], INDEX[f"right_{name}"]], 1]


def test_labels_are_known_and_bones_keep_their_lengths(sequences):
    children, parents = (list(side) for side in zip(*BONES, strict=True))
    for sequence in sequences:
        assert len(sequence.labels) == len(sequence.joints_m) and set(sequence.labels) <= {*LABELS, *ACTED}
        bones = np.linalg.norm(sequence.joints_m[:, children] - sequence.joints_m[:, parents], axis=-1)
        assert np.ptp(bones, axis=0).max() < 1e-4
        assert -0.03 < sequence.joints_m[..., 1].min() < 0.3
        assert 8 <= len(sequence.labels) / sequence.fps <= 16.1


def test_whoever_squats_goes_down_upright_and_comes_up():
    for joints in spans(exercises.squats, "squat"):
        hips, neck = joints[:, ROOT, 1], joints[:, INDEX["neck"], 1]
        assert (neck - hips > 0.2).all()
        assert hips.min() < 0.88 * hips.max()


def test_push_ups_are_low_and_sit_ups_lift_the_head():
    for joints in spans(exercises.push_ups, "push_up"):
        assert joints[:, [ROOT, INDEX["neck"]], 1].max() < 0.75
        assert height(joints, "wrist").max() < 0.3
    for joints in spans(exercises.sit_ups, "sit_up"):
        assert np.ptp(joints[:, INDEX["head"], 1]) > 0.2


def test_hands_meet_in_a_clap_swing_in_a_wave_and_leave_the_body_in_a_push():
    apart = [
        np.linalg.norm(joints[:, INDEX["left_hand"]] - joints[:, INDEX["right_hand"]], axis=-1)
        for joints in spans(gestures.clap, "clap")
    ]
    assert np.median([each.min() for each in apart]) < 0.2 < np.median([np.ptp(each) for each in apart]) + 0.15
    for joints in spans(gestures.wave, "wave"):
        raised = height(joints, "wrist").mean(0) - height(joints, "elbow").mean(0)
        assert raised.max() > 0
    reach = [
        np.ptp(np.linalg.norm(joints[:, INDEX[f"{side}_wrist"]] - joints[:, INDEX[f"{side}_shoulder"]], axis=-1))
        for joints in spans(gestures.push, "push")
        for side in ("left", "right")
        if len(joints) > 15
    ]
    assert np.median(reach) > 0.15


def test_jumping_jacks_spread_arms_and_legs_and_a_kick_lifts_one_foot():
    for joints in spans(exercises.jumping_jacks, "jumping_jacks"):
        assert np.ptp(height(joints, "wrist").mean(1)) > 0.5
    lifted = [height(joints, "ankle").max() - height(joints, "ankle").min() for joints in spans(gestures.kick, "kick")]
    assert np.median(lifted) > 0.2


def test_some_sit_and_act_and_much_has_no_name(sequences):
    acts = {"wave", "clap", "push"}
    seated = [sequence for sequence in sequences if "sit" in sequence.labels and acts & set(sequence.labels)]
    assert len(seated) > 3
    labels = np.concatenate([sequence.labels for sequence in sequences])
    assert 0.2 < (labels == "other").mean() < 0.5


def test_a_seed_gives_the_same_and_falls_know_push_ups():
    first, again = (simulate_actions(SimulationConfig(sequences=3, seed=5)) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.joints_m, b.joints_m)
        assert a.labels == b.labels
    assert "push_up" in {
        label for sequence in simulate(SimulationConfig(sequences=60, seed=1, falling=0.0)) for label in sequence.labels
    }


def test_calisthenics_are_no_jumping_jacks_and_a_run_on_the_spot_is_quicker_than_a_walk():
    seconds_a_step = {"walk": [], "run": []}
    for number in range(30):
        track = begun(number)
        exercises.calisthenics(track)
        assert set(track.labels[1:]) == {"other"}
        joints = track.placed()
        wide = np.linalg.norm(joints[:, INDEX["left_ankle"]] - joints[:, INDEX["right_ankle"]], axis=-1)
        spread = wide > 1.6 * wide[0] + 0.1
        overhead = (height(joints, "wrist") > joints[:, INDEX["head"], 1][:, None]).all(1)
        level = np.abs(np.diff(height(joints, "ankle"), axis=1))[:, 0] < 0.03
        assert (spread & overhead & level).mean() < 0.25
        begin = len(track)
        exercises.in_place(track)
        knees = np.diff(height(track.placed()[begin:], "knee"), axis=1)[:, 0]
        turns = (np.diff(np.sign(knees[np.abs(knees) > 0.02])) != 0).sum()
        seconds_a_step[track.labels[-1]].append(len(knees) / FPS / max(turns, 1))
    assert np.median(seconds_a_step["run"]) < 0.75 * np.median(seconds_a_step["walk"])
