"""The files that `run` and the recorder leave behind."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.types import ActionEstimate, ActionEstimates, LabelState, SkeletonGraphs
from pose_attention_ros.evaluation.mp4_times import set_times
from pose_attention_ros.evaluation.recording import ResultWriter, summary_table

LAYOUT, CLASSES = layout("common13"), ("walk", "wave")


def frame(stamp_ns, people):
    """people: {track id: (label, confidence)}"""
    n = len(people)
    graphs = SkeletonGraphs(
        stamp_ns,
        "cam",
        LAYOUT,
        (64, 48),
        np.array(list(people), np.int64),
        np.zeros((n, 13, 2)),
        np.zeros((n, 13, 5)),
        np.ones((n, 13), bool),
        np.zeros(n),
        np.zeros((n, 2)),
        np.ones(n),
        np.tile((1.0, 2.0, 30.0, 40.0), (n, 1)),
    )
    estimates = tuple(
        ActionEstimate(
            i,
            label,
            LabelState.UNKNOWN if label == "unknown" else LabelState.CONFIRMED,
            confidence,
            np.array([confidence, 1 - confidence], np.float32),
            0,
            0,
            stamp_ns,
            np.full(13, 1 / 13, np.float32),
            np.ones(1, np.float32),
            np.array([stamp_ns]),
        )
        for i, (label, confidence) in people.items()
    )
    return graphs, ActionEstimates(stamp_ns, "cam", LAYOUT, CLASSES, "tiny", "ab" * 32, estimates)


def write(folder, frames, **options):
    options = {"fps": 10.0, "draw": lambda image, graphs, actions: image, "about": {"model": "tiny"}} | options
    with ResultWriter(folder, **options) as writer:
        for graphs, actions in frames:
            writer.add(np.full((48, 64, 3), 90, np.uint8), graphs, actions)
        return writer.close()


def test_video_lines_and_summary_tell_the_same_story(tmp_path):
    frames = [
        frame(i * 100_000_000, {1: ("unknown" if i < 4 else "walk", 0.8)} | ({2: ("unknown", 0.3)} if i % 2 else {}))
        for i in range(10)
    ]
    summary = write(tmp_path / "new" / "folder", frames)
    folder = tmp_path / "new" / "folder"
    assert json.loads((folder / "summary.json").read_text()) == summary
    assert summary["frames"] == 10 and summary["model"] == "tiny" and summary["frames_per_second"] > 0
    tracks = [(t["track_id"], t["frames"], t["dominant_label"]) for t in summary["tracks"]]
    assert tracks == [(1, 10, "walk"), (2, 5, "unknown")]
    assert summary["tracks"][0]["mean_confidence"] == pytest.approx(0.8)

    lines = [json.loads(line) for line in (folder / "actions.jsonl").read_text().splitlines()]
    assert [line["stamp_ns"] for line in lines] == [i * 100_000_000 for i in range(10)]
    person = lines[5]["people"][0]
    assert person["label"] == "walk" and person["state"] == "confirmed" and person["box_xyxy"] == [1, 2, 30, 40]
    assert person["scores"] == pytest.approx({"walk": 0.8, "wave": 0.2})
    assert list(person["joint_attention"]) == list(LAYOUT.joints)

    video = cv2.VideoCapture(str(folder / "annotated.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 10 and video.get(cv2.CAP_PROP_FPS) == pytest.approx(10)
    ok, image = video.read()
    assert ok and image.shape == (48, 64, 3) and abs(int(image.mean()) - 90) < 6
    assert "walk" in summary_table(summary)


@pytest.mark.parametrize("walking, dominant", [(10, "walk"), (5, "walk"), (4, "unknown"), (0, "unknown")])
def test_a_passing_guess_does_not_stand_for_the_track(tmp_path, walking, dominant):
    frames = [frame(i, {7: ("walk" if i < walking else "unknown", 0.9)}) for i in range(20)]
    (track,) = write(tmp_path, frames, draw=None)["tracks"]
    assert track["dominant_label"] == dominant and track["labels"].get("walk", 0) == walking
    assert track["mean_confidence"] == pytest.approx(0.9)


def test_an_empty_stream_leaves_a_valid_summary(tmp_path):
    summary = write(tmp_path, [])
    assert summary["frames"] == 0 and summary["tracks"] == [] and summary["frames_per_second"] is None
    assert "0 frames" in summary_table(summary)
    assert not (tmp_path / "annotated.mp4").exists()


def test_files_are_whole_when_the_stream_breaks(tmp_path):
    with pytest.raises(RuntimeError), ResultWriter(tmp_path, fps=10.0, draw=None, about={}) as writer:
        writer.add(None, *frame(0, {1: ("walk", 0.9)}))
        raise RuntimeError("camera gone")
    assert json.loads((tmp_path / "summary.json").read_text())["frames"] == 1


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write to"):
        ResultWriter(tmp_path / "file" / "out", fps=10.0, draw=None, about={})


def presented_s(path):
    """Times of the frames of a video, its number of frames and its rate, as any reader sees them."""
    video, times = cv2.VideoCapture(str(path)), []
    while video.grab():
        times.append(video.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    return times, video.get(cv2.CAP_PROP_FRAME_COUNT), video.get(cv2.CAP_PROP_FPS)


@pytest.mark.parametrize(
    "steps_s, expected_s",
    [
        ([0.1] * 9, [0.1] * 9),
        ([1 / 30] * 5 + [0.2] * 5 + [3.0] + [0.05] * 3, None),
        ([1001 / 30000] * 9, None),
        ([0.1] * 4 + [-5.0] + [0.1] * 4, [0.1] * 9),  # a looping player
        ([0.1] * 4 + [56 * 365 * 86400.0] + [0.1] * 4, [0.1] * 9),  # a clock that was set
        ([0.1] * 4 + [0.0] + [0.1] * 4, [0.1] * 9),
        ([500.0] * 3, None),
    ],
)
def test_the_video_plays_as_fast_as_the_stamps_say(tmp_path, steps_s, expected_s):
    stamps_ns = np.concatenate([[7_000_000_000], 7_000_000_000 + np.round(np.cumsum(steps_s) * 1e9)]).astype(np.int64)
    write(tmp_path, [frame(int(stamp_ns), {}) for stamp_ns in stamps_ns], fps=1000.0)
    times_s, number, fps = presented_s(tmp_path / "annotated.mp4")
    steps_s = expected_s or steps_s
    expected_s = np.cumsum(steps_s)
    assert number == len(times_s) == len(stamps_ns)
    np.testing.assert_allclose(times_s, np.concatenate([[0], expected_s]), atol=0.002)
    assert number / fps == pytest.approx(expected_s[-1] + np.median(steps_s), rel=0.01)


@pytest.mark.parametrize("name", ["10:30", "a%20b", os.fsdecode(b"caf\xe9")])
def test_a_folder_of_any_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write(Path(name), [frame(i * 100_000_000, {}) for i in range(3)])
    Path(name).rename("plain")
    assert len(presented_s("plain/annotated.mp4")[0]) == 3


def test_frames_of_another_size_stay_in_the_video(tmp_path, capfd):
    with ResultWriter(tmp_path, fps=10.0, draw=lambda image, *_: image, about={}) as writer:
        for i, size in enumerate(((48, 64), (24, 32), (96, 64), (48, 64))):
            writer.add(np.full((*size, 3), 200, np.uint8), *frame(i * 100_000_000, {}))
    video = cv2.VideoCapture(str(tmp_path / "annotated.mp4"))
    means = [video.read()[1].mean() for _ in range(4)]
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 4
    np.testing.assert_allclose(means, [200, 200, 100, 200], atol=6)  # the tall one has black beside it
    assert capfd.readouterr() == ("", "")


def test_a_single_frame_is_shown_as_long_as_the_source_says(tmp_path):
    write(tmp_path, [frame(5, {})], fps=4.0)
    times_s, number, fps = presented_s(tmp_path / "annotated.mp4")
    assert times_s == [0] and number / fps == pytest.approx(0.25)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-30],
        lambda content: content + b"\0\0\0\x08free",
        lambda content: content.replace(b"stts", b"sttx"),
        lambda content: b"",
    ],
)
def test_a_file_that_is_built_otherwise_is_left_as_it_is(tmp_path, damage):
    path = tmp_path / "video.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10, (64, 48))
    for _ in range(3):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    path.write_bytes(damage(path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"its last box|it has no times"):
        set_times(path, np.full(3, 0.1))
    assert path.read_bytes() == before
    with pytest.raises(ValueError, match="it has 3 frames, expected 4"):
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10, (64, 48))
        for _ in range(3):
            writer.write(np.zeros((48, 64, 3), np.uint8))
        writer.release()
        set_times(path, np.full(4, 0.1))
