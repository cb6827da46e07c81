"""What a frame source is, and its settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.types import Frame

ClockNs = Callable[[], int]


class Camera(Protocol):
    """A source of frames, already open and known to work.

    fps: nominal frames a second; live: frames come in real time and the newest one counts; size: (width, height) pixels of
    the first frame; frame_count: number of frames, 0 where it is unknown or endless.
    """

    fps: float
    live: bool
    size: tuple[int, int]
    frame_count: int

    def read(self) -> Frame | None:
        """The next frame, None at the end or once closed. Stamps never decrease. A live source waits for a new frame.

        :raises SourceError: the source broke and will not come back
        """
        ...

    def close(self) -> None:
        """Free the device or file; may be called from another thread, and twice. A waiting `read` then returns None."""
        ...


@dataclass(frozen=True)
class CameraConfig(Settings):
    """Settings of the frame sources; each kind uses those that concern it."""

    frame_id: str = setting("camera", "coordinate frame of the images; a bag's messages carry their own")
    width: int = setting(0, "width to ask a camera device for; 0: its own choice", unit="px", low=0, high=16384)
    height: int = setting(0, "height to ask a camera device for; 0: its own choice", unit="px", low=0, high=16384)
    fps: float = setting(0.0, "rate to ask a camera device for; 0: its own choice", unit="Hz", low=0.0, high=1000.0)
    fourcc: str = setting("", "pixel format to ask a camera device for, four letters such as MJPG; empty: its own choice")
    assumed_fps: float = setting(
        30.0, "rate of an image folder, and of a video that does not state its own", unit="Hz", low=0.1, high=1000.0
    )
    loop: bool = setting(False, "start a video, folder or bag again at its end; stamps go on")
    topic: str = setting("", "image topic to take from a bag; empty: the only one there is")
    timeout_s: float = setting(
        5.0, "a live source without a frame for this long counts as lost", unit="s", low=0.1, high=600.0
    )
    reconnect_s: float = setting(
        1.0,
        "first pause before a lost live source is opened again, doubled after each failure; 0: do not reconnect",
        unit="s",
        low=0.0,
        high=600.0,
    )
    reconnect_max_s: float = setting(10.0, "longest pause between two attempts to reconnect", unit="s", low=0.1, high=3600.0)
