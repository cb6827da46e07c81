"""Data sets with pixels, read from small folders that the tests write exactly as the originals are laid out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pose_attention_ros.cli.main import main
from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.originals import ORIGINALS, open_original
from pose_attention_ros.data.originals.ntu import chosen_body, read_bodies
from pose_attention_ros.data.pixel_clips import open_pixels

savemat = pytest.importorskip("scipy.io", reason="writes .mat files: pip install scipy").savemat
KINECT25 = LAYOUTS["kinect25"].joints


def grey(value: int, width: int = 32, height: int = 24) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def write_penn(folder: Path, images: int = 4) -> None:
    (folder / "labels").mkdir(parents=True)
    for name, action, train, level in (("0001", "bowl", 1, 40), ("0002", "squat", -1, 120)):
        x = np.arange(4 * 13, dtype=float).reshape(4, 13) + 2
        savemat(
            folder / "labels" / f"{name}.mat",
            {"x": x, "y": x / 2, "action": action, "train": train, "dimensions": [[24, 32, 4]]},
        )
        (folder / "frames" / name).mkdir(parents=True)
        for number in range(images):
            cv2.imwrite(str(folder / "frames" / name / f"{number + 1:06d}.jpg"), grey(level + 10 * number))


def write_jhmdb(folder: Path) -> None:
    (folder / "splits").mkdir(parents=True)
    for action, video, flags, level in (
        ("wave", "a_wave_f_cm_np1_fr_med_1", (1, 1, 2), 50),
        ("jump", "b_jump_x_0", (2, 1, 1), 90),
    ):
        where = folder / "joint_positions" / action / video
        where.mkdir(parents=True)
        savemat(where / "joint_positions.mat", {"pos_img": np.arange(2 * 15 * 3, dtype=float).reshape(2, 15, 3) + 1})
        (folder / "Rename_Images" / action / video).mkdir(parents=True)
        for number in range(3):
            cv2.imwrite(str(folder / "Rename_Images" / action / video / f"{number + 1:05d}.png"), grey(level + number))
        for split, flag in enumerate(flags, 1):
            (folder / "splits" / f"{action}_test_split{split}.txt").write_text(f"{video}.avi {flag}\n")


def body_lines(track: int, xyz: np.ndarray, colour: np.ndarray, state: int = 2) -> list[str]:
    lines = [f"{track} 0 1 1 1 1 0 0.01 -0.02 2", "25"]
    return lines + [f"{p[0]} {p[1]} {p[2]} 250.1 200.2 {c[0]} {c[1]} 0.1 0.2 0.3 0.4 {state}" for p, c in zip(xyz, colour)]


def person(shift: float = 0.0, wide: float = 0.4) -> np.ndarray:
    """(25, 3) metres: as high as a person, `wide` metres wide."""
    rng = np.random.default_rng(0)
    depth = 3 + 0.1 * rng.uniform(size=25)
    return np.stack([np.linspace(-wide / 2, wide / 2, 25) + shift, np.linspace(-0.8, 0.9, 25), depth], 1)


def write_ntu(folder: Path) -> None:
    """Three clips: one with a person who moves, a bystander and a wide thing; one that the list calls missing; one empty."""
    (folder / "nturgb+d_skeletons").mkdir(parents=True)
    (folder / "nturgb+d_rgb").mkdir()
    colour = np.stack([np.linspace(100, 400, 25), np.linspace(50, 900, 25)], 1)
    lines = ["4"]
    for frame in range(4):
        bodies = body_lines(72057594037931101, person(0.2 * frame), colour + 5 * frame, 1 if frame == 1 else 2)
        bodies += body_lines(72057594037931102, person(1.5), colour + 300)
        bodies += body_lines(72057594037931103, person(0.5 * frame, wide=3.0), colour + 600)
        lines += ["0"] if frame == 2 else ["3", *bodies]
    texts = {"S001C002P003R001A023": lines, "S001C003P001R002A060": lines, "S001C001P002R001A005": ["2", "0", "0"]}
    for name, text in texts.items():
        (folder / "nturgb+d_skeletons" / f"{name}.skeleton").write_text("\n".join(text) + "\n")
        path = folder / "nturgb+d_rgb" / f"{name}_rgb.avi"
        video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 30, (64, 48))
        for frame in range(4):
            video.write(grey(40 + 40 * frame, 64, 48))
        video.release()
    (folder / "samples_with_missing_skeletons.txt").write_text(
        "Samples with missing or incomplete skeletons:\nS001C003P001R002A060\nS002C001P001R001A001\n"
    )


def write_nucla(folder: Path) -> None:
    for view, action, stamps in ((1, "a01_s02_e00", (100, 180, 260, 340)), (3, "a12_s05_e03", (10, 90, 170))):
        where = folder / f"view_{view}" / action
        where.mkdir(parents=True)
        for number, stamp in enumerate(stamps, 9):  # frame_9, frame_10: sorted by number, not by name
            cv2.imwrite(str(where / f"frame_{number}_tc_{stamp}_rgb.jpg"), grey(10 * number))
            near = [f"{0.01 * j},{0.02 * j},2.0,{2 if j else 0}" for j in range(20)]
            far = ["0.5,0.5,4.0,2"] * 20
            skeletons = [] if number == 10 else ["7,0,0,0", *far, "3,0,0,0", *near]
            (where / f"frame_{number}_tc_{stamp + 13}_skeletons.txt").write_text("\n".join(skeletons) + "\n")
    (folder / "view_2").mkdir()


WRITERS = {"penn": write_penn, "jhmdb": write_jhmdb, "ntu": write_ntu, "nucla": write_nucla}


@pytest.mark.parametrize(
    "name, labels, joints, levels",
    [
        ("penn", ["bowl", "squat"], LAYOUTS["penn13"].joints, [[40, 50, 60, 70], [120, 130, 140, 150]]),
        ("jhmdb", ["jump", "wave"], LAYOUTS["jhmdb15"].joints, [[90, 91, 92], [50, 51, 52]]),
        ("ntu", ["A023"], KINECT25, [[40, 80, 120, 160]]),
        ("nucla", ["pick_up_with_one_hand", "carry"], LAYOUTS["kinect20"].joints, [[90, 100, 110, 120], [90, 100, 110]]),
    ],
)
def test_labels_joints_and_each_frame_of_each_clip(tmp_path, name, labels, joints, levels):
    WRITERS[name](tmp_path / name)
    data = open_original(name, tmp_path / name)
    assert data.skeletons.labels.tolist() == labels and data.skeletons.joints == joints
    for number, expected in enumerate(levels):
        clip = data[number]
        np.testing.assert_allclose(clip.images_bgr.mean((1, 2, 3)), expected, atol=2)
        assert len(clip.keypoints_px) == len(expected)
        np.testing.assert_array_equal(data.images(number, [2, 0]), clip.images_bgr[[2, 0]])
    assert set(WRITERS) == set(ORIGINALS)


def test_penn_and_jhmdb_keep_their_official_splits_and_joints(tmp_path):
    write_penn(tmp_path / "penn")
    penn = open_original("penn", tmp_path / "penn").skeletons
    assert penn.split.tolist() == ["train", "test"]
    np.testing.assert_allclose(penn[0].keypoints[0, :3], [[2, 1], [3, 1.5], [4, 2]])
    write_jhmdb(tmp_path / "jhmdb")
    jhmdb = open_original("jhmdb", tmp_path / "jhmdb").skeletons
    assert jhmdb.official_splits.tolist() == [["test", "train", "train"], ["train", "train", "test"]]


def test_ntu_takes_the_person_who_moves_and_what_the_sensor_saw_of_them(tmp_path):
    write_ntu(tmp_path)
    clip = open_original("ntu", tmp_path).skeletons[0]
    assert clip.official_splits == ("test", "train") and clip.group == "ntu/p003" and clip.fps == 30
    np.testing.assert_allclose(clip.keypoints[0, [0, 24]], [[100, 50], [400, 900]])
    np.testing.assert_allclose(clip.keypoints[3, [0, 24]], [[115, 65], [415, 915]])
    assert [float(scores.max()) for scores in clip.scores] == [1.0, 0.5, 0.0, 1.0]


def test_a_wide_thing_is_taken_only_where_there_is_nobody_else():
    def tracked(xyz):
        return np.concatenate([xyz, np.zeros((25, 8)), np.full((25, 1), 2)], 1)

    thing = [{1: tracked(person(0.5 * frame, wide=3.0))} for frame in range(3)]
    assert np.ptp(chosen_body(thing)[0, :, 0]) > 2
    both = [{**frame, 2: tracked(person(0.01 * n))} for n, frame in enumerate(thing)]
    assert np.ptp(chosen_body(both)[0, :, 0]) < 1
    assert chosen_body([{}, {}]) is None


@pytest.mark.parametrize(
    "text, message",
    [
        ("2\n1\n1 0 1 1 1 1 0 0 0 2\n25\n0.1 0.2", "ends after"),
        ("1\n1\n1 0 1 1 1 1 0 0 0 2\n20\n", "20 joints, expected 25"),
        ("hello", "invalid"),
    ],
)
def test_a_damaged_skeleton_file_is_told(tmp_path, text, message):
    with pytest.raises((ValueError, UserError), match=message):
        list(read_bodies(text))
    write_ntu(tmp_path)
    (tmp_path / "nturgb+d_skeletons" / "S001C002P003R001A023.skeleton").write_text(text)
    with pytest.raises(UserError, match=r"S001C002P003R001A023.skeleton is not an NTU .skeleton file"):
        open_original("ntu", tmp_path)


def test_nucla_projects_the_nearest_body_and_leaves_empty_frames_empty(tmp_path):
    write_nucla(tmp_path)
    data = open_original("nucla", tmp_path).skeletons
    assert data.official_splits.tolist() == [["train", "train", "test"], ["test", "train", "train"]]
    assert data.fps.tolist() == [12.5, 12.5]
    clip = data[0]
    assert clip.scores[0].tolist() == [0.0] + [1.0] * 19 and not clip.scores[1].any()
    np.testing.assert_allclose(clip.keypoints[0, 10], [320 + 531.15 * 0.1 / 2, 240 - 531.15 * 0.2 / 2], rtol=1e-5)


@pytest.mark.parametrize(
    "name, remove, message",
    [
        ("penn", "frames/0002/000003.jpg", "3 images, expected 4"),
        ("penn", "labels/0001.mat labels/0002.mat", "no PennAction label files"),
        ("jhmdb", "Rename_Images/wave/a_wave_f_cm_np1_fr_med_1/00003.png", "2 images, expected 3"),
        ("ntu", "nturgb+d_rgb/S001C002P003R001A023_rgb.avi", "S001C002P003R001A023_rgb.avi is missing"),
    ],
)
def test_what_is_missing_is_named(tmp_path, name, remove, message):
    WRITERS[name](tmp_path)
    for part in remove.split():
        (tmp_path / part).unlink()
    with pytest.raises(UserError, match=message):
        open_original(name, tmp_path)


@pytest.mark.parametrize("name", ORIGINALS)
def test_a_folder_of_something_else_is_refused(tmp_path, name):
    with pytest.raises(UserError, match="expected"):
        open_original(name, tmp_path)
    with pytest.raises(UserError, match="is no folder"):
        open_original(name, tmp_path / "absent")


def test_a_damaged_image_and_a_short_video_are_told_when_they_are_read(tmp_path):
    write_penn(tmp_path / "penn")
    (tmp_path / "penn" / "frames" / "0001" / "000002.jpg").write_bytes(b"no image")
    data = open_original("penn", tmp_path / "penn")
    assert data.images(0, [0]).shape == (1, 24, 32, 3)
    with pytest.raises(UserError, match=r"000002\.jpg cannot be read as an image"):
        data.images(0)
    write_ntu(tmp_path / "ntu")
    data = open_original("ntu", tmp_path / "ntu")
    with pytest.raises(UserError, match="ends or is damaged at frame 4"):
        data.images(0, [7])


def test_the_hash_follows_images_and_joints(tmp_path):
    write_penn(tmp_path)
    before = open_original("penn", tmp_path).sha256
    assert open_original("penn", tmp_path).sha256 == before
    cv2.imwrite(str(tmp_path / "frames" / "0001" / "000001.jpg"), np.random.default_rng(0).integers(0, 255, (24, 32, 3)))
    assert open_original("penn", tmp_path).sha256 != before


def test_a_stored_data_set_has_the_images_fitted_and_the_joints_with_them(tmp_path, capsys):
    write_penn(tmp_path / "penn")
    assert (
        main(
            ["data", "pixels", "penn", str(tmp_path / "penn"), str(tmp_path / "out"), "--image-size", "64", "--frames", "2"]
        )
        == 0
    )
    assert "2 clips, 4 frames" in capsys.readouterr().out
    data = open_pixels(tmp_path / "out")
    clip = data[0]
    assert clip.images_bgr.shape == (2, 64, 64, 3)
    np.testing.assert_allclose(clip.images_bgr[:, 32].mean((1, 2)), [50, 70], atol=2)  # frames 1 and 3 of 4
    assert not clip.images_bgr[:, :8].any() and not clip.images_bgr[:, -8:].any()  # 32x24 scaled to 64x48, black beside it
    original = open_original("penn", tmp_path / "penn").skeletons[0].keypoints[[1, 3]]
    np.testing.assert_allclose(clip.keypoints_px, original * 2 + [0, 8])


def test_a_stored_data_set_may_be_what_a_robot_would_show(tmp_path, capsys):
    """The square around the person: they fill 62 % of it at first, joints follow the image, and it is black beyond it."""
    write_penn(tmp_path / "penn")
    assert main(["data", "pixels", "penn", str(tmp_path / "penn"), str(tmp_path / "whole"), "--image-size", "64"]) == 0
    assert (
        main(
            ["data", "pixels", "stored", str(tmp_path / "whole"), str(tmp_path / "around"), "--image-size", "50", "--around"]
        )
        == 0
    )
    assert "2 clips" in capsys.readouterr().out
    whole, around = (open_pixels(tmp_path / name)[0] for name in ("whole", "around"))
    there = around.keypoints_px[0][around.scores[0] > 0]
    np.testing.assert_allclose((there.min(0) + there.max(0)) / 2, 25, atol=1e-3)
    np.testing.assert_allclose(np.ptp(there, 0).max(), 0.62 * 50, rtol=1e-4)
    for frame, (image, joints, origin) in enumerate(zip(around.images_bgr, around.keypoints_px, whole.keypoints_px)):
        scale = np.ptp(joints[:, 0]) / np.ptp(origin[:, 0])
        moved = joints - origin * scale
        np.testing.assert_allclose(moved, np.broadcast_to(moved[:1], moved.shape), atol=1e-2)
        for x, y in ((2, 2), (25, 25), (47, 47)):
            at = np.floor((np.array([x, y]) + 0.5 - moved[0]) / scale).astype(int)
            wanted = whole.images_bgr[frame, at[1], at[0]] if (0 <= at).all() and (at < 64).all() else np.zeros(3)
            np.testing.assert_allclose(image[y, x], wanted, atol=3)


@pytest.mark.parametrize("name", ["ntu", "nucla"])
def test_joints_alone_are_imported_as_a_skeleton_data_set(tmp_path, capsys, name):
    WRITERS[name](tmp_path / name)
    assert main(["data", "import", name, str(tmp_path / name), str(tmp_path / "out.npz")]) == 0
    assert "joints: hip_center, spine" in capsys.readouterr().out
