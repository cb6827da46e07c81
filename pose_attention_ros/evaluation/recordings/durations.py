"""Durations of any number of frames in constant memory, and what a live robot would have made of them."""

from __future__ import annotations

import math
from array import array

import numpy as np

_STEP = 1.01  # neighbouring bins differ by 1 %
_LOG_STEP = math.log(_STEP)
_SHORTEST_S = 1e-6
_BINS = 1900  # up to 160 s
PERCENTILES = (("p50", 0.50), ("p95", 0.95), ("p99", 0.99))


class Durations:
    """Counts by logarithmic bins: percentiles to half a per cent, the worst exactly."""

    def __init__(self) -> None:
        self.counts = array("q", bytes(8 * _BINS))
        self.worst_s = 0.0
        self.total_s = 0.0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, seconds: float) -> None:
        """One duration, in seconds; a negative one counts as 0."""
        place = int(math.log(seconds / _SHORTEST_S) / _LOG_STEP) if seconds > _SHORTEST_S else 0
        self.counts[min(place, _BINS - 1)] += 1
        self._count += 1
        if seconds > 0:
            self.worst_s = max(self.worst_s, seconds)
            self.total_s += seconds

    def merge(self, other: Durations) -> None:
        """Add all of another."""
        self.counts = array("q", (np.asarray(self.counts) + np.asarray(other.counts)).tobytes())
        self._count += other._count
        self.worst_s = max(self.worst_s, other.worst_s)
        self.total_s += other.total_s

    def quantile_s(self, share: float) -> float:
        """Seconds below which this share lies; NaN for none."""
        total = len(self)
        if not total:
            return math.nan
        place = int(np.searchsorted(np.cumsum(self.counts), max(share * total, 1) - 1e-9))
        return min(_SHORTEST_S * _STEP ** (place + 0.5), self.worst_s)

    def summary_ms(self) -> dict[str, float | int | None]:
        """Count, mean, percentiles and worst, in milliseconds."""
        count = len(self)
        if not count:
            return {"count": 0, "mean": None, **{name: None for name, _ in PERCENTILES}, "worst": None}
        return {
            "count": count,
            "mean": round(1e3 * self.total_s / count, 3),
            **{name: round(1e3 * self.quantile_s(share), 3) for name, share in PERCENTILES},
            "worst": round(1e3 * self.worst_s, 3),
        }

    def share_missing(self) -> tuple[int, float]:
        """Taken as the time between frames: how many frames are missing in longer pauses, and the usual time (median)."""
        usual_s = self.quantile_s(0.5)
        if not len(self):
            return 0, math.nan
        middle_s = _SHORTEST_S * _STEP ** (np.arange(_BINS) + 0.5)
        missing = np.maximum(np.rint(middle_s / usual_s) - 1, 0)
        return int((missing * np.asarray(self.counts)).sum()), usual_s


class LiveClock:
    """What would have become of the frames had they come live to this machine: one worker, the newest frame waits, an
    older one that waits is dropped. It is computed from the time that each frame took here."""

    def __init__(self) -> None:
        self.ages = Durations()
        self.dropped = 0
        self._free_s = -math.inf
        self._waiting: tuple[float, float] | None = None  # arrival, cost

    def add(self, stamp_s: float, cost_s: float) -> None:
        """A frame captured at stamp_s that takes cost_s to work through; in the order of capture."""
        if self._waiting is not None and self._free_s <= stamp_s:
            self._work(*self._waiting)
            self._waiting = None
        if self._waiting is not None:
            self.dropped += 1
        if self._waiting is None and self._free_s <= stamp_s:
            self._work(stamp_s, cost_s)
        else:
            self._waiting = (stamp_s, cost_s)

    def finish(self) -> None:
        """The frame that waits is worked on, too."""
        if self._waiting is not None:
            self._work(*self._waiting)
            self._waiting = None

    def _work(self, arrival_s: float, cost_s: float) -> None:
        self._free_s = max(self._free_s, arrival_s) + cost_s
        self.ages.add(self._free_s - arrival_s)
