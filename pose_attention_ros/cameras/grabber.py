"""One connection to a live device: a thread that keeps nothing but the newest frame."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from pose_attention_ros.cameras.base import ClockNs
from pose_attention_ros.core.secrets import masked


class OpenedCapture(Protocol):
    """What a grabber needs of a device; `capture.Capture` is one."""

    opened: bool

    def get(self, name: str) -> float: ...

    def grab(self) -> bool: ...

    def age_s(self) -> float: ...

    def retrieve(self) -> np.ndarray | None: ...

    def release(self) -> None: ...


class Grabbed(NamedTuple):
    """image_bgr (height, width, 3) uint8 and the time at which it was taken."""

    image_bgr: np.ndarray
    stamp_ns: int


class Grabber:
    """Opens a device and empties it as fast as it delivers, all in its own thread, so that a driver that hangs never hangs
    the reader.

    :param open_capture: opens the device; runs in the thread
    :param clock_ns: time of capture
    """

    # Frames in a row that may fail to decode (a corrupt JPEG on the USB line) before the device counts as broken.
    _BAD_FRAMES_ALLOWED = 30

    def __init__(self, open_capture: Callable[[], OpenedCapture], clock_ns: ClockNs) -> None:
        self._open_capture, self._clock_ns = open_capture, clock_ns
        self._changed = threading.Condition()
        self._newest: Grabbed | None = None
        self._stopped = False
        self.failure = ""
        self.fps = 0.0
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="camera-grabber", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the thread is still inside the device."""
        return self._thread.is_alive()

    def next(self, timeout_s: float) -> Grabbed | None:
        """The newest frame not handed out before; None on a failure (see `failure`), once stopped, or after `timeout_s`."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self.failure or self._stopped, timeout_s)
            newest, self._newest = self._newest, None
            return newest

    def stop(self) -> None:
        """Let the thread end and release the device at its next frame; does not wait."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def join(self, timeout_s: float) -> None:
        """Wait for the device to be released."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            capture = self._open_capture()
        except Exception as error:  # whatever a driver throws must reach the reader and not end on stderr
            self._fail(str(error))
            return
        try:
            if not capture.opened:
                self._fail("cannot be opened")
                return
            self.fps = capture.get("CAP_PROP_FPS")
            self._grab(capture)
        except Exception as error:
            self._fail(str(error))
        finally:
            capture.release()

    def _grab(self, capture: OpenedCapture) -> None:
        bad = 0
        while not self._stopped:
            if not capture.grab():
                self._fail("the stream ended or the device is gone")
                return
            stamp_ns = self._clock_ns() - round(capture.age_s() * 1e9)
            image = capture.retrieve()
            bad = bad + 1 if image is None else 0
            if bad > self._BAD_FRAMES_ALLOWED:
                self._fail(f"{bad} frames in a row could not be decoded")
                return
            if image is not None:
                with self._changed:
                    self.dropped += self._newest is not None
                    self._newest = Grabbed(image, stamp_ns)
                    self._changed.notify_all()

    def _fail(self, reason: str) -> None:
        with self._changed:
            self.failure = masked(" ".join(reason.split())) or "unknown error"
            self._changed.notify_all()
