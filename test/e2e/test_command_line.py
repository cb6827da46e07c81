"""The programs as a user starts them: results on real video, one clear line and a non-zero exit code for each mistake."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pose_attention_ros.inference.package_paths import models_dir

ROOT = Path(__file__).resolve().parents[2]
TOOL = [sys.executable, "-m", "pose_attention_ros.cli.main"]
TIMEOUT_S = 600


def call(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path_first(ROOT), **environment},
        text=True,
        capture_output=True,
        timeout=TIMEOUT_S,
    )


def path_first(folder: Path) -> str:
    return os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))


@pytest.fixture(scope="session")
def exercise(shared: Path) -> str:
    return str(shared / "videos" / "felixchenfy_exercise.avi")


def test_three_people_keep_their_ids_to_the_end(exercise: str, movenet_weights: Path, tmp_path: Path) -> None:
    done = call(*TOOL, "run", "--source", exercise, "--no-video", "--out", str(tmp_path), "--json", str(tmp_path / "s.json"))
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary == json.loads((tmp_path / "s.json").read_text())
    assert summary["frames"] == 393 and summary["backend"] == "litert-cpu" and summary["model"] == "everyday"
    steady = [track for track in summary["tracks"] if track["frames"] > 380]
    assert len(steady) == 3
    last = json.loads((tmp_path / "actions.jsonl").read_text().splitlines()[-1])
    assert {track["track_id"] for track in steady} <= {person["track_id"] for person in last["people"]}


def test_people_who_cross_are_walking(shared: Path, movenet_weights: Path, tmp_path: Path) -> None:
    done = call(
        *TOOL,
        "run",
        "--source",
        str(shared / "videos" / "opencv_vtest.avi"),
        "--max-frames",
        "260",
        "--no-video",
        "--out",
        str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    tracks = [track for track in json.loads((tmp_path / "summary.json").read_text())["tracks"] if track["frames"] >= 40]
    assert len(tracks) >= 5
    assert [track["dominant_label"] for track in tracks].count("walk") >= 0.8 * len(tracks)


def test_the_demo_over_ros_gives_the_same_lines(exercise: str, movenet_weights: Path, tmp_path: Path) -> None:
    pytest.importorskip("rclpy")
    what = ("--source", exercise, "--max-frames", "60")
    demo = call(sys.executable, "scripts/demo.py", *what, "--out", str(tmp_path / "ros"))
    assert demo.returncode == 0, demo.stderr
    plain = call(*TOOL, "run", *what, "--out", str(tmp_path / "plain"))
    assert plain.returncode == 0, plain.stderr
    assert (tmp_path / "ros" / "actions.jsonl").read_bytes() == (tmp_path / "plain" / "actions.jsonl").read_bytes()
    over_ros, without = (json.loads((tmp_path / form / "summary.json").read_text()) for form in ("ros", "plain"))
    assert all(over_ros[key] == without[key] for key in ("frames", "backend", "model", "model_sha256", "tracks"))
    assert (tmp_path / "ros" / "annotated.mp4").stat().st_size > 10_000


def test_ctrl_c_leaves_whole_files(exercise: str, movenet_weights: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*TOOL, "run", "--source", exercise, "--loop", "--out", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path_first(ROOT)},
    )
    until, lines = time.monotonic() + TIMEOUT_S, tmp_path / "actions.jsonl"
    while not (lines.is_file() and lines.stat().st_size):
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(TIMEOUT_S) == 0
    finally:
        process.kill()
    assert json.loads((tmp_path / "summary.json").read_text())["frames"] > 0
    for line in (tmp_path / "actions.jsonl").read_text().splitlines():
        json.loads(line)


@pytest.fixture
def changed_model(tmp_path: Path) -> str:
    folder = tmp_path / "changed"
    shutil.copytree(models_dir() / "everyday", folder)
    weights = bytearray((folder / "step.onnx").read_bytes())
    weights[len(weights) // 2] ^= 1
    (folder / "step.onnx").write_bytes(weights)
    return str(folder)


@pytest.mark.parametrize(
    "source, says",
    [
        ("77", "no camera 77"),
        ("/dev/video77", "/dev/video77 does not exist"),
        ("README.md", "README.md is not a video"),
        ("nowhere.mp4", "nowhere.mp4 does not exist"),
    ],
)
def test_a_source_that_is_none(source: str, says: str, tmp_path: Path) -> None:
    check_one_line(call(*TOOL, "run", "--source", source, "--out", str(tmp_path)), says)


def test_a_model_that_is_none(exercise: str, tmp_path: Path) -> None:
    check_one_line(
        call(*TOOL, "run", "--source", exercise, "--model", "evryday", "--out", str(tmp_path)), "no model 'evryday'"
    )


def test_a_model_file_with_one_byte_changed(exercise: str, changed_model: str, tmp_path: Path) -> None:
    check_one_line(call(*TOOL, "run", "--source", exercise, "--model", changed_model, "--out", str(tmp_path)), "sha256")


def test_pose_weights_with_one_byte_changed(exercise: str, movenet_weights: Path, tmp_path: Path) -> None:
    copy = tmp_path / "cache" / movenet_weights.parent.name / movenet_weights.name
    copy.parent.mkdir(parents=True)
    content = bytearray(movenet_weights.read_bytes())
    content[1000] ^= 1
    copy.write_bytes(content)
    done = call(*TOOL, "run", "--source", exercise, "--out", str(tmp_path), POSE_ATTENTION_CACHE=str(tmp_path / "cache"))
    check_one_line(done, "sha256")


def check_one_line(done: subprocess.CompletedProcess[str], says: str) -> None:
    lines = done.stderr.strip().splitlines()
    assert done.returncode != 0 and len(lines) == 1 and says in lines[0], (done.returncode, done.stderr)


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    tool = subprocess.Popen(
        [*TOOL, "models", "list"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path_first(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    tool.stdout.close()
    assert tool.stderr.read() == "" and tool.wait(TIMEOUT_S) == 141


def test_bench_measures_both_forms(exercise: str, movenet_weights: Path, tmp_path: Path) -> None:
    pytest.importorskip("rclpy")
    done = call(*TOOL, "bench", "--source", exercise, "--max-frames", "30", "--repeats", "1", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "bench.json").read_text())
    for form, processes in (("composed", {"pipeline"}), ("nodes", {"camera", "pose", "skeleton_graph", "action"})):
        measured = result[form]
        assert measured["frames"] == 30 and set(measured["ready_s"]) == processes == set(measured["peak_memory_mb"])
        for times in measured["stage_ms"].values():
            assert 0 < times["p50"] <= times["p95"]
        assert measured["frame_ms"] > measured["stage_ms"]["pose network"]["p50"] * 0.5
    assert "transport between the nodes takes" in done.stdout
