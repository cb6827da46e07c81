"""Camera devices, GStreamer pipelines and network streams: the newest frame, and a new connection when one is lost."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

from pose_attention_ros.cameras.base import Camera, CameraConfig, ClockNs
from pose_attention_ros.cameras.capture import Capture, Properties, has_backend
from pose_attention_ros.cameras.grabber import Grabbed, Grabber, OpenedCapture
from pose_attention_ros.cameras.video import VideoFile
from pose_attention_ros.core.errors import SourceError
from pose_attention_ros.core.secrets import masked
from pose_attention_ros.core.types import Frame

_MOST_HANGING_THREADS = 3
log = logging.getLogger(__name__)


class LiveCamera:
    """A live source that reads the newest frame and reconnects with back-off. It is open from the beginning, and grabs in a
    thread of its own until `close`, which any thread may call.

    :param open_capture: opens a new connection; called again after a loss
    :param name: how messages call the source
    :param remedy: what the user can do when it cannot be opened
    :raises SourceError: no first frame within `config.timeout_s`
    """

    live = True
    frame_count = 0

    def __init__(
        self, open_capture: Callable[[], OpenedCapture], name: str, config: CameraConfig, clock_ns: ClockNs, remedy: str
    ) -> None:
        self._open_capture, self._name, self._config, self._clock_ns = open_capture, name, config, clock_ns
        self._closed = threading.Event()
        self._hanging: list[Grabber] = []
        self._dropped_before = 0
        self._last_ns = -1
        self.trouble = ""
        self._grabber = Grabber(open_capture, clock_ns)
        first = self._grabber.next(config.timeout_s)
        if first is None:
            reason = self._grabber.failure or self._silence()
            self.close()
            raise SourceError(f"{name}: {reason}; {remedy}")
        self._first: Grabbed | None = first
        self.size = (first.image_bgr.shape[1], first.image_bgr.shape[0])
        self.fps = self._grabber.fps or config.fps or config.assumed_fps

    @property
    def dropped(self) -> int:
        """Frames that a newer one replaced before they were read."""
        return self._dropped_before + self._grabber.dropped

    def read(self) -> Frame | None:
        """Wait for a frame newer than the last; None once closed.

        While the source is lost, `trouble` says why and this keeps trying.

        :raises SourceError: lost, and `reconnect_s` is 0 or the driver hangs again and again
        """
        delay_s = self._config.reconnect_s
        while not self._closed.is_set():
            grabbed, self._first = self._first or self._grabber.next(self._config.timeout_s), None
            if self._closed.is_set():
                break
            if grabbed is not None:
                return self._frame(grabbed)
            self.trouble = self._grabber.failure or self._silence()
            if not self._config.reconnect_s:
                raise SourceError(f"{self._name}: {self.trouble}; check the source, or set reconnect_s to try again")
            log.warning("%s: %s; reconnecting in %.1f s", self._name, self.trouble, delay_s)
            if not self._closed.wait(delay_s):
                self._reconnect()
            delay_s = min(2 * delay_s, max(self._config.reconnect_max_s, self._config.reconnect_s))
        return None

    def close(self) -> None:
        """Stop grabbing; a `read` that waits returns None. Waits shortly for the device to be free again."""
        self._closed.set()
        self._grabber.stop()
        self._grabber.join(min(1.0, self._config.timeout_s))

    def _frame(self, grabbed: Grabbed) -> Frame:
        if self.trouble:
            log.warning("%s: frames are back", self._name)
            self.trouble = ""
        # Stamps name frames further on: no two may be the same, even where the driver's clock steps back.
        self._last_ns = max(grabbed.stamp_ns, self._last_ns + 1)
        return Frame(grabbed.image_bgr, self._last_ns, self._config.frame_id)

    def _reconnect(self) -> None:
        """Leave the old connection to its thread, which may hang in the driver, and start a new one."""
        self._grabber.stop()
        self._dropped_before += self._grabber.dropped
        self._hanging = [grabber for grabber in (*self._hanging, self._grabber) if grabber.running]
        if len(self._hanging) > _MOST_HANGING_THREADS:
            raise SourceError(f"{self._name}: the driver hangs and does not let go of the device; unplug and replug it")
        self._grabber = Grabber(self._open_capture, self._clock_ns)

    def _silence(self) -> str:
        return f"no frame for {self._config.timeout_s:g} s"


def open_device(source: str, config: CameraConfig, clock_ns: ClockNs) -> LiveCamera:
    """A V4L2 camera by number or device path. Raises SourceError that names the cameras there are."""
    device = Path(f"/dev/video{source}") if source.isdigit() else Path(source)
    if not device.exists():
        there = ", ".join(sorted(map(str, Path("/dev").glob("video*")))) or "none"
        raise SourceError(f"no camera {source}: {device} does not exist; cameras on this machine: {there}")
    if not os.access(device, os.R_OK | os.W_OK):
        raise SourceError(
            f"no permission to use {device}; add yourself to the group video "
            "(sudo usermod -aG video $USER), then log in again"
        )
    wanted = (
        ("CAP_PROP_FRAME_WIDTH", config.width),
        ("CAP_PROP_FRAME_HEIGHT", config.height),
        ("CAP_PROP_FPS", config.fps),
        ("CAP_PROP_BUFFERSIZE", 1),
    )
    properties = _fourcc(config.fourcc) + tuple((name, float(value)) for name, value in wanted if value)
    return LiveCamera(
        lambda: Capture(str(device), "CAP_V4L2", then_set=properties, stamped=True),
        f"camera {device}",
        config,
        clock_ns,
        "is it a camera, and does no other program use it?",
    )


def open_pipeline(pipeline: str, config: CameraConfig, clock_ns: ClockNs) -> LiveCamera:
    """A GStreamer pipeline; an appsink that keeps only the newest frame is added where there is none."""
    if not has_backend("CAP_GSTREAMER"):
        raise SourceError(
            f"this OpenCV was built without GStreamer and cannot run the pipeline {pipeline!r}; use the "
            "python3-opencv package of the distribution, or give a device, an address or a file"
        )
    if not re.search(r"!\s*appsink\b", pipeline):
        pipeline += " ! videoconvert ! video/x-raw,format=BGR ! appsink drop=true max-buffers=1 sync=false"
    return LiveCamera(
        lambda: Capture(pipeline, "CAP_GSTREAMER"),
        f"pipeline {masked(pipeline)!r}",
        config,
        clock_ns,
        "try it with gst-launch-1.0",
    )


def open_address(address: str, config: CameraConfig, clock_ns: ClockNs, start_stamp_ns: int) -> Camera:
    """A network stream. A video of known length behind http is read frame by frame, like a file."""
    limit_ms = config.timeout_s * 1000
    open_with = (("CAP_PROP_OPEN_TIMEOUT_MSEC", limit_ms), ("CAP_PROP_READ_TIMEOUT_MSEC", limit_ms))
    shown = masked(address)
    if address.startswith("http"):
        probe = Capture(address, "CAP_FFMPEG", open_with)
        finite = probe.get("CAP_PROP_FRAME_COUNT") > 0
        probe.release()
        if finite:
            return VideoFile(address, config, start_stamp_ns, open_with, shown)
    return LiveCamera(
        lambda: Capture(address, "CAP_FFMPEG", open_with),
        shown,
        config,
        clock_ns,
        "check the address, and that the camera is on the network",
    )


def _fourcc(code: str) -> Properties:
    if not code:
        return ()
    if len(code) != 4 or not code.isascii():
        raise SourceError(f"fourcc is {code!r}, expected four letters, for example MJPG")
    return (("CAP_PROP_FOURCC", float(int.from_bytes(code.encode(), "little"))),)
