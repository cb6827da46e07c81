"""Motion in three dimensions: compact files by their content, originals, and what cameras see of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pose_attention_ros.cli.main import main
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.layouts import LAYOUTS
from pose_attention_ros.data.dataset import SkeletonDataset
from pose_attention_ros.data.finishing import LeftOut
from pose_attention_ros.data.motion3d.cameras import CameraRing, import_kinect
from pose_attention_ros.data.motion3d.compact import read_motions, write_motions

JOINTS = LAYOUTS["common13"].joints
# Metres, a person 1.7 m tall: head, shoulders, elbows, wrists, hips, knees, ankles; x left.
STANDING = np.array([[0, 1.6, 0], [.15, 1.4, 0], [-.15, 1.4, 0], [.2, 1.1, 0], [-.2, 1.1, 0], [.2, .9, 0], [-.2, .9, 0],
                     [.1, .9, 0], [-.1, .9, 0], [.1, .5, 0], [-.1, .5, 0], [.1, .1, 0], [-.1, .1, 0]])


def compact(path, joints=JOINTS, body=STANDING, **changes):
    """Two clips, of 5 and 4 frames, of somebody who steps aside."""
    steps = np.linspace(0, 0.4, 9)[:, None, None] * np.array([1, 0, 0])
    arrays = {"xyz": (body + steps + [0, 0, 3]).astype("f4"), "offsets": np.array([0, 5, 9]), "joints": np.array(joints),
              "fps": np.array([60, 24.0]), "action": np.array(["walk", "idle"]), "subject": np.array([3, 12]), **changes}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def test_a_compact_file_says_itself_what_it_holds(tmp_path):
    data = import_kinect(compact(tmp_path / "ui_prmd_3d.npz", form=np.array([1, 2])), CameraRing(views=2), 0)
    assert data.joints == JOINTS and data.fps.tolist() == [60, 60, 24, 24]
    assert data.labels.tolist() == ["walk", "walk", "idle", "idle"]
    assert data.group.tolist() == ["ui_prmd/s03"] * 2 + ["ui_prmd/s12"] * 2
    motions = read_motions(tmp_path / "ui_prmd_3d.npz")
    assert [(m.name, m.label, m.fps, m.extra) for m in motions] == [
        ("ui_prmd/00000", "walk", 60, {"form": "1"}), ("ui_prmd/00001", "idle", 24, {"form": "2"})]
    steps = np.linspace(0, 0.4, 9)[5:, None, None] * [1, 0, 0]
    np.testing.assert_allclose(motions[1].xyz, STANDING + steps + [0, 0, 3], atol=1e-6)


@pytest.mark.parametrize("subject", [np.array([1, 2]), None])
def test_extra_arrays_do_not_make_it_another_set(tmp_path, subject):
    """`view` and `confidence` were taken for the marks of two sets; without subjects a set is divided by its styles."""
    path = compact(tmp_path / "mine.npz", subject=subject, view=np.array([1, 2]), confidence=np.ones((9, 13)),
                   dataset=np.array([1, 2]), style=np.array(["old", "sad"]))
    groups = [motion.group for motion in read_motions(path)]
    assert groups == (["mine/d1/old", "mine/d2/sad"] if subject is None else ["mine/s01", "mine/s02"])
    assert read_motions(path)[1].extra == {"dataset": "2", "style": "sad"}


def test_proportions_are_measured_and_brought_to_annotators(tmp_path):
    """Hips as high and as close as Kinect's, a head at the skull's base, narrow shoulders."""
    odd = STANDING.copy()
    odd[JOINTS.index("head"), 1] = 1.5
    for side, sign in (("left", 1), ("right", -1)):
        odd[JOINTS.index(f"{side}_hip")] = (sign * 0.07, 1.0, 0)
        odd[JOINTS.index(f"{side}_shoulder"), 0] = sign * 0.1
    motion = read_motions(compact(tmp_path / "a.npz", body=odd))[0]
    at = dict(zip(JOINTS, motion.annotated()[0]))
    middle = lambda joint: (at[f"left_{joint}"] + at[f"right_{joint}"]) / 2  # noqa: E731
    apart = lambda joint: np.linalg.norm(at[f"left_{joint}"] - at[f"right_{joint}"])  # noqa: E731
    trunk = np.linalg.norm(middle("shoulder") - middle("hip"))
    assert (middle("hip") - middle("knee"))[1] / trunk == pytest.approx(0.8, abs=0.03)
    assert [apart("hip") / trunk, apart("shoulder") / trunk, (at["head"] - middle("shoulder"))[1] / trunk] == pytest.approx(
        [0.4, 0.65, 0.4], abs=0.01)
    for joint in ("left_wrist", "right_knee"):  # the rest stays
        np.testing.assert_array_equal(at[joint], motion.xyz[0, JOINTS.index(joint)])


def test_untracked_frames_and_clips_are_left_out(tmp_path):
    xyz = np.tile(STANDING + [0, 0, 3], (9, 1, 1)).astype("f4")
    xyz[1] = 0
    xyz[6:] = 0
    left_out = LeftOut()
    motions = read_motions(compact(tmp_path / "a.npz", xyz=xyz), left_out)
    assert left_out.counts() == {"nobody tracked for two frames": 1}
    assert [(m.number, len(m.xyz)) for m in motions] == [(0, 4)]


def test_compact_files_are_written_as_they_are_read(tmp_path):
    motions = read_motions(compact(tmp_path / "a.npz", style=np.array(["old", "sad"]), fps=np.array(30.0)))
    write_motions(tmp_path / "b" / "a.npz", motions)
    again = read_motions(tmp_path / "b" / "a.npz")
    for one, two in zip(motions, again, strict=True):
        np.testing.assert_array_equal(one.xyz, two.xyz)
        assert (one.group, one.label, one.fps, one.extra, one.joints, one.proportions) == (
            two.group, two.label, two.fps, two.extra, two.joints, two.proportions)


@pytest.mark.parametrize("changes, words", [
    ({"action": None}, "action or label"), ({"fps": None}, "no fps"), ({"joints": np.array(["head"] * 13)}, "missing"),
    ({"joints": np.array([*JOINTS[:-1], "tail"])}, "tail"), ({"fps": np.array([30, 0])}, "above 0"),
    ({"offsets": np.array([0, 5, 8])}, "rise from 0 to 9"), ({"offsets": np.array([0, 9])}, "do not fit"),
    ({"xyz": np.full((9, 13, 3), np.nan)}, "NaN"), ({"xyz": np.zeros((9, 20, 3))}, "do not fit")])
def test_files_that_contradict_themselves(tmp_path, changes, words):
    with pytest.raises(UserError, match=words):
        read_motions(compact(tmp_path / "a.npz", **changes))


@pytest.mark.parametrize("name, clips, joints, fps, group", [
    ("kinder_gator", 1159, 13, 30.3, "kinder_gator/s103"), ("reactidle", 22, 13, 24.0, "reactidle/s00")])
def test_real_compact_files(shared, tmp_path, name, clips, joints, fps, group):
    source = shared / "data" / f"{name}_3d.npz"
    assert main(["data", "import", "kinect", str(source), str(tmp_path / "out.npz"), "--views", "1", "--json",
                 str(tmp_path / "out.json")]) == 0
    data = SkeletonDataset.load(tmp_path / "out.npz")
    assert (len(data), len(data.joints), data.fps.min()) == (clips, joints, pytest.approx(fps, abs=0.05))
    assert group in data.group and json.loads((tmp_path / "out.json").read_text())["missing_joints"] < 0.01
