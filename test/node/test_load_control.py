"""Load on real nodes: the adaptive mode lowers a real network's input and raises it, caps hold, two cameras do not mix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from node_helpers import NodeProcess
from sensor_msgs.msg import CompressedImage, Image

from pose_attention_ros.msg import SkeletonArray
from pose_attention_ros.ros.images import image_from_bgr
from pose_attention_ros.ros.stamps import stamp_ns_of

GREY = np.full((480, 640, 3), 90, np.uint8)


def newest(reports: list[DiagnosticArray], name: str) -> DiagnosticStatus | None:
    return next((status for report in reversed(reports) for status in report.status if status.name == name.strip("/")), None)


def values(status: DiagnosticStatus | None) -> dict[str, str]:
    return {pair.key: pair.value for pair in status.values} if status else {}


def test_a_slow_machine_gets_a_smaller_input_and_the_full_one_back(start: Callable, probe: Any, pose_weights: None) -> None:
    """Told in the log and the diagnostics; results go on all the while."""
    process = start(
        "pose",
        {
            "input_size": 512,
            "adapt": "input_size",
            "adapt_age_s": 0.01,
            "adapt_min_input_size": 288,
            "adapt_after_s": 0.6,
            "adapt_recover_s": 1.0,
            "diagnostics_period_s": 0.1,
            "image_reliability": "reliable",
        },
    )
    reports, answers = probe.collect(DiagnosticArray, "/diagnostics"), probe.collect(SkeletonArray, "skeletons")
    images = probe.publisher(Image, "image_raw")
    name = f"{probe.namespace}/pose"

    def feed_until(condition: Callable[[DiagnosticStatus], bool], what: str) -> None:
        def holds() -> bool:
            images.publish(image_from_bgr(GREY, probe.node.get_clock().now().nanoseconds, "camera"))
            status = newest(reports, name)
            return status is not None and condition(status)

        probe.until(holds, what)

    feed_until(lambda status: values(status)["input_size"] == "288", "the smallest input")
    feed_until(lambda status: status.level == DiagnosticStatus.WARN, "a warning")
    assert "lowered to input_size 288, every image: results are " in newest(reports, name).message
    line = process.wait_for_line("down from input_size 512")
    assert "adapt_age_s is 0.01 s" in line and "to input_size 384" in line
    assert probe.set_parameter("pose", "adapt_age_s", 20.0) == (True, "")
    feed_until(lambda status: values(status)["input_size"] == "512", "the full input")
    feed_until(lambda status: status.level == DiagnosticStatus.OK, "no warning")
    process.wait_for_line("there is room again: up from input_size 384")
    before = len(answers)
    feed_until(lambda status: len(answers) > before, "results at the full input")
    assert "Traceback" not in process.output and "internal" not in process.output


def test_lockstep_does_not_adapt(start: Callable, drawn_video: Path, pose_weights: None) -> None:
    """Profiles that adapt serve for recordings, too; their results don't depend on the machine's speed."""
    process = start(
        "pipeline",
        {
            "source": str(drawn_video),
            "pace": "lockstep",
            "adapt": "both",
            "adapt_age_s": 0.01,
            "adapt_after_s": 0.1,
            "input_size": 256,
        },
    )
    assert process.wait() == 0
    assert "adapt both rests" in process.output and "down from" not in process.output


def test_a_cap_on_the_rate_holds_and_can_change(start: Callable, probe: Any, drawn_video: Path) -> None:
    """A camera of 10 frames a second; the cap counts by stamps, and 0 ends it."""
    start("camera", {"source": str(drawn_video), "loop": True, "max_rate_hz": 5.0})
    images = probe.collect(CompressedImage, "image_raw/compressed")
    probe.until(lambda: len(images) >= 6, "six images")
    gaps_ns = np.diff([stamp_ns_of(image.header) for image in images])
    assert (gaps_ns >= 190_000_000).all()
    assert probe.set_parameter("camera", "max_rate_hz", 0.0) == (True, "")
    images.clear()
    probe.until(lambda: len(images) >= 10, "ten images")
    assert np.diff([stamp_ns_of(image.header) for image in images]).min() == pytest.approx(1e8, rel=0.01)


@pytest.fixture
def two_robots(probe: Any, drawn_video: Path, large_video: Path) -> Iterator[list[NodeProcess]]:
    """A camera and a pose node in each of two namespaces, of one small and one large video."""
    processes = []
    for side, video in (("left", drawn_video), ("right", large_video)):
        namespace = f"{probe.namespace}/{side}"
        processes.append(NodeProcess("pose", namespace, {"input_size": 64}))
        processes.append(NodeProcess("camera", namespace, {"source": str(video), "loop": True, "frame_id": f"{side}_eye"}))
    yield processes
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait_or_kill()


def test_two_cameras_in_two_namespaces_do_not_mix(probe: Any, two_robots: list[NodeProcess], pose_weights: None) -> None:
    reports = probe.collect(DiagnosticArray, "/diagnostics")
    answers = {side: probe.collect(SkeletonArray, f"{side}/skeletons") for side in ("left", "right")}
    probe.until(lambda: all(len(heard) >= 8 for heard in answers.values()), "eight answers each")
    for side, size in (("left", (160, 120)), ("right", (1920, 1080))):
        assert {answer.header.frame_id for answer in answers[side]} == {f"{side}_eye"}
        assert {(answer.image_width, answer.image_height) for answer in answers[side]} == {size}
        stamps = [stamp_ns_of(answer.header) for answer in answers[side]]
        assert stamps == sorted(set(stamps))
        probe.until(lambda side=side: newest(reports, f"{probe.namespace}/{side}/pose") is not None, "its own diagnostics")
    assert not any("Traceback" in process.output for process in two_robots)
