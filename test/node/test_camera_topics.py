"""What a camera node publishes beside its images: calibration and compressed images, all with the image's stamp."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import CameraInfo, CompressedImage

from pose_attention_ros.cameras import open_source
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.msg import ActionLabelArray
from pose_attention_ros.ros.image_output import load_calibration
from pose_attention_ros.ros.qos import result_profile
from pose_attention_ros.ros.stamps import stamp_ns_of

# As camera_calibration writes it (camera_calibration_parsers, YAML).
CALIBRATION = """\
image_width: 160
image_height: 120
camera_name: narrow_stereo
camera_matrix:
  rows: 3
  cols: 3
  data: [150.5, 0.  , 80.25,   0. , 151.5, 60.75,   0. ,   0. ,   1. ]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.25, 0.125, 0.001, -0.002, 0.]
rectification_matrix:
  rows: 3
  cols: 3
  data: [1., 0., 0., 0., 1., 0., 0., 0., 1.]
projection_matrix:
  rows: 3
  cols: 4
  data: [140., 0., 81., 0., 0., 141., 61., 0., 0., 0., 1., 0.]
"""


def test_calibration_and_compressed_images_have_the_images_stamps(
    start: Callable, probe: Any, drawn_video: Path, tmp_path: Path
) -> None:
    path = tmp_path / "left.yaml"
    path.write_text(CALIBRATION)
    infos, images = probe.collect(CameraInfo, "camera_info"), probe.collect(CompressedImage, "image_raw/compressed")
    previews = probe.collect(CompressedImage, "image_raw/preview")
    camera = {"source": str(drawn_video), "calibration": str(path), "frame_id": "eye", "jpeg_quality": 95, "loop": True}
    process = start("camera", {**camera, "preview_width": 80, "preview_rate_hz": 4.0})
    probe.until(lambda: len(infos) >= 24 and len(images) >= 24, "two rounds of the video")
    probe.until(lambda: len(previews) >= 4, "small images")
    info = infos[0]
    assert (info.width, info.height, info.distortion_model, info.header.frame_id) == (160, 120, "plumb_bob", "eye")
    assert list(info.d) == [-0.25, 0.125, 0.001, -0.002, 0.0]
    assert list(info.k) == [150.5, 0, 80.25, 0, 151.5, 60.75, 0, 0, 1] and list(info.r) == list(np.eye(3).ravel())
    assert list(info.p) == [140, 0, 81, 0, 0, 141, 61, 0, 0, 0, 1, 0]
    stamps_ns = [stamp_ns_of(info.header) for info in infos]  # the camera may have found either subscription first
    both = {stamp_ns_of(image.header) for image in images if stamps_ns[0] <= stamp_ns_of(image.header) <= stamps_ns[-1]}
    assert len(both) >= 12 and both <= set(stamps_ns)
    camera = open_source(str(drawn_video))
    originals = [camera.read().image_bgr for _ in range(12)]
    camera.close()
    for image in images[:6]:
        assert image.header.frame_id == "eye" and "jpeg" in image.format
        found = cv2.imdecode(np.frombuffer(image.data, np.uint8), cv2.IMREAD_COLOR).astype(int)
        assert min(np.abs(found - original).mean() for original in originals) < 3
    for image in previews:
        found = cv2.imdecode(np.frombuffer(image.data, np.uint8), cv2.IMREAD_COLOR).astype(int)
        assert min(np.abs(found - cv2.resize(original, (80, 60))).mean() for original in originals) < 6
    assert stamp_ns_of(previews[3].header) - stamp_ns_of(previews[0].header) >= 0.6e9  # 4 a second
    assert process.running


def test_a_clock_that_is_ahead_elsewhere_is_told(start: Callable, probe: Any, drawn_video: Path) -> None:
    """The answer is back sooner than it says that it took: by the camera's own clock the other one is ahead."""
    process = start(
        "camera", {"source": str(drawn_video), "loop": True, "measure_answers": True, "diagnostics_period_s": 0.1}
    )
    answers = probe.publisher(ActionLabelArray, "actions")
    reports = probe.collect(DiagnosticArray, "/diagnostics")
    ahead_s = 15.0

    def answer(image: CompressedImage) -> None:
        age_s = (probe.node.get_clock().now().nanoseconds - stamp_ns_of(image.header)) * 1e-9
        answers.publish(ActionLabelArray(header=image.header, latency=age_s + ahead_s))

    probe.node.create_subscription(CompressedImage, "image_raw/compressed", answer, result_profile())

    def told() -> bool:
        mine = [
            status for report in reports for status in report.status if status.name == f"{probe.namespace.strip('/')}/camera"
        ]
        return bool(mine) and mine[-1].level == DiagnosticStatus.WARN and "is at least 1" in mine[-1].message

    probe.until(told, "a warning")
    assert "synchronise both" in process.wait_for_line("the clock of the machine that answers")


@pytest.mark.parametrize(
    ("model", "coefficients"),
    [("equidistant", [0.1, -0.2, 0.3, -0.4]), ("rational_polynomial", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])],
)
def test_other_lens_models_are_passed_through(tmp_path: Path, model: str, coefficients: list[float]) -> None:
    path = tmp_path / "fisheye.yaml"
    path.write_text(CALIBRATION.replace("plumb_bob", model).replace("[-0.25, 0.125, 0.001, -0.002, 0.]", str(coefficients)))
    info = load_calibration(path, (160, 120))
    assert info.distortion_model == model and list(info.d) == coefficients


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is not a file of camera_calibration"),
        ("image_width: [", "is not a file of camera_calibration"),
        (CALIBRATION.replace("projection_matrix", "projection"), "KeyError 'projection_matrix'"),
        (CALIBRATION.replace(" 61., 0., 0., 0., 1., 0.]", " 61.]"), "projection_matrix has 7 numbers, expected 12"),
        (CALIBRATION.replace("150.5", "wide"), "could not convert string to float: 'wide'"),
        (CALIBRATION.replace("image_width: 160", "image_width: 640"), "is for 640x120 images, the source gives 160x120"),
    ],
)
def test_a_calibration_that_cannot_be_used_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=complaint) as told:
        load_calibration(path, (160, 120))
    assert str(path) in str(told.value) and "\n" not in str(told.value)


def test_a_calibration_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.yaml cannot be read: No such file"):
        load_calibration(tmp_path / "none.yaml", (160, 120))
