"""Nodes that are interrupted at every moment of their start, and again while they end: one line, the right code, none left.

POSE_ATTENTION_INTERRUPTS says how often for each node; a few hundred take minutes.
"""

from __future__ import annotations

import importlib.util
import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from pose_attention_ros.cli.node_processes import executable

TIMES = int(os.environ.get("POSE_ATTENTION_INTERRUPTS", "2"))
PATIENCE_S = 120.0
ENDING_S = 0.3  # what a node takes to end, about
NODES = {
    "pose": {},
    "camera": {"source": "VIDEO", "loop": "true"},
    "overlay": {},
    "skeleton_graph": {},
    "action": {},
    "pipeline": {"source": "VIDEO", "loop": "true", "input_size": "64"},
    "recorder": {"overwrite": "true"},
    "bag_recorder": {},
    "evaluator": {},
    "web": {"port": "0"},
    **({"hri_bridge": {}} if importlib.util.find_spec("hri_msgs") else {}),
}
NOTHING_HEARD = "no answers were heard"  # an evaluator that ends without a result has failed, and says so


def begin(node: str, video: Path, folder: Path) -> subprocess.Popen[str]:
    """The node as ros2 launch starts it, in a session of its own, in a folder for what it writes."""
    parameters = [
        word for name, value in NODES[node].items() for word in ("-p", f"{name}:={video if value == 'VIDEO' else value}")
    ]
    return subprocess.Popen(
        [*executable(node), "--ros-args", "-r", f"__ns:=/interrupted_{os.getpid()}", *parameters],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        cwd=folder,
    )


def starting_takes_s(node: str, video: Path, folder: Path) -> float:
    """Until it is active."""
    began = time.monotonic()
    with begin(node, video, folder) as process:
        for line in process.stdout:
            if "active" in line:
                break
        took_s = time.monotonic() - began
        process.terminate()
        rest, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0 or NOTHING_HEARD in rest, rest
    return took_s


def others_in_session(session: int) -> list[str]:
    """Processes of it that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (OSError, NotADirectoryError):
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(entry.name)
    return found


@pytest.mark.timeout(60 + 60 * TIMES)
@pytest.mark.parametrize("node", NODES)
def test_a_node_that_is_interrupted_ends_quietly(node: str, drawn_video: Path, pose_weights: None, tmp_path: Path) -> None:
    """The moments are spread evenly over start and work; every second one is followed by another signal while it ends."""
    span_s, chance = 1.2 * starting_takes_s(node, drawn_video, tmp_path), random.Random(node)
    for number in range(TIMES):
        delay_s = span_s * (number + chance.random()) / TIMES
        process = begin(node, drawn_video, tmp_path)
        threading.Event().wait(delay_s)
        process.send_signal(chance.choice([signal.SIGINT, signal.SIGTERM]))
        if number % 2:
            threading.Event().wait(ENDING_S * chance.random())
            process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=PATIENCE_S)
        # Of a busy machine a camera may tell in time for whom it waits.
        lines = [line for line in output.splitlines() if "[INFO]" not in line and "waiting for somebody" not in line]
        failed = node == "evaluator" and process.returncode == 1 and len(lines) == 1 and NOTHING_HEARD in lines[0]
        about = f"{node} interrupted after {delay_s:.3f} s of {span_s:.3f}: code {process.returncode}\n{output}"
        # Before Python runs there is nobody to make a 0 of it: sh or env ends by the signal.
        assert process.returncode == 0 or (process.returncode < 0 and not output) or failed, about
        assert failed or (len(lines) <= 1 and all("stopped while starting" in line for line in lines)), about
        assert not others_in_session(process.pid), about
