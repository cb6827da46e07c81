"""What cannot be right is refused by every importer, and what is left out is told: files as they come from other people."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from pose_attention_ros.cli.main import main
from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.dataset import Clip, SkeletonDataset
from pose_attention_ros.data.finishing import LeftOut, finished
from pose_attention_ros.data.originals.ntu import chosen_body, read_clip

savemat = pytest.importorskip("scipy.io", reason="writes .mat files: pip install scipy").savemat
COCO = LAYOUTS["coco17"].joints
SHAPE = np.stack([np.linspace(80, 192, 17), np.linspace(60, 180, 17)], -1)  # the head above, the feet below


def clip(label: str = "wave", frames: int = 6, **changes) -> Clip:
    keypoints = (SHAPE + np.arange(frames)[:, None, None]).astype(np.float32)
    return replace(Clip(keypoints, np.ones((frames, 17), np.float32), label, 30.0, "train", "a", (640, 480)), **changes)


def many(edit, number: int = 30) -> list[Clip]:
    return [edit(clip("wave" if i % 2 else "walk")) for i in range(number)]


@pytest.mark.parametrize(
    "edit, message",
    [
        (lambda c: replace(c, keypoints=c.keypoints / 480), "pixels large.*not shares of the image"),
        (lambda c: replace(c, keypoints=c.keypoints / 240 - 1), "not shares of the image"),
        (lambda c: replace(c, keypoints=c.keypoints * 1000, image_size=(0, 0)), "not millimetres"),
        (lambda c: replace(c, keypoints=c.keypoints * 20), "outside their image"),
        (lambda c: replace(c, image_size=(3840, 2160)), "coordinates those of smaller images"),
        (lambda c: replace(c, keypoints=480 - c.keypoints), "heads are below the feet"),
        (
            lambda c: replace(c, keypoints=c.keypoints / 480) if c.label == "walk" else c,
            "pixels large in 15 of 30 clips.*not shares",
        ),
        (lambda c: replace(c, fps=0.033), "frame rate is 0.033"),
        (lambda c: replace(c, label="nan"), "label 'nan'"),
        (
            lambda c: replace(c, scores=np.where(np.arange(6)[:, None] + np.arange(17) == 5, 1, 0) * (np.arange(17) < 4)),
            "of the joints are missing",
        ),
    ],
)
def test_what_cannot_be_right_is_refused(edit, message):
    with pytest.raises(UserError, match=f"cannot be right: .*{message}"):
        finished(many(edit), COCO)
    assert len(finished(many(lambda c: c), COCO)) == 30


def test_clips_without_joints_are_left_out_and_told(caplog, tmp_path):
    empty = clip(scores=np.zeros((6, 17), np.float32))
    left_out = LeftOut()
    left_out.add("nobody tracked", "v_7")
    data = finished([clip(), empty, clip("walk"), empty], COCO, left_out)
    assert len(data) == 2 and data.left_out == {"nobody tracked": 1, "no joint in any frame": 2}
    assert "left out 1 clip, nobody tracked: v_7" in caplog.text
    assert "left out 2 clips, no joint in any frame: clip 1 (wave, a), clip 3 (wave, a)" in caplog.text
    data.save(tmp_path / "data.npz")
    assert SkeletonDataset.load(tmp_path / "data.npz").left_out == {}
    with pytest.raises(UserError, match="nothing to import: 2 clips with no joint in any frame"):
        finished([empty, empty], COCO)
    with pytest.raises(UserError, match="nothing to import: no clip found"):
        finished([], COCO)


def test_what_may_be_meant_so_is_told(caplog):
    finished([clip(), clip("walk"), clip("fall", split="test")], COCO)
    assert "1 classes are in test and not in train: fall" in caplog.text
    finished([clip()], COCO)
    assert "only one class, wave" in caplog.text


def annotation(name: str, label: object, **changes) -> dict:
    keypoints = (SHAPE + np.arange(12)[:, None, None])[None].astype(np.float16)
    return {
        "frame_dir": name,
        "label": label,
        "img_shape": (480, 640),
        "total_frames": 12,
        "keypoint": keypoints,
        "keypoint_score": np.full((1, 12, 17), 0.9, np.float16),
        **changes,
    }


def pyskl(tmp_path, annotations, split, *arguments) -> tuple[int, dict]:
    content = annotations if split is None else {"split": split, "annotations": annotations}
    (tmp_path / "in.pkl").write_bytes(pickle.dumps(content))
    code = main(
        [
            "data",
            "import",
            "pyskl",
            str(tmp_path / "in.pkl"),
            str(tmp_path / "out.npz"),
            "--json",
            str(tmp_path / "out.json"),
            *arguments,
        ]
    )
    return code, {} if code else json.loads((tmp_path / "out.json").read_text())


EIGHT = [annotation(f"v_{i}", i % 2) for i in range(8)]
NAMES = [each["frame_dir"] for each in EIGHT]


def test_pyskl_a_person_of_nothing_is_not_the_one_seen_best(tmp_path):
    def joined(each):
        nothing = {name: np.full_like(each[name], np.nan) for name in ("keypoint", "keypoint_score")}
        return {**each, **{name: np.concatenate([nothing[name], each[name]]) for name in nothing}}

    code, summary = pyskl(tmp_path, [joined(each) for each in EIGHT], {"train1": NAMES[:6], "test1": NAMES[6:]})
    assert code == 0 and summary["missing_joints"] == 0 and summary["clips"] == 8


@pytest.mark.parametrize(
    "split, arguments, parts",
    [
        ({"train": NAMES[:6], "val": NAMES[6:]}, [], {"train": 3, "test": 1}),
        ({"train": NAMES[:4], "val": NAMES[4:6], "test": NAMES[6:]}, [], {"train": 2, "val": 1, "test": 1}),
        ({"sub_train": NAMES[:6], "sub_test": NAMES[6:]}, [], {"train": 3, "test": 1}),
        ({"Training": NAMES[:6], "Validation": NAMES[6:]}, [], {"train": 3, "test": 1}),
        ({"split1-train": NAMES[:6], "split1-valid": NAMES[6:]}, [], {"train": 3, "test": 1}),
        ({"train_1": NAMES[:6], "test_1": NAMES[6:]}, [], {"train": 3, "test": 1}),
        (
            {"xsub_train": NAMES[:6], "xsub_val": NAMES[6:], "xview_train": NAMES[:4], "xview_val": NAMES[4:]},
            ["--official-split", "xview"],
            {"train": 2, "test": 2},
        ),
        (None, [], {"-": 4}),
        ({}, [], {"-": 4}),
    ],
)
def test_pyskl_parts_of_any_name(tmp_path, split, arguments, parts):
    code, summary = pyskl(tmp_path, EIGHT, split, *arguments)
    assert code == 0 and summary["labels"] == {"0": parts, "1": parts}


@pytest.mark.parametrize(
    "annotations, split, message",
    [
        ([annotation("v_0", -1), *EIGHT[1:]], {"train": NAMES[:6], "val": NAMES[6:]}, "v_0 has label -1, expected a number"),
        ([annotation("v_0", [1, 2]), *EIGHT[1:]], None, "expected one number of a class"),
        ([annotation("v_0", float("nan")), *EIGHT[1:]], None, "expected one number of a class"),
        ([{**each, "keypoint": each["keypoint"] / np.float16(480)} for each in EIGHT], None, "not shares of the image"),
        (EIGHT, {"train": NAMES[:6], "val": NAMES[4:]}, "clip v_4 is in train and in val"),
        (EIGHT, {"train": [name + ".mp4" for name in NAMES[:6]], "val": NAMES[6:]}, "names v_0.mp4, the file has v_0"),
        (
            EIGHT,
            {"xsub_train": NAMES[:6], "xsub_val": NAMES[6:], "xview_train": NAMES[:4], "xview_val": NAMES[4:]},
            "choose with --official-split: xsub, xview",
        ),
        (EIGHT, {"first": NAMES}, "called first; expected train1 and test1, or train and val"),
        (
            [{"frame_dir": "v_0", "label": 0, "raw_file": "v_0.pkl"}],
            {"train": ["v_0"], "val": []},
            "each with keypoint, label",
        ),
    ],
)
def test_pyskl_files_that_are_refused(tmp_path, capsys, annotations, split, message):
    assert pyskl(tmp_path, annotations, split)[0] == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert message in error and error.startswith("pose-attention: ") and not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize("filled", [0.0, np.nan])
def test_pyskl_what_files_are_filled_up_with_is_nobody(tmp_path, filled):
    """A second person, and frames after the last one, of zeros or NaN whose scores are 1."""

    def filled_up(each):
        keypoints = np.full((2, 20, 17, 2), filled, np.float32)
        keypoints[1, :12] = each["keypoint"][0]
        return {**each, "keypoint": keypoints, "keypoint_score": np.ones((2, 20, 17)), "img_shape": (480, 640, 3)}

    code, summary = pyskl(tmp_path, tuple(map(filled_up, EIGHT)), None)
    assert code == 0 and summary["missing_joints"] == 0 and summary["frames"] == 8 * 12


def test_pyskl_remarks_on_what_may_be_meant_so(tmp_path, caplog):
    odd = [annotation("v_8", np.uint8(255)), annotation("v_0", 1)]
    assert pyskl(tmp_path, [*EIGHT, *odd], None)[0] == 0
    assert "1 clips are in the file more than once, for example v_0" in caplog.text
    assert "one label is 255 and the next lower one is 1; is it a -1, of clips without a class?" in caplog.text


def test_pyskl_tells_what_it_leaves_out(tmp_path):
    nobody = annotation("v_8", 0, keypoint=np.zeros((0, 12, 17, 2)), keypoint_score=np.zeros((0, 12, 17)))
    code, summary = pyskl(tmp_path, [*EIGHT, nobody], {"train": [*NAMES[:5], "v_8", "v_9"], "val": NAMES[6:]})
    assert code == 0 and summary["left_out"] == {
        "named in the split train and not in the file": 1,
        "in no part of the split": 1,
        "no joint in any frame": 1,
    }


def test_pyskl_scores_beside_the_coordinates_or_none(tmp_path):
    def third(each):
        score = each.pop("keypoint_score")
        return {**each, "keypoint": np.concatenate([each["keypoint"], score[..., None]], -1)}

    assert pyskl(tmp_path, [third(dict(each)) for each in EIGHT], None)[0] == 0
    np.testing.assert_allclose(SkeletonDataset.load(tmp_path / "out.npz").scores, 0.9, atol=1e-3)
    without = [{name: value for name, value in each.items() if name != "keypoint_score"} for each in EIGHT]
    for each in without:
        each["keypoint"] = each["keypoint"].copy()
        each["keypoint"][:, 3, 5] = 0
    assert pyskl(tmp_path, without, None)[0] == 0
    scores = SkeletonDataset.load(tmp_path / "out.npz").scores
    assert (scores == 0).sum() == 8 and scores[3, 5] == 0


def ntu_body(shift_m: float, state: int = 2, missing: int | None = None) -> np.ndarray:
    joints = np.zeros((25, 12))
    joints[:, :3] = np.stack([np.linspace(-0.2, 0.2, 25) + shift_m, np.linspace(0.9, -0.8, 25), np.full(25, 3.0)], 1)
    joints[:, 5:7] = np.stack([np.linspace(900, 1000, 25) + 100 * shift_m, np.linspace(100, 900, 25)], 1)
    joints[:, 11] = state
    if missing is not None:
        joints[missing, :7] = np.nan
    return joints


def ntu_file(path, frames) -> None:
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for track, joints in bodies.items():
            lines += [f"{track} 0 1 1 0 0 0 0.1 -0.2 2", "25", *(" ".join(map(str, joint)) for joint in joints)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def test_ntu_the_one_who_moves_is_chosen_though_a_joint_is_nothing(tmp_path):
    path = tmp_path / "S001C001P001R001A001.skeleton"
    for order in ((1, 2), (2, 1)):
        both = [{1: ntu_body(1.0), 2: ntu_body(0.02 * n, missing=3 if n == 4 else None)} for n in range(10)]
        ntu_file(path, [{track: bodies[track] for track in order} for bodies in both])
        read = read_clip(path)
        assert read.keypoints[:, 0, 0].std() > 3 and (read.scores == 0).sum() == 1 and read.scores[4, 3] == 0


def test_ntu_a_person_whose_id_changes_goes_on():
    moved = [{5 if n < 6 else 9: ntu_body(0.02 * n)} for n in range(10)]
    assert (chosen_body(moved)[..., 11] == 2).all()
    apart = [{5 if n < 6 else 9: ntu_body(0.02 * n + (n >= 6))} for n in range(10)]
    assert (chosen_body(apart)[..., 11] == 2).all(1).sum() == 6


@pytest.mark.filterwarnings("error")
def test_ntu_nobody_tracked_is_no_clip_and_videos_are_not_needed(tmp_path):
    folder = tmp_path / "ntu"
    for action, frames in (
        (1, [{1: ntu_body(0.02 * n)} for n in range(5)]),
        (2, [{1: ntu_body(0, state=0)}] * 5),
        (3, []),
        (4, [{}] * 5),
        (5, [{1: ntu_body(0.01 * n)} for n in range(5)]),
    ):
        ntu_file(folder / "nturgb+d_skeletons" / f"S001C001P001R001A{action:03d}.skeleton", frames)
    (folder / "nturgb+d_skeletons" / "._S001C001P001R001A001.skeleton").write_bytes(b"\0\5")
    (folder / "samples_with_missing_skeletons.txt").write_text("S001C001P001R001A005\n")
    assert main(["data", "import", "ntu", str(folder), str(tmp_path / "out.npz"), "--json", str(tmp_path / "o.json")]) == 0
    summary = json.loads((tmp_path / "o.json").read_text())
    assert summary["labels"] == {"A001": {"train": 1}}
    assert summary["left_out"] == {"nobody tracked": 3, "named in the list of missing skeletons": 1}
    assert main(["data", "pixels", "ntu", str(folder), str(tmp_path / "pixels")]) == 1  # these do need the videos


@pytest.mark.parametrize("kind", ["penn", "jhmdb"])
def test_notes_of_macos_are_no_files_and_a_damaged_one_is_named(tmp_path, capsys, kind):
    if kind == "penn":
        path = tmp_path / "labels" / "0001.mat"
        mat = {
            "x": SHAPE[:13, 0] + np.arange(4)[:, None],
            "y": SHAPE[:13, 1] + np.zeros((4, 1)),
            "action": "bowl",
            "train": 1,
            "dimensions": [480, 640, 4],
        }
    else:
        path = tmp_path / "joint_positions" / "wave" / "one" / "joint_positions.mat"
        mat = {"pos_img": (SHAPE[:15].T[..., None] + np.arange(4))}
        (tmp_path / "splits").mkdir()
        for name in ("wave_test_split1.txt", "._wave_test_split1.txt"):
            (tmp_path / "splits" / name).write_bytes(b"one.avi 1\n" if name[0] == "w" else b"\0\5\xff")
    path.parent.mkdir(parents=True)
    savemat(path, mat)
    (path.parent / f"._{path.name}").write_bytes(b"\0\5")
    assert main(["data", "import", kind, str(tmp_path), str(tmp_path / "out.npz")]) == 0
    path.write_bytes(path.read_bytes()[:150])
    assert main(["data", "import", kind, str(tmp_path), str(tmp_path / "out.npz")]) == 1
    assert str(path) in capsys.readouterr().err
