"""How long the past counts: evidence that is replaced by a younger one, and rest that ends an action."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_attention_ros.core.action_stage import ActionConfig, ActionStage
from pose_attention_ros.core.actions.labels import LabelConfig, LabelMachine
from pose_attention_ros.core.actions.recogniser import ModelSpec, StepOutput
from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.types import FEATURE_NAMES, LabelState, SkeletonGraphs

LAYOUT = layout("common13")
RATE_HZ = 10.0


class Counter:
    """Classes `young` and `old`: the state counts the ticks that it has seen; beyond 25 it is old."""

    spec = ModelSpec(
        "counter",
        "0" * 64,
        ("young", "old"),
        LAYOUT,
        FEATURE_NAMES,
        rate_hz=RATE_HZ,
        state_size=1,
        decay_per_s=0.0,
        attention_window_s=100.0,
        temperature=1.0,
        threshold=0.6,
    )

    def __init__(self):
        self.rows = []

    def step(self, features, state, pixels=None):
        self.rows.append(len(features))
        state = state + 1
        old = np.where(state > 25, 5, -5)
        return StepOutput(
            np.concatenate([-old, old], 1).astype(np.float32),
            np.full((len(state), 13), 1 / 13, np.float32),
            np.zeros(len(state), np.float32),
            state.astype(np.float32),
        )


def graphs(stamp_s, speed, people=1, joints=13):
    features = np.zeros((people, 13, 5), np.float32)
    features[:, :joints, 2] = speed
    features[:, :joints, 4] = 1
    mask = features[..., 4] > 0
    return SkeletonGraphs(
        round(stamp_s * 1e9),
        "cam",
        LAYOUT,
        (640, 480),
        np.arange(people),
        features[:, :, :2],
        features,
        mask,
        np.zeros(people),
        np.zeros((people, 2)),
        np.ones(people),
        np.zeros((people, 4)),
    )


def shown(speeds, config=None):
    """One person, one speed a tick. Returns the estimates and the recogniser."""
    recogniser = Counter()
    stage = ActionStage(recogniser, config or ActionConfig())
    return [stage(graphs(i / RATE_HZ, speed)).people[0] for i, speed in enumerate(speeds)], recogniser


@pytest.mark.slow
@given(memory_ticks=st.integers(1, 30), ticks=st.integers(1, 120))
def test_what_counts_is_between_one_and_two_memories_long(memory_ticks, ticks):
    estimates, recogniser = shown([1.0] * ticks, ActionConfig(memory_s=memory_ticks / RATE_HZ))
    seen = np.array([len(estimate.frame_attention) for estimate in estimates])  # the ticks that the scores rest on
    assert seen[0] == 1 and seen.max() <= 2 * memory_ticks
    assert (seen[memory_ticks - 1 :] >= memory_ticks).all()
    assert max(recogniser.rows) <= 2


def test_without_a_limit_everything_counts_and_nothing_is_stepped_twice():
    estimates, recogniser = shown([1.0] * 90, ActionConfig(memory_s=0.0))
    assert [len(estimate.frame_attention) for estimate in estimates] == list(range(1, 91))
    assert set(recogniser.rows) == {1}


def test_a_memory_may_be_changed_while_a_person_is_in_view():
    stage = ActionStage(Counter(), ActionConfig(memory_s=2.0))
    for i in range(60):
        stage(graphs(i / RATE_HZ, 1.0))
    stage.configure(ActionConfig(memory_s=0.0))
    lengths = [len(stage(graphs((60 + i) / RATE_HZ, 1.0)).people[0].frame_attention) for i in range(60)]
    assert np.diff(lengths).tolist() == [1] * 59


def test_rest_gives_the_label_up_and_starts_afresh_once():
    estimates, _ = shown([1.0] * 40 + [0.1] * 20 + [1.0] * 40, ActionConfig(memory_s=0.0, rest_s=0.4))
    lengths = [len(estimate.frame_attention) for estimate in estimates]
    restarts = [i for i in range(1, 100) if lengths[i] == 1]
    assert restarts == [44]
    assert estimates[43].label == "old" and estimates[44].label == "unknown"
    assert estimates[44].state == LabelState.UNKNOWN and estimates[44].onset_ns == 4_400_000_000
    assert estimates[50].label == "young"  # what the model says of a person at rest counts again


def test_rest_does_not_end_a_posture():
    class Posture(Counter):
        spec = dataclasses.replace(Counter.spec, postures=("old",))

    stage = ActionStage(Posture(), ActionConfig(memory_s=0.0, rest_s=0.4))
    speeds = [1.0] * 40 + ([0.1] * 20 + [1.0] * 5) * 3
    estimates = [stage(graphs(i / RATE_HZ, speed)).people[0] for i, speed in enumerate(speeds)]
    assert {estimate.label for estimate in estimates[40:]} == {"old"}
    assert len(estimates[-1].frame_attention) == len(speeds)  # nothing was forgotten
    assert len({estimate.onset_ns for estimate in estimates[40:]}) == 1


def test_a_posture_is_a_class_of_the_model():
    with pytest.raises(ValueError, match="sleep"):
        dataclasses.replace(Counter.spec, postures=("sleep",))


@pytest.mark.parametrize(
    "speeds",
    [
        [1.0] * 30 + [0.1] * 3 + [1.0] * 30,  # too short for a rest
        [0.31] * 60,
    ],
)
def test_a_slow_moment_is_no_rest(speeds):
    estimates, _ = shown(speeds, ActionConfig(memory_s=0.0))
    assert [len(estimate.frame_attention) for estimate in estimates] == list(range(1, len(speeds) + 1))


def test_rest_can_be_switched_off():
    estimates, _ = shown([0.0] * 60, ActionConfig(memory_s=0.0, rest_speed=0.0))
    assert len(estimates[-1].frame_attention) == 60


def test_a_person_without_joints_is_not_at_rest():
    stage = ActionStage(Counter(), ActionConfig(memory_s=0.0))
    for i in range(40):
        person = stage(graphs(i / RATE_HZ, 0.0, joints=0)).people[0]
    assert len(person.frame_attention) == 40


def test_people_rest_one_by_one():
    stage = ActionStage(Counter(), ActionConfig(memory_s=0.0))
    for i in range(40):
        both = graphs(i / RATE_HZ, 1.0, people=2)
        both.features[1, :, 2] = 0.0 if i > 20 else 1.0
        result = stage(both)
    assert [len(person.frame_attention) for person in result.people] == [40, 40 - 25]


def test_a_label_that_is_given_up_needs_its_time_again():
    machine, config = LabelMachine(0), LabelConfig(warm_up_s=0.0, hold_s=0.2)
    for tick in range(5):
        machine.update(tick * 100_000_000, [0.9, 0.1], [0.6, 0.6], config)
    machine.give_up(500_000_000)
    assert machine.label(("a", "b")) == "unknown" and machine.onset_ns == 500_000_000
    labels = []
    for tick in range(5, 9):
        machine.update(tick * 100_000_000, [0.9, 0.1], [0.6, 0.6], config)
        labels.append(machine.label(("a", "b")))
    assert labels == ["unknown", "unknown", "a", "a"]
