"""Clips joined to streams, and the shipped model through them. No torch needed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose_attention_ros.cli.main import main
from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.data.augment import UNIT_PX, AugmentConfig
from pose_attention_ros.data.dataset import Clip, SkeletonDataset
from pose_attention_ros.data.streams import Example
from pose_attention_ros.evaluation.metrics import NO_CLASS
from pose_attention_ros.evaluation.stream_metrics import UNLABELLED
from pose_attention_ros.evaluation.stream_run import run_streams, seen_at
from pose_attention_ros.evaluation.streams import PlanConfig, plan_streams
from pose_attention_ros.inference.recogniser import load_recogniser

LAYOUT = layout("common13")
# A person upright, seen from the front, in body units from the middle of the hips.
# fmt: off
UPRIGHT = np.array([[0, -1.5], [0.3, -1], [-0.3, -1], [0.4, -0.5], [-0.4, -0.5], [0.4, 0], [-0.4, 0], [0.18, 0],
                    [-0.18, 0], [0.18, 0.85], [-0.18, 0.85], [0.18, 1.7], [-0.18, 1.7]], np.float32)
# fmt: on


def jumping(seconds: float, fps: float, place: float = 0.0) -> np.ndarray:
    """(m, 13, 2) body units: arms up and down once a second, feet apart and together."""
    phase = np.sin(np.arange(int(seconds * fps)) / fps * 2 * np.pi)[:, None] / 2 + 0.5
    pose = np.repeat(UPRIGHT[None], len(phase), 0)
    for side, wrist, elbow, ankle in ((1, 5, 3, 11), (-1, 6, 4, 12)):
        pose[:, wrist, 0], pose[:, wrist, 1] = (side * (0.4 + 0.3 * phase)).T, (-2 * phase).T
        pose[:, elbow, 0], pose[:, elbow, 1] = (side * (0.4 + 0.3 * phase)).T, (-0.5 - 0.9 * phase).T
        pose[:, ankle, 0] = (side * (0.18 + 0.4 * phase)).T
    return pose + np.float32(place)


def examples(count: int = 6) -> list[Example]:
    clips = [
        Example(
            UNIT_PX * jumping(1 + i / 4, 30, place=5 * i),
            np.ones((int((1 + i / 4) * 30), 13), bool),
            30.0,
            11 if i % 3 else NO_CLASS,
        )
        for i in range(count)
    ]
    return clips


@given(seed=st.integers(0, 50), pause=st.floats(0, 1), clips=st.integers(1, 5))
@settings(max_examples=25)
def test_every_clip_of_a_class_is_shown_once_and_nothing_teleports(seed, pause, clips):
    config = PlanConfig(clips=clips, pause=pause, other=(1 - pause) / 2)
    streams = plan_streams(examples(9), seed, LAYOUT, config)
    acting = sum(((stream.targets == 11) & ~stream.ignored).sum() for stream in streams)
    assert acting == sum(len(example.keypoints) for example in examples(9) if example.target == 11)
    for stream in streams:
        step_s = np.diff(stream.time_s)
        assert (step_s > 0).all() and step_s.max() < 0.1
        speed = np.linalg.norm(np.diff(stream.keypoints, axis=0), axis=-1).max(-1) / UNIT_PX / step_s
        assert speed.max() < 16  # the clips' own highest is 6; a way is at most 1.5 times as fast as its mean


def test_the_truth_is_open_on_the_way_to_a_clip_and_idle_on_the_way_to_a_pause():
    config = PlanConfig(clips=2, pause=1.0, pause_low_s=2.0, pause_high_s=2.0)
    stream = plan_streams([e for e in examples() if e.target == 11][:2], 0, LAYOUT, config)[0]
    seen = seen_at([stream], 30.0, load_recogniser("everyday").spec)[0]
    kinds = [seen.truth[0], *seen.truth[1:][np.diff(seen.truth) != 0]]
    assert kinds == [11, NO_CLASS, UNLABELLED, 11, NO_CLASS]


@pytest.mark.parametrize("fps", [10.0, 30.0])
def test_frame_rate_and_estimator_keep_the_length_of_a_stream(fps):
    stream = plan_streams(examples(), 0, LAYOUT, PlanConfig())[0]
    spec = load_recogniser("everyday").spec
    for rough in (None, AugmentConfig()):
        seen = seen_at([stream], fps, spec, rough, seed=3)[0]
        assert len(seen.truth) == len(seen.keypoints) == int(stream.time_s[-1] * fps) + 1
        np.testing.assert_allclose(np.diff(seen.stamps_ns), 1e9 / fps, atol=1)


@pytest.mark.slow
def test_people_of_different_streams_do_not_disturb_each_other():
    """Several at once, of different lengths, as one by one."""
    recogniser = load_recogniser("everyday")
    seen = seen_at(plan_streams(examples(9), 1, LAYOUT, PlanConfig(clips=2)), 15.0, recogniser.spec)
    together = run_streams(recogniser, seen)
    for stream, line in zip(seen, together):
        alone = run_streams(recogniser, [stream])[0]
        np.testing.assert_allclose(line.scores, alone.scores, atol=1e-4)
        assert (line.predicted == alone.predicted).all()


@pytest.fixture
def data_file(tmp_path):
    clips = [
        Clip(
            60 * jumping(2 + i % 3, 30) + 300,
            np.ones((30 * (2 + i % 3), 13), np.float32),
            "jumping_jacks" if i % 4 else "juggling",
            30.0,
            "test",
        )
        for i in range(8)
    ]
    SkeletonDataset.from_clips(clips, LAYOUT.joints).save(tmp_path / "data.npz")
    return tmp_path / "data.npz"


@pytest.mark.slow
def test_the_command_writes_numbers_and_pictures(data_file, tmp_path, capsys):
    (tmp_path / "map.yaml").write_text("jumping_jacks: jumping_jacks\njuggling: null\n")
    assert (
        main(
            [
                "evaluate",
                "stream",
                "--data",
                str(data_file),
                "--model",
                "everyday",
                "--split",
                "test",
                "--label-map",
                str(tmp_path / "map.yaml"),
                "--fps",
                "10",
                "30",
                "--json",
                str(tmp_path / "out.json"),
                "--out",
                str(tmp_path / "pictures"),
                "--clips",
                "3",
            ]
        )
        == 0
    )
    result = json.loads((tmp_path / "out.json").read_text())
    assert set(result["by_fps"]) == {"10", "30"} and result["resting"] == ["stand", "sit", "lie"]
    for summary in result["by_fps"].values():
        assert summary["people"] == 2 and summary["segments"] == 6 and 0 < summary["frame_map"] <= 1
    assert "segmental F1 at 25 %" in capsys.readouterr().out
    pytest.importorskip("matplotlib")
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {"timelines.png", "curves.png"}


@pytest.mark.parametrize(
    "extra, words",
    [
        (["--fps", "0"], "--fps 0"),
        (["--resting", "sleep"], "no class sleep"),
        (["--split", "val"], "no clip to evaluate"),
        (["--memory-s", "-1"], "memory_s is -1"),
    ],
)
def test_wrong_arguments_are_one_clear_line(data_file, extra, words, capsys):
    assert main(["evaluate", "stream", "--data", str(data_file), "--model", "everyday", *extra]) == 1
    assert words in capsys.readouterr().err
