"""One step of the shipped recogniser on bound buffers: nothing handed out changes later, any number of people. No torch."""

from __future__ import annotations

import numpy as np
import pytest

from pose_attention_ros.inference.recogniser import load_recogniser


@pytest.fixture(scope="module")
def recogniser():
    return load_recogniser("everyday")


def people(recogniser, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    spec = recogniser.spec
    return (
        rng.uniform(0.1, 1, (count, len(spec.layout.joints), 5)).astype(np.float32),
        np.zeros((count, spec.state_size), np.float32),
    )


@pytest.mark.parametrize("count", [1, 2, 10, 32, 33, 70])
def test_people_together_get_what_each_gets_alone(recogniser, count):
    features, state = people(recogniser, count)
    together = recogniser.step(features, state)
    for i in (0, count - 1):
        alone = recogniser.step(features[i : i + 1], state[i : i + 1])
        for name in ("logits", "joint_attention", "frame_energy", "state"):
            np.testing.assert_allclose(getattr(together, name)[i], getattr(alone, name)[0], rtol=1e-5, atol=1e-5)


def test_an_answer_stays_when_the_next_is_made(recogniser):
    features, state = people(recogniser, 3)
    first = recogniser.step(features, state)
    kept = [array.copy() for array in (first.logits, first.joint_attention, first.frame_energy, first.state)]
    recogniser.step(people(recogniser, 3, seed=1)[0], first.state)
    for array, before in zip((first.logits, first.joint_attention, first.frame_energy, first.state), kept):
        np.testing.assert_array_equal(array, before)
    assert not state.any()


def test_a_state_is_read_where_it_lies_and_never_written(recogniser):
    features, state = people(recogniser, 4)
    state[:] = recogniser.step(features, state).state
    kept, wanted = state.copy(), recogniser.step(features, state)
    np.testing.assert_array_equal(state, kept)
    assert not np.shares_memory(wanted.state, state)
    scattered = np.zeros((8, state.shape[1]), np.float64)[::2]  # other layout and type: rows of a larger array
    scattered[:] = state
    np.testing.assert_array_equal(recogniser.step(features, scattered).state, wanted.state)


def test_nobody_in_view_costs_nothing(recogniser):
    features, state = people(recogniser, 0)
    output = recogniser.step(features, state)
    assert output.logits.shape == (0, len(recogniser.spec.classes)) and output.state.shape == state.shape
