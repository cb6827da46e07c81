"""From frames at whatever times the camera gave them to ticks at the model's rate."""

from __future__ import annotations

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
    mixed = (share_before * before + share_after * after) / np.maximum(total, np.float32(1e-9))
    return np.where(total >= 0.5, mixed, np.float32(0))


def ticks_due(made: int, seconds: float, rate_hz: float) -> np.ndarray:
    """Times, since the first frame, of the ticks that are due `seconds` after it when `made` of them are made already.

    A frame a hair's breadth early still counts as in time for its tick.
    """
    until = int(np.floor(seconds * rate_hz + 1e-6)) + 1
    return np.arange(made, max(until, made)) / rate_hz


class TickResampler:
    """`resample` as frames arrive: each frame gives the ticks that have become due, none or several."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._begin_ns: int | None = None
        self._ticks = 0
        self._last: tuple[int, np.ndarray] | None = None

    @property
    def last_stamp_ns(self) -> int | None:
        """Stamp of the newest frame, None before the first."""
        return self._last[0] if self._last else None

    def push(self, stamp_ns: int, features: np.ndarray) -> tuple[np.ndarray, list[int]]:
        """Add a frame, later than the one before. features (V, C). Returns the due ticks (K, V, C) and their K stamps."""
        if self._begin_ns is None:
            self._begin_ns = stamp_ns
        begin_ns = self._begin_ns
        seconds = (stamp_ns - begin_ns) * 1e-9
        due = ticks_due(self._ticks, seconds, self._rate_hz)
        self._ticks += len(due)
        before_ns, before = self._last or (stamp_ns, features)
        self._last = (stamp_ns, features)
        if not len(due):
            return np.zeros((0, *features.shape), np.float32), []
        before_s = (before_ns - begin_ns) * 1e-9
        ticks = _between(before, features, (due - before_s) / max(seconds - before_s, 1e-9))
        return ticks, [begin_ns + round(s * 1e9) for s in due.tolist()]
