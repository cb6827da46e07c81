"""The launch files run by the real `launch` and `launch_ros`: every robot has them, there are no wheels of them."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

launch = pytest.importorskip("launch.launch_service", reason="ROS 2's `launch` is not installed (there is no wheel of it)")
pytest.importorskip("launch_ros.actions", reason="ROS 2's `launch_ros` is not installed (there is no wheel of it)")

LAUNCH = Path(__file__).resolve().parents[2] / "launch"
FRAMES = 12


def included(name: str, **arguments: str):
    """A launch description that includes one of our launch files with these arguments."""
    from launch.actions import IncludeLaunchDescription
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    from launch import LaunchDescription

    source = PythonLaunchDescriptionSource(str(LAUNCH / f"{name}.launch.py"))
    return LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments.items())])


def run(description) -> int:
    service = launch.LaunchService()
    service.include_launch_description(description)
    return service.run()


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A short recording in which nobody is to be seen."""
    file = tmp_path / "empty_room.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter_fourcc(*"MJPG"), 10, (320, 240))
    for shade in np.linspace(80, 120, FRAMES):
        writer.write(np.full((240, 320, 3), shade, np.uint8))
    writer.release()
    return file


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("movenet_weights")
@pytest.mark.parametrize(("name", "arguments"), [
    ("replay", {}), ("replay", {"composed": "true", "namespace": "robot1"}), ("pi", {}), ("nano", {"composed": "false"}),
    ("pipeline", {"nodes": "camera,pose,skeleton_graph,action,recorder", "dds_profile": "fastdds_network.xml"})])
def test_a_recording_goes_through_the_launched_graph(name: str, arguments: dict[str, str], video: Path, tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    """Every frame arrives at the recorder, and the launch ends by itself with the recording."""
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    out = tmp_path / "out"
    assert run(included(name, source=str(video), record=str(out), **arguments)) == 0
    assert json.loads((out / "summary.json").read_text())["frames"] == FRAMES


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("movenet_weights")
def test_a_graph_that_is_launched_is_recorded(video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bag is whole when the launch has ended, and holds what an evaluation needs."""
    from pose_attention_ros.bags.opening import Bag

    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    assert run(included("record", out=str(tmp_path / "bag"), source=str(video), overlay="false", loop="true",
                        duration_s="15.0")) == 0
    with Bag(tmp_path / "bag") as bag:
        assert not bag.left_out.reasons
        assert {"/image_raw/compressed", "/skeletons", "/skeleton_graphs", "/actions", "/action_model"} <= set(bag.topics)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "arguments"), [
    ("replay", {}), ("pipeline", {"nodes": "camera"}), ("pipeline", {"nodes": "camra", "source": "0"}),
    ("pipeline", {"dds_profile": "none.xml"}), ("nano", {"csi": "9"})])
def test_arguments_that_do_not_fit_end_the_launch(name: str, arguments: dict[str, str]) -> None:
    assert run(included(name, **arguments)) != 0
