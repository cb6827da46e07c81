"""Leeds Sports Pose Extended as photos to learn from: a small folder as the original is laid out."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose_attention_ros.cli.main import main
from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.types import Frame, Skeletons
from pose_attention_ros.data.originals import leeds
from pose_attention_ros.data.pose_images import read_photos

savemat = pytest.importorskip("scipy.io", reason="writes .mat files: pip install scipy").savemat
COCO = LAYOUTS["coco17"]


def write_original(folder: Path, count: int) -> np.ndarray:
    """Photos of noise of 80x60 pixels and one athlete each; returns joints (14, 3, count)."""
    rng = np.random.default_rng(count)
    (folder / "images").mkdir(parents=True)
    for number in range(1, count + 1):
        image = cv2.resize(rng.integers(0, 256, (6, 8, 3)).astype(np.uint8), (80, 60), interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(folder / f"images/im{number:05d}.jpg"), image)
    joints = rng.uniform(10, 40, (14, 3, count))
    joints[:, 2] = 1
    savemat(folder / "joints.mat", {"joints": joints})
    return joints


def people_at(frame: Frame, joints: list[np.ndarray], person_scores: list[float]) -> Skeletons:
    size = frame.image_bgr.shape[1::-1]
    scores = np.full((len(joints), 17), 0.9, np.float32)
    boxes = np.array([[*each.min(0), *each.max(0)] for each in joints], np.float32)
    return Skeletons(0, "", COCO, size, np.array(joints, np.float32), scores, boxes, np.array(person_scores, np.float32))


def test_the_athlete_keeps_peoples_joints_and_others_come_from_the_estimator(tmp_path):
    joints = write_original(tmp_path / "original", 3)
    joints[4, 2, 1] = 0  # the second athlete's left knee was not placed
    joints[3:, 2, 2] = 0  # the third has three joints
    savemat(tmp_path / "original/joints.mat", {"joints": joints})
    keypoints, placed = leeds.read_joints(tmp_path / "original")
    elsewhere = np.random.default_rng(0).uniform(45, 58, (17, 2))

    def estimator(frame: Frame) -> Skeletons:
        row = len(seen)
        seen.append(row)
        athlete = np.where(placed[row][:, None], keypoints[row], 25) / 2 + 0.2
        return people_at(
            frame, [athlete, elsewhere / 2, elsewhere / 2 + 1, athlete.mean(0) + 5 - athlete / 9], [0.9, 0.8, 0.1, 0.7]
        )

    seen: list[int] = []
    names = [f"im{number:05d}.jpg" for number in (1, 2, 3)]
    written = leeds.write_photos(tmp_path / "original", tmp_path / "out", names, 40, estimator)
    assert written == names[:2]
    photos = read_photos([tmp_path / "out/annotations.json"], tmp_path / "out/images", COCO)
    assert [photo.size for photo in photos] == [(40, 30), (40, 30)]
    for row, photo in enumerate(photos):
        assert photo.people == 2 and len(photo.ignore_xyxy) == 1  # an unsure one is neither person nor background
        body = np.arange(17) >= 5
        np.testing.assert_array_equal(photo.labelled[0], placed[row] | ~body)  # the face is the estimator's, no knee is
        np.testing.assert_allclose(photo.keypoints_px[0, placed[row]], keypoints[row, placed[row]] / 2, atol=0.06)
        np.testing.assert_allclose(photo.keypoints_px[1], elsewhere / 2, atol=0.06)


def test_validation_and_test_photos_are_not_learnt_from_nor_are_others_like_them(tmp_path):
    write_original(tmp_path / "original", 20)
    images = tmp_path / "original/images"
    beside = tmp_path / "beside"
    (beside / "images").mkdir(parents=True)
    (beside / "images/lspet_im00001.jpg").write_bytes((images / "im00001.jpg").read_bytes())
    (beside / "test_human.txt").write_text("lspet_im00001.jpg\n")
    (beside / "train.txt").write_text("lspet_im00002.jpg\n")
    (images / "im00005.jpg").write_bytes((images / "im00001.jpg").read_bytes())
    (images / "im00004.jpg").write_bytes((images / "im00003.jpg").read_bytes())
    train, val = leeds.chosen(tmp_path / "original", beside, 4)
    assert val[0] == "im00003.jpg" and len(val) == 4
    gone = {f"im{number:05d}.jpg" for number in (1, 2, 4, 5)}
    assert not gone & {*train, *val} and not set(train) & set(val)
    assert len(train) == 20 - len(gone) - len(val)
    with pytest.raises(UserError, match="has 18 photos to choose from, expected more than the 30"):
        leeds.chosen(tmp_path / "original", beside, 30)


@pytest.mark.parametrize(("content", "message"), [(b"no", "not Leeds"), (None, "cannot be read")])
def test_joints_that_are_something_else_are_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "joints.mat").write_bytes(content)
    with pytest.raises(UserError, match=message):
        leeds.read_joints(tmp_path)


def test_the_command_writes_photos_and_lists(tmp_path, movenet_weights, capsys):
    write_original(tmp_path / "original", 6)
    out = tmp_path / "out"
    command = ["data", "photos", "leeds", str(tmp_path / "original"), str(out), "--val", "2", "--input-size", "64"]
    assert main(command) == 0
    assert "6 photos, 2 of them for validation" in capsys.readouterr().out
    lists = [(out / name).read_text().split() for name in ("train.txt", "val.txt")]
    assert [len(each) for each in lists] == [4, 2]
    assert len(json.loads((out / "annotations.json").read_text())["images"]) == 6
    assert main([*command, "--estimator", "pose_cnn"]) != 0
    assert "expected coco17" in capsys.readouterr().err
