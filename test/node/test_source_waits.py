"""A recording that is played in real time begins when those it feeds are there, and says whom it waits for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from lifecycle_msgs.msg import Transition
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

from pose_attention_ros.msg import SkeletonArray, SourceStatus
from pose_attention_ros.ros.qos import latched_profile
from pose_attention_ros.ros.stamps import stamp_ns_of

FRAMES = 12


def test_no_frame_is_lost_while_the_graph_starts(start: Callable, probe: Any, drawn_video: Path, pose_weights: None) -> None:
    """The camera is active long before the node that it feeds; the stamps begin when the frames do."""
    skeletons, images = probe.collect(SkeletonArray, "skeletons"), probe.collect(Image, "image_raw")
    camera = start("camera", {"source": str(drawn_video), "wait_for": "pose"})
    camera.wait_for_line("active")
    start("pose", {"input_size": 64, "image_reliability": "reliable", "autostart": False})
    assert probe.change_state("pose", Transition.TRANSITION_CONFIGURE)
    before_ns = probe.node.get_clock().now().nanoseconds
    assert probe.change_state("pose", Transition.TRANSITION_ACTIVATE)
    assert camera.wait() == 0
    probe.until(lambda: len(skeletons) > 1, "skeletons")
    stamps = [stamp_ns_of(message.header) for message in skeletons]
    assert stamps[0] == stamp_ns_of(images[0].header) > before_ns, "the first frame is answered"


def test_who_is_missing_is_named_and_not_waited_for_for_ever(start: Callable, probe: Any, drawn_video: Path) -> None:
    probe.collect(Image, "image_raw")
    camera = start("camera", {"source": str(drawn_video), "wait_for": "'pose, action'", "ready_timeout_s": 1.0})
    assert camera.wait() == 0
    assert "begins without pose, action: not there after 1 s" in camera.output


def test_a_stopped_source_says_so_and_plays_again(start: Callable, probe: Any, drawn_video: Path) -> None:
    """To those who ask late, too; a source that has ended stays ended."""
    images, told = probe.collect(Image, "image_raw"), probe.collect(SourceStatus, "source_status", latched_profile())
    camera = start("camera", {"source": str(drawn_video), "loop": True})
    for _ in range(2):
        camera.wait_for_line("active")
        probe.until(lambda: images and told and told[-1].state == SourceStatus.STATE_PLAYING, "an image")
        assert probe.change_state("camera", Transition.TRANSITION_DEACTIVATE)
        probe.until(lambda: told[-1].state == SourceStatus.STATE_STOPPED, "the stop")
        late = probe.collect(SourceStatus, "source_status", latched_profile())
        probe.until(late.__len__, "the latched status")
        assert late[0].state == SourceStatus.STATE_STOPPED
        images.clear()
        assert probe.change_state("camera", Transition.TRANSITION_ACTIVATE)
    assert camera.interrupt() == 0


def test_under_simulated_time_a_recording_is_stamped_with_it(start: Callable, probe: Any, drawn_video: Path) -> None:
    """It waits for the first time; without one it says so and fails, in place of stamps from 0."""
    images = probe.collect(Image, "image_raw")
    camera = start("camera", {"source": str(drawn_video), "use_sim_time": True, "ready_timeout_s": 60.0})
    camera.wait_for_line("active")
    clock = probe.node.create_publisher(Clock, "/clock", 10)
    now = Clock()
    now.clock.sec = 1000

    def arrived() -> bool:
        clock.publish(now)
        return bool(images)

    probe.until(arrived, "an image")
    assert 1000 <= images[0].header.stamp.sec < 1010
    camera.interrupt()
    timeless = start("camera", {"source": str(drawn_video), "use_sim_time": True, "ready_timeout_s": 0.5})
    assert timeless.wait() == 1
    assert "use_sim_time is true, but no time comes on /clock" in timeless.output


def test_nobody_is_taken_for_active_who_only_listens_to_the_clock(start: Callable, probe: Any) -> None:
    from pose_attention_ros.ros.playback import at_work

    start("skeleton_graph", {"autostart": False, "use_sim_time": True})
    probe.state("skeleton_graph")
    assert not at_work(probe.node, "skeleton_graph") and not at_work(probe.node, "nobody")
    assert probe.change_state("skeleton_graph", Transition.TRANSITION_CONFIGURE)
    assert not at_work(probe.node, "skeleton_graph")
    assert probe.change_state("skeleton_graph", Transition.TRANSITION_ACTIVATE)
    probe.until(lambda: at_work(probe.node, "skeleton_graph"), "the active node's subscription")


def test_a_node_at_debug_level_speaks_for_itself(start: Callable, probe: Any) -> None:
    """rcl says hundreds of things a second at that level, which hide what the node says."""
    process = start("skeleton_graph", {}, more=["--log-level", "debug"])
    process.wait_for_line("active")
    assert process.interrupt() == 0
    assert not [line for line in process.lines if "[DEBUG]" in line and ("[rcl" in line or "[rmw" in line)], process.output
    loud = start("skeleton_graph", {}, more=["--log-level", "rcl:=debug"])
    loud.wait_for_line("active")
    loud.interrupt()
    assert any("[DEBUG]" in line and "[rcl]" in line for line in loud.lines)
