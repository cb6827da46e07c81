"""Faults of the robot around the nodes: killed processes, crowds, floods, clocks, disks, files and names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from people_messages import message_of_skeletons
from rosgraph_msgs.msg import Clock
from test_lifecycle import standing_person

from benchmarks.process_use import process_use
from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.types import Skeletons
from pose_attention_ros.inference.package_paths import models_dir
from pose_attention_ros.msg import ActionLabelArray, SkeletonArray, SkeletonGraphArray
from pose_attention_ros.ros.stamps import stamp_ns_of, time_of

FLOOD = int(os.environ.get("POSE_ATTENTION_FLOOD", "10000"))  # `make soak` sends a million
COCO = layout("coco17")


def crowd(stamp_s: float, people: int) -> SkeletonArray:
    """People in rows, each upright and 100 pixels tall."""
    one = skeleton_of(standing_person(stamp_s))
    places = [(40 + 110 * (number % 10), 20 + 130 * (number // 10)) for number in range(people)]
    points = np.array([(one - one.min(0)) / np.ptp(one, 0) * (40, 100) + place for place in places]).reshape(-1, 17, 2)
    boxes = np.concatenate([points.min(1), points.max(1)], 1) if people else np.zeros((0, 4))
    return message_of_skeletons(
        Skeletons(
            round(stamp_s * 1e9),
            "camera",
            COCO,
            (1200, 700),
            points,
            np.full((people, 17), 0.9),
            boxes,
            np.full(people, 0.9),
        )
    )


def skeleton_of(message: SkeletonArray) -> np.ndarray:
    return np.array(message.skeletons[0].keypoints_px).reshape(17, 2)


def ask(probe: Any, publisher: Any, message: SkeletonArray, answers: list) -> None:
    """Publish and wait for the answer of this stamp."""
    publisher.publish(message)
    probe.until(
        lambda: bool(answers) and answers[-1].header.stamp == message.header.stamp,
        f"an answer to the stamp {message.header.stamp}",
    )


def ask_until_answered(probe: Any, publisher: Any, message: SkeletonArray, answers: list) -> None:
    """The nodes find each other in their own time, which nobody else can see: ask again until an answer has come through."""

    def answered() -> bool:
        publisher.publish(message)
        return bool(answers)

    probe.until(answered, "the nodes to find each other")


@pytest.mark.parametrize("composed", [False, True], ids=["separate nodes", "composed node"])
def test_a_killed_node_comes_back_into_the_running_graph(
    start: Callable, probe: Any, drawn_video: Path, pose_weights: None, composed: bool
) -> None:
    """SIGKILL, under load: the others stay, and the answers go on once it is started again, with new stamps."""
    play, pose = {"source": str(drawn_video), "loop": True}, {"input_size": 64}
    parameters = (
        {"pipeline": {**play, **pose}} if composed else {"camera": play, "pose": pose, "skeleton_graph": {}, "action": {}}
    )
    nodes = {name: start(name, values) for name, values in parameters.items()}
    answers = probe.collect(ActionLabelArray, "actions")
    probe.until(lambda: len(answers) > 3, "the first answers")
    for name, values in parameters.items():
        nodes[name].kill()
        before = max(stamp_ns_of(answer.header) for answer in answers)
        nodes[name] = start(name, values)
        probe.until(lambda before=before: stamp_ns_of(answers[-1].header) > before + 10**9, "answers after the death")
        assert all(process.running for process in nodes.values())
    assert not any("Traceback" in process.output for process in nodes.values())


def test_nobody_and_fifty_people(start: Callable, probe: Any) -> None:
    start("skeleton_graph", {"confirm_s": 0.1})
    process = start("action")
    answers = probe.collect(ActionLabelArray, "actions")
    skeletons = probe.publisher(SkeletonArray, "skeletons")
    ask_until_answered(probe, skeletons, crowd(0.5, 0), answers)
    for number, people in enumerate([0, 0, 50, 50, 50, 50, 50, 50, 0, 50]):
        ask(probe, skeletons, crowd(1 + number / 10, people), answers)
    assert [len(answer.actions) for answer in answers[-3:]] == [50, 0, 50]
    ids = [person.track_id for person in answers[-1].actions]
    assert len(set(ids)) == 50 and ids == [person.track_id for person in answers[-3].actions], "fifty people keep their ids"
    assert "Traceback" not in process.output and "rror" not in process.output


def test_a_flood_of_messages_is_survived(start: Callable, probe: Any) -> None:
    """Good and bad ones as fast as they can be sent: memory stays, few lines come, and the next image is answered."""
    process = start("skeleton_graph", {"confirm_s": 0.0})
    answers = probe.collect(SkeletonGraphArray, "skeleton_graphs")
    skeletons = probe.publisher(SkeletonArray, "skeletons")
    kinds = [standing_person(1.0), crowd(1.0, 6), SkeletonArray(layout="centaur"), SkeletonArray(layout="coco17")]
    began = None
    for number in range(FLOOD):
        message = kinds[number % len(kinds)]
        message.header.stamp = time_of(10**9 + number * 10**6)
        skeletons.publish(message)
        if number == FLOOD // 4:
            began = process_use(process.pid).resident_mb
        if number % 500 == 0:
            probe.spin_for(0.0)
            answers.clear()
    last_ns = 10**9 + (FLOOD + 1000) * 10**6

    def answered() -> bool:
        nonlocal last_ns
        last_ns += 10**8
        skeletons.publish(standing_person(last_ns * 1e-9))
        return bool(answers) and stamp_ns_of(answers[-1].header) > 10**9 + (FLOOD + 1000) * 10**6

    probe.until(answered, "an answer after the flood")
    grown_mb = process_use(process.pid).resident_mb - began
    assert process.running and grown_mb < 20, f"{grown_mb} MB more"
    assert len(process.lines) < 60 and "Traceback" not in process.output, process.output


def test_stamps_that_run_backwards_are_answered_with_few_lines(start: Callable, probe: Any) -> None:
    """Two cameras with different clocks on one topic, then a looping bag, then a stamp of another century."""
    graph, action = start("skeleton_graph", {"confirm_s": 0.0}), start("action")
    answers = probe.collect(ActionLabelArray, "actions")
    skeletons = probe.publisher(SkeletonArray, "skeletons")
    ask_until_answered(probe, skeletons, standing_person(999.0), answers)
    stamps = [base + number / 10 for number in range(60) for base in (1000.0, 500.0)]
    stamps += [900.0, 899.9, 899.8, 0.0, 2.0e9, 1.0]
    for stamp_s in stamps:
        ask(probe, skeletons, standing_person(stamp_s), answers)
    assert all(len(answer.actions) == 1 for answer in answers)
    for process in (graph, action):
        process.wait_for_line("start afresh")
        assert len(process.lines) < 20, process.output


def test_a_simulated_clock_that_jumps_harms_nobody(start: Callable, probe: Any) -> None:
    process = start("skeleton_graph", {"confirm_s": 0.0, "use_sim_time": True})
    answers = probe.collect(SkeletonGraphArray, "skeleton_graphs")
    skeletons = probe.publisher(SkeletonArray, "skeletons")
    clock = probe.node.create_publisher(Clock, "/clock", 10)
    for number, now_s in enumerate([0, 5, 4, 3600, 3601, 2, 10**9, 1]):
        clock.publish(Clock(clock=time_of(now_s * 10**9)))
        skeletons.publish(standing_person(100 + number / 10))
        probe.until(lambda wanted=number + 1: len(answers) == wanted, f"an answer at {now_s} s")
    assert process.running and "Traceback" not in process.output and "rror" not in process.output


@pytest.mark.parametrize(
    ("namespace", "remedy"),
    [("/robot one", "a namespace begins with /"), ("/Rößler", "letters, digits"), ("/robot/", "does not end with /")],
)
def test_a_namespace_with_odd_characters_is_refused_with_the_rule(start: Callable, namespace: str, remedy: str) -> None:
    process = start("skeleton_graph", namespace=namespace)
    assert process.wait() in (1, 2)
    assert remedy in process.lines[-1] and "Traceback" not in process.output and len(process.lines) <= 3


def test_a_namespace_of_odd_but_good_characters_works(start: Callable, probe: Any) -> None:
    odd = f"{probe.namespace}/_R2/a_B_9/_"
    start("skeleton_graph", {"confirm_s": 0.0}, namespace=odd)
    answers = probe.collect(SkeletonGraphArray, f"{odd}/skeleton_graphs")
    skeletons = probe.publisher(SkeletonArray, f"{odd}/skeletons")
    skeletons.publish(standing_person(1.0))
    probe.until(lambda: bool(answers), "an answer")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("skeleton_graph:\n  ros__parameters: {max_gap_s: [1, \n", "check its YAML"),
        ("/**:\n  ros__parameters:\n    max_gap_s: soon\n", "expected float"),
        ("/**:\n  ros__parameters:\n    max_gap_s: [1, a, 2.0]\n", "check its YAML"),
        (None, "check its YAML"),
    ],
)
def test_a_malformed_parameter_file_ends_the_start_with_the_reason(
    start: Callable, tmp_path: Path, content: str | None, complaint: str
) -> None:
    path = tmp_path / "parameters.yaml"
    if content is not None:
        path.write_text(content)
    process = start("skeleton_graph", more=["--params-file", str(path)])
    assert process.wait() in (1, 2)
    assert complaint in process.lines[-1] and "Traceback" not in process.output and len(process.lines) <= 2


@pytest.mark.parametrize(
    ("file", "damage", "complaint"),
    [
        ("step.onnx", lambda content: content[:-100], "sha256"),
        ("model.json", lambda content: content[:50], "model.json"),
        ("model.json", lambda content: content.replace(b'"common13"', b'"centaur"'), "centaur"),
    ],
)
def test_a_corrupt_model_ends_the_start_with_one_line(
    start: Callable, tmp_path: Path, file: str, damage: Callable[[bytes], bytes], complaint: str
) -> None:
    """More damage to the same files, without a node: test_fuzz_files."""
    shutil.copytree(models_dir() / "everyday", tmp_path / "mine")
    path = tmp_path / "mine" / file
    path.write_bytes(damage(path.read_bytes()))
    process = start("action", {"model": str(tmp_path / "mine")})
    assert process.wait() == 1
    assert len(process.lines) == 1 and complaint in process.output and "Traceback" not in process.output


def may_mount() -> bool:
    """Whether a process here may mount a disk of its own."""
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-rm", "true"], capture_output=True, timeout=30).returncode == 0


ON_A_DISK = pytest.mark.skipif(not may_mount(), reason="no right to mount a disk of its own here (unshare -rm)")
RECORDERS = {
    "recorder": {"out": "DISK/out", "video": False, "idle_timeout_s": 0.0},
    "bag_recorder": {"out": "DISK/bag", "images": "none"},
    "evaluator": {"out": "DISK/out", "images": "none"},
}


def disk(folder: Path, options: str) -> Callable[..., list[str]]:
    """Runs a command with a disk of these mount options in `folder`, which only it sees."""
    folder.mkdir(exist_ok=True)
    mount = f'mount -t tmpfs -o {options} disk "$0" && exec "$@"'
    return lambda *command: ["unshare", "-rm", "sh", "-c", mount, str(folder), *command]


@ON_A_DISK
@pytest.mark.parametrize("name", ["recorder", "bag_recorder"])
def test_a_disk_that_is_read_only_is_told_at_the_start(start: Callable, tmp_path: Path, name: str) -> None:
    place = tmp_path / "disk"
    parameters = {
        key: str(value).replace("DISK", str(place)) if isinstance(value, str) else value
        for key, value in RECORDERS[name].items()
    }
    process = start(name, parameters, on=disk(place, "ro,size=100k"))
    assert process.wait() == 1
    assert len(process.lines) == 1 and "Read-only file system" in process.output, process.output


@ON_A_DISK
@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_full_disk_ends_a_recording_with_the_reason(start: Callable, probe: Any, tmp_path: Path, storage: str) -> None:
    """A bag on a disk of 300 kB."""
    place = tmp_path / "disk"
    process = start(
        "bag_recorder", {"out": f"{place}/bag", "images": "none", "storage": storage}, on=disk(place, "size=300k")
    )
    process.wait_for_line("recording to")
    skeletons = probe.publisher(SkeletonArray, "skeletons")
    stamps = iter(np.arange(1, 100_000) / 100)

    def ended() -> bool:
        for _ in range(20):
            skeletons.publish(crowd(next(stamps), 6))
        return not process.running

    probe.until(ended, "the end of the recording")
    assert process.wait() == 1
    assert "cannot write to" in process.output or "cannot finish" in process.output, process.output
    assert "Traceback" not in process.output and len(process.lines) < 12, process.output


@ON_A_DISK
def test_a_recorder_on_a_full_disk_counts_what_it_lost(
    start: Callable, probe: Any, tmp_path: Path, drawn_video: Path, pose_weights: None
) -> None:
    place = tmp_path / "disk"
    process = start("recorder", {"out": str(place), "video": True}, on=disk(place, "size=16k"))
    play = {"source": str(drawn_video), "input_size": 64, "pace": "lockstep", "acknowledge": "recorded"}
    pipeline = start("pipeline", play)
    assert pipeline.wait() == 0
    assert process.wait() == 1
    assert "No space left" in process.output and "Traceback" not in process.output, process.output


def test_a_place_for_logs_that_cannot_be_written_is_told_with_the_remedy(start: Callable) -> None:
    process = start("skeleton_graph", environment={"ROS_LOG_DIR": "/proc/nowhere"})
    assert process.wait() == 2
    assert len(process.lines) == 1 and "set ROS_LOG_DIR" in process.output
