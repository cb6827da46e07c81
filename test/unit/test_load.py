"""The rate cap and the adaptive mode, against simulated machines: invariants, and what the log and diagnostics are given."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose_attention_ros.core.machine.load import Adaptation, Change, LoadConfig, RateCap, Work
from pose_attention_ros.core.machine.throttling import throttling

SETTINGS = {"adapt": "input_size", "adapt_age_s": 0.2, "adapt_after_s": 1.0, "adapt_recover_s": 5.0}
MODES = st.sampled_from(["input_size", "rate", "both"])


def simulate(
    adaptation: Adaptation,
    cost_s: Callable[[float], float],
    duration_s: float,
    fps: float = 30.0,
    delay_s: float = 0.0,
    begin_s: float = 0.0,
    heat: Callable[[float], str] = lambda now_s: "",
) -> tuple[list[tuple[float, Change]], list[tuple[float, float]]]:
    """A camera of `fps` whose images come `delay_s` late, and a stage that takes the newest one that the cap admits.

    :param cost_s: time of the network at 320 px, by the clock; it goes with the area
    :returns: the changes, and (moment, age) of each result
    """
    cap, changes, results = RateCap(), [], []
    now_s, taken = begin_s, -1
    while now_s < begin_s + duration_s:
        newest = math.floor((now_s - begin_s - delay_s) * fps + 1e-9)
        if newest <= taken or newest < 0:
            now_s = begin_s + (max(taken, -1) + 1) / fps + delay_s
            continue
        taken, stamp_s = newest, begin_s + newest / fps
        if not cap.admits(round(stamp_s * 1e9), adaptation.work.rate_hz):
            continue
        busy_s = cost_s(now_s) * (adaptation.work.input_size / 320) ** 2
        now_s += busy_s
        results.append((now_s, now_s - stamp_s))
        change = adaptation.observe(now_s, busy_s, now_s - stamp_s, heat(now_s))
        if change is not None:
            changes.append((now_s, change))
    return changes, results


def adaptation_of(size: int = 320, stride: int = 32, **changes: object) -> Adaptation:
    return Adaptation(LoadConfig(**{**SETTINGS, **changes}), size, stride)


# The cap --------------------------------------------------------------------------------------------------------------
@given(gaps_ms=st.lists(st.integers(1, 200), min_size=1, max_size=300), rate_hz=st.floats(0.5, 60))
def test_a_capped_stream_never_has_more_than_the_rate(gaps_ms: list[int], rate_hz: float) -> None:
    cap, stamp_ns, taken = RateCap(), 0, []
    for gap in gaps_ms:
        stamp_ns += gap * 10**6
        if cap.admits(stamp_ns, rate_hz):
            taken.append(stamp_ns * 1e-9)
    assert taken, "the first image is always taken"
    for first in range(0, len(taken), 13):
        for last in range(first + 1, len(taken)):
            assert last - first <= (taken[last] - taken[first]) * rate_hz + 1.25 + 1e-6


@pytest.mark.slow
@given(fps=st.floats(5, 60), share=st.floats(0.2, 1.0), jitter=st.floats(0, 0.2), seed=st.randoms())
def test_a_cap_below_the_cameras_rate_is_used_up(fps: float, share: float, jitter: float, seed: object) -> None:
    """On average at least 95 % of what is allowed, whatever the two rates and the camera's jitter."""
    cap, count = RateCap(), 150
    stamps_s = [(number + jitter * seed.random()) / fps for number in range(count)]
    taken = sum(cap.admits(round(stamp_s * 1e9), share * fps) for stamp_s in stamps_s)
    assert taken >= 0.95 * share * count - 2


def test_no_cap_takes_all_and_a_stream_that_begins_again_is_taken() -> None:
    cap = RateCap()
    assert all(cap.admits(stamp, 0.0) for stamp in (5, 5, 6, 2))
    assert cap.admits(10**12, 1.0) and not cap.admits(10**12 + 10**8, 1.0)
    assert cap.admits(3, 1.0)


# The steps ------------------------------------------------------------------------------------------------------------
def test_a_machine_that_gets_slow_is_followed_down_and_up_again() -> None:
    """Fast, then ten times slower for a minute, then fast: the results' age is held, and everything comes back."""
    adaptation = adaptation_of(adapt_min_input_size=64)

    def cost_s(now_s: float) -> float:
        return 0.3 if 20 <= now_s < 80 else 0.03

    changes, results = simulate(adaptation, cost_s, 300.0)
    assert changes[0][0] == pytest.approx(21.5, abs=0.8) and changes[0][1].down
    assert "results are 0." in changes[0][1].why and "adapt_age_s is 0.2 s" in changes[0][1].why
    sizes = [change.work.input_size for _, change in changes]
    assert sizes[:2] == [256, 192], "0.108 s and at most one period of 0.033 s"
    settled = [age_s for moment_s, age_s in results if 30 < moment_s < 80]
    assert sorted(settled)[len(settled) // 2] <= 0.2
    assert sizes[-1] == 320 and not adaptation.lowered and adaptation.why == ""
    assert all(moment_s < 200 for moment_s, _ in changes)


@pytest.mark.slow
@settings(max_examples=20)
@given(cost_s=st.floats(0.02, 2.0), fps=st.floats(2, 30), mode=MODES, delay_s=st.sampled_from([0.0, 0.5]))
def test_on_a_steady_machine_the_steps_settle(cost_s: float, fps: float, mode: str, delay_s: float) -> None:
    """One step at a time, within the limits, and hardly any change once settled: attempts to rise grow rare."""
    adaptation = adaptation_of(adapt=mode)
    changes, _ = simulate(adaptation, lambda now_s: cost_s, 250.0, fps, delay_s)
    works = [Work(320, 0.0), *(change.work for _, change in changes)]
    for before, after in pairwise(works):
        assert (before.input_size == after.input_size) != (before.rate_hz == after.rate_hz), "one thing at a time"
    for work in works:
        assert 128 <= work.input_size <= 320 and work.input_size % 32 == 0
        assert work.rate_hz == 0 or work.rate_hz >= 5.0
    for (earlier_s, _), (later_s, change) in pairwise(changes):
        assert later_s - earlier_s >= 0.9 * (1.0 if change.down else 5.0)
    raised = [moment_s for moment_s, change in changes if not change.down and moment_s > 100]
    assert len(raised) <= 2 + 150 / (5.0 * 8)


@settings(max_examples=20)
@given(cost_s=st.floats(0.005, 0.2), fps=st.floats(5, 60), mode=MODES)
def test_a_machine_that_is_fast_enough_is_left_alone(cost_s: float, fps: float, mode: str) -> None:
    """Latest wins: the cost and one period bound the age."""
    if cost_s + 1 / fps > 0.2:
        return
    assert simulate(adaptation_of(adapt=mode), lambda now_s: cost_s, 30.0, fps)[0] == []


@pytest.mark.slow
@settings(max_examples=20)
@given(cost_s=st.floats(0.25, 0.9), fps=st.floats(10, 60))
def test_if_a_smaller_input_is_fast_enough_it_is_found(cost_s: float, fps: float) -> None:
    adaptation = adaptation_of(adapt_min_input_size=64)
    _, results = simulate(adaptation, lambda now_s: cost_s, 60.0, fps)
    late = sorted(age_s for moment_s, age_s in results if moment_s > 40)
    fits = cost_s * (64 / 320) ** 2 + 1 / fps <= 0.2
    assert adaptation.lowered
    assert not fits or late[len(late) // 2] <= 0.2


def test_images_that_come_old_are_not_the_stages_fault() -> None:
    """A network that takes half a second: less work would not make its images younger."""
    assert simulate(adaptation_of(), lambda now_s: 0.005, 60.0, delay_s=0.5)[0] == []


def test_heat_takes_a_step_down_at_a_time_and_lets_it_rise_again() -> None:
    adaptation = adaptation_of(adapt="both")
    changes, _ = simulate(adaptation, lambda now_s: 0.01, 60.0, heat=lambda now_s: "hot" if 10 < now_s < 18 else "")
    assert [(change.work.input_size, change.down) for _, change in changes] == [
        (256, True),
        (192, True),
        (256, False),
        (320, False),
    ]
    assert changes[0][1].why == "hot" and changes[0][0] == pytest.approx(10.0, abs=0.2)
    assert changes[1][0] == pytest.approx(15.0, abs=0.2)


def test_the_rate_goes_down_from_what_it_is() -> None:
    """A result takes 0.25 s whatever the rate: 4 a second, then 2.8, then 2, where the machine rests half of the time."""
    adaptation = adaptation_of(adapt="rate", adapt_min_rate_hz=1.0)
    changes, results = simulate(adaptation, lambda now_s: 0.25, 60.0, fps=100.0)
    assert [change.work for _, change in changes[:2]] == [Work(320, pytest.approx(rate, rel=0.1)) for rate in (2.8, 1.96)]
    assert all(change.work.rate_hz > 1.9 for _, change in changes)
    settled = [moment_s for moment_s, _ in results if moment_s > 10]
    assert 1.7 < len(settled) / 50 < 2.1


@pytest.mark.parametrize(
    ("changes", "stride", "work"),
    [
        ({"adapt": "input_size"}, 0, Work(320, 0.0)),
        ({"adapt": "input_size", "adapt_min_input_size": 400}, 32, Work(320, 0.0)),
        ({"adapt": "rate", "adapt_min_rate_hz": 50.0}, 32, Work(320, 0.0)),
        ({"adapt": "off"}, 32, Work(320, 0.0)),
        ({"adapt": "input_size", "adapt_min_input_size": 200}, 32, Work(256, 0.0)),
    ],
)
def test_no_step_goes_beyond_the_limits(changes: dict[str, object], stride: int, work: Work) -> None:
    adaptation = adaptation_of(stride=stride, **changes)
    simulate(adaptation, lambda now_s: 1.0, 30.0)
    assert adaptation.work == work


def test_switched_off_it_goes_back_to_full_at_once() -> None:
    adaptation = adaptation_of()
    simulate(adaptation, lambda now_s: 1.0, 20.0)
    assert adaptation.lowered and adaptation.why
    adaptation.configure(LoadConfig(adapt="off"))
    change = adaptation.observe(21.0, 1.0, 1.0)
    assert change == Change(Work(320, 0.0), "adapt is off", False) and not adaptation.lowered
    assert adaptation.observe(22.0, 1.0, 1.0) is None


def test_stamps_of_another_clock_are_no_evidence() -> None:
    adaptation = adaptation_of()
    assert all(adaptation.observe(now_s * 0.5, 0.5, math.nan, "hot") is None for now_s in range(100))


# Heat -----------------------------------------------------------------------------------------------------------------
def machine(root: Path, flags: str | None, *coolers: tuple[str, str]) -> Path:
    if flags is not None:
        firmware = root / "devices/platform/soc/soc:firmware"
        firmware.mkdir(parents=True)
        (firmware / "get_throttled").write_text(flags)
    for number, (kind, state) in enumerate(coolers):
        device = root / "class/thermal" / f"cooling_device{number}"
        device.mkdir(parents=True)
        (device / "type").write_text(kind + "\n")
        (device / "cur_state").write_text(state + "\n")
    return root


@pytest.mark.parametrize(
    ("flags", "coolers", "told"),
    [
        (None, (), ""),
        ("0\n", (("thermal-cpufreq-0", "0"), ("pwm-fan", "3")), ""),
        ("50005\n", (), "the machine throttles: its supply voltage is low, it is throttled"),
        ("50000\n", (), ""),
        ("unreadable", (("Processor", "-1"), ("intel_powerclamp", "x")), ""),
        (
            None,
            (("pwm-fan", "1"), ("thermal-cpufreq-1", "4")),
            "the machine throttles: thermal-cpufreq-1 is slowed down to step 4",
        ),
    ],
)
def test_throttling_is_read_from_what_linux_tells(tmp_path: Path, flags: str | None, coolers: tuple, told: str) -> None:
    assert throttling(machine(tmp_path, flags, *coolers)) == told
