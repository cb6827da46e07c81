"""What stamps tell of two clocks: never a false alarm, and every difference beyond the delays is seen on one side."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_attention_ros.core.time.clocks import TOLERANCE_S, RoundTrip, StampWatch

DELAYS = st.lists(st.tuples(st.floats(0.0005, 0.5), st.floats(0.001, 0.3), st.floats(0.0005, 0.5)), min_size=1, max_size=30)


def watched(delays: list[tuple[float, float, float]], ahead_s: float) -> tuple[StampWatch, RoundTrip]:
    """(there, work, back) of each image, in seconds; the other machine's clock is `ahead_s` ahead of the camera's."""
    there_watch, trip = StampWatch(), RoundTrip()
    for there_s, work_s, back_s in delays:
        there_watch.see(there_s + ahead_s)
        latency_s = there_s + work_s + ahead_s  # a message never states a negative one
        trip.see(there_s + work_s + back_s, latency_s if latency_s >= 0 else math.nan)
    return there_watch, trip


@given(delays=DELAYS, ahead_s=st.floats(-20, 20))
def test_what_is_told_is_true_and_what_exceeds_the_delays_is_told(delays: list, ahead_s: float) -> None:
    there, trip = watched(delays, ahead_s)
    assert there.sender_ahead_s <= max(0.0, -ahead_s) + 1e-9
    assert trip.other_ahead_s <= max(0.0, ahead_s) + 1e-9
    low, high = trip.bounds_s
    assert low - 1e-9 <= ahead_s <= high + 1e-9
    if ahead_s > min(back_s for _, _, back_s in delays) + TOLERANCE_S + 1e-9:
        assert trip.other_ahead_s > 0
    if -ahead_s > min(there_s for there_s, _, _ in delays) + TOLERANCE_S + 1e-9:
        assert there.sender_ahead_s > 0


def test_the_loop_is_by_one_clock_alone() -> None:
    for ahead_s in (-3.0, 0.0, 3.0):
        assert watched([(0.1, 0.05, 0.02)], ahead_s)[1].loops_s == [pytest.approx(0.17)]


def test_a_recordings_own_timeline_is_no_wrong_clock() -> None:
    watch, trip = StampWatch(), RoundTrip()
    watch.see(-3600.0)
    trip.see(1e9, 5.0)
    trip.see(-2.0, 5.0)
    assert watch.sender_ahead_s == 0.0 and trip.other_ahead_s == 0.0 and trip.loops_s == []
