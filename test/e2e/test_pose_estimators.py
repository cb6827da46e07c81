"""Every pose estimator in the whole pipeline: one setting changes, nothing else, and people come out at the end."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from pose_attention_ros.cli.main import main
from pose_attention_ros.inference import weights
from pose_attention_ros.inference.pose import ESTIMATORS
from pose_attention_ros.inference.pose_model import available_pose_networks, read_pose_spec

FRAMES = 40
CROWD_FRAMES = 12
# estimator, further options, what computes
# fmt: off
CHOICES = [("movenet", (), "litert-cpu"), ("auto", (), ""), ("movenet_thunder", (), "onnx-"),
           ("pose_cnn", (), "onnx-"), ("pose_cnn", ("--precision", "int8"), "onnx-")]
# fmt: on


def test_every_estimator_is_tried():
    """A top-down estimator's folder is the user's: test/unit/test_topdown.py brings small ones."""
    assert {name for name, *_ in CHOICES} == set(ESTIMATORS) - {"top_down"}


@pytest.mark.parametrize("estimator, options, backend", CHOICES)
def test_swapped_by_one_setting(shared, movenet_weights, tmp_path, estimator, options, backend):
    """Three gymnasts in a hall, who do nothing but their exercise: three tracks hold, and each is told what it does."""
    if estimator == "movenet_thunder" and not weights.WEIGHTS[estimator].path.is_file():
        pytest.skip("MoveNet Thunder is not fetched: pose-attention models fetch movenet_thunder")
    told = tmp_path / "summary.json"
    assert (
        main(
            [
                "run",
                "--source",
                str(shared / "videos" / "felixchenfy_exercise.avi"),
                "--estimator",
                estimator,
                "--input-size",
                "256",
                "--max-frames",
                str(FRAMES),
                "--no-video",
                "--out",
                str(tmp_path / "out"),
                "--json",
                str(told),
                *options,
            ]
        )
        == 0
    )
    summary = json.loads(told.read_text())
    assert summary["frames"] == FRAMES
    steady = [track for track in summary["tracks"] if track["frames"] >= 0.8 * FRAMES]
    assert len(steady) == 3
    assert summary["backend"].startswith(backend)


def test_the_shipped_network_is_the_papers():
    assert "pose_cnn" in available_pose_networks()
    spec = read_pose_spec("pose_cnn")
    assert spec.layout.name == "openpose18" and spec.stride == 8 and set(spec.files) >= {"fp32", "int8"}
    assert all(len(spec.network(precision).content) < 10e6 for precision in spec.files)


def test_twenty_people_in_view_have_twenty_tracks(shared, movenet_weights, tmp_path):
    """Nine views of three gymnasts, at nine moments of their exercise, in one image."""
    capture = cv2.VideoCapture(str(shared / "videos" / "felixchenfy_exercise.avi"))
    frames = [capture.read()[1] for _ in range(60)]
    crowd = tmp_path / "crowd"
    crowd.mkdir()
    for number in range(CROWD_FRAMES):
        views = [frames[number + 6 * view] for view in range(9)]
        cv2.imwrite(str(crowd / f"{number:03}.jpg"), np.vstack([np.hstack(views[row : row + 3]) for row in (0, 3, 6)]))
    told = tmp_path / "summary.json"
    assert (
        main(
            [
                "run",
                "--source",
                str(crowd),
                "--fps",
                "10",
                "--input-size",
                "768",
                "--no-video",
                "--out",
                str(tmp_path / "out"),
                "--json",
                str(told),
            ]
        )
        == 0
    )
    summary = json.loads(told.read_text())
    steady = [track for track in summary["tracks"] if track["frames"] >= 4]
    assert 20 <= len(steady) <= len(summary["tracks"]) <= 27
