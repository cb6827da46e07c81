"""What a node measures of itself, and the DiagnosticArray it becomes.

Published by ourselves on a steady clock: the usual updater misjudges time under use_sim_time.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

_RECENT = 512  # measurements that percentiles rest on
_RATE_WINDOW_S = 5.0


def process_age_s() -> float:
    """Seconds since this process began, to a hundredth; NaN where there is no /proc."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return math.nan
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")


class Snapshot(NamedTuple):
    """Counts at one moment."""

    processed: int
    rejected: int


class StageMeter:
    """Counts and times of one node's work. Durations are in seconds. One thread may work while another reports."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.processed = 0
        self.dropped = 0
        self.rejected = 0
        self.last_problem = ""
        self._durations_s: deque[float] = deque(maxlen=_RECENT)
        self._finished: deque[float] = deque(maxlen=_RECENT)
        self._age_s = math.nan

    def done(self, duration_s: float, age_s: float = math.nan) -> None:
        """One item processed; `age_s` from capture to now, NaN where unknown."""
        with self._lock:
            self.processed += 1
            self._durations_s.append(duration_s)
            self._finished.append(time.monotonic())
            self._age_s = age_s

    def reject(self, problem: str) -> None:
        """One message was unusable."""
        with self._lock:
            self.rejected += 1
            self.last_problem = problem

    def snapshot(self) -> Snapshot:
        """The counts as they are now."""
        return Snapshot(self.processed, self.rejected)

    def rate_hz(self) -> float:
        """Items a second over the last seconds."""
        with self._lock:
            finished = list(self._finished)
        now = time.monotonic()
        recent = [moment for moment in finished if now - moment <= _RATE_WINDOW_S]
        return (len(recent) - 1) / (now - recent[0]) if len(recent) > 1 else 0.0

    def times(self, name: str) -> dict[str, str]:
        """Median, 95th percentile and mean of the recent durations as text, keys beginning with `name`."""
        with self._lock:
            durations_s = list(self._durations_s)
        recent = np.sort(durations_s or [math.nan]) * 1e3
        # As np.percentile does, which would load NumPy's masked arrays in every node.
        p50, p95 = np.interp((0.5, 0.95), np.linspace(0, 1, len(recent)), recent)
        return {f"{name}_ms_p50": f"{p50:.3f}", f"{name}_ms_p95": f"{p95:.3f}", f"{name}_ms_mean": f"{recent.mean():.3f}"}

    def values(self) -> dict[str, str]:
        """Everything as text, for a diagnostic status."""
        return {
            "processed": str(self.processed),
            "dropped": str(self.dropped),
            "rejected": str(self.rejected),
            "rate_hz": f"{self.rate_hz():.2f}",
            "age_ms": f"{self._age_s * 1e3:.1f}",
            **self.times("stage"),
        }


def diagnostic_array(
    node_name: str,
    state: str,
    meter: StageMeter,
    extra: Mapping[str, str],
    before: Snapshot,
    trouble: str = "",
    hardware: str = "",
) -> DiagnosticArray:
    """One status: WARN where there is `trouble`, messages were rejected since `before`, or an active node had nothing to do.

    Dropped images are no fault: a stage slower than its camera takes the newest and leaves the rest.
    """
    rejected = meter.rejected - before.rejected
    problem = (
        f"{rejected} messages rejected since the last report"
        if rejected
        else trouble
        or ("nothing processed since the last report" if state == "active" and meter.processed == before.processed else "")
    )
    level = DiagnosticStatus.WARN if problem else DiagnosticStatus.OK
    message = f"{state}; {problem}" if problem else state
    values = {"state": state, **meter.values(), **extra}
    if meter.last_problem:
        values["last_problem"] = meter.last_problem
    status = DiagnosticStatus(
        level=level,
        name=node_name,
        message=message,
        hardware_id=hardware,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
    return DiagnosticArray(status=[status])
