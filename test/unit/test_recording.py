"""The files that `run` and the recorder leave behind."""

import json

import cv2
import numpy as np
import pytest

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.layouts import layout
from pose_attention_ros.core.types import ActionEstimate, ActionEstimates, LabelState, SkeletonGraphs
from pose_attention_ros.evaluation.recording import ResultWriter, summary_table

LAYOUT, CLASSES = layout("common13"), ("walk", "wave")


def frame(stamp_ns, people):
    """people: {track id: (label, confidence)}"""
    n = len(people)
    graphs = SkeletonGraphs(stamp_ns, "cam", LAYOUT, (64, 48), np.array(list(people), np.int64), np.zeros((n, 13, 2)),
                            np.zeros((n, 13, 5)), np.ones((n, 13), bool), np.zeros(n), np.zeros((n, 2)), np.ones(n),
                            np.tile((1.0, 2.0, 30.0, 40.0), (n, 1)))
    estimates = tuple(
        ActionEstimate(i, label, LabelState.UNKNOWN if label == "unknown" else LabelState.CONFIRMED, confidence,
                       np.array([confidence, 1 - confidence], np.float32), 0, 0, stamp_ns, np.full(13, 1 / 13, np.float32),
                       np.ones(1, np.float32), np.array([stamp_ns])) for i, (label, confidence) in people.items())
    return graphs, ActionEstimates(stamp_ns, "cam", LAYOUT, CLASSES, "tiny", "ab" * 32, estimates)


def write(folder, frames, **options):
    options = {"fps": 10.0, "draw": lambda image, graphs, actions: image, "about": {"model": "tiny"}} | options
    with ResultWriter(folder, **options) as writer:
        for graphs, actions in frames:
            writer.add(np.full((48, 64, 3), 90, np.uint8), graphs, actions)
        return writer.close()


def test_video_lines_and_summary_tell_the_same_story(tmp_path):
    frames = [frame(i * 100_000_000, {1: ("unknown" if i < 4 else "walk", 0.8)} | ({2: ("unknown", 0.3)} if i % 2 else {}))
              for i in range(10)]
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
