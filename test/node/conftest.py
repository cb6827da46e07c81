"""Real rclpy over real Fast DDS: a domain of this run's own, one namespace a test, nodes as processes of their own."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Before any rclpy.init. Two runs on one machine must not hear each other; 101 is the highest domain that is safe on Linux.
os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
if os.environ.get("ROS_DISTRO") == "humble":
    os.environ["ROS_LOCALHOST_ONLY"] = "1"
else:
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def ros() -> Iterator[None]:
    """rclpy in this process."""
    import rclpy

    rclpy.init()
    yield
    rclpy.shutdown()


@pytest.fixture
def probe(ros: None) -> Iterator[object]:
    """A node of the test's own namespace, to talk to the nodes under test."""
    from node_helpers import Probe

    probe = Probe(f"/test_{os.getpid()}_{next(_numbers)}")
    yield probe
    probe.close()


@pytest.fixture
def start(probe: object) -> Iterator[Callable]:
    """start(node, parameters) runs a node as a process in the probe's namespace; it is ended with the test."""
    from node_helpers import NodeProcess

    processes: list[NodeProcess] = []

    def begin(node: str, parameters: dict | None = None, namespace: str = probe.namespace, **options: object) -> NodeProcess:
        processes.append(NodeProcess(node, namespace, parameters or {}, **options))
        return processes[-1]

    yield begin
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait_or_kill()


@pytest.fixture(scope="session")
def pose_weights() -> None:
    """The pose network's weights are in the cache; fetched if they are not."""
    from pose_attention_ros.inference.weights import fetch

    fetch("movenet_multipose")


@pytest.fixture(scope="session")
def exercise_video(shared: Path) -> Path:
    """Three people doing gymnastics: 384x288, 10 fps."""
    return shared / "videos" / "felixchenfy_exercise.avi"


@pytest.fixture(scope="session")
def drawn_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A moving bar, 12 frames of 160x120 at 10 fps: a real video file that needs nothing from elsewhere."""
    return write_video(tmp_path_factory.mktemp("video") / "bar.avi", 160, 120)


@pytest.fixture(scope="session")
def large_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in 1920x1080: an image of 6 MB, which does not fit into Fast DDS's own shared memory."""
    return write_video(tmp_path_factory.mktemp("video") / "large.avi", 1920, 1080)


def write_video(path: Path, width: int, height: int) -> Path:
    """12 frames at 10 fps."""
    import cv2
    import numpy as np

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (width, height))
    for frame in range(12):
        image = np.full((height, width, 3), 60, np.uint8)
        left = width * frame // 16
        image[height // 6 : height * 5 // 6, left : left + width // 8] = (0, 200, 255)
        writer.write(image)
    writer.release()
    return path
