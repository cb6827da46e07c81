"""The data set file and its importers, on small files in the original layouts."""

from __future__ import annotations

import json
import pickle
import re

import numpy as np
import pytest
from motion_helpers import seen

from pose_attention_ros.cli.main import main
from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.dataset import Clip, SkeletonDataset
from pose_attention_ros.data.motion3d.cameras import CameraRing, project
from pose_attention_ros.data.motion3d.compact import KNOWN
from pose_attention_ros.data.motion3d.record import as_annotated
from pose_attention_ros.data.penn import import_penn
from pose_attention_ros.data.pyskl import source_video

PENN, JHMDB, KINECT = (LAYOUTS[name] for name in ("penn13", "jhmdb15", "kinect20"))


def small(joints=PENN.joints) -> SkeletonDataset:
    rng = np.random.default_rng(0)
    clips = [
        Clip(
            rng.uniform(0, 100, (n, len(joints), 2)).astype(np.float32),
            np.ones((n, len(joints)), np.float32),
            label,
            25.0,
            split,
            group,
            (640, 480),
        )
        for n, label, split, group in ((3, "wave", "train", "a"), (5, "walk", "test", "b"))
    ]
    return SkeletonDataset.from_clips(clips, joints)


def test_a_file_comes_back_as_it_was_written(tmp_path):
    data = small()
    data.save(tmp_path / "deep" / "data.npz")
    again = SkeletonDataset.load(tmp_path / "deep" / "data.npz")
    assert len(again) == 2 and again.joints == PENN.joints
    for before, after in zip(data, again):
        np.testing.assert_array_equal(before.keypoints, after.keypoints)
        assert (before.label, before.fps, before.split, before.group, before.image_size) == (
            after.label,
            after.fps,
            after.split,
            after.group,
            after.image_size,
        )
    with np.load(tmp_path / "deep" / "data.npz", allow_pickle=False) as file:
        assert {"keypoints", "scores", "offsets", "labels", "joints", "fps"} <= set(file.files)
        assert file["offsets"].tolist() == [0, 3, 8]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"scores": lambda a: a[:-1]}, "scores has shape"),
        ({"joints": lambda a: np.array(["LWrist", *a[1:]])}, "LWrist are not canonical"),
        ({"offsets": lambda a: np.array([0, 0, 8])}, "offsets must rise"),
        ({"offsets": lambda a: np.array([0, 3, 9])}, "offsets must rise"),
        ({"keypoints": lambda a: np.where(a > 50, np.nan, a)}, "NaN"),
        ({"scores": lambda a: a * 3}, "scores must lie in"),
        ({"split": lambda a: np.array(["train", "exam"])}, "split has exam"),
        ({"labels": None}, "has no array labels"),
    ],
)
def test_a_file_with_a_mistake_is_refused_with_the_reason(tmp_path, change, message):
    path = tmp_path / "data.npz"
    small().save(path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    for name, edit in change.items():
        arrays.pop(name) if edit is None else arrays.update({name: edit(arrays[name])})
    np.savez(path, **arrays)
    with pytest.raises(UserError, match=message):
        SkeletonDataset.load(path)


def test_files_that_are_none(tmp_path):
    with pytest.raises(UserError, match="no data set file"):
        SkeletonDataset.load(tmp_path / "absent.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(UserError, match="is not a skeleton data set file"):
        SkeletonDataset.load(tmp_path / "text.npz")
    np.savez(
        tmp_path / "pickle.npz",
        labels=np.array([{}], dtype=object),
        keypoints=np.zeros((1, 1, 2)),
        scores=np.zeros((1, 1)),
        offsets=np.array([0, 1]),
        joints=np.array(["head"]),
        fps=np.zeros(1),
    )
    with pytest.raises(UserError, match="is not a skeleton data set file"):
        SkeletonDataset.load(tmp_path / "pickle.npz")


def test_penn_original_and_compact_agree(tmp_path):
    io = pytest.importorskip("scipy.io")
    rng = np.random.default_rng(1)
    clips = [(rng.uniform(5, 200, (n, 13, 2)), action, train) for n, action, train in ((4, "squat", 1), (6, "bowl", -1))]
    clips[0][0][2, 5], clips[0][0][3, 6] = 1, 0.75  # joints left in the corner, one of them scaled with the image
    (tmp_path / "labels").mkdir()
    for i, (xy, action, train) in enumerate(clips, 1):
        io.savemat(
            tmp_path / "labels" / f"{i:04d}.mat",
            {
                "x": xy[..., 0],
                "y": xy[..., 1],
                "visibility": np.ones(xy.shape[:2]),
                "action": action,
                "train": train,
                "dimensions": np.array([270.0, 480.0, len(xy)]),
                "nframes": len(xy),
                "pose": "front",
            },
        )
    np.savez(
        tmp_path / "compact.npz",
        xy=np.concatenate([c[0] for c in clips]).astype(np.float32),
        vis=np.ones((10, 13), np.uint8),
        offsets=np.array([0, 4, 10]),
        action=np.array(["squat", "bowl"]),
        train=np.array([1, -1], np.int8),
        clip_id=np.array(["0001", "0002"]),
        height_width=np.array([[270, 480]] * 2, np.uint16),
        viewpoint=np.array(["front"] * 2),
    )
    original, compact = import_penn(tmp_path), import_penn(tmp_path / "compact.npz")
    for one, other in zip(original, compact):
        np.testing.assert_allclose(one.keypoints, other.keypoints, atol=1e-4)
        np.testing.assert_array_equal(one.scores, other.scores)
        assert (one.label, one.split, one.group) == (other.label, other.split, other.group)
        assert one.image_size == other.image_size
    assert original[0].split == "train" and original[1].split == "test" and original[0].image_size == (480, 270)
    assert original.group.tolist() == ["penn/0001", "penn/0002"]
    assert original[0].scores[2, 5] == original[0].scores[3, 6] == 0 and original[0].scores.sum() == 4 * 13 - 2


def test_jhmdb_original_files(tmp_path):
    io = pytest.importorskip("scipy.io")
    rng = np.random.default_rng(2)
    (tmp_path / "splits").mkdir()
    poses = {}
    for action, name, flag in (("wave", "clip_one", 1), ("wave", "clip_two", 2), ("run", "clip_three", 0)):
        folder = tmp_path / "joint_positions" / action / name
        folder.mkdir(parents=True)
        poses[name] = rng.uniform(1, 300, (2, 15, 7))
        io.savemat(folder / "joint_positions.mat", {"pos_img": poses[name], "pos_world": poses[name] / 100})
        with open(tmp_path / "splits" / f"{action}_test_split2.txt", "a") as file:
            file.write(f"{name}.avi {flag}\n")
    out = tmp_path / "out.npz"
    assert main(["data", "import", "jhmdb", str(tmp_path), str(out), "--official-split", "2"]) == 0
    data = SkeletonDataset.load(out)
    assert data.joints == JHMDB.joints
    assert data.labels.tolist() == ["wave", "wave"] and data.split.tolist() == ["train", "test"]
    np.testing.assert_allclose(data[0].keypoints[3, 4], poses["clip_one"][:, 4, 3] - 1, atol=1e-4)
    assert main(["data", "import", "jhmdb", str(tmp_path), str(out), "--official-split", "1"]) == 1


def test_jhmdb_compact_files(tmp_path):
    poses = np.full((2, 40, 15, 2), np.nan, np.float32)
    poses[:, :20] = np.random.default_rng(3).uniform(-1, 1, (2, 20, 15, 2))
    np.savez(
        tmp_path / "one.npz",
        poses=poses,
        lengths=np.array([20, 20]),
        labels=np.array([1, 0]),
        class_names=np.array(["catch", "wave"]),
        split_flags=np.array([[1, 2, 0], [2, 1, 1]]),
    )
    np.savez(
        tmp_path / "per_split.npz",
        **{
            f"{part}_{split}_{name}": value
            for split, order in ((1, (0, 1)), (2, (1, 0)))
            for part, i in zip(("train", "test"), order)
            for name, value in (("poses", poses[i : i + 1]), ("lengths", np.array([20])), ("labels", np.array(["wave"])))
        },
    )
    for name, labels in (("one", ["wave", "catch"]), ("per_split", ["wave", "wave"])):
        assert main(["data", "import", "jhmdb", str(tmp_path / f"{name}.npz"), str(tmp_path / "out.npz")]) == 0
        data = SkeletonDataset.load(tmp_path / "out.npz")
        assert data.labels.tolist() == labels and data.split.tolist() == ["train", "test"]
        assert np.diff(data.offsets).tolist() == [20, 20] and set(data.fps.tolist()) == {30.0}
        assert data.divided(2).split.tolist() == ["test", "train"]
        with pytest.raises(UserError, match="official split 4 was asked for"):
            data.divided(4)


def standing(turned: bool = False) -> np.ndarray:
    """(1, 20, 3) a person 3 m before a Kinect, facing it: x mirrored, so the person's left is at negative x."""
    # fmt: off
    height = {"hip_center": 0.0, "spine": 0.2, "neck": 0.5, "head": 0.7, "shoulder": 0.5, "elbow": 0.2, "wrist": 0.0,
              "hand": -0.1, "hip": 0.0, "knee": -0.45, "ankle": -0.9, "foot": -0.95}
    # fmt: on
    side = [(-0.2 if j.startswith("left") else 0.2) if "_" in j and j != "hip_center" else 0.0 for j in KINECT.joints]
    y = [height[j.removeprefix("left_").removeprefix("right_")] for j in KINECT.joints]
    xyz = np.stack([np.array(side) * (-1 if turned else 1), y, np.full(20, 3.0)], -1)
    return xyz[None]


def test_projection_keeps_left_and_right_and_up():
    """Seen from the front, a person's left is on the right of the image; seen from behind it is on the left."""
    root = standing()[:, KINECT.index("hip_center")]

    class Front:
        """A camera straight ahead."""

        def __init__(self, yaw):
            self.values = iter((yaw, 0.0, 3.0))

        def uniform(self, low, high):
            return next(self.values)

    for yaw, sign in ((0.0, 1), (np.pi, -1)):
        image, depth_m = project(standing(), root, Front(yaw), CameraRing())
        left, right = (image[0, KINECT.index(f"{s}_wrist"), 0] for s in ("left", "right"))
        assert np.sign(left - right) == sign
        assert image[0, KINECT.index("head"), 1] < image[0, KINECT.index("left_ankle"), 1]
        np.testing.assert_allclose(depth_m, 3.0, atol=1e-6)


def test_hips_and_head_come_to_where_annotators_see_them():
    for table in KNOWN:
        joints, rng = table.joints, np.random.default_rng(0)
        xyz = rng.normal(size=(3, 20, 3))
        before, moved = xyz.copy(), as_annotated(xyz, joints, table.proportions)
        np.testing.assert_array_equal(xyz, before)
        changed = {joints[v] for v in np.flatnonzero(np.abs(moved - xyz).max((0, 2)) > 1e-9)}
        assert changed == {"left_hip", "right_hip", "head"}
        at = {joint: moved[:, v] for v, joint in enumerate(joints)}
        width = np.linalg.norm(at["left_hip"] - at["right_hip"], axis=-1)
        was = np.linalg.norm(xyz[:, joints.index("left_hip")] - xyz[:, joints.index("right_hip")], axis=-1)
        np.testing.assert_allclose(width, was * table.proportions.hip_width)
        trunk = (at["left_shoulder"] + at["right_shoulder"] - at["left_hip"] - at["right_hip"]) / 2
        old = (
            at["left_shoulder"] + at["right_shoulder"] - xyz[:, joints.index("left_hip")] - xyz[:, joints.index("right_hip")]
        ) / 2
        np.testing.assert_allclose(trunk, old * (1 + table.proportions.hip_drop))


def test_kinect_views_are_the_seeds(tmp_path):
    xyz = np.repeat(standing(), 8, 0).astype(np.float32)
    np.savez(
        tmp_path / "ut.npz",
        xyz=xyz,
        offsets=np.array([0, 5, 8]),
        action=np.array(["walk", "sitDown"]),
        subject=np.array([3, 4]),
    )
    one, same, other = (seen(tmp_path / "ut.npz", 3, seed) for seed in (0, 0, 1))
    assert len(one) == 6 and one.group.tolist() == ["utkinect/s03"] * 3 + ["utkinect/s04"] * 3
    np.testing.assert_array_equal(one.keypoints, same.keypoints)
    assert not np.array_equal(one.keypoints, other.keypoints)


def pyskl_file(path, **changes):
    rng = np.random.default_rng(4)
    people = rng.uniform(0, 200, (2, 6, 17, 2)).astype(np.float16)
    scores = np.stack([np.full((6, 17), 0.3), np.full((6, 17), 0.8)]).astype(np.float16)
    annotations = [
        {
            "frame_dir": name,
            "label": label,
            "img_shape": (240, 320),
            "original_shape": (240, 320),
            "total_frames": 6,
            "keypoint": people + i,
            "keypoint_score": scores,
            **changes,
        }
        for i, (name, label) in enumerate((("v_one", 0), ("v_two", 1), ("v_other", 1)))
    ]
    content = {
        "split": {"train1": ["v_one"], "test1": ["v_two"], "xsub_train": ["v_two"], "xsub_val": ["v_other"]},
        "annotations": annotations,
    }
    path.write_bytes(pickle.dumps(content))
    return people


@pytest.mark.parametrize("split, splits", [("1", ["train", "test"]), ("xsub", ["train", "test"])])
def test_pyskl_pickles(tmp_path, split, splits):
    people = pyskl_file(tmp_path / "ucf.pkl")
    (tmp_path / "names.txt").write_text("wave\nwalk\n")
    assert (
        main(
            [
                "data",
                "import",
                "pyskl",
                str(tmp_path / "ucf.pkl"),
                str(tmp_path / "out.npz"),
                "--official-split",
                split,
                "--class-names",
                str(tmp_path / "names.txt"),
            ]
        )
        == 0
    )
    data = SkeletonDataset.load(tmp_path / "out.npz")
    assert data.joints == LAYOUTS["coco17"].joints and data.split.tolist() == splits and data[0].image_size == (320, 240)
    assert data.labels.tolist() == (["wave", "walk"] if split == "1" else ["walk", "walk"])
    if split == "1":
        np.testing.assert_array_equal(data[0].keypoints, people[1])  # the person seen best
        np.testing.assert_allclose(data[0].scores, 0.8, atol=1e-3)


def test_pyskl_pickles_with_several_splits(tmp_path):
    pyskl_file(tmp_path / "ucf.pkl")
    assert (
        main(["data", "import", "pyskl", str(tmp_path / "ucf.pkl"), str(tmp_path / "out.npz"), "--official-split", "1,xsub"])
        == 0
    )
    data = SkeletonDataset.load(tmp_path / "out.npz")
    assert data.official_splits.tolist() == [["train", "none"], ["test", "train"], ["none", "test"]]
    assert data.split.tolist() == ["train", "test", "none"]


@pytest.mark.parametrize(
    "name, source",
    [
        ("v_ApplyEyeMakeup_g08_c01", "v_ApplyEyeMakeup_g08"),
        ("April_09_brush_hair_u_nm_np1_ba_goo_0", "April_09_brush_hair"),
        ("S001C001P001R001A001", "S001C001P001R001A001"),
    ],
)
def test_clips_of_one_video_are_known_by_their_names(name, source):
    assert source_video(name) == source


class _Evil:
    def __reduce__(self):
        return print, ("this must not run",)


@pytest.mark.parametrize(
    "content, message",
    [
        (lambda: pickle.dumps({"annotations": _Evil(), "split": {}}), "would run builtins.print"),
        (lambda: pickle.dumps([1, 2]), "not a pyskl"),
        (lambda: b"hello", "not a pyskl"),
        (lambda: b"", "not a pyskl"),
    ],
)
def test_pickles_that_are_refused(tmp_path, capsys, content, message):
    (tmp_path / "odd.pkl").write_bytes(content())
    assert main(["data", "import", "pyskl", str(tmp_path / "odd.pkl"), str(tmp_path / "out.npz")]) == 1
    out, error = capsys.readouterr()
    assert message in error and "this must not run" not in out


@pytest.mark.parametrize(
    "arguments, changes, message",
    [
        (["--official-split", "9"], {}, "no train part of split '9'"),
        ([], {"keypoint": np.zeros((1, 4, 25, 3))}, "expected .people, frames, 17, 2."),
    ],
)
def test_pyskl_pickles_that_do_not_fit(tmp_path, capsys, arguments, changes, message):
    pyskl_file(tmp_path / "ucf.pkl", **changes)
    assert main(["data", "import", "pyskl", str(tmp_path / "ucf.pkl"), str(tmp_path / "out.npz"), *arguments]) == 1
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize("kind", ["penn", "jhmdb", "kinect"])
def test_a_source_of_another_kind_is_refused(tmp_path, capsys, kind):
    np.savez(tmp_path / "other.npz", nothing=np.zeros(3))
    assert main(["data", "import", kind, str(tmp_path / "other.npz"), str(tmp_path / "out.npz")]) == 1
    assert main(["data", "import", kind, str(tmp_path / "absent.npz"), str(tmp_path / "out.npz")]) == 1
    (tmp_path / "text.npz").write_text("hello")
    assert main(["data", "import", kind, str(tmp_path / "text.npz"), str(tmp_path / "out.npz")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and "other.npz" in lines[0] and "does not exist" in lines[1] and "no plain arrays" in lines[2]


def test_inspect_writes_what_it_shows(tmp_path, capsys):
    small().save(tmp_path / "data.npz")
    assert main(["data", "inspect", str(tmp_path / "data.npz"), "--json", str(tmp_path / "data.json")]) == 0
    summary = json.loads((tmp_path / "data.json").read_text())
    assert summary["clips"] == 2 and summary["frames"] == 8
    assert summary["labels"] == {"walk": {"test": 1}, "wave": {"train": 1}}
    assert "2 clips, 8 frames" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, name, clips",
    [
        ("penn", "penn_action_joints", 2326),
        ("jhmdb", "jhmdb14", 609),
        ("jhmdb", "jhmdb_804of928_pos_world", 804),
        ("kinect", "utkinect_3d", 200),
        ("kinect", "msr_action3d_3d", 566),
    ],
)
def test_the_real_files(shared, tmp_path, kind, name, clips):
    source, out = shared / "data" / f"{name}.npz", tmp_path / "out.npz"
    assert main(["data", "import", kind, str(source), str(out), "--views", "1"]) == 0
    data = SkeletonDataset.load(out)
    assert len(data) == clips
    if kind == "penn":  # none of the joints that were left in the corner counts as seen
        assert 0.08 < (data.scores == 0).mean() < 0.1 and (data.keypoints[data.scores > 0].max(-1) > 5).all()
