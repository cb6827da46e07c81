"""A camera's password is in nothing that nodes print, publish, write or tell as a parameter."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from rcl_interfaces.srv import GetParameters, ListParameters

from pose_attention_ros.msg import ActionLabelArray
from pose_attention_ros.ros.qos import latched_profile, result_profile

PASSWORD = "hunter2"
WORD = "sesame"  # in a path it looks like any other; it is a secret where it comes from the environment
TOKEN = "gUNGpQqTR7yMiDyl"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A web server of files that does not print, and finds them behind any token."""

    def translate_path(self, path: str) -> str:
        return super().translate_path(path.rsplit("/", 1)[-1])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(drawn_video: Path) -> Iterator[str]:
    """host:port/live/SECRET/path of a video behind http."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(drawn_video.parent)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}/live/SECRET/{drawn_video.name}"
    server.shutdown()


class Everything:
    """Whatever goes over the middleware: the messages of every topic there is, and the parameters of every node."""

    def __init__(self, probe: Any) -> None:
        self._probe, self._topics, self._raw = probe, set(), []

    def listen(self) -> None:
        """To the topics that came since the last time, from their first message on where that is kept."""
        for topic, kinds in self._probe.node.get_topic_names_and_types():
            if topic not in self._topics:
                self._topics.add(topic)
                package, _, kind = kinds[0].split("/")
                profile = latched_profile() if topic.endswith(("source_status", "action_model")) else result_profile(100)
                self._probe.node.create_subscription(
                    getattr(importlib.import_module(f"{package}.msg"), kind), topic, self._raw.append, profile, raw=True
                )

    def said(self) -> str:
        return "".join(bytes(message).decode("latin-1") for message in self._raw)

    def parameters_of(self, node: str) -> str:
        ask = functools.partial(self._probe.call, only_asks=True)
        names = ask(ListParameters, f"{node}/list_parameters", ListParameters.Request()).result.names
        return str(ask(GetParameters, f"{node}/get_parameters", GetParameters.Request(names=names)).values)


def every_node() -> set[str]:
    """The programs that the build installs."""
    listed = re.search(r"foreach\(node ([a-z_ ]+)\)", (Path(__file__).resolve().parents[2] / "CMakeLists.txt").read_text())
    return set(listed[1].split())


def test_no_node_tells_a_password(start: Callable, probe: Any, pose_weights: None, served: str, tmp_path: Path) -> None:
    """All nodes at once: what they print and write, all topics with /parameter_events and /rosout, all parameters."""
    everything = Everything(probe)
    everything.listen()
    source, masked = (
        f"http://{login}@{served.replace('SECRET', token)}?pwd={value}"
        for login, token, value in ((f"admin:{PASSWORD}", TOKEN, PASSWORD), ("***", "***", "***"))
    )
    others = {
        "pose": {"input_size": 64},
        "skeleton_graph": {},
        "action": {},
        "overlay": {},
        "web": {"port": 0},
        "recorder": {"out": str(tmp_path / "record")},
        "bag_recorder": {"out": str(tmp_path / "bag"), "images": "none"},
        "evaluator": {"out": str(tmp_path / "live"), "images": "none"},
    }
    if importlib.util.find_spec("hri_msgs"):
        others["hri_bridge"] = {}
    processes = {name: start(name, parameters) for name, parameters in others.items()}
    assert {*processes, "pipeline", "camera"} >= every_node() - {"hri_bridge"}
    processes["pipeline"] = start(
        "pipeline", {"source": source, "input_size": 64, "on_end": "stay", "autostart": False}, remap={"actions": "others"}
    )
    for name, process in processes.items():
        if name != "pipeline":
            process.wait_for_line("active, ")
    processes["camera"] = start(
        "camera",
        {
            "source": "http://admin:${CAMERA_PW}@" + served.replace("SECRET", "${KEY}"),
            "pace": "lockstep",
            "loop": True,
            "lockstep_timeout_s": 20.0,
        },
        environment={"CAMERA_PW": PASSWORD, "KEY": WORD},
    )
    actions = probe.collect(ActionLabelArray, "actions")
    probe.until(lambda: everything.listen() or len(actions) > 3, "answers")
    told = everything.parameters_of(f"{probe.namespace}/pipeline")
    assert probe.set_parameter("pipeline", "source", f"http://root:{PASSWORD}@{served}")[0]
    told += everything.said() + "".join(everything.parameters_of(f"{probe.namespace}/{name}") for name in processes)
    for process in processes.values():
        process.interrupt()
    told += everything.said() + "".join(process.output for process in processes.values())
    files = [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 3 and masked in told and masked.partition("?")[0] in told.replace(masked, "")
    assert not [secret for secret in (PASSWORD, WORD, TOKEN) if secret in told + "".join(files)]


@pytest.mark.parametrize(
    ("source", "why"),
    [("rtsp://me:${NO_SUCH}@127.0.0.1:9/1", "no variable NO_SUCH"), ("http://${HOME}/1", "only for a password")],
)
def test_a_password_that_cannot_be_had(start: Callable, source: str, why: str) -> None:
    process = start("camera", {"source": source})
    assert process.wait() == 1 and why in process.output and "Traceback" not in process.output


def test_a_source_that_fails_is_told_without_its_password(start: Callable) -> None:
    process = start("camera", {"source": f"rtsp://admin:{PASSWORD}@127.0.0.1:9/stream", "timeout_s": 2.0})
    assert process.wait() == 1 and "***" in process.output and PASSWORD not in process.output
