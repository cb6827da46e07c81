"""Image drivers that are not ours, with default arguments: what they send arrives, however they offer it and stamp it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from diagnostic_msgs.msg import DiagnosticArray

from pose_attention_ros.msg import SkeletonArray
from pose_attention_ros.ros.receiver import why_impossible
from pose_attention_ros.ros.stamps import stamp_ns_of

DRIVER = Path(__file__).with_name("foreign_driver.py")
RATE_HZ = 30.0
GOAL = 28 / 30
WINDOW = 60


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Discovery as ROS does it by itself; the tests' own is bound to this machine and sets the transports."""
    monkeypatch.delenv("ROS_AUTOMATIC_DISCOVERY_RANGE", raising=False)


@pytest.fixture
def drive(probe: Any) -> Iterator[Callable]:
    """drive(topic, *arguments) starts a driver in the probe's namespace; it is ended with the test."""
    drivers: list[subprocess.Popen] = []

    def begin(topic: str, *arguments: object) -> subprocess.Popen:
        drivers.append(subprocess.Popen([sys.executable, str(DRIVER), f"{probe.namespace}/{topic}", *map(str, arguments)]))
        return drivers[-1]

    yield begin
    for driver in drivers:
        driver.terminate()
    for driver in drivers:
        driver.wait(30)


def told(reports: list[DiagnosticArray], namespace: str) -> dict[str, str]:
    """The newest values of the node under test."""
    for report in reversed(reports):
        for status in report.status:
            if status.name.startswith(namespace.strip("/")):
                return {pair.key: pair.value for pair in status.values}
    return {}


@pytest.mark.parametrize("form", ["raw", "compressed"])
@pytest.mark.parametrize("offered", ["reliable", "best_effort"])
def test_the_images_of_a_driver_arrive_at_its_rate(everywhere: None, start: Callable, drive: Callable, probe: Any,
                                                   pose_weights: None, offered: str, form: str) -> None:
    if offered == "best_effort" and form == "raw" and why_impossible():
        pytest.skip(f"best-effort images of this size get lost here; the remedy: {why_impossible()}")
    start("pose", {"input_size": 64})
    answers = probe.collect(SkeletonArray, "skeletons")
    reports = probe.collect(DiagnosticArray, "/diagnostics")
    drive("image_raw" + ("/compressed" if form == "compressed" else ""), offered, form, RATE_HZ)
    probe.until(lambda: told(reports, probe.namespace).get("image_reliability") == offered and len(answers) > 10, "answers")

    def arrives() -> bool:
        """Of the images of the last seconds at least 28 of 30, whatever a busy machine had time to work on."""
        newest = told(reports, probe.namespace)
        counts = int(newest["received"]), int(newest["lost"])
        if not windows or counts[0] - windows[-1][0] >= WINDOW:
            windows.append(counts)
        return any((after[0] - before[0]) / max(sum(after) - sum(before), 1) >= GOAL for before, after in pairwise(windows))

    windows: list[tuple[int, int]] = []
    probe.until(arrives, f"{GOAL:.0%} of the images")
    values = told(reports, probe.namespace)
    assert values["images"].endswith("/compressed") == (form == "compressed") == (values["image_transport"] == "compressed")


def test_a_driver_that_comes_back_with_other_reliability_is_followed(start: Callable, drive: Callable, probe: Any,
                                                                    pose_weights: None) -> None:
    process = start("pose", {"input_size": 64})
    answers = probe.collect(SkeletonArray, "skeletons")
    reports = probe.collect(DiagnosticArray, "/diagnostics")
    for offered in ("reliable", "best_effort", "reliable"):
        driver = drive("image_raw", offered, "raw", 10, 160, 120)
        probe.until(lambda offered=offered: told(reports, probe.namespace).get("image_reliability") == offered, offered)
        before = len(answers)
        probe.until(lambda before=before: len(answers) > before + 3, f"answers to a driver that is {offered}")
        driver.terminate()
        driver.wait(30)
    assert "incompatible" not in process.output and "Traceback" not in process.output


def test_images_that_get_lost_are_counted_and_told_once_with_the_remedy(start: Callable, drive: Callable, probe: Any,
                                                                       pose_weights: None) -> None:
    """On this machine alone, where shared memory holds half an image of a best-effort driver, and rclpy sets it so."""
    process = start("pose", {"input_size": 64, "diagnostics_period_s": 0.2})
    reports = probe.collect(DiagnosticArray, "/diagnostics")
    drive("image_raw", "best_effort", "raw", RATE_HZ, 1280, 720)
    line = process.wait_for_line("were lost on their way")
    assert "let it publish reliably" in line and "fastdds.xml" in line
    seen = len(reports)
    probe.until(lambda: len(reports) > seen + 10, "ten more reports")
    assert int(told(reports, probe.namespace)["lost"]) > 10
    assert process.output.count("were lost on their way") == 1


@pytest.mark.parametrize(("stamps", "left_out"), [("zero", False), ("twice", True), ("swapped", True)])
def test_odd_stamps(start: Callable, drive: Callable, probe: Any, pose_weights: None, stamps: str, left_out: bool) -> None:
    """Without a stamp the time of arrival counts; a stamp that came or is late is left out and counted."""
    process = start("pose", {"input_size": 64, "diagnostics_period_s": 0.2})
    answers = probe.collect(SkeletonArray, "skeletons")
    reports = probe.collect(DiagnosticArray, "/diagnostics")
    drive("image_raw", "reliable", "raw", 8, 160, 120, stamps)
    probe.until(lambda: len({stamp_ns_of(answer.header) for answer in answers}) > 10, "ten moments")
    probe.until(lambda: int(told(reports, probe.namespace)["left_out" if left_out else "unstamped"]) > 2, "a count of them")
    values, moments = told(reports, probe.namespace), [stamp_ns_of(answer.header) for answer in answers]
    assert moments == sorted(moments) and time.time_ns() - moments[-1] < 3600 * 10**9
    assert (int(values["left_out"]) > 0) == left_out and (int(values["unstamped"]) > 0) == (stamps == "zero")
    assert process.output.count("images without a stamp") == (stamps == "zero")


def test_a_topic_of_compressed_images_is_taken_by_its_own_name(start: Callable, drive: Callable, probe: Any,
                                                               pose_weights: None) -> None:
    start("pose", {"input_size": 64}, remap={"image_raw": "front/picture"})
    answers = probe.collect(SkeletonArray, "skeletons")
    drive("front/picture", "best_effort", "compressed", 10, 160, 120)
    probe.until(lambda: len(answers) > 3, "answers")
