"""MPOSE2021's arrays as its package unpacks them, in small."""

from __future__ import annotations

import numpy as np
import pytest

from pose_attention_ros.cli.main import main
from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.dataset import SkeletonDataset
from pose_attention_ros.data.mpose import import_mpose

# id -> label; the third clip has 24 frames.
CLIPS = {
    "utdmhad_s02_wave1_3-0-29": 8,
    "kth_person12_walk_7-30-59": 7,
    "kth_person12_walk_7-60-83": 7,
    "isld_anna_run_1-0-29": 19,
}
LENGTHS = (30, 30, 24, 30)
TESTS = {"1": ("utdmhad_s02_wave1_3-0-29",), "2": ("kth_person12_walk_7-30-59", "kth_person12_walk_7-60-83")}


def poses(joints):
    """(4, 30, joints, 3): bodies whose joint v is at (10 + v, 20 + v), moving right; joint 4 is not seen."""
    x = np.zeros((len(CLIPS), 30, joints, 3))
    for row, length in enumerate(LENGTHS):
        place = np.arange(joints)[:, None] + [10.0 + row, 20.0]
        x[row, :length, :, :2] = place + np.arange(length)[:, None, None] * [0.5, 0]
        x[row, :length, :, 2] = 0.9
        x[row, :length, 4] = 0
    return x


def write(folder, joints=25, lists=True, **changes):
    """The folder as the package leaves it, two of the three splits."""
    x, labels, names = poses(joints), np.array(list(CLIPS.values())), list(CLIPS)
    for split, tests in TESTS.items():
        (folder / split).mkdir(parents=True)
        part = np.array(["test" if name in tests else "train" for name in names])
        for which in ("train", "test"):
            np.save(folder / split / f"X_{which}.npy", changes.get("x", x)[part == which])
            np.save(folder / split / f"y_{which}.npy", changes.get("y", labels)[part == which])
        if lists:  # the lists have the test clips first, the arrays each in the list's order
            order = [*np.flatnonzero(part == "test"), *np.flatnonzero(part == "train")]
            (folder / split / f"{split}.txt").write_text("".join(f"{names[i]}\t{part[i]}\n" for i in order))
    return folder


def test_all_splits_in_one_file(tmp_path):
    out = tmp_path / "out.npz"
    assert main(["data", "import", "mpose", str(write(tmp_path / "openpose")), str(out)]) == 0
    data = SkeletonDataset.load(out)
    assert data.labels.tolist() == ["walk", "walk", "run", "wave1"]
    assert data.group.tolist() == ["kth/person12"] * 2 + ["isld/anna", "utdmhad/s02"]
    assert data.official_splits.tolist() == [["train", "test"], ["train", "test"], ["train", "train"], ["test", "train"]]
    assert data.fps.tolist() == [25, 25, 25, 15] and data.image_size[-1].tolist() == [640, 480]
    assert np.diff(data.offsets).tolist() == [30, 24, 30, 30]  # what filled the short one up is gone
    wrist = data.joints.index("right_wrist")  # OpenPose's number 4
    assert (data.scores[:, wrist] == 0).all() and np.allclose(data.scores[:, data.joints.index("left_wrist")], 0.9)
    np.testing.assert_allclose(data.keypoints[0, data.joints.index("right_ankle")], (11 + 11, 20 + 11))
    np.testing.assert_allclose(data.keypoints[0, data.joints.index("left_foot")], (11 + 19, 20 + 19))
    assert len(data.joints) == 21


def test_one_split_of_seventeen_joints_without_a_list(tmp_path):
    folder = write(tmp_path / "posenet", 17, lists=False)
    data = import_mpose(folder, "2")
    assert data.joints == LAYOUTS["coco17"].joints and data.split.tolist() == ["train", "train", "test", "test"]
    assert set(data.group.tolist()) == {""} and set(data.fps.tolist()) == {0.0}
    np.testing.assert_array_equal(import_mpose(folder / "2").keypoints, data.keypoints)


def test_clips_filled_up_with_their_last_frame(tmp_path):
    x = poses(17)
    x[2, 24:] = x[2, 23]
    data = import_mpose(write(tmp_path / "posenet", x=x), "1")
    assert sorted(np.diff(data.offsets).tolist()) == [24, 30, 30, 30]


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"x": np.zeros((4, 30, 13, 3))}, "before reduce_keypoints"),
        ({"x": np.zeros((4, 30, 17, 5))}, "and velocities"),
        ({"y": np.array([8, 7, 7, 20])}, "expected 0 to 19"),
        ({"x": poses(17) / 640}, "not shares of the image"),
        ({"lists": False}, "give --official-split"),
    ],
)
def test_arrays_of_another_form(tmp_path, changes, words):
    with pytest.raises(UserError, match=words):
        import_mpose(write(tmp_path / "posenet", **changes))


@pytest.mark.parametrize("split, words", [("3", "no arrays of MPOSE2021 for split 3"), (None, "no arrays of MPOSE2021;")])
def test_a_folder_without_arrays(tmp_path, split, words):
    if split:
        write(tmp_path)
    with pytest.raises(UserError, match=words):
        import_mpose(tmp_path, split)
