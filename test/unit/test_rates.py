"""What stamps tell of images that are not there."""

from __future__ import annotations

import numpy as np
import pytest

from pose_attention_ros.core.time.rates import RateWatch, holes

PERIOD_NS = 33_333_333


def watched(numbers: list[int], jitter: float = 0.0, sent: list[int] | None = None) -> RateWatch:
    """A camera of 30 Hz, of whose images those with these numbers came."""
    watch, random = RateWatch(), np.random.default_rng(0)
    for row, number in enumerate(numbers):
        watch.see(10**18 + round((number + jitter * random.uniform(-1, 1)) * PERIOD_NS), sent[row] if sent else 1)
    return watch


@pytest.mark.parametrize(
    ("numbers", "missing"),
    [
        ([], 0),
        ([0], 0),
        (list(range(100)), 0),
        ([number for number in range(120) if number % 4], 29),
        ([number for number in range(100) if not 50 <= number < 60], 0),  # long ago
        ([number for number in range(100) if not 80 <= number < 90], 10),
        ([*range(100), *range(100, 180, 2)], 0),  # a camera that goes to half its rate, in the dark
    ],
)
@pytest.mark.parametrize("jitter", [0.0, 0.1])
def test_holes_in_the_rate_of_a_camera(numbers: list[int], missing: int, jitter: float) -> None:
    assert watched(numbers, jitter).missing()[0] == missing


def test_what_the_publisher_counts_is_not_missing() -> None:
    """It was sent, and replaced or lost: that is told otherwise."""
    numbers = [number for number in range(200) if number % 3]
    sent = [1, *np.diff(numbers).tolist()]
    watch = watched(numbers, sent=sent)
    assert watch.missing() == (0, len(numbers) - 1) and watch.rate_hz == pytest.approx(30, rel=1e-3)


def test_stamps_without_a_rate_tell_nothing() -> None:
    steps = np.random.default_rng(1).exponential(1.0, 300)
    assert holes(steps, 0.6, 0.25) == 0


def test_pauses_and_stamps_that_go_back_are_no_holes() -> None:
    watch = watched([*range(60), *range(1000, 1060), *range(60)])
    assert watch.missing()[0] == 0
