"""Camera on the robot, pose and recognition elsewhere: real ROS 2 between two network namespaces with delay and loss."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

pytest.importorskip("benchmarks.two_machines", reason="benchmarks/ is not installed; run from a checkout")

from conftest import write_video
from node_helpers import PATIENCE_S, NodeProcess

from benchmarks.two_machines import Link, Machine, two_machines, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "possible")

HERE = Path(__file__).resolve().parent
PROFILE = HERE.parents[1] / "config" / "fastdds_network.xml"
DELAY_S, LOSS, PERIOD_S = 0.02, 0.02, 0.1
COUNT = 60


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Discovery beyond this machine, and the profile for networks, for whatever Fast DDS is installed."""
    for name in ("ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
        monkeypatch.setenv(name, str(PROFILE))


@pytest.fixture
def machines(environment: None) -> Iterator[tuple[Link, Machine, Machine]]:
    link = Link(delay_s=DELAY_S, loss=LOSS, rate_bit_s=50e6)
    with two_machines(link) as (robot, station):
        yield link, robot, station


def hear(machine: Machine, namespace: str, count: int) -> dict[str, Any]:
    """What a listener on `machine` heard of the graph."""
    command = machine.command(sys.executable, str(HERE / "listener.py"), namespace, str(2 * PATIENCE_S), str(count))
    told = subprocess.run(command, capture_output=True, text=True, timeout=4 * PATIENCE_S, check=False)
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


@pytest.mark.timeout(600)
def test_a_camera_here_and_answers_from_there(
    machines: tuple[Link, Machine, Machine], tmp_path: Path, pose_weights: None
) -> None:
    """20 ms each way and 2 % of the packets lost: answers keep coming, in order, with the camera's stamps and true ages."""
    link, robot, station = machines
    video = write_video(tmp_path / "bar.avi", 640, 480)
    namespace = f"/far_{os.getpid()}"
    camera = NodeProcess(
        "camera", namespace, {"source": str(video), "loop": True, "measure_answers": True}, on=robot.command
    )
    pipeline = NodeProcess(
        "pipeline",
        namespace,
        {"input_size": 64, "image_transport": "compressed", "image_reliability": "reliable"},
        on=station.command,
    )
    try:
        heard = hear(robot, namespace, COUNT)
        actions = heard["actions"]
        assert len(actions) == COUNT, f"{camera.output}\n{pipeline.output}"
    finally:
        for process in (camera, pipeline):
            process.terminate()
        for process in (camera, pipeline):
            process.wait_or_kill()
    stamps_s = np.array([answer["stamp_ns"] for answer in actions]) * 1e-9
    back_s = np.array([answer["heard_ns"] for answer in actions]) * 1e-9 - stamps_s
    latency_s = np.array([answer["latency_s"] for answer in actions])
    gaps = np.diff(stamps_s) / PERIOD_S
    assert (gaps > 0.5).all() and np.allclose(gaps, gaps.round(), atol=0.02), "the camera's own stamps, in order"
    assert np.isfinite(latency_s).all() and (latency_s > DELAY_S).all(), "images are older than their way"
    assert (back_s > latency_s + 0.9 * DELAY_S).all(), "and answers need their way back"
    assert np.median(back_s) < 2.0
    assert len(actions) > 0.5 * (stamps_s[-1] - stamps_s[0]) / PERIOD_S, "most images are answered"
    assert link.lost > 0 and link.carried > 10 * COUNT
    assert link.ip_fragments == 0, "each piece of an image is a packet of its own"
    told = heard["diagnostics"][f"{namespace.strip('/')}/camera"]
    assert float(told["answer_ms_p50"]) > 2e3 * DELAY_S
    low_ms, _, high_ms = told["other_clock_ahead_ms"].partition(" to ")
    assert float(low_ms) <= 0 <= float(high_ms) and "clock" not in told["message"]
    assert "Traceback" not in camera.output + pipeline.output
