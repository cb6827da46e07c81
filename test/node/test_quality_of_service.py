"""Quality of service: defaults, overrides a topic, and what the log and the diagnostics say where nothing comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from pose_attention_ros.msg import SkeletonArray
from pose_attention_ros.ros.images import compressed_from_bgr, image_from_bgr
from pose_attention_ros.ros.qos import result_profile, sensor_profile

GREY = np.full((120, 160, 3), 90, np.uint8)
QUICK = {"input_size": 64, "image_timeout_s": 0.3, "diagnostics_period_s": 0.1}


def offered(probe: Any, topic: str) -> list[QoSProfile]:
    return [info.qos_profile for info in probe.node.get_publishers_info_by_topic(f"{probe.namespace}/{topic}")]


def asked(probe: Any, topic: str) -> list[QoSProfile]:
    return [info.qos_profile for info in probe.node.get_subscriptions_info_by_topic(f"{probe.namespace}/{topic}")]


def test_a_topics_policies_are_overridden_by_parameters(start: Callable, probe: Any, pose_weights: None) -> None:
    """On both sides; an override wins over image_reliability, and the parameters tell what is in force."""
    overrides = f"qos_overrides.{probe.namespace}"
    start(
        "pose",
        {
            **QUICK,
            f"{overrides}/image_raw.subscription.reliability": "reliable",
            f"{overrides}/image_raw.subscription.depth": 3,
            f"{overrides}/skeletons.publisher.reliability": "best_effort",
        },
    )
    probe.until(lambda: asked(probe, "image_raw") and offered(probe, "skeletons"), "the topics")
    assert [profile.reliability for profile in asked(probe, "image_raw")] == [ReliabilityPolicy.RELIABLE]
    assert [profile.reliability for profile in offered(probe, "skeletons")] == [ReliabilityPolicy.BEST_EFFORT]
    assert probe.get_parameter("pose", f"{overrides}/image_raw.subscription.depth") == 3
    answers = probe.collect(SkeletonArray, "skeletons", sensor_profile("best_effort"))
    images = probe.publisher(Image, "image_raw")
    stamps = iter(range(1, 1000))

    def answered() -> bool:
        images.publish(image_from_bgr(GREY, next(stamps) * 10**8, "camera"))
        return bool(answers)

    probe.until(answered, "an answer")
    for transition in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE):
        assert probe.change_state("pose", transition)
    probe.until(
        lambda: [profile.reliability for profile in asked(probe, "image_raw")] == [ReliabilityPolicy.RELIABLE],
        "the same policy after another activation",
    )


def test_a_profile_follows_its_setting_from_one_configuration_to_the_next(
    start: Callable, probe: Any, pose_weights: None
) -> None:
    start("pose", {**QUICK, "image_reliability": "best_effort"})
    for reliability, policy in (("best_effort", ReliabilityPolicy.BEST_EFFORT), ("reliable", ReliabilityPolicy.RELIABLE)):
        if reliability == "reliable":
            for transition in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP):
                assert probe.change_state("pose", transition)
            assert probe.set_parameter("pose", "image_reliability", reliability) == (True, "")
            for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
                assert probe.change_state("pose", transition)
        probe.until(
            lambda policy=policy: [profile.reliability for profile in asked(probe, "image_raw")] == [policy],
            f"images asked for {reliability}",
        )


@pytest.mark.parametrize(
    ("end", "policy"), [("image_raw.subscription", "reliable_enough"), ("skeletons.publisher", "always")]
)
def test_an_override_that_is_no_policy_is_refused(
    start: Callable, probe: Any, pose_weights: None, end: str, policy: str
) -> None:
    process = start("pose", {**QUICK, f"qos_overrides.{probe.namespace}/{end}.reliability": policy})
    assert process.wait() == 1
    assert policy in process.output and "expected reliability: reliable or best_effort" in process.output
    assert "Traceback" not in process.output and "internal error" not in process.output


class Reports:
    """What the diagnostics of the node `pose` say."""

    def __init__(self, probe: Any) -> None:
        self._name = f"{probe.namespace.strip('/')}/pose"
        self._reports = probe.collect(DiagnosticArray, "/diagnostics")

    def newest(self) -> DiagnosticStatus | None:
        return next(
            (status for report in reversed(self._reports) for status in report.status if status.name == self._name), None
        )

    def warn_of(self, *parts: str) -> bool:
        """Whether the newest one is a warning with all these parts."""
        status = self.newest()
        return status is not None and status.level == DiagnosticStatus.WARN and all(part in status.message for part in parts)


def test_no_images_is_told_with_the_remedy_until_they_come(start: Callable, probe: Any, pose_weights: None) -> None:
    """Nobody publishes; somebody does elsewhere; then the other form; then the right one, but nothing is sent."""
    process, reports = start("pose", QUICK), Reports(probe)
    probe.until(lambda: reports.warn_of("no image on ", f"{probe.namespace}/image_raw for ", "nobody publishes"), "nobody")
    for profiles in (asked, offered):
        topic = "image_raw" if profiles is asked else "skeletons"
        probe.until(lambda profiles=profiles, topic=topic: bool(profiles(probe, topic)), topic)
        assert [profile.reliability for profile in profiles(probe, topic)] == [ReliabilityPolicy.RELIABLE]
    elsewhere = probe.node.create_publisher(Image, "front/image", result_profile())
    probe.until(lambda: reports.warn_of("nobody publishes it", "/front/image", "image_topic:=..."), "another topic")
    images = probe.publisher(Image, "image_raw")
    probe.until(lambda: reports.warn_of("probe publishes it and fits", "is that camera active?"), "a silent publisher")
    process.wait_for_line("no image on ")
    stamps = iter(range(1, 10000))

    def well() -> bool:
        images.publish(image_from_bgr(GREY, next(stamps) * 10**8, "camera"))
        status = reports.newest()
        return status.level == DiagnosticStatus.OK and "images are back" in process.output

    probe.until(well, "a status that is well")
    probe.node.destroy_publisher(elsewhere)


def test_no_compressed_images_is_told_with_the_remedy(start: Callable, probe: Any, pose_weights: None) -> None:
    reports = Reports(probe)
    probe.node.create_publisher(Image, "image_raw", result_profile())
    start("pose", {**QUICK, "image_transport": "compressed", "image_reliability": "reliable"})
    probe.until(lambda: reports.warn_of("no image on ", "set image_transport:=auto"), "the other transport")
    probe.node.create_publisher(CompressedImage, "image_raw/compressed", sensor_profile("best_effort"))
    probe.until(lambda: reports.warn_of("probe (", "does not fit", "set image_reliability:=auto"), "a misfit")


def test_stamps_from_the_future_are_told(start: Callable, probe: Any, pose_weights: None) -> None:
    """A camera whose clock is 20 s ahead: the log and the diagnostics say by how much at least."""
    process = start("pose", {**QUICK, "image_transport": "compressed", "image_reliability": "reliable"})
    images = probe.publisher(CompressedImage, "image_raw/compressed")

    def told() -> bool:
        ahead_ns = probe.node.get_clock().now().nanoseconds + 20 * 10**9
        images.publish(compressed_from_bgr(GREY, ahead_ns, "camera", 90))
        return "in the future: the clocks" in process.output

    probe.until(told, "the warning")
    line = process.wait_for_line("in the future")
    ahead_s = float(line.partition("up to ")[2].partition(" s")[0])
    assert 10.0 < ahead_s <= 20.0


def test_images_that_are_too_old_are_left_out(start: Callable, probe: Any, pose_weights: None) -> None:
    """The age of results is bounded: `max_image_age_s` may be set while the node runs."""
    start("pose", {**QUICK, "image_reliability": "reliable"})
    answers = probe.collect(SkeletonArray, "skeletons")
    images = probe.publisher(Image, "image_raw")
    probe.until(lambda: probe.node.count_publishers("skeletons") == 1, "the publisher")
    assert probe.set_parameter("pose", "max_image_age_s", 1.0) == (True, "")
    now_ns = probe.node.get_clock().now().nanoseconds
    for age_s in (30.0, 20.0, 10.0):
        images.publish(image_from_bgr(GREY, now_ns - round(age_s * 1e9), "camera"))
        probe.spin_for(0.05)

    def answered() -> bool:
        images.publish(image_from_bgr(GREY, probe.node.get_clock().now().nanoseconds, "camera"))
        return bool(answers)

    probe.until(answered, "the answer to a young image")
    assert all(answer.header.stamp.sec * 10**9 > now_ns - 2 * 10**9 for answer in answers)
