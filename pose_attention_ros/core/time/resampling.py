"""From frames at whatever times the camera gave them to ticks at the model's rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.config import Settings, setting


@dataclass(frozen=True)
class GapConfig(Settings):
    """How much time may be missing before what was seen earlier counts no longer."""

    max_gap_s: float = setting(
        0.75, "a person not seen, or no image at all, for longer: start afresh", unit="s", low=0.05, high=10.0
    )


def resample(stamps_s: np.ndarray, features: np.ndarray, ticks_s: np.ndarray) -> np.ndarray:
    """Features at the times `ticks_s`, interpolated between the frames around each.

    A joint that is missing (all channels 0) in one of the two frames is taken from the other if that one is the nearer,
    else it is missing.

    :param stamps_s: (T,) increasing; :param features: (T, V, C), the last channel is the score, 0 for a missing joint
    :param ticks_s: (K,), each within the stamps
    :returns: (K, V, C) float32
    """
    after = np.clip(np.searchsorted(stamps_s, ticks_s), 1, max(len(stamps_s) - 1, 1))
    after = np.minimum(after, len(stamps_s) - 1)
    before = np.maximum(after - 1, 0)
    span = np.maximum(stamps_s[after] - stamps_s[before], 1e-9)
    return _between(features[before], features[after], (ticks_s - stamps_s[before]) / span)


def _between(before: np.ndarray, after: np.ndarray, share: np.ndarray) -> np.ndarray:
    """before, after: (K, V, C) or (V, C); share (K,), 0 at `before` and 1 at `after`. Returns (K, V, C)."""
    weight = np.minimum(np.maximum(share, 0), 1).astype(np.float32)[:, None, None]
    share_before, share_after = (1 - weight) * (before[..., -1:] > 0), weight * (after[..., -1:] > 0)
    total = share_before + share_after
    mixed = share_before * before
    mixed += share_after * after
    mixed /= np.maximum(total, np.float32(1e-9))
    known = total >= 0.5
    return mixed if known.all() else np.where(known, mixed, np.float32(0))


def ticks_due(made: int, seconds: float, rate_hz: float) -> np.ndarray:
    """Times, since the first frame, of the ticks that are due `seconds` after it when `made` of them are made already.

    A frame a hair's breadth early still counts as in time for its tick.
    """
    return np.arange(made, max(_ticks_until(seconds, rate_hz), made)) / rate_hz


def _ticks_until(seconds: float, rate_hz: float) -> int:
    """How many ticks there are up to `seconds` after the first frame."""
    return math.floor(seconds * rate_hz + 1e-6) + 1


@dataclass(frozen=True, eq=False)
class DueTicks:
    """Ticks that have become due with a frame, the first of everybody before the second of anybody. features (K, V, C);
    people: whose they are, rows of the frame, K of them; stamps_ns: of each; rounds: how many belong to the first of
    everybody, to the second, and so on."""

    features: np.ndarray
    people: list[int]
    stamps_ns: list[int]
    rounds: list[int]


class TickResampler:
    """`resample` as frames arrive, of one person: when ticks are due; `push_frame` makes them, of everybody at once."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._begin_ns: int | None = None
        self._ticks = 0
        self.last_stamp_ns: int | None = None  # of the newest frame, None before the first
        self._before: tuple[np.ndarray, int] | None = None  # features (N, V, C) of the newest frame, and the row in them

    def due(self, stamp_ns: int, place: tuple[np.ndarray, int]) -> list[tuple[int, int, tuple[np.ndarray, int], float]]:
        """(turn, stamp, features of the frame before, share of this frame) of each tick that this frame makes due."""
        begin_ns = self._begin_ns = stamp_ns if self._begin_ns is None else self._begin_ns
        before_ns = stamp_ns if self.last_stamp_ns is None else self.last_stamp_ns
        before, self._before, self.last_stamp_ns = self._before or place, place, stamp_ns
        seconds, before_s = (stamp_ns - begin_ns) * 1e-9, (before_ns - begin_ns) * 1e-9
        made, self._ticks = self._ticks, max(self._ticks, _ticks_until(seconds, self._rate_hz))
        ticks_s = [tick / self._rate_hz for tick in range(made, self._ticks)]
        span_s = max(seconds - before_s, 1e-9)
        return [
            (turn, begin_ns + round(tick_s * 1e9), before, (tick_s - before_s) / span_s)
            for turn, tick_s in enumerate(ticks_s)
        ]


def push_frame(those: Sequence[TickResampler], stamp_ns: int, features: np.ndarray) -> DueTicks:
    """Add a frame to each of N resamplers, later than the ones before. features (N, V, C), which must stay as they are."""
    due = [(*each, row) for row, one in enumerate(those) for each in one.due(stamp_ns, (features, row))]
    if not due:
        return DueTicks(features[:0], [], [], [])
    due.sort(key=lambda each: each[0])  # by turn; who comes first stays first
    turns, stamps_ns, places, shares, people = (list(column) for column in zip(*due))
    after = features if people == list(range(len(features))) else features.take(people, 0)
    ticks = _between(_gathered(places), after, np.array(shares))
    return DueTicks(ticks, people, stamps_ns, [turns.count(turn) for turn in range(turns[-1] + 1)])


def _gathered(places: list[tuple[np.ndarray, int]]) -> np.ndarray:
    """The rows that `places` name, in one array; they are mostly rows of one and the same."""
    first = places[0][0]
    if all(array is first for array, _ in places):
        return first.take([row for _, row in places], 0)
    return np.stack([array[row] for array, row in places])
