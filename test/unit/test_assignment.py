"""The exact solver against every other way to assign."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose_attention_ros.core.people.assignment import assign


def best_by_trying(cost, alone):
    """The most pairs (or none asked for) at the least sum, by trying all ways; (pairs, sum)."""
    rows, columns = cost.shape
    found = []
    for way in permutations(range(columns + rows), rows):  # a column from `columns` on: alone
        pairs = [(row, column) for row, column in enumerate(way) if column < columns]
        if all(np.isfinite(cost[pair]) for pair in pairs):
            total = sum(cost[pair] for pair in pairs)
            found.append((0 if alone is not None else -len(pairs), total + (alone or 0) * (rows - len(pairs))))
    return min(found)


@settings(deadline=None, max_examples=150)
@given(
    rows=st.integers(0, 4),
    columns=st.integers(0, 4),
    seed=st.integers(0, 2**20),
    alone=st.sampled_from([None, 0.0, 1.5]),
    whole=st.booleans(),
)
def test_no_other_way_is_cheaper(rows, columns, seed, alone, whole):
    rng = np.random.default_rng(seed)
    cost = rng.integers(-3, 4, (rows, columns)).astype(float) if whole else rng.normal(size=(rows, columns))
    cost[rng.uniform(size=cost.shape) < 0.3] = np.inf
    chosen = assign(cost, alone)
    pairs = [(row, column) for row, column in enumerate(chosen.tolist()) if column >= 0]
    assert len({column for _, column in pairs}) == len(pairs)
    total = sum(cost[pair] for pair in pairs) + (alone or 0) * (rows - len(pairs))
    wanted = best_by_trying(cost, alone)
    assert (0 if alone is not None else -len(pairs)) == wanted[0] and total == pytest.approx(wanted[1])


def test_a_crowd_is_assigned_as_scipy_does():
    scipy = pytest.importorskip("scipy.optimize")
    cost = np.random.default_rng(1).uniform(size=(40, 50))
    row, column = scipy.linear_sum_assignment(cost)
    chosen = assign(cost)
    assert (chosen >= 0).all() and cost[np.arange(40), chosen].sum() == pytest.approx(cost[row, column].sum())
