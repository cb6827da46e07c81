"""The two nodes that join images with results."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

import cv2
from sensor_msgs.msg import CompressedImage, Image
from visualization_msgs.msg import Marker, MarkerArray

from pose_attention_ros.msg import ActionLabelArray
from pose_attention_ros.ros.images import bgr_from_image
from pose_attention_ros.ros.markers import IDS, JOINTS, LABELS, LIMBS
from pose_attention_ros.ros.qos import sensor_profile
from pose_attention_ros.ros.stamps import stamp_ns_of

INPUT_SIZE = 192


def start_pipeline(start: Callable, source: Path, **play: Any) -> Any:
    return start("pipeline", {"source": str(source), "input_size": INPUT_SIZE, **play})


def test_the_overlay_is_drawn_only_while_someone_looks(
    start: Callable, probe: Any, exercise_video: Path, pose_weights: None
) -> None:
    """Markers need no image; the image and its compressed form do."""
    start("overlay").wait_for_line("active")
    start_pipeline(start, exercise_video, loop=True)
    actions = probe.collect(ActionLabelArray, "actions")
    look = probe.node.create_subscription(MarkerArray, "markers", (arrays := []).append, 10)

    def attended() -> tuple[MarkerArray, Marker] | None:
        """An array with a person whose joints are coloured: attention comes with the first answer on this person."""
        coloured = ((array, marker) for array in arrays for marker in array.markers if marker.ns == JOINTS and marker.colors)
        return next(coloured, None)

    probe.until(lambda: bool(actions) and attended() is not None, "actions, and markers of a person with attention")
    array, joints = attended()
    assert array.markers[0].action == Marker.DELETEALL
    assert {marker.ns for marker in array.markers[1:]} == {LIMBS, JOINTS, LABELS, IDS}
    assert len(joints.points) == len(joints.colors) > 5
    assert all(abs(point.x) < 2 and abs(point.y) < 2 and point.z > 0 for point in joints.points)
    assert probe.node.count_subscribers("image_raw") == 0
    probe.node.destroy_subscription(look)

    drawn: list[Image] = []
    look = probe.node.create_subscription(Image, "overlay", drawn.append, sensor_profile("best_effort"))

    def answered() -> list[Image]:
        stamps = {stamp_ns_of(message.header) for message in actions}
        return [image for image in drawn if stamp_ns_of(image.header) in stamps]

    probe.until(lambda: len(answered()) >= 8, "drawn images of frames that were answered")
    assert probe.node.count_subscribers("image_raw") == 1
    height, width = bgr_from_image(answered()[-1]).shape[:2]
    assert width >= 384 and width * 288 == height * 384

    probe.node.destroy_subscription(look)
    probe.until(lambda: probe.node.count_subscribers("image_raw") == 0, "the end of the image subscription")
    packed = probe.collect(CompressedImage, "overlay/compressed")
    probe.until(lambda: bool(packed), "a compressed image")
    assert cv2.imdecode(np.frombuffer(packed[0].data, np.uint8), cv2.IMREAD_COLOR).shape[:2] == (height, width)


def test_annotations_of_the_image_for_foxglove(
    start: Callable, probe: Any, exercise_video: Path, pose_weights: None
) -> None:
    kinds = pytest.importorskip("foxglove_msgs.msg", reason="foxglove_msgs is not installed")
    start("overlay")
    start_pipeline(start, exercise_video, loop=True)
    heard = probe.collect(kinds.ImageAnnotations, "annotations")

    def attended() -> Any:
        """Annotations with a person whose joints are coloured, which they are with the first answer on this person."""
        return next((message for message in heard if message.texts and message.points[1].outline_colors), None)

    probe.until(lambda: attended() is not None, "a person with attention")
    assert probe.node.count_subscribers("image_raw") == 0
    message = attended()
    limbs, joints = message.points[:2]
    assert (limbs.type, joints.type) == (kinds.PointsAnnotation.LINE_LIST, kinds.PointsAnnotation.POINTS)
    assert len(limbs.points) % 2 == 0 and 5 < len(joints.points) == len(joints.outline_colors)
    assert all(-200 < point.x < 584 and -200 < point.y < 488 for point in joints.points)  # pixels of the image of 384x288
    assert len(message.texts) * 2 == len(message.points) and message.texts[0].text.split()[0].isdigit()


def test_the_recorder_writes_every_frame(start: Callable, tmp_path: Path, drawn_video: Path, pose_weights: None) -> None:
    recorder = start("recorder", {"out": str(tmp_path)})
    play = {"pace": "lockstep", "acknowledge": "recorded"}
    assert start_pipeline(start, drawn_video, **play).wait() == 0
    assert recorder.wait() == 0
    assert "12 frames" in recorder.output
    records = [json.loads(line) for line in (tmp_path / "actions.jsonl").read_text().splitlines()]
    assert [record["stamp_ns"] for record in records] == [100_000_000 * number for number in range(12)]
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["frames"], summary["source"], summary["backend"]) == (12, str(drawn_video), "litert-cpu")
    assert len(summary["model_sha256"]) == 64
    frames = cv2.VideoCapture(str(tmp_path / "annotated.mp4"))
    assert (frames.get(cv2.CAP_PROP_FRAME_COUNT), frames.get(cv2.CAP_PROP_FPS)) == (12, 10)


def test_a_recorder_that_stands_still_loses_no_frame(
    start: Callable, probe: Any, tmp_path: Path, drawn_video: Path, pose_weights: None
) -> None:
    """It comes late, and gets no processor time for a while; there are more frames than the topics hold."""
    pipeline = start_pipeline(
        start, drawn_video, pace="lockstep", recorder_lag=4, lockstep_timeout_s=0.5, max_frames=500, loop=True, input_size=64
    )
    pipeline.wait_for_line("active")
    actions = probe.collect(ActionLabelArray, "actions")
    recorder = start("recorder", {"out": str(tmp_path), "video": False})
    probe.until(lambda: len(actions) > 10, "ten frames")
    os.kill(recorder.pid, signal.SIGSTOP)
    pipeline.wait_for_line("no actions and recorded for the frame")
    os.kill(recorder.pid, signal.SIGCONT)
    assert pipeline.wait() == recorder.wait() == 0
    assert json.loads((tmp_path / "summary.json").read_text())["frames"] == 500
    assert not (tmp_path / "annotated.mp4").exists()


def test_the_recorder_gives_up_when_nothing_comes(start: Callable, tmp_path: Path) -> None:
    recorder = start("recorder", {"out": str(tmp_path), "idle_timeout_s": 0.5})
    assert recorder.wait() == 1
    assert "nothing came for 0.5 s" in recorder.output and "Traceback" not in recorder.output


def test_a_folder_that_cannot_be_written_is_told(start: Callable, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    recorder = start("recorder", {"out": str(tmp_path / "file" / "folder")})
    assert recorder.wait() == 1
    assert "expected a folder that can be written" in recorder.output and len(recorder.lines) == 1


def test_the_recorder_spares_earlier_results(start: Callable, tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text("{}")
    recorder = start("recorder", {"out": str(tmp_path)})
    assert recorder.wait() == 1
    assert "summary.json of an earlier recording lies" in recorder.output and len(recorder.lines) == 1
    assert (tmp_path / "summary.json").read_text() == "{}"
    start("recorder", {"out": str(tmp_path), "overwrite": True}).wait_for_line("active")


def test_a_lockstep_graph_that_is_interrupted_says_nothing_untrue(
    start: Callable, probe: Any, tmp_path: Path, drawn_video: Path, pose_weights: None
) -> None:
    """Whoever ends first leaves frames unanswered; that is no fault of the others."""
    recorder = start("recorder", {"out": str(tmp_path), "video": False})
    pipeline = start_pipeline(start, drawn_video, pace="lockstep", acknowledge="recorded", loop=True)
    probe.until(lambda: (tmp_path / "actions.jsonl").exists(), "the recorder's file")
    os.kill(recorder.pid, signal.SIGINT)
    assert pipeline.interrupt() == recorder.wait() == 0
    told = recorder.lines + pipeline.lines
    assert not [line for line in told if "WARN" in line or "ERROR" in line], told


def test_interrupted_the_recorder_finishes_its_files(
    start: Callable, probe: Any, tmp_path: Path, drawn_video: Path, pose_weights: None
) -> None:
    recorder = start("recorder", {"out": str(tmp_path), "video": False})
    start_pipeline(start, drawn_video, loop=True)
    actions = probe.collect(ActionLabelArray, "actions")
    probe.until(lambda: len(actions) > 10, "some frames")
    probe.until(lambda: (tmp_path / "actions.jsonl").exists(), "the recorder's file")
    assert recorder.interrupt() == 0
    lines = (tmp_path / "actions.jsonl").read_text().splitlines()
    assert json.loads((tmp_path / "summary.json").read_text())["frames"] == len(lines) > 0
