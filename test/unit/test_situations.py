"""Files of other people that once went wrong, where they lie beside the checkout: the table of docs/faults.md."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose_attention_ros.cameras import SourceError, open_source
from pose_attention_ros.cli.main import main

# What is beside the checkout and tried elsewhere: a driver and a cv_bridge, which need ROS.
ELSEWHERE = {"live"}


@pytest.fixture(scope="module")
def cases(shared: Path) -> Path:
    folder = shared / "cases"
    if not folder.is_dir():
        pytest.skip(f"other people's files are not on this machine: {folder}")
    return folder


def frames_of(source: Path | str) -> list:
    camera = open_source(str(source))
    try:
        return list(iter(camera.read, None))
    finally:
        camera.close()


def imported(kind: str, source: Path, folder: Path) -> dict:
    """The summary of an import; empty where it is refused."""
    code = main(["data", "import", kind, str(source), str(folder / "out.npz"), "--json", str(folder / "out.json")])
    return {} if code else json.loads((folder / "out.json").read_text())


def shown(source: Path, folder: Path, *options: str) -> tuple[int, float]:
    """Frames and seconds of annotated.mp4."""
    assert main(["run", "--source", str(source), "--out", str(folder), "--input-size", "64", *options]) == 0
    video = cv2.VideoCapture(str(folder / "annotated.mp4"))
    number = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    assert sum(video.grab() for _ in range(number + 1)) == number
    return number, number / video.get(cv2.CAP_PROP_FPS)


def damaged_spot(case: Path, folder: Path, told: Callable[[], str]) -> None:
    frames = frames_of(case / "spot.mp4")
    assert [round(frame.stamp_ns * 1e-8) for frame in frames] == [number for number in range(24) if number != 7]
    assert "1 of 24 frames cannot be decoded" in told()


def bag_images_in_part(case: Path, folder: Path, told: Callable[[], str]) -> None:
    assert shown(case / "part", folder) == (20, pytest.approx(2.0, abs=0.05))


def bag_size_changes(case: Path, folder: Path, told: Callable[[], str]) -> None:
    assert shown(case / "resize", folder) == (20, pytest.approx(2.0, abs=0.05))


def mixed_sizes(case: Path, folder: Path, told: Callable[[], str]) -> None:
    assert shown(case, folder, "--assumed-fps", "4") == (8, pytest.approx(2.0, abs=0.05))


def bag_duplicate_stamps(case: Path, folder: Path, told: Callable[[], str]) -> None:
    stamps_ns = [frame.stamp_ns for frame in frames_of(case / "dup")]
    assert len(stamps_ns) == 20 and np.all(np.diff(stamps_ns) > 0) and "stamp" in told()


def bag_depth_only(case: Path, folder: Path, told: Callable[[], str]) -> None:
    with pytest.raises(SourceError, match="holds distances, not a picture"):
        open_source(str(case / "depthonly"))
    assert told().count("left out") == 1


def mcap_profile_empty(case: Path, folder: Path, told: Callable[[], str]) -> None:
    assert len(frames_of(case / "mixed_enc.mcap")) == 20
    assert "without the ROS 2 profile (its profile is '')" in told() and "is json, no ROS 2 message" in told()


def names(case: Path, folder: Path, told: Callable[[], str]) -> None:
    os.chdir(case)
    for name in (
        "2024-05-01T10:30:00.mp4",
        "./2024-05-01T10:30:00.mp4",
        "a b.mp4",
        "me ! you.mp4",
        (case / "a b.mp4").as_uri(),
        f"file://{case}/a b.mp4",
    ):
        assert len(frames_of(name)) == 6, name
    assert len(frames_of("0001")) > 0


def ntu(case: Path, folder: Path, told: Callable[[], str]) -> None:
    summary = imported("ntu", case, folder)
    assert list(summary["labels"]) == ["A001", "A002", "A004", "A005", "A006", "A007", "A050"]
    assert summary["left_out"] == {"nobody tracked": 3, "named in the list of missing skeletons": 1}
    with np.load(folder / "out.npz") as file:
        begin = file["offsets"][3]
        assert file["keypoints"][begin : begin + 20, 0, 0].std() > 10  # the one who moves, though a joint is NaN


def apple_files(case: Path, folder: Path, told: Callable[[], str]) -> None:
    assert imported("penn", case / "penn", folder)["clips"] == 4


def pyskl_nan_second_person(case: Path, folder: Path, told: Callable[[], str]) -> None:
    summary = imported("pyskl", case / "nan_second.pkl", folder)
    assert summary["clips"] == 9 and summary["missing_joints"] == 0


def pyskl_label_minus_one(case: Path, folder: Path, told: Callable[[], str]) -> None:
    assert not imported("pyskl", case / "labels_minus.pkl", folder) and not (folder / "out.npz").exists()


def pyskl_split_train_val(case: Path, folder: Path, told: Callable[[], str]) -> None:
    summary = imported("pyskl", case / "plain_train_val.pkl", folder)
    assert all(counts == {"train": 2, "test": 1} for counts in summary["labels"].values())


def pyskl_old_list(case: Path, folder: Path, told: Callable[[], str]) -> None:
    assert imported("pyskl", case / "only_list.pkl", folder)["clips"] == 9


ANSWERS = {
    answer.__name__: answer
    for answer in (
        apple_files,
        bag_depth_only,
        bag_duplicate_stamps,
        bag_images_in_part,
        bag_size_changes,
        damaged_spot,
        mcap_profile_empty,
        mixed_sizes,
        names,
        ntu,
        pyskl_label_minus_one,
        pyskl_nan_second_person,
        pyskl_old_list,
        pyskl_split_train_val,
    )
}


@pytest.mark.parametrize("name", ANSWERS)
def test_the_right_answer(cases: Path, tmp_path: Path, monkeypatch, caplog, name: str) -> None:
    case = cases / name
    if not case.is_dir():
        pytest.skip(f"no {case}")
    monkeypatch.chdir(tmp_path)
    ANSWERS[name](case, tmp_path, lambda: caplog.text)


def test_every_one_has_an_answer(cases: Path) -> None:
    assert {case.name for case in cases.iterdir() if case.is_dir()} <= {*ANSWERS, *ELSEWHERE}
