"""A camera's password is in nothing that nodes print, publish on source_status or /diagnostics, or log to /rosout."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import Log

from pose_attention_ros.msg import SourceStatus
from pose_attention_ros.ros.qos import latched_profile, result_profile

PASSWORD = "hunter2"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A web server of files that does not print."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(drawn_video: Path) -> Iterator[str]:
    """host:port/path of a video behind http."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(drawn_video.parent)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}/{drawn_video.name}"
    server.shutdown()


@pytest.mark.parametrize("node", ["camera", "pipeline"])
def test_a_password_is_told_nowhere(start: Callable, probe: Any, pose_weights: None, served: str, node: str) -> None:
    heard = [probe.collect(SourceStatus, "source_status", latched_profile()),
             probe.collect(DiagnosticArray, "/diagnostics"), probe.collect(Log, "/rosout", result_profile(100))]
    process = start(node, {"source": f"http://admin:{PASSWORD}@{served}?pwd={PASSWORD}", "on_end": "stay", "max_frames": 3,
                           "ready_timeout_s": 1.0, **({"input_size": 64} if node == "pipeline" else {})})
    process.wait_for_line("end of http://***@127.0.0.1")
    probe.until(lambda: any(message.state == SourceStatus.STATE_ENDED for message in heard[0]) and bool(heard[1]), "the end")
    everything = process.output + "".join(str(message) for messages in heard for message in messages)
    assert "***" in everything and PASSWORD not in everything


def test_a_source_that_fails_is_told_without_its_password(start: Callable) -> None:
    process = start("camera", {"source": f"rtsp://admin:{PASSWORD}@127.0.0.1:9/stream", "timeout_s": 2.0})
    assert process.wait() == 1 and "***" in process.output and PASSWORD not in process.output
