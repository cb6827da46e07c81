"""Video files, and videos of a known length behind an http address."""

from __future__ import annotations

import logging
import os
import struct
from array import array

import numpy as np

from pose_attention_ros.cameras.base import CameraConfig
from pose_attention_ros.cameras.capture import Capture, Properties
from pose_attention_ros.core.errors import SourceError
from pose_attention_ros.core.time.rates import even, holes
from pose_attention_ros.core.time.stamps import FileStamps, LeftOut
from pose_attention_ros.core.types import Frame

_HIGHEST_BELIEVABLE_FPS = 1000.0
# A damaged packet fails once; so many failures one after another are the end of the file.
_FAILURES_AT_THE_END = 300
_COUNTED_CONTAINERS = (b"ftyp", b"AVI ")  # MP4 and its like, AVI: the number of frames is a fact there, elsewhere a guess
_PROBED_FRAMES = 30
_SAME_RATE = 0.1  # a measured rate this close to the stated one confirms it
_EVEN_SHARE = 0.9  # of the steps of a video of constant rate; what misses in one is lost
_EARLY_END = 0.05  # share of the stated length that may be missing at the end
log = logging.getLogger(__name__)


class VideoFile:
    """Every frame of a video, stamped `start_stamp_ns` plus its presentation time; `left_out` counts those that
    `core.time.stamps.FileStamps` leaves out for it.

    What cannot be decoded is left out; at the end one warning says how much that was, also where the file gives fewer
    frames than it states. The rate is that of the stamps where the file states another.

    :param path: a file, or the address of one
    :param open_with: properties to open it with
    :param name: how messages call it, where that is not its path
    :raises SourceError: not a video that can be decoded
    """

    live = False

    def __init__(
        self, path: str, config: CameraConfig, start_stamp_ns: int = 0, open_with: Properties = (), name: str = ""
    ) -> None:
        self._path, self._config, self._open_with, self._name = path, config, open_with, name or path
        self._capture = self._opened()
        self._stated_fps = self._capture.get("CAP_PROP_FPS")
        self._stated_count = int(self._capture.get("CAP_PROP_FRAME_COUNT"))
        self._counted = _is_counted(path)
        self.fps = self._measured_fps() or config.assumed_fps
        count = (
            self._stated_count
            if self._counted or not self._stated_fps
            else round(self._stated_count / self._stated_fps * self.fps)
        )
        self.frame_count = 0 if config.loop else count
        self.left_out = LeftOut()
        self._stamps = FileStamps(start_stamp_ns, self.fps, self.left_out)
        self._closed = self._told = False
        self._begin_round()
        self._ahead = self._next()
        if self._ahead is None:
            self._capture.release()
            raise SourceError(f"{self._name} holds no frame that can be decoded; is it cut off, or no video file?")
        height, width = self._ahead.image_bgr.shape[:2]
        self.size = (width, height)

    def read(self) -> Frame | None:
        """The next frame, None at the end."""
        frame, self._ahead = self._ahead, None
        if frame is None and not self._closed:
            frame = self._next()
            if frame is None and not self._closed:
                self._tell_losses()
                if self._config.loop:
                    self._rewind()
                    frame = self._next()
        return frame

    def close(self) -> None:
        """Close the file."""
        self._closed = True
        self._capture.release()

    def _next(self) -> Frame | None:
        while not self._closed and self._grab():
            image = self._capture.retrieve()
            presented_ns = round(self._capture.get("CAP_PROP_POS_MSEC") * 1e6)
            if image is None:
                self._failures += 1
                continue
            stamp_ns = self._stamps.use(presented_ns if presented_ns > 0 or not self._presented_ns else None)
            self._presented_ns.append(presented_ns)
            if stamp_ns is not None:
                return Frame(image, stamp_ns, self._config.frame_id)
        return None

    def _grab(self) -> bool:
        """Whether there is another frame; packets that cannot be decoded are passed over."""
        for failures in range(_FAILURES_AT_THE_END):
            if self._closed:
                return False
            if self._capture.grab():
                self._failures += failures
                return True
        return False

    def _begin_round(self) -> None:
        self._presented_ns = array("q")
        self._failures = 0

    def _tell_losses(self) -> None:
        """One warning, after the first round."""
        if self._told:
            return
        self._told = True
        given = len(self._presented_ns)
        lost = max(self._stated_count - given if self._counted else 0, self._failures)
        missing = 0 if self._counted else self._lost_in_time()
        if lost >= max(missing, 1):
            log.warning(
                "%s is damaged or cut off: %d of %d frames cannot be decoded and are left out",
                self._name,
                lost,
                given + lost,
            )
        elif missing:
            log.warning(
                "%s gives %d of about %d frames that its times promise: it is damaged or cut off, or was recorded "
                "with pauses",
                self._name,
                given,
                given + missing,
            )

    def _lost_in_time(self) -> int:
        """Holes in a video of constant rate, and what is missing at the end of one that states its length."""
        presented_s = np.asarray(self._presented_ns) * 1e-9
        steps_s = np.diff(presented_s)
        steps_s = steps_s[steps_s > 0]
        usual_s, longest_s = (float(np.median(steps_s)), float(steps_s.max())) if len(steps_s) else (1 / self.fps,) * 2
        in_between = holes(steps_s, _EVEN_SHARE, _SAME_RATE) if len(steps_s) >= _PROBED_FRAMES else 0
        if not self._stated_fps or not len(presented_s):
            return in_between
        length_s = self._stated_count / self._stated_fps
        missing_s = length_s - float(presented_s.max())  # the last frame may state no time
        # The last frame of a video of changing rate may be shown as long as any other.
        ends_early = missing_s > _EARLY_END * length_s + longest_s
        return in_between + (round(missing_s / usual_s) - 1 if ends_early else 0)

    def _measured_fps(self) -> float:
        """The usual rate of the first frames; what the file states, where they agree with it; 0 where neither tells."""
        stated = self._stated_fps if self._stated_fps <= _HIGHEST_BELIEVABLE_FPS else 0.0
        if "://" in self._path:  # the first frames would come over the network twice
            return stated
        presented_ms: list[float] = []
        while len(presented_ms) < _PROBED_FRAMES and self._capture.grab():
            presented_ms.append(self._capture.get("CAP_PROP_POS_MSEC"))
        self._capture.release()
        self._capture = self._opened()
        steps_ms = np.diff(presented_ms)
        steps_ms = steps_ms[steps_ms > 0]
        if not len(steps_ms):
            return stated
        usual_ms = float(np.median(steps_ms))
        constant = even(steps_ms, usual_ms, _SAME_RATE).mean() >= _EVEN_SHARE
        measured = 1000 / (usual_ms if constant else float(np.mean(steps_ms)))
        if measured > _HIGHEST_BELIEVABLE_FPS or abs(measured - stated) <= _SAME_RATE * stated:
            return stated
        return round(measured, 3)

    def _rewind(self) -> None:
        self._capture.release()
        self._capture = self._opened()
        self._stamps.restart()
        self._begin_round()

    def _opened(self) -> Capture:
        capture = Capture(self._path, open_with=self._open_with)
        if not capture.opened:
            raise SourceError(f"{self._name} is not a video that OpenCV can read; {_why_not(self._path)}")
        return capture


def _is_counted(path: str) -> bool:
    return _head(path)[4:8] in _COUNTED_CONTAINERS or _head(path)[8:12] in _COUNTED_CONTAINERS


def _why_not(path: str) -> str:
    if _head(path)[4:8] == b"ftyp":
        if _has_index(path):
            return "it is an MP4 file that holds no video, or whose index (moov) is damaged"
        return "it is an MP4 file without its index (moov), as one that was cut off or whose recorder was not ended properly"
    return "expected for example .mp4, .avi or .mkv"


def _has_index(path: str) -> bool:
    """Whether an MP4 file holds all of its box `moov`."""
    size, at = os.path.getsize(path), 0
    with open(path, "rb") as file:
        while at + 16 <= size:
            file.seek(at)
            length, name, longer = struct.unpack(">I4sQ", file.read(16))
            length = longer if length == 1 else length
            if name == b"moov":
                return at + length <= size
            if length < 8:  # 0: it goes on to the end
                return False
            at += length
    return False


def _head(path: str) -> bytes:
    """The first bytes of a file, none of an address."""
    try:
        with open(path, "rb") as file:
            return file.read(12)
    except OSError:
        return b""
