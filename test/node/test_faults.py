"""Bad input from outside: dropped with one line, and the node goes on."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.msg import ActionLabelArray, SkeletonArray, SkeletonGraphArray
from pose_attention_ros.nodes.skeleton_graph import SkeletonGraphNode
from pose_attention_ros.ros.diagnostics import StageMeter
from pose_attention_ros.ros.images import image_from_bgr
from pose_attention_ros.ros.qos import sensor_profile
from pose_attention_ros.ros.run import _spin
from pose_attention_ros.ros.stamps import stamp_ns_of

GREY = np.full((120, 160, 3), 90, np.uint8)
BAD_IMAGES = {
    "image is empty: 0x0 pixels": Image(),
    "image data has 5 bytes, expected at least 48": Image(height=4, width=4, encoding="bgr8", step=12, data=bytes(5)),
    "image encoding 'nonsense' is not one of": Image(height=4, width=4, encoding="nonsense", step=12, data=bytes(48)),
}


def test_bad_images_do_not_stop_the_pose_node(start: object, probe: object, pose_weights: None) -> None:
    """Each kind is told, a good image is answered after each, and a flood of bad ones makes few lines."""
    process = start("pose", {"input_size": 64, "image_reliability": "reliable"})
    answers = probe.collect(SkeletonArray, "skeletons")
    images = probe.publisher(Image, "image_raw")
    for number, (complaint, bad) in enumerate(BAD_IMAGES.items()):
        bad.header.stamp.sec = 1 + number
        images.publish(bad)
        process.wait_for_line(complaint)
        images.publish(image_from_bgr(GREY, (100 + number) * 10**9, "camera"))
        probe.until(lambda wanted=number + 1: len(answers) == wanted, "the answer to a good image")
    assert [answer.header.stamp.sec for answer in answers] == [100, 101, 102]
    bad = next(iter(BAD_IMAGES.values()))
    for number in range(200):
        bad.header.stamp.sec = 1000 + number
        images.publish(bad)
    images.publish(image_from_bgr(GREY, 2000 * 10**9, "camera"))
    probe.until(lambda: len(answers) == 4, "an answer after the flood")
    assert process.running and "Traceback" not in process.output
    assert len(process.lines) < 10, process.output


@pytest.mark.parametrize("offered", ["best_effort", "reliable"])
def test_images_of_both_reliabilities_are_taken(start: object, probe: object, pose_weights: None, offered: str) -> None:
    start("pose", {"input_size": 64})
    answers = probe.collect(SkeletonArray, "skeletons")
    images = probe.publisher(Image, "image_raw", sensor_profile(offered))
    stamps = iter(range(1, 1000))

    def answered() -> bool:
        images.publish(image_from_bgr(GREY, next(stamps) * 10**8, "camera"))
        return bool(answers)

    probe.until(answered, "an answer")


def test_under_load_older_images_are_dropped_and_counted(start: object, probe: object, pose_weights: None) -> None:
    """A camera faster than the pose node: the newest image counts, nothing queues."""
    start("pose", {"input_size": 512, "diagnostics_period_s": 0.1, "image_reliability": "reliable"})
    answers = probe.collect(SkeletonArray, "skeletons")
    reports = probe.collect(DiagnosticArray, "/diagnostics")
    images = probe.publisher(Image, "image_raw")
    probe.until(lambda: probe.node.count_publishers("skeletons") == 1, "the publisher")

    def counts() -> tuple[int, int]:
        mine = [status for report in reports for status in report.status if probe.namespace.strip("/") in status.name]
        values = {pair.key: pair.value for pair in mine[-1].values} if mine else {}
        return int(values.get("processed", 0)), int(values.get("dropped", 0))

    images.publish(image_from_bgr(GREY, 1, "camera"))
    probe.until(lambda: bool(answers), "the first answer")
    sent = 60
    for number in range(1, sent):
        images.publish(image_from_bgr(GREY, (1 + number) * 10**7, "camera"))
        probe.spin_for(0.002)
    probe.until(lambda: bool(answers) and stamp_ns_of(answers[-1].header) == sent * 10**7, "the answer to the newest image")
    probe.until(lambda: sum(counts()) == sent, "every image processed or dropped")
    assert counts()[1] > 0 and counts()[0] == len(answers)


def test_compressed_images_are_taken_and_broken_ones_dropped(start: object, probe: object, pose_weights: None) -> None:
    import cv2

    process = start(
        "pose",
        {"input_size": 64, "image_transport": "compressed", "image_reliability": "reliable"},
        remap={"image_raw": "front/image"},
    )
    answers = probe.collect(SkeletonArray, "skeletons")
    images = probe.publisher(CompressedImage, "front/image/compressed")
    good = CompressedImage(format="jpeg", data=cv2.imencode(".jpg", GREY)[1].tobytes())
    broken = CompressedImage(format="jpeg", data=b"\xff\xd8 not a picture")
    broken.header.stamp.sec, good.header.stamp.sec = 1, 2
    images.publish(broken)
    process.wait_for_line("cannot be decoded")
    images.publish(good)
    probe.until(lambda: bool(answers), "an answer")
    assert answers[0].header.stamp.sec == 2 and answers[0].image_width == 160


def test_an_incompatible_publisher_is_told_with_the_remedy(start: object, probe: object, pose_weights: None) -> None:
    process = start("pose", {"input_size": 64, "image_reliability": "reliable"})
    process.wait_for_line("active")
    probe.node.create_publisher(Image, "image_raw", sensor_profile("best_effort"))
    line = process.wait_for_line("incompatible")
    assert "RELIABILITY" in line and "image_reliability:=auto" in line


def test_an_incompatible_subscriber_is_told(start: object, probe: object) -> None:
    process = start("skeleton_graph")
    process.wait_for_line("active")
    late = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    probe.node.create_subscription(SkeletonGraphArray, "skeleton_graphs", lambda message: None, late)
    assert "DURABILITY" in process.wait_for_line("incompatible")


def test_images_whose_stamp_stands_still_are_told(start: object, probe: object, pose_weights: None) -> None:
    process = start("pose", {"input_size": 64})
    images = probe.publisher(Image, "image_raw")

    def told() -> bool:
        images.publish(image_from_bgr(GREY, 10**9, "camera"))
        return "does its clock stand still?" in process.output

    probe.until(told, "the warning")


def test_bad_graphs_do_not_stop_the_action_node(start: object, probe: object) -> None:
    process = start("action")
    answers = probe.collect(ActionLabelArray, "actions")
    graphs = probe.publisher(SkeletonGraphArray, "skeleton_graphs")
    names = ["x", "y", "vx", "vy", "score"]
    bad = (
        SkeletonGraphArray(layout="centaur", feature_names=names),
        SkeletonGraphArray(layout="common13"),
        SkeletonGraphArray(layout="coco17", feature_names=names),
    )  # the last is well-formed, but not what the model reads
    for number, message in enumerate(bad):
        message.header.stamp.sec = 1 + number
        graphs.publish(message)
    good = SkeletonGraphArray(layout="common13", feature_names=names, image_width=160, image_height=120)
    good.header.stamp.sec = 9
    graphs.publish(good)
    probe.until(lambda: bool(answers), "an answer")
    assert [answer.header.stamp.sec for answer in answers] == [9]
    process.wait_for_line("no skeleton layout 'centaur'")
    process.wait_for_line("set the graph stage's layout")
    assert layout("common13").name == good.layout and "Traceback" not in process.output


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("/no/such/video.mp4", "/no/such/video.mp4 does not exist"),
        ("/dev/video97", "/dev/video97"),
        ("__TEXT__", "is not a video"),
        ("__EMPTY__", "is empty"),
    ],
)
@pytest.mark.parametrize("node", ["camera", "pipeline"])
def test_a_source_that_cannot_be_opened_ends_the_node(
    start: object, tmp_path: Path, node: str, source: str, complaint: str
) -> None:
    text, empty = tmp_path / "text.mp4", tmp_path / "empty.mp4"
    text.write_text("this is no video")
    empty.touch()
    process = start(node, {"source": source.replace("__TEXT__", str(text)).replace("__EMPTY__", str(empty))})
    assert process.wait() == 1
    assert len(process.lines) == 1, process.output
    assert complaint in process.output and "Traceback" not in process.output


def test_a_calibration_of_another_size_is_refused(start: object, drawn_video: Path, tmp_path: Path) -> None:
    path = tmp_path / "camera.yaml"
    path.write_text(
        "{image_width: 640, image_height: 480, distortion_model: plumb_bob, "
        "camera_matrix: {data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}, distortion_coefficients: {data: [0, 0, 0, 0, 0]}, "
        "rectification_matrix: {data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}, "
        "projection_matrix: {data: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]}}"
    )
    process = start("camera", {"source": str(drawn_video), "calibration": str(path)})
    assert process.wait() == 1
    assert "is for 640x480 images, the source gives 160x120" in process.output


def test_a_meter_is_read_while_another_thread_works() -> None:
    """The composed node and the camera work in a thread of their own, and report from another."""
    meter, over = StageMeter(), threading.Event()

    def work() -> None:
        while not over.is_set():
            meter.done(0.001)

    thread, interval_s = threading.Thread(target=work), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread.start()
    try:
        for _ in range(15_000):  # without a lock about 3,000 go well
            meter.rate_hz()
        assert meter.values()["stage_ms_p50"] == "1.000"
    finally:
        sys.setswitchinterval(interval_s)
        over.set()
        thread.join()


def test_a_callback_that_fails_does_not_end_the_node(ros: None) -> None:
    """A timer of a node raises: it is told and counted, and the node goes on until it is asked to end."""
    node = SkeletonGraphNode(namespace="/failing_timer")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    calls: list[None] = []

    def fail() -> None:
        calls.append(None)
        if len(calls) == 3:
            node.stop(0)
        raise ValueError("a programmer's mistake")

    node.create_timer(0.01, fail)
    try:
        _spin(executor, node)
        assert len(calls) >= 3 and node.meter.rejected >= 3 and "programmer's mistake" in node.meter.last_problem
    finally:
        executor.shutdown()
        node.destroy_node()


def test_what_is_drawn_from_missing_images_is_no_camera(start, probe):
    """The overlay's own topics are no advice for somebody who has no images."""
    probe.publisher(Image, "overlay", subscribers=0)
    process = start("pose", {"input_size": 64, "image_timeout_s": 0.5, "diagnostics_period_s": 0.2})
    line = process.wait_for_line("no image on")
    assert f"{probe.namespace}/overlay" not in line and "nobody publishes" in line
