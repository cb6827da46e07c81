"""Times: messages carry seconds and nanoseconds, everything inside carries integer nanoseconds."""

from __future__ import annotations

import math

from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from pose_attention_ros.core.messages.records import ns_of

__all__ = ["PLAUSIBLE_AGE_S", "SECOND_NS", "age_s", "header_of", "ns_of", "stamp_ns_of", "time_of"]

SECOND_NS = 1_000_000_000
# An age beyond this says that the stamps come from another clock (a file's own time line), not that the robot is slow.
PLAUSIBLE_AGE_S = 60.0


def time_of(stamp_ns: int) -> Time:
    """Message time of nanoseconds."""
    return Time(sec=int(stamp_ns // SECOND_NS), nanosec=int(stamp_ns % SECOND_NS))


def stamp_ns_of(header: Header) -> int:
    """Nanoseconds of a header's stamp."""
    return ns_of(header.stamp)


def header_of(stamp_ns: int, frame_id: str) -> Header:
    """A header of a capture time and the camera's frame."""
    return Header(stamp=time_of(stamp_ns), frame_id=frame_id)


def age_s(stamp_ns: int, now_ns: int) -> float:
    """Seconds from capture to now; NaN where the stamps are evidently not of this clock (future, or over a minute old)."""
    age = (now_ns - stamp_ns) / SECOND_NS
    return age if 0 <= age <= PLAUSIBLE_AGE_S else math.nan
