"""Live sources: the newest frame wins, a lost device comes back, a driver that hangs is noticed.

The device itself is the one fake here: it stands where cv2.VideoCapture stands. The network stream is a real one.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from pose_attention_ros.cameras import CameraConfig, SourceError, open_source
from pose_attention_ros.cameras.capture import Capture, has_backend
from pose_attention_ros.cameras.live import LiveCamera, open_device

pytestmark = pytest.mark.slow

QUICK = CameraConfig(timeout_s=30.0, reconnect_s=0.01, reconnect_max_s=0.1)
IMPATIENT = CameraConfig(timeout_s=0.5, reconnect_s=0.01, reconnect_max_s=0.1)


class Device:
    """A camera that the test feeds: `give` makes the next grab succeed, `lose` ends the stream, `hang` blocks for good."""

    def __init__(self, frames: int = 0, opened: bool = True) -> None:
        self.opened = opened
        self.age = 0.0
        self.released = threading.Event()
        self._ready = threading.Semaphore(frames)
        self._lost = self._hanging = False
        self._number = 0

    def give(self) -> None:
        self._ready.release()

    def lose(self) -> None:
        self._lost = True
        self._ready.release()

    def get(self, name: str) -> float:
        return {"CAP_PROP_FPS": 30.0}.get(name, 0.0)

    def grab(self) -> bool:
        self._ready.acquire(timeout=60)
        self._number += 1
        return not self._lost

    def age_s(self) -> float:
        return self.age

    def retrieve(self) -> np.ndarray:
        return np.full((4, 6, 3), self._number, np.uint8)

    def release(self) -> None:
        self.released.set()


def opener(*devices: Device) -> Callable[[], Device]:
    """Opens one device after the other, then the last again and again."""
    row = itertools.chain(devices, itertools.repeat(devices[-1]))
    return lambda: next(row)


def camera_on(*devices: Device, config: CameraConfig = QUICK, clock_ns=time.time_ns) -> LiveCamera:
    return LiveCamera(opener(*devices), "camera test", config, clock_ns, "remedy")


def wait_until(condition: Callable[[], bool], timeout_s: float = 120.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "condition not met in time"
        time.sleep(0.001)


def test_newest_frame_wins_and_is_stamped_when_it_was_taken():
    ticks = itertools.count(100)
    device = Device(frames=1)
    camera = camera_on(device, clock_ns=lambda: next(ticks))
    assert (camera.live, camera.size, camera.fps) == (True, (6, 4), 30.0)
    first = camera.read()
    assert (first.image_bgr[0, 0, 0], first.stamp_ns) == (1, 100)
    for _ in range(5):
        device.give()
    wait_until(lambda: camera.dropped == 4)
    latest = camera.read()
    assert (latest.image_bgr[0, 0, 0], latest.stamp_ns) == (6, 105)
    camera.close()


def test_a_frame_is_stamped_with_the_time_at_which_the_device_took_it():
    device = Device(frames=1)
    device.age = 0.25
    camera = camera_on(device, clock_ns=lambda: 10**9)
    assert camera.read().stamp_ns == 750_000_000
    camera.close()


@pytest.mark.parametrize(
    ("position_ago_s", "stamped", "age_s"),
    [(0.2, True, 0.2), (0.2, False, 0.0), (30.0, True, 0.0), (-5.0, True, 0.0), (None, True, 0.0)],
)
def test_only_a_kernels_monotonic_stamp_tells_a_frames_age(monkeypatch, position_ago_s, stamped, age_s):
    """V4L2 gives the buffer's time as the position; a stream's position, another clock or none is no age."""
    capture = Capture("nowhere", stamped=stamped)
    monkeypatch.setattr(
        capture, "get", lambda name: 0.0 if position_ago_s is None else (time.monotonic() - position_ago_s) * 1e3
    )
    assert capture.age_s() == pytest.approx(age_s, abs=0.1)


def test_lost_device_is_opened_again(caplog):
    lost, absent, back = Device(frames=1), Device(opened=False), Device(frames=1)
    camera = camera_on(lost, absent, back)
    camera.read()
    lost.lose()
    assert camera.read().image_bgr.shape == (4, 6, 3)
    assert camera.trouble == ""
    assert lost.released.wait(120) and absent.released.wait(120)
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        "camera test: the stream ended or the device is gone; reconnecting in 0.0 s",
        "camera test: cannot be opened; reconnecting in 0.0 s",
        "camera test: frames are back",
    ]
    camera.close()


def test_stuck_device_is_noticed_and_replaced(caplog):
    camera = camera_on(Device(frames=1), Device(frames=1), config=IMPATIENT)
    camera.read()
    assert camera.read() is not None
    assert "no frame for 0.5 s" in caplog.text
    camera.close()


def test_driver_that_hangs_every_time_ends_with_an_error():
    camera = camera_on(
        Device(frames=1),
        *(Device() for _ in range(9)),
        config=CameraConfig(timeout_s=0.1, reconnect_s=0.01, reconnect_max_s=0.1),
    )
    camera.read()
    with pytest.raises(SourceError, match="driver hangs"):
        camera.read()
    camera.close()


def test_without_reconnect_a_loss_is_an_error():
    device = Device(frames=1)
    camera = camera_on(device, config=CameraConfig(timeout_s=30.0, reconnect_s=0.0))
    camera.read()
    device.lose()
    with pytest.raises(SourceError, match="device is gone"):
        camera.read()


@pytest.mark.parametrize("device,reason", [(Device(opened=False), "cannot be opened"), (Device(), "no frame for 0.5 s")])
def test_camera_that_gives_no_first_frame_is_refused(device, reason):
    with pytest.raises(SourceError, match=f"^camera test: {reason}; remedy$"):
        camera_on(device, config=IMPATIENT)


def test_close_wakes_a_waiting_read():
    camera = camera_on(Device(frames=1), config=CameraConfig(timeout_s=60.0))
    camera.read()
    answers: list = []
    reader = threading.Thread(target=lambda: answers.append(camera.read()))
    reader.start()
    camera._closed.set()
    camera._grabber.stop()
    reader.join(120)
    assert answers == [None]


def test_stamps_rise_though_the_clock_is_set_back():
    times = iter([50, 40, 60])
    device = Device(frames=1)
    camera = camera_on(device, clock_ns=lambda: next(times))
    stamps = [camera.read().stamp_ns]
    for _ in range(2):
        device.give()
        stamps.append(camera.read().stamp_ns)
    assert stamps == [50, 51, 60]
    camera.close()


class MotionJpeg(BaseHTTPRequestHandler):
    """An endless camera stream as IP cameras serve it; `server.cut` ends the connection after a few frames."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
        for _ in range(200):
            try:
                self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg))
                self.wfile.write(jpeg + b"\r\n")
                self.server.halt.wait(0.01)
            except OSError:
                return

    def log_message(self, *args):
        pass


def test_an_http_camera_is_read_live():
    with ThreadingHTTPServer(("127.0.0.1", 0), MotionJpeg) as server:
        server.halt = threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        before_ns = time.time_ns()
        camera = open_source(f"http://127.0.0.1:{server.server_port}/stream.mjpg", CameraConfig(timeout_s=60.0))
        frames = [camera.read() for _ in range(5)]
        assert camera.live and camera.size == (64, 48)
        assert before_ns < frames[0].stamp_ns < frames[4].stamp_ns <= time.time_ns()
        camera.close()
        server.halt.set()
        server.shutdown()


@pytest.mark.skipif(has_backend("CAP_GSTREAMER"), reason="this OpenCV can run GStreamer pipelines")
def test_pipeline_without_gstreamer_says_what_to_install():
    with pytest.raises(SourceError, match=r"built without GStreamer .* python3-opencv"):
        open_source("videotestsrc ! videoconvert")


@pytest.mark.skipif(not has_backend("CAP_GSTREAMER"), reason="this OpenCV was built without GStreamer")
def test_pipeline_gets_an_appsink():
    camera = open_source("videotestsrc ! video/x-raw,width=64,height=48")
    assert camera.size == (64, 48)
    assert camera.read().stamp_ns < camera.read().stamp_ns
    camera.close()


def test_wrong_fourcc_is_named(tmp_path):
    device = tmp_path / "video"
    device.touch()
    with pytest.raises(SourceError, match="fourcc is 'MJPEG', expected four letters"):
        open_device(str(device), CameraConfig(fourcc="MJPEG"), time.time_ns)
