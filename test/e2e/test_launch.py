"""The launch files run by the real `launch` and `launch_ros`: every robot has them, there are no wheels of them.

CONTRIBUTING.md says how to have them elsewhere. POSE_ATTENTION_INTERRUPTS says how often a launch is interrupted.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

launch = pytest.importorskip("launch.launch_service", reason="ROS 2's `launch` is not installed (there is no wheel of it)")
pytest.importorskip("launch_ros.actions", reason="ROS 2's `launch_ros` is not installed (there is no wheel of it)")

LAUNCH = Path(__file__).resolve().parents[2] / "launch"
FRAMES = 12
INTERRUPTS = int(os.environ.get("POSE_ATTENTION_INTERRUPTS", "4"))


def source_of(name: str) -> Any:
    """One of our launch files."""
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    return PythonLaunchDescriptionSource(str(LAUNCH / f"{name}.launch.py"))


def included(name: str, **arguments: str) -> Any:
    """A launch description that includes one of our launch files with these arguments, as a robot's bring-up does."""
    from launch.actions import IncludeLaunchDescription

    from launch import LaunchDescription

    return LaunchDescription([IncludeLaunchDescription(source_of(name), launch_arguments=arguments.items())])


def run(*entities: Any) -> int:
    """The exit code of a launch of these."""
    from launch import LaunchDescription

    service = launch.LaunchService()
    service.include_launch_description(LaunchDescription(entities))
    return service.run()


@pytest.fixture(autouse=True)
def on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other machine, and no other run here, is heard."""
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    monkeypatch.setenv("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))


@pytest.fixture
def at_once(tmp_path: Path) -> Path:
    """Parameters for a camera that waits for nobody, and for a bridge that cannot start."""
    file = tmp_path / "at_once.yaml"
    file.write_text(
        "/**/camera:\n  ros__parameters:\n    ready_timeout_s: 0.0\n"
        "/**/hri_bridge:\n  ros__parameters:\n    id_prefix: '1'\n"
    )
    return file


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
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("replay", {}),
        ("replay", {"composed": "true", "namespace": "robot1"}),
        ("pi", {}),
        ("nano", {"composed": "false"}),
        ("pipeline", {"nodes": "camera,pose,skeleton_graph,action,recorder", "dds_profile": "fastdds_network.xml"}),
    ],
)
def test_a_recording_goes_through_the_launched_graph(
    name: str, arguments: dict[str, str], video: Path, tmp_path: Path
) -> None:
    """Every frame arrives at the recorder, and the launch ends by itself with the recording."""
    out = tmp_path / "out"
    assert run(included(name, source=str(video), record=str(out), **arguments)) == 0
    assert json.loads((out / "summary.json").read_text())["frames"] == FRAMES


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("movenet_weights")
def test_a_graph_that_is_launched_is_recorded_from_its_first_frame(video: Path, tmp_path: Path) -> None:
    """In real time the source waits for all, the recorder too. The bag is whole when the launch has ended by itself."""
    from pose_attention_ros.bags.opening import Bag

    assert run(included("record", out=str(tmp_path / "bag"), source=str(video), overlay="no")) == 0
    with Bag(tmp_path / "bag") as bag:
        assert not bag.left_out.reasons
        first = {}
        for topic, _, raw in bag.messages(["/image_raw/compressed", "/skeletons", "/skeleton_graphs", "/actions"]):
            first.setdefault(topic, bag.stamp_of(raw))
        assert len(first) == 4 and len(set(first.values())) == 1, first
        assert "/action_model" in bag.topics


@pytest.mark.timeout(300)
def test_a_password_in_an_argument_is_on_no_command_line_of_a_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    """It lies in the file that launch_ros writes for the node, which only its owner may read."""
    from launch.actions import RegisterEventHandler
    from launch.event_handlers import OnProcessStart

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    lines: list[str] = []
    watch = RegisterEventHandler(OnProcessStart(on_start=lambda event, _: lines.append(" ".join(event.cmd))))
    assert run(watch, included("pipeline", nodes="camera", source="rtsp://me:hunter2@127.0.0.1:9/1")) == 1
    files = [file for file in tmp_path.glob("launch_params_*") if "hunter2" in file.read_text()]
    assert files and all(file.stat().st_mode & 0o077 == 0 for file in files)
    assert lines and "hunter2" not in "".join(lines) + "".join(capfd.readouterr())


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("replay", {}, "source"),
        ("pipeline", {"nodes": "camera"}, "a camera needs source"),
        ("pipeline", {"nodes": "camra", "source": "0"}, "nodes is 'camra'"),
        ("pipeline", {"dds_profile": "none.xml"}, "none.xml is no file"),
        ("nano", {"csi": "9"}, "csi"),
        ("pipeline", {"record": "out"}, "record is 'out' without source"),
        ("pipeline", {"params_file": "none.yaml"}, "params_file is 'none.yaml', but there is no such file"),
        ("pipeline", {"params_file": __file__}, "expected a YAML file of parameters"),
        ("pipeline", {"source": "0", "image_topic": "/eye"}, "image_topic is '/eye' beside source '0'"),
        ("pipeline", {"overlay": "maybe"}, "overlay is 'maybe', expected true or false"),
        ("pipeline", {"respawn": "on", "respawn_delay_s": "-1"}, "respawn_delay_s is '-1', expected a number of at least 0"),
        ("record", {"duration_s": "long"}, "duration_s is 'long'"),
        ("record", {"pack": "2", "source": "0"}, "pack is '2'"),
    ],
)
def test_arguments_that_do_not_fit_fail_the_launch_and_start_nothing(
    name: str, arguments: dict[str, str], complaint: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(included(name, **arguments)) != 0
    told = caplog.text + "".join(capfd.readouterr())
    assert complaint in told and "process started" not in told


def test_a_misspelt_argument_is_told() -> None:
    from launch.actions import DeclareLaunchArgument

    from launch import LaunchContext
    from pose_attention_ros.launching.arguments import Arguments

    context = LaunchContext()
    context.launch_configurations.update(source="0", model="", sorce="1", robot_model="x")
    args = Arguments([DeclareLaunchArgument("source"), DeclareLaunchArgument("model")], context)
    assert args.near_misses() == ["there is no argument 'sorce'; is source meant?"]


@pytest.mark.parametrize("word", ["true", "True", "yes", "on", "1"])
def test_a_switch_is_on_in_every_usual_spelling(word: str) -> None:
    from launch.actions import DeclareLaunchArgument

    from launch import LaunchContext
    from pose_attention_ros.launching.arguments import Arguments

    context = LaunchContext()
    context.launch_configurations.update(first=word, second={"true": "false", "on": "off", "1": "0"}.get(word, "No"))
    args = Arguments([DeclareLaunchArgument("first"), DeclareLaunchArgument("second")], context)
    assert args.on("first") and not args.on("second")


@pytest.mark.parametrize("name", ["pi", "nano", "replay", "record"])
def test_every_launch_file_shows_the_common_arguments(name: str) -> None:
    """What `ros2 launch ... --show-args` prints."""

    def shown(name: str) -> set[str]:
        from launch import LaunchContext

        description = source_of(name).get_launch_description(LaunchContext())
        return {argument.name for argument in description.get_launch_arguments(conditional_inclusion=True)}

    assert shown("pipeline") >= {"model", "params_file", "frame_id", "calibration", "layout", "required", "respawn"}
    assert shown(name) >= shown("pipeline")


CAMERA_ALONE = {"nodes": "camera", "overlay": "false"}


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "arguments",
    [{**CAMERA_ALONE, "source": "/dev/video77"}, {"composed": "true", "overlay": "false", "model": "no_such_model"}],
)
def test_a_graph_that_fails_fails_the_launch(arguments: dict[str, str]) -> None:
    assert run(included("pipeline", **arguments)) == 1


@pytest.mark.timeout(300)
def test_a_node_that_is_killed_fails_the_launch(video: Path) -> None:
    from launch.actions import RegisterEventHandler
    from launch.event_handlers import OnProcessStart

    kill = OnProcessStart(on_start=lambda event, context: os.kill(event.pid, signal.SIGKILL))
    assert run(included("pipeline", **CAMERA_ALONE, source=str(video)), RegisterEventHandler(kill)) == 1


@pytest.mark.timeout(300)
def test_the_graph_goes_on_without_a_node_that_it_can_do_without(video: Path, at_once: Path) -> None:
    """The bridge to ROS4HRI fails, for its prefix does not fit; the camera plays on until it is asked to end."""
    from launch.actions import RegisterEventHandler
    from launch.event_handlers import OnProcessExit, OnProcessStart

    pids, codes = {}, {}

    def ended(event: Any, context: Any) -> None:
        name = event.process_name.split("_node")[0]
        codes[name] = event.returncode
        if name == "hri_bridge":
            os.kill(pids["camera"], signal.SIGINT)

    started = OnProcessStart(on_start=lambda event, context: pids.update({event.process_name.split("_node")[0]: event.pid}))
    assert (
        run(
            RegisterEventHandler(started),
            RegisterEventHandler(OnProcessExit(on_exit=ended)),
            included(
                "pipeline",
                nodes="camera,hri_bridge",
                hri="true",
                overlay="false",
                source=str(video),
                loop="true",
                params_file=str(at_once),
            ),
        )
        == 0
    )
    assert codes == {"hri_bridge": 1, "camera": 0}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("required", ["false", "true"])
def test_within_a_robots_bring_up_only_our_graph_ends(tmp_path: Path, required: str) -> None:
    """The robot's own program goes on after our failure, unless the graph is required; the launch has failed either way."""
    from launch.actions import ExecuteProcess, RegisterEventHandler, TimerAction
    from launch.event_handlers import OnProcessExit

    over, survived = tmp_path / "over", tmp_path / "survived"
    robot = ExecuteProcess(cmd=["sh", "-c", f"until [ -e '{over}' ]; do sleep 0.05; done; touch '{survived}'"])
    touch = ExecuteProcess(cmd=["touch", str(over)])

    def after_us(event: Any, context: Any) -> list[Any]:
        ours = event.process_name.startswith("camera")
        return [TimerAction(period=2.0, actions=[touch])] if ours else []  # cancelled by a shutdown

    assert (
        run(
            robot,
            RegisterEventHandler(OnProcessExit(on_exit=after_us)),
            included("pipeline", **CAMERA_ALONE, source="/dev/video77", required=required),
        )
        == 1
    )
    assert survived.exists() == (required == "false")


@pytest.mark.timeout(300)
def test_a_node_that_fails_is_started_again_in_its_namespace_ever_later(tmp_path: Path, video: Path, at_once: Path) -> None:
    """Its source appears after the second failure; the third start plays it, and all is well."""
    from launch.actions import GroupAction, RegisterEventHandler
    from launch.event_handlers import OnProcessExit, OnProcessStart
    from launch_ros.actions import PushRosNamespace

    source, starts, ends = tmp_path / "later.avi", [], []

    def ended(event: Any, context: Any) -> None:
        ends.append(time.monotonic())
        if len(ends) == 2:
            video.rename(source)

    started = OnProcessStart(on_start=lambda event, context: starts.append((time.monotonic(), event.cmd)))
    graph = included(
        "pipeline", **CAMERA_ALONE, source=str(source), respawn="true", respawn_delay_s="0.3", params_file=str(at_once)
    )
    assert (
        run(
            RegisterEventHandler(started),
            RegisterEventHandler(OnProcessExit(on_exit=ended)),
            GroupAction([PushRosNamespace("robot1"), graph]),
        )
        == 0
    )
    assert len(starts) == len(ends) == 3
    assert all("__ns:=/robot1" in cmd for _, cmd in starts)
    assert starts[1][0] - ends[0] > 0.3 and starts[2][0] - ends[1] > 0.6


DRIVER = """
import sys
from launch import LaunchService
from test_launch import included
service = LaunchService(noninteractive=sys.argv[1] == "service")
service.include_launch_description(included(sys.argv[2], **dict(word.split(":=") for word in sys.argv[3:])))
sys.exit(service.run())
"""


@pytest.mark.timeout(60 + 60 * INTERRUPTS)
@pytest.mark.usefixtures("movenet_weights")
def test_a_launch_that_is_interrupted_ends_quietly(video: Path) -> None:
    """At moments spread over the making of the processes, and the start and the work of all nodes: code 0, no traceback, no
    escalation, no survivor. Every second one comes as from a terminal: to all processes there are, and `launch` knows."""
    for number in range(INTERRUPTS):
        terminal = number % 2 == 1
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                DRIVER,
                "terminal" if terminal else "service",
                "pipeline",
                f"source:={video}",
                "loop:=true",
                "sigterm_timeout:=60",
            ],  # on a busy machine Python may not run after launch's 5 s
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        began = 1 + number // 2 % 5  # processes
        while began > 0:
            began -= "process started" in process.stdout.readline()
        threading.Event().wait(5.0 * number / INTERRUPTS if number // 2 % 5 == 4 else 0.0)
        (os.killpg if terminal else os.kill)(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
        told = [line for line in output.splitlines() if "exit code -2, cmd" not in line]  # of a node before Python ran in it
        assert not any(word in line for line in told for word in ("Traceback", "KeyboardInterrupt", "[ERROR]")), output
        assert subprocess.run(["pgrep", "-s", str(process.pid)], capture_output=True, check=False).returncode == 1, output


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_launch_that_is_killed_leaves_no_node_behind(video: Path, at_once: Path, number: signal.Signals) -> None:
    """`launch` does not end its processes on SIGTERM, and cannot on SIGKILL: the nodes see to it themselves."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            DRIVER,
            "service",
            "pipeline",
            "nodes:=camera",
            "overlay:=false",
            f"source:={video}",
            "loop:=true",
            f"params_file:={at_once}",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    while "]: active" not in (line := process.stdout.readline()):
        assert line, "it ended before it was asked to"
    os.kill(process.pid, number)
    process.communicate(timeout=60)
    until = time.monotonic() + 60
    while subprocess.run(["pgrep", "-s", str(process.pid)], capture_output=True, check=False).returncode == 0:
        assert time.monotonic() < until, "the camera runs on"
        time.sleep(0.1)


@pytest.mark.timeout(300)
@pytest.mark.skipif(shutil.which("ros2") is None, reason="the command `ros2` is not here")
@pytest.mark.usefixtures("movenet_weights")
@pytest.mark.parametrize("works", [False, True])
def test_the_systemd_units_command_fails_so_that_it_is_restarted_and_stops_when_asked(
    tmp_path: Path, video: Path, works: bool
) -> None:
    """Restart=on-failure wants a non-zero code; KillMode=mixed sends KillSignal to the main process alone."""
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str
    unit.read(LAUNCH.parent / "config" / "systemd" / "pose-attention.service")
    service = unit["Service"]
    assert service["Restart"] == "on-failure" and service["KillSignal"] == "SIGINT" and service["KillMode"] == "mixed"
    command = shlex.split(service["ExecStart"])
    (tmp_path / "setup").write_text("")
    command[-1] = re.sub(r"source /\S+", f"source {tmp_path / 'setup'}", command[-1])
    command[-1] = command[-1].replace("source:=0", f"source:={video} loop:=true" if works else "source:=/dev/video77")
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    if works:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "[pipeline]: active" in line:
                break
        asked_s = time.monotonic()
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0 and time.monotonic() - asked_s < float(service["TimeoutStopSec"]), output
    else:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 1 and "no camera /dev/video77" in output, output
