"""Plays a frame source in a thread of its own: in real time, or in lockstep with whoever works on the frames."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from pose_attention_ros.cameras import Camera, CameraConfig, open_source
from pose_attention_ros.core.config import setting
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.time.clocks import LONGEST_PAUSE_S
from pose_attention_ros.core.types import Frame
from pose_attention_ros.ros.answers import Acknowledgement

ACKNOWLEDGEMENTS = ("actions", "recorded")
_POLL_S = 0.2
_FIRST_PATIENCE_S = 0.5
_FIRST_ATTEMPTS_A_LINE = 20
_TELL_AFTER_S = 5.0
_LONGEST_SILENCE_S = 1.0  # where reading itself is slower than real time, a late frame after so long is better than none
_SETTLED_S = 0.3  # endpoints that we see find each other in less


@dataclass(frozen=True)
class PlayerConfig(CameraConfig):
    """Where frames come from and how they are played."""

    source: str = setting(
        "0", "camera number or device, GStreamer pipeline, rtsp:// or http:// address, video file, folder of images, or bag"
    )
    pace: str = setting(
        "realtime",
        "realtime: frames come when their stamps say. lockstep (recordings only): the next frame comes when the "
        "last one is answered, none is dropped, stamps begin at 0",
        choices=("realtime", "lockstep"),
    )
    wait_for: str = setting(
        "",
        "nodes of our namespace that must be at work before a recording begins in real time, "
        "separated by commas; empty: whoever takes the images",
    )
    ready_timeout_s: float = setting(
        120.0,
        "a recording played in real time begins without those who are not there after this long; 0: waits for nobody",
        unit="s",
        low=0.0,
        high=3600.0,
    )
    max_frames: int = setting(0, "end after this many frames; 0 plays all", unit="frames", low=0)
    on_end: str = setting(
        "shutdown",
        "at the end of a recording: shutdown ends the process; stay keeps it, with its latched messages, until "
        "it is stopped",
        choices=("shutdown", "stay"),
    )
    acknowledge: str = setting(
        "actions",
        "lockstep: the topic whose stamp says that a frame is done; recorded waits for the recorder",
        choices=ACKNOWLEDGEMENTS,
    )
    recorder_lag: int = setting(
        0,
        "lockstep with acknowledge: actions, for measuring without waiting for the recorder's work: how many frames the "
        "recorder may be behind, so that it gets all of them; 0 asks for no recorder",
        unit="frames",
        low=0,
        high=5,
    )
    lockstep_timeout_s: float = setting(
        2.0, "lockstep: an unanswered frame is sent again after this long", unit="s", low=0.05, high=600.0
    )
    lockstep_attempts: int = setting(10, "lockstep: how often a frame is sent before it is skipped", low=1, high=1000)


@dataclass(frozen=True)
class Deliveries:
    """What a player calls; all but `began` from its own thread.

    began: the source is open and frames are about to come; admits: whether to take the frame of a stamp, the others are
    left out as if the source had not had them; deliver: take one frame; missing: who should be there before the first frame
    and is not, by name; ended: the recording is over; failed: the source broke for good; warn: a line for the user.
    """

    began: Callable[[], None]
    admits: Callable[[int], bool]
    deliver: Callable[[Frame], None]
    missing: Callable[[], list[str]]
    ended: Callable[[], None]
    failed: Callable[[Exception], None]
    warn: Callable[[str], None]


class Player:
    """Opens a source, plays it between `start` and `stop`. A recording starts at its beginning at every `start`.

    :param clock_ns: gives live frames their stamp and recordings played in real time their first
    :param answers: what lockstep waits for; None where `deliver` itself does all the work
    """

    def __init__(
        self, config: PlayerConfig, clock_ns: Callable[[], int], to: Deliveries, answers: Acknowledgement | None
    ) -> None:
        self._config, self._clock_ns, self._to, self._answers = config, clock_ns, to, answers
        self._asked = " and ".join(dict.fromkeys([config.acknowledge, *(["recorded"] if config.recorder_lag else [])]))
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.played = 0
        self.skipped = 0
        self.last_stamp_ns = self._before_ns = 0
        self._delivered_s = 0.0
        self.camera: Camera | None = None

    @property
    def lockstep(self) -> bool:
        """Whether the next frame waits for the answer to the last."""
        return self._config.pace == "lockstep"

    def open(self) -> Camera:
        """Open the source. Raises SourceError, or UserError for a live source in lockstep."""
        self.camera = open_source(
            self._config.source,
            self._config,
            clock_ns=self._clock_ns,
            start_stamp_ns=0 if self.lockstep else self._clock_ns(),
        )
        if self.camera.live and self.lockstep:
            self.close()
            raise UserError(f"pace is lockstep, expected realtime for the live source {self._config.source}")
        return self.camera

    def start(self) -> None:
        """Begin to play. Raises SourceError where the source cannot be opened (again)."""
        if self.camera is None:
            self.open()
        self.played = self.skipped = 0
        self.last_stamp_ns = 0
        self._stopping.clear()
        self._to.began()
        self._thread = threading.Thread(target=self._play, name="player", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop playing and close the source."""
        self._stopping.set()
        if self.camera is not None and self.camera.live:
            self.camera.close()  # wakes a read that waits for the device
        if self._thread is not None:
            self._thread.join()
        self._thread = None
        self.close()

    def close(self) -> None:
        """Free the source."""
        if self.camera is not None:
            self.camera.close()
        self.camera = None

    def _play(self) -> None:
        try:
            self._begin_in_time()
            while not self._stopping.is_set():
                if (frame := self._next()) is None:
                    break
                done = self._in_lockstep(frame) if self.lockstep else self._in_time(frame)
                if done:
                    self.played += 1
                    self.last_stamp_ns = frame.stamp_ns
                else:
                    self.skipped += 1
            self._wait_for_the_last()
        except Exception as error:
            if not self._stopping.is_set():
                self._to.failed(error)
            return
        if not self._stopping.is_set():
            self._to.ended()

    def _begin_in_time(self) -> None:
        """A recording waits for those it is played to; its stamps begin then. Raises UserError where there is no time."""
        if self.lockstep or self.camera.live:
            return
        if self._config.ready_timeout_s:
            self._wait_until_ready(self._config.ready_timeout_s, _SETTLED_S)
        if self._stopping.is_set():
            return
        if not self._clock_ns():
            raise UserError(
                "use_sim_time is true, but no time comes on /clock; start the simulation, or ros2 bag play --clock"
            )
        self.close()
        self.open()

    def _next(self) -> Frame | None:
        """The next frame, None at the end or after as many as are wanted."""
        if self._config.max_frames and self.played + self.skipped >= self._config.max_frames:
            return None
        while (frame := self.camera.read()) is not None and not self._to.admits(frame.stamp_ns):
            if self._stopping.is_set():
                return None
        return frame

    def _in_time(self, frame: Frame) -> bool:
        """Deliver at the frame's time; a recording that cannot keep up leaves frames out, as a camera would."""
        if self.camera.live:
            self._to.deliver(frame)
            return True
        now = time.monotonic()
        step_s = (frame.stamp_ns - self._before_ns) * 1e-9 if self.played + self.skipped else 0.0
        self._before_ns = frame.stamp_ns
        if not 0 < step_s <= LONGEST_PAUSE_S:  # the first one, or another round
            self._began = now - frame.stamp_ns * 1e-9
        due = self._began + frame.stamp_ns * 1e-9
        if due > now:
            self._stopping.wait(due - now)
        elif now - due > step_s > 0 and now - self._delivered_s < _LONGEST_SILENCE_S:
            return False  # by their stamps; a rate that a file states may be wrong
        if not self._stopping.is_set():
            self._to.deliver(frame)
            self._delivered_s = time.monotonic()
        return True

    def _in_lockstep(self, frame: Frame) -> bool:
        """Deliver until it is answered; False where nobody answers."""
        if self._answers is None:
            self._to.deliver(frame)
            return True
        self._wait_until_ready()
        first, patience_s, attempt = self.played == 0, self._config.lockstep_timeout_s, 0
        if first:  # who works on the images may still be starting: ask gently and for as long as it takes
            patience_s = min(patience_s, _FIRST_PATIENCE_S)
        while not self._stopping.is_set() and (first or attempt < self._config.lockstep_attempts):
            self._to.deliver(frame)
            if self._wait(self._answers.wait, frame.stamp_ns, patience_s):
                return True
            attempt += 1
            if not first:
                self._to.warn(
                    f"no {self._asked} for the frame at {frame.stamp_ns * 1e-9:.3f} s after "
                    f"{patience_s:g} s, {attempt} of {self._config.lockstep_attempts} attempts"
                )
            elif attempt % _FIRST_ATTEMPTS_A_LINE == 0:
                self._to.warn(f"lockstep: still no {self._asked} for the first frame")
        return False

    def _wait_for_the_last(self) -> None:
        """Whoever may be behind gets the time to have everything before the end is told."""
        if self._answers is None or not self.played:
            return
        done = self._wait(self._answers.caught_up, self.last_stamp_ns, self._config.lockstep_timeout_s)
        if not done and not self._stopping.is_set():
            self._to.warn(f"lockstep: no {self._asked} for the last frame after {self._config.lockstep_timeout_s:g} s")

    def _wait(self, done: Callable[[int, float], bool], stamp_ns: int, patience_s: float) -> bool:
        """In short waits, so that `stop` is obeyed at once."""
        until = time.monotonic() + patience_s
        while (left := until - time.monotonic()) > 0 and not self._stopping.is_set():
            if done(stamp_ns, min(left, _POLL_S)):
                return True
        return False

    def _wait_until_ready(self, timeout_s: float = math.inf, settled_s: float = 0.0) -> None:
        """Until nobody has been missing for `settled_s`, or `timeout_s` is over; names those who are."""
        began_s = complete_s = time.monotonic()
        tell_s = _TELL_AFTER_S
        while not self._stopping.is_set():
            missing, now_s = self._to.missing(), time.monotonic()
            if missing:
                complete_s = now_s
            elif now_s - complete_s >= settled_s:
                return
            if missing and now_s - began_s > timeout_s:
                self._to.warn(f"begins without {', '.join(missing)}: not there after {timeout_s:g} s")
                return
            if missing and now_s - began_s > tell_s:
                self._to.warn(f"{self._config.pace}: waiting for {', '.join(missing)}")
                tell_s = math.inf
            self._stopping.wait(0.02)
