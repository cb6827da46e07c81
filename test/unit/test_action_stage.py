"""Ticks, labels and the bookkeeping of people, with a recogniser small enough to work out by hand."""

import dataclasses
import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose_attention_ros.core.action_stage import ActionConfig, ActionStage
from pose_attention_ros.core.actions.labels import LabelConfig, LabelMachine
from pose_attention_ros.core.actions.recogniser import ModelSpec, StepOutput
from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.errors import ModelError
from pose_attention_ros.core.time.resampling import TickResampler, push_frame, resample
from pose_attention_ros.core.types import FEATURE_NAMES, LabelState, SkeletonGraphs

LAYOUT = layout("common13")


class MeanHeight:
    """Classes `up` and `down`: whether the mean y of all ticks so far is negative. State: sum of y and number of ticks."""

    spec = ModelSpec(
        "mean_height",
        "0" * 64,
        ("up", "down"),
        LAYOUT,
        FEATURE_NAMES,
        rate_hz=15.0,
        state_size=2,
        decay_per_s=0.5,
        attention_window_s=2.0,
        temperature=1.0,
        threshold=0.6,
    )

    def __init__(self):
        self.batch_sizes = []

    def step(self, features, state, pixels=None):
        self.batch_sizes.append(len(features))
        state = state + np.stack([features[:, :, 1].mean(1), np.ones(len(features), np.float32)], 1)
        mean = state[:, 0] / state[:, 1]
        return StepOutput(
            np.stack([-4 * mean, 4 * mean], 1),
            np.full((len(features), 13), 1 / 13, np.float32),
            mean,
            state.astype(np.float32),
        )


def graphs(stamp_s, heights):
    """heights: {track id: y of all joints}"""
    people = len(heights)
    features = np.zeros((people, 13, 5), np.float32)
    features[:, :, 1] = np.array(list(heights.values()), np.float32).reshape(-1, 1)
    features[:, :, 4] = 1
    return SkeletonGraphs(
        round(stamp_s * 1e9),
        "cam",
        LAYOUT,
        (640, 480),
        np.array(list(heights), np.int64),
        features[:, :, :2],
        features,
        np.ones((people, 13), bool),
        np.zeros(people),
        np.zeros((people, 2)),
        np.ones(people),
        np.zeros((people, 4)),
    )


@settings(deadline=None)
@given(
    gaps_ms=st.lists(st.integers(5, 300), min_size=1, max_size=40),
    rate_hz=st.sampled_from([8.0, 15.0, 29.97]),
    seed=st.integers(0, 999),
)
def test_ticks_frame_by_frame_equal_those_of_the_whole_clip(gaps_ms, rate_hz, seed):
    rng = np.random.default_rng(seed)
    stamps_ns = np.cumsum([0, *gaps_ms]).astype(np.int64) * 1_000_000
    features = rng.normal(size=(len(stamps_ns), 13, 5)).astype(np.float32)
    features[..., -1] = rng.uniform(0.1, 1, features.shape[:2])
    features[rng.uniform(size=features.shape[:2]) < 0.2] = 0
    stream, ticks, stamps = TickResampler(rate_hz), [], []
    for stamp_ns, frame in zip(stamps_ns, features):
        due = push_frame([stream], int(stamp_ns), frame[None])
        ticks.append(due.features)
        stamps += due.stamps_ns
    ticks = np.concatenate(ticks)
    assert len(ticks) == int(np.floor(stamps_ns[-1] * 1e-9 * rate_hz + 1e-6)) + 1
    np.testing.assert_allclose(np.diff(stamps), 1e9 / rate_hz, atol=2)
    np.testing.assert_allclose(ticks, resample(stamps_ns * 1e-9, features, np.arange(len(ticks)) / rate_hz), atol=1e-4)


def test_ticks_of_everybody_at_once_are_those_of_each_alone():
    rng = np.random.default_rng(4)
    together, alone = [[TickResampler(15.0) for _ in range(4)] for _ in range(2)]
    sizes, stamp_ns = set(), 0
    for _ in range(120):
        stamp_ns += int(rng.integers(20, 90)) * 1_000_000
        there = np.flatnonzero(rng.uniform(size=4) < 0.8)
        features = rng.normal(size=(len(there), 13, 5)).astype(np.float32)
        features[rng.uniform(size=features.shape[:2]) < 0.2] = 0
        due = push_frame([together[person] for person in there], stamp_ns, features)
        turns = np.repeat(np.arange(len(due.rounds)), due.rounds)
        sizes.add(len(due.rounds))
        for row, person in enumerate(there):
            own = push_frame([alone[person]], stamp_ns, features[row : row + 1])
            mine = [number for number, whose in enumerate(due.people) if whose == row]
            assert turns[mine].tolist() == list(range(len(own.people)))
            assert [due.stamps_ns[number] for number in mine] == own.stamps_ns
            np.testing.assert_array_equal(due.features[mine], own.features)
    assert sizes >= {0, 1, 2}


def test_an_estimate_is_made_once_a_tick_and_anew_when_other_actions_are_known():
    stage = ActionStage(MeanHeight())
    people = [stage(graphs(i / 60, {1: -1.0})).people[0] for i in range(8)]  # 15 ticks a second
    assert [people[i] is people[i + 1] for i in range(7)] == [True, True, True, False, True, True, True]
    stage.teach(None)
    again = stage(graphs(8 / 60 - 0.001, {1: -1.0})).people[0]
    assert again is not people[-1] and again.confidence == people[-1].confidence


@pytest.mark.parametrize("fps", [7, 10, 15, 25, 30, 60])
def test_the_number_of_ticks_does_not_depend_on_the_frame_rate(fps):
    recogniser = MeanHeight()
    stage = ActionStage(recogniser, ActionConfig(memory_s=0.0))
    for i in range(4 * fps + 1):
        stage(graphs(i / fps, {1: -1.0}))
    assert sum(recogniser.batch_sizes) == 4 * 15 + 1


def test_people_are_stepped_in_one_batch_and_have_a_state_each():
    recogniser = MeanHeight()
    stage = ActionStage(recogniser)
    for i in range(30):
        result = stage(graphs(i / 15, {7: -1.0, 9: 1.0}))
    assert set(recogniser.batch_sizes) == {2}
    assert {p.track_id: (p.label, p.state) for p in result.people} == {
        7: ("up", LabelState.CONFIRMED),
        9: ("down", LabelState.CONFIRMED),
    }
    for person in result.people:
        assert person.scores.sum() == pytest.approx(1)
        assert person.frame_attention.sum() == pytest.approx(1)
        assert len(person.frame_attention) == len(person.frame_stamps_ns) <= 30


def test_frame_attention_is_the_discounted_softmax_of_the_energies():
    stage = ActionStage(MeanHeight())
    heights = [-1.0, 0.5, 2.0, -0.3]
    for i, height in enumerate(heights):
        result = stage(graphs(i / 15, {1: height}))
    energy = np.cumsum(heights) / np.arange(1, 5) - 0.5 * np.arange(3, -1, -1) / 15
    np.testing.assert_allclose(result.people[0].frame_attention, np.exp(energy) / np.exp(energy).sum(), atol=1e-5)


def test_a_person_away_for_too_long_starts_afresh_and_others_do_not():
    stage = ActionStage(MeanHeight())
    for i in range(60):
        away = 1.0 <= i / 15 < 2.5
        result = stage(graphs(i / 15, {1: -1.0} if away else {1: -1.0, 2: -1.0}))
    evidence_s = {p.track_id: (p.evidence_end_ns - p.onset_ns) * 1e-9 for p in result.people}
    assert evidence_s[1] > 3 and evidence_s[2] < 1.6


def test_stamps_that_go_back_start_everybody_afresh_with_one_line(caplog):
    stage = ActionStage(MeanHeight())
    for i in range(30):
        stage(graphs(10 + i / 15, {1: -1.0}))
    with caplog.at_level(logging.WARNING):
        for i in range(3):
            result = stage(graphs(i / 15, {1: 1.0}))
    assert len(caplog.records) == 1
    assert result.people[0].state == LabelState.WARMING_UP and result.people[0].scores.argmax() == 1


def test_memory_is_constant_however_long_the_stream_and_freed_with_the_person():
    stage = ActionStage(MeanHeight())
    for i in range(2000):
        result = stage(graphs(i / 15, {1 + i // 100: -1.0}))
    assert len(result.people[0].frame_attention) <= 30
    assert len(stage._tracks) == 1


def test_graphs_of_another_layout_are_refused():
    other = graphs(0.0, {1: 0.0})
    object.__setattr__(other, "layout", layout("coco17"))
    with pytest.raises(ModelError, match="common13"):
        ActionStage(MeanHeight())(other)


def test_a_layout_of_the_same_joints_may_have_another_name():
    other = graphs(0.0, {1: 0.0})
    object.__setattr__(other, "layout", layout("penn13"))
    assert len(ActionStage(MeanHeight())(other).people) == 1


def label_history(probabilities_of_a, config=None, dt_s=0.1):
    machine, history, config = LabelMachine(0), [], config or LabelConfig(hysteresis=0.15, hold_s=0.2, warm_up_s=0.5)
    for i, p in enumerate(probabilities_of_a):
        machine.update(round(i * dt_s * 1e9), [p, 1 - p], [0.7, 0.7], config)
        history.append(machine.label(("a", "b")) if machine.state != LabelState.WARMING_UP else "warming")
    return history, machine


def test_a_label_needs_evidence_time_and_the_threshold():
    assert label_history([0.9] * 10)[0] == ["warming"] * 5 + ["a"] * 5
    assert set(label_history([0.6] * 10)[0]) == {"warming", "unknown"}


def test_each_class_has_its_own_threshold():
    machine = LabelMachine(0)
    for tick in range(30):
        chances = [0.55, 0.45] if tick < 15 else [0.45, 0.55]
        machine.update(tick * 100_000_000, chances, [0.5, 0.8], LabelConfig(hysteresis=0.0))
        if tick == 14:
            assert machine.label(("a", "b")) == "a"
    assert machine.label(("a", "b")) == "unknown"


@pytest.mark.parametrize(("threshold", "label"), [(0.0, "up"), (0.99, "unknown")])
def test_a_users_threshold_takes_the_place_of_the_models_for_every_class(threshold, label):
    recogniser = MeanHeight()
    recogniser.spec = dataclasses.replace(recogniser.spec, threshold=0.99, thresholds=(0.3, 0.99))
    stage = ActionStage(recogniser, ActionConfig(threshold=threshold, rest_speed=0.0))
    labels = [stage(graphs(i / 15, {1: -0.1})).people[0].label for i in range(20)]
    assert labels[-1] == label


def test_a_label_does_not_flicker_around_the_threshold_or_on_single_frames():
    around = [0.9] * 8 + [0.66, 0.74] * 10
    assert set(label_history(around)[0][5:]) == {"a"}
    spike = [0.9] * 10 + [0.05] * 2 + [0.9] * 10
    assert set(label_history(spike)[0][5:]) == {"a"}


def test_a_label_changes_after_the_hold_time_and_its_onset_is_when_the_new_one_began_to_lead():
    history, machine = label_history([0.9] * 10 + [0.05] * 10)
    assert history[9:] == ["a"] * 3 + ["b"] * 8
    assert machine.onset_ns == 1_000_000_000


def test_a_label_is_given_up_when_nothing_supports_it():
    assert label_history([0.9] * 10 + [0.5] * 10)[0][-1] == "unknown"


def test_thresholds_can_change_while_running():
    stage = ActionStage(MeanHeight(), ActionConfig(threshold=0.6))
    for i in range(20):
        result = stage(graphs(i / 15, {1: -0.2}))
    assert result.people[0].label == "up"
    stage.configure(ActionConfig(threshold=0.99))
    for i in range(20, 40):
        result = stage(graphs(i / 15, {1: -0.2}))
    assert result.people[0].label == "unknown"
