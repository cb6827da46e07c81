"""COCO's AP for poses: known answers, and `evaluate poses` on photos whose people are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pose_photos import COCO, standing

from pose_attention_ros.cli.main import main
from pose_attention_ros.core.body.layouts import LAYOUTS, layout_map
from pose_attention_ros.core.types import Skeletons
from pose_attention_ros.data.pose_images import Photo
from pose_attention_ros.evaluation.keypoints import score_keypoints
from pose_attention_ros.inference.detections import coco_sigmas

pytest.importorskip("pycocotools", reason="its numbers are the field's: pip install pycocotools")
AREA = 100.0**2


def photo(*people: np.ndarray, ignore: np.ndarray | None = None) -> Photo:
    joints = np.array(people, np.float32).reshape(-1, 17, 3)
    corners = [function(joints[..., :2], 1) for function in (np.min, np.max)] if len(joints) else 2 * [np.zeros((0, 2))]
    boxes = np.concatenate(corners, 1).astype(np.float32)
    return Photo(
        Path("none.jpg"),
        (640, 480),
        joints[..., :2],
        joints[..., 2] > 0,
        boxes,
        np.full(len(joints), AREA, np.float32),
        np.zeros((0, 4), np.float32) if ignore is None else ignore,
    )


def skeletons(people: list[np.ndarray], scores: list[float], layout=COCO) -> Skeletons:
    joints = np.array(people, np.float32).reshape(-1, 17, 3)
    keypoints, seen = layout_map("coco17", layout.name)(joints[..., :2], (joints[..., 2] > 0).astype(np.float32))
    return Skeletons(
        0, "", layout, (640, 480), keypoints, seen, np.zeros((len(joints), 4), np.float32), np.array(scores, np.float32)
    )


ONE, TWO = standing(50, 40, 60, 150), standing(300, 60, 80, 200)


@pytest.mark.parametrize("layout", ["coco17", "openpose18"])
def test_the_truth_scores_one_in_any_layout(layout):
    score = score_keypoints(
        [photo(ONE), photo(ONE, TWO)],
        [skeletons([ONE], [0.9], LAYOUTS[layout]), skeletons([ONE, TWO], [0.8, 0.7], LAYOUTS[layout])],
    )
    assert (score.ap, score.ap50, score.ar) == pytest.approx((1.0, 1.0, 1.0)) and score.people == 3


@pytest.mark.parametrize("oks", [0.52, 0.77, 0.93])
def test_people_at_a_known_similarity_score_as_many_thresholds_as_it_passes(oks):
    """Each joint is moved so far that its own similarity is `oks`: d^2 = -ln(oks) 2 area (2 sigma)^2."""
    moved = ONE.copy()
    moved[:, 0] += np.sqrt(-np.log(oks) * 2 * AREA) * 2 * coco_sigmas(COCO.joints)
    score = score_keypoints([photo(ONE)], [skeletons([moved], [0.9])])
    assert score.ap == pytest.approx(np.mean(oks >= np.arange(0.5, 0.96, 0.05)), abs=1e-6)
    assert (score.ap50, score.ap75) == pytest.approx((1.0, float(oks >= 0.75)))


def test_a_surer_phantom_costs_precision_and_an_unsure_one_does_not():
    phantom = ONE.copy()
    phantom[:, :2] += 250
    sure = score_keypoints([photo(ONE)], [skeletons([phantom, ONE], [0.9, 0.8])])
    unsure = score_keypoints([photo(ONE)], [skeletons([ONE, phantom], [0.9, 0.1])])
    assert sure.ap == pytest.approx(0.5, abs=0.01) and unsure.ap == pytest.approx(1.0)


def test_what_lies_in_an_ignored_region_is_not_counted_against_anyone():
    ignored = np.array([[290, 50, 400, 270]], np.float32)
    found = [skeletons([TWO, ONE], [0.9, 0.8])]
    assert score_keypoints([photo(ONE, ignore=ignored)], found).ap == pytest.approx(1.0)
    assert score_keypoints([photo(ONE)], found).ap < 0.6


def test_joints_that_nobody_labelled_do_not_count():
    partly = ONE.copy()
    partly[:5] = 0
    elsewhere = ONE.copy()
    elsewhere[:5, :2] += 99
    assert score_keypoints([photo(partly)], [skeletons([elsewhere], [0.9])]).ap == pytest.approx(1.0)


def test_nobody_found_is_zero():
    score = score_keypoints([photo(ONE)], [skeletons([], [])])
    assert (score.ap, score.ar, score.people, score.found) == (0.0, 0.0, 1, 0)


def test_photos_may_have_no_people():
    score = score_keypoints([photo(), photo(ONE)], [skeletons([], []), skeletons([ONE], [0.5])])
    assert score.ap == pytest.approx(1.0) and replace(score, ap=1).photos == 2


@pytest.mark.slow
def test_movenet_on_real_photos_through_the_command(shared, movenet_weights, tmp_path):
    photos = shared / "person-images"
    if not photos.is_dir():
        pytest.skip(f"{photos} is not here")
    names = (photos / "val.txt").read_text().split()
    (tmp_path / "few.txt").write_text("\n".join(name for name in names if name.startswith("litehr"))[:2000])
    assert (
        main(
            [
                "evaluate",
                "poses",
                "--annotations",
                str(photos / "annotations.json"),
                "--images",
                str(photos / "images"),
                "--only",
                str(tmp_path / "few.txt"),
                "--estimator",
                "movenet",
                "--input-size",
                "256",
                "--json",
                str(tmp_path / "result.json"),
            ]
        )
        == 0
    )
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["ap"] > 0.6 and result["photos"] == 10 and result["ms"]["median"] > 1


def test_missing_photos_are_told(tmp_path, capsys):
    assert main(["evaluate", "poses", "--annotations", str(tmp_path / "none.json"), "--images", str(tmp_path)]) != 0
    assert "none.json" in capsys.readouterr().err
