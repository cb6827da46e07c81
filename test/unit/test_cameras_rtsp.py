"""Network cameras over the real protocol: an RTSP server in a process of its own, which dies and comes back."""

from __future__ import annotations

import contextlib
import logging
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pose_attention_ros.cameras import Camera, CameraConfig, SourceError, open_source
from pose_attention_ros.cameras.capture import has_backend
from pose_attention_ros.core.types import Frame

SERVER = Path(__file__).with_name("rtsp_server.py")
SYSTEM_PYTHON = Path("/usr/bin/python3")  # the distribution's bindings of GStreamer are made for it
PROBE = (
    "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst; Gst.init(None); "
    "assert all(map(Gst.ElementFactory.find, ('x264enc', 'rtph264pay', 'jpegenc', 'rtpjpegpay')))"
)


def server_is_here() -> bool:
    if not SYSTEM_PYTHON.exists():
        return False
    return subprocess.run([SYSTEM_PYTHON, "-c", PROBE], capture_output=True, timeout=60, check=False).returncode == 0


pytestmark = pytest.mark.skipif(
    not server_is_here(),
    reason="no RTSP server: needs the Debian packages gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-good and -ugly",
)


@contextlib.contextmanager
def rtsp_camera(port: int, codec: str = "h264") -> Iterator[None]:
    process = subprocess.Popen(
        [SYSTEM_PYTHON, SERVER, str(port), codec], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.kill()
        process.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("codec", ["h264", "jpeg"])
def test_an_rtsp_camera_is_read_live(codec: str) -> None:
    port = free_port()
    with rtsp_camera(port, codec):
        before_ns = time.time_ns()
        camera = open_source(f"rtsp://user:secret@127.0.0.1:{port}/eye", CameraConfig(timeout_s=60.0))
        frames = [camera.read() for _ in range(5)]
        camera.close()
    assert camera.live and camera.size == (64, 48)
    assert before_ns < frames[0].stamp_ns < frames[4].stamp_ns <= time.time_ns()
    assert len(np.unique(frames[4].image_bgr.reshape(-1, 3), axis=0)) > 8, "the colour bars of the test picture"


@pytest.mark.timeout(300)
def test_an_rtsp_camera_that_goes_away_is_found_again(caplog: pytest.LogCaptureFixture) -> None:
    """Reconnects with back-off while nobody is there; the password of the address reaches no log."""
    caplog.set_level(logging.WARNING)
    port = free_port()
    with rtsp_camera(port):
        camera = open_source(
            f"rtsp://user:secret@127.0.0.1:{port}/eye", CameraConfig(timeout_s=2.0, reconnect_s=0.2, reconnect_max_s=0.8)
        )
        last_ns = camera.read().stamp_ns
    reader = threading.Thread(target=lambda: frames.append(read_after(camera, time.time_ns())), daemon=True)
    frames: list = []
    reader.start()
    wait_for(lambda: sum("reconnecting in" in record.getMessage() for record in caplog.records) >= 3)
    with rtsp_camera(port):
        reader.join(120)
        assert frames and frames[0].stamp_ns > last_ns and camera.trouble == ""
        camera.close()
    lines = [record.getMessage() for record in caplog.records]
    assert lines[-1].endswith("frames are back") and "secret" not in caplog.text
    pauses = [line.rpartition("in ")[2] for line in lines if "reconnecting in" in line]
    assert pauses[:3] == ["0.2 s", "0.4 s", "0.8 s"]


def read_after(camera: Camera, stamp_ns: int) -> Frame:
    """The first frame taken a while after `stamp_ns`: none that was still under way when the server died."""
    while (frame := camera.read()).stamp_ns < stamp_ns + 10**9:
        pass
    return frame


def wait_for(condition: Callable[[], bool], timeout_s: float = 120.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "condition not met in time"
        time.sleep(0.01)


def test_an_address_where_nobody_is_ends_with_one_line() -> None:
    with pytest.raises(SourceError, match=r"^rtsp://127.0.0.1:\d+/eye: .*check the address"):
        open_source(f"rtsp://user:secret@127.0.0.1:{free_port()}/eye", CameraConfig(timeout_s=2.0))


@pytest.mark.timeout(300)
@pytest.mark.skipif(not has_backend("CAP_GSTREAMER"), reason="this OpenCV was built without GStreamer")
def test_an_rtsp_camera_through_gstreamer() -> None:
    port = free_port()
    with rtsp_camera(port):
        camera = open_source(f"rtspsrc location=rtsp://127.0.0.1:{port}/eye latency=0 ! rtph264depay ! avdec_h264")
        assert camera.size == (64, 48) and camera.read().stamp_ns < camera.read().stamp_ns
        camera.close()
