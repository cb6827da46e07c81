"""The rule for stamps: which are used, which are left out and counted, and when a stream begins again."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_attention_ros.core.time.stamps import AGAIN, AHEAD, EARLIER, NEXT_ROUND, STILL, FileStamps, LeftOut, StampOrder

SECOND = 10**9
START = 1_700_000_000 * SECOND


def passed(stamps_s: list[float], arrived_s: list[float] | None = None, one_round: bool = False) -> tuple[list, dict]:
    """Which of the stamps (seconds after START) are used, and what is left out why; by default one image in 0.1 s."""
    left_out = LeftOut()
    order = StampOrder(left_out, one_round)
    arrived_s = arrived_s or [row / 10 for row in range(len(stamps_s))]
    used = [
        order.use(START + round(stamp_s * SECOND), START + round(arrival_s * SECOND))
        for stamp_s, arrival_s in zip(stamps_s, arrived_s)
    ]
    return [row for row, stamp in enumerate(used) if stamp is not None], dict(left_out.reasons)


@pytest.mark.parametrize(
    ("stamps_s", "used", "left_out"),
    [
        ([], [], {}),
        ([0, 0.1, 0.2], [0, 1, 2], {}),
        ([0, 0.1, 0.1, 0.2], [0, 1, 3], {AGAIN: 1}),
        ([0, 0.2, 0.1, 0.3], [0, 1, 3], {EARLIER: 1}),
        ([0, 0.3, 0.2, 0.1, 0.4], [0, 1, 4], {EARLIER: 2}),
        ([5, 5.1, 0, 5.2], [0, 1, 3], {EARLIER: 1}),
        ([0, 9000, 0.2, 0.3], [0, 2, 3], {AHEAD: 1}),
        ([0, *[9000 + row / 10 for row in range(7)]], [0, 6, 7], {AHEAD: 5}),
        ([0, -50, 0.1, -49.9, 0.2, -49.8, 0.3, -49.7, 0.4, -49.6, 0.5, -49.5, 0.6], [0, 2, 4, 6, 8, 10, 12], {EARLIER: 6}),
    ],
)
def test_what_is_used(stamps_s: list[float], used: list[int], left_out: dict[str, int]) -> None:
    assert passed(stamps_s) == (used, left_out)


def test_a_stream_that_begins_again_goes_on_after_a_handful() -> None:
    stamps_s = [*(row / 10 for row in range(20)), *(row / 10 for row in range(20))]
    used, left_out = passed(stamps_s)
    assert used == [*range(20), *range(25, 40)] and left_out == {EARLIER: 5}


def test_where_one_round_counts_the_next_is_left_out() -> None:
    stamps_s = [*(row / 10 for row in range(20)), *(row / 10 for row in range(20))]
    assert passed(stamps_s, one_round=True) == (list(range(20)), {NEXT_ROUND: 20})


def test_images_without_a_stamp_take_the_time_of_arrival_and_that_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    order = StampOrder(LeftOut())
    with caplog.at_level(logging.WARNING):
        used = [order.use(0, START + row * SECOND // 10) for row in range(50)]
    assert used == [START + row * SECOND // 10 for row in range(50)] and order.unstamped == 50
    assert len(caplog.records) == 1 and "without a stamp" in caplog.text


def test_stamps_that_stand_still_are_none(caplog: pytest.LogCaptureFixture) -> None:
    left_out = LeftOut()
    order = StampOrder(left_out, live=True)
    arrived = [START + row * SECOND // 10 for row in range(60)]
    stamps = [START // 2] * 40 + arrived[40:]  # then the driver's clock is set
    used = [order.use(order.stated(stamp, arrival), arrival) for stamp, arrival in zip(stamps, arrived)]
    assert used == [START // 2, *[None] * 19, *arrived[20:]]
    assert left_out.reasons == {AGAIN: 19} and order.unstamped == 20
    assert [record.getMessage() for record in caplog.records] == [AGAIN, STILL]


@pytest.mark.parametrize("number_in_a_second", [5, 30])
def test_whole_seconds_do_not_stand_still(number_in_a_second: int) -> None:
    order = StampOrder(LeftOut())
    rows = [START + row * SECOND // number_in_a_second for row in range(5 * number_in_a_second)]
    used = [order.use(order.stated(row // SECOND * SECOND, row), row) for row in rows]
    assert [stamp for stamp in used if stamp is not None] == [START + row * SECOND for row in range(5)]


def test_a_live_stream_may_leave_out_a_part() -> None:
    order = StampOrder(LeftOut(), live=True)
    assert [order.use(stamp_s * SECOND, START) for stamp_s in (1, 100, 2000)] == [SECOND, 100 * SECOND, 2000 * SECOND]


def of_file(times_s: list[float | None], rounds: int = 1) -> tuple[list[float | None], dict[str, int]]:
    """Seconds after START that the frames of a file get, which states 10 Hz; None: left out."""
    left_out = LeftOut()
    stamps = FileStamps(START, 10.0, left_out)
    used = []
    for number in range(rounds):
        if number:
            stamps.restart()
        used += [stamps.use(None if time_s is None else round(time_s * SECOND)) for time_s in times_s]
    return [None if stamp is None else round((stamp - START) / SECOND, 6) for stamp in used], dict(left_out.reasons)


@pytest.mark.parametrize(
    ("times_s", "used", "left_out"),
    [
        ([5, 5.1, 5.3], [0, 0.1, 0.3], {}),
        ([None, None, None], [0, 0.1, 0.2], {}),
        ([0, None, 0.2, 0.35], [0, 0.1, 0.2, 0.35], {}),
        ([0, 0.1, 0.1, 0.2], [0, 0.1, None, 0.2], {AGAIN: 1}),
        ([0, 0.2, 0.1, 0.3], [0, 0.2, None, 0.3], {EARLIER: 1}),
        ([0, 0.1, 3000, 3000.1], [0, 0.1, 3000, 3000.1], {}),  # a pause: nobody knows when they came
        (
            [*(row / 10 for row in range(20))] * 2,  # parts that were joined
            [*(row / 10 for row in range(20)), *[None] * 5, *(2 + row / 10 for row in range(15))],
            {EARLIER: 5},
        ),
    ],
)
def test_frames_of_a_file_follow_the_same_rule(times_s: list, used: list, left_out: dict[str, int]) -> None:
    assert of_file(times_s) == (pytest.approx(used) if None not in used else used, left_out)


def test_a_file_that_is_played_again_goes_on() -> None:
    assert of_file([3, 3.1, 3.2], rounds=2)[0] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])


@given(st.lists(st.one_of(st.none(), st.integers(-(10**12), 10**12)), min_size=1, max_size=40), st.floats(1, 240))
def test_stamps_of_a_file_always_rise_whatever_it_states(times_ns: list, fps: float) -> None:
    stamps = FileStamps(7, fps, LeftOut())
    used = [stamps.use(time_ns) for time_ns in times_ns]
    stamps.restart()
    used = [stamp for stamp in [*used, *(stamps.use(time_ns) for time_ns in times_ns)] if stamp is not None]
    assert used[0] == 7 and used == sorted(set(used))
