"""What the stamps of a stream tell of its rate, and of images that are not there."""

from __future__ import annotations

from collections import deque

import numpy as np

_WINDOW, _NEWEST = 300, 30  # images
_EVEN_SHARE = 0.6  # of the steps of a camera that has a rate
_JITTER = 0.25  # of a camera's period
_LONGEST_STEP_NS = 10_000_000_000  # a longer one is a pause


def even(steps: np.ndarray, usual: float, tolerance: float) -> np.ndarray:
    """Which of the steps are the usual one, but for a share of `tolerance`."""
    return np.abs(steps - usual) < tolerance * usual


def holes(steps: np.ndarray, even_share: float, tolerance: float) -> int:
    """How many are missing in a stream of constant rate; 0 where less than `even_share` of the steps agree on one.

    :param steps: times between two stamps that follow each other, all above 0, in any unit
    """
    if not len(steps):
        return 0
    usual = float(np.median(steps))
    at_rate = even(steps, usual, tolerance)
    if at_rate.mean() < even_share:
        return 0
    return int(np.maximum(np.round(steps[~at_rate] / usual - 1), 0).sum())


class RateWatch:
    """The stamps of a camera that has a rate of its own: where one or more periods are left out, images are missing."""

    def __init__(self) -> None:
        self._newest_ns: int | None = None
        self._steps_ns: deque[float] = deque(maxlen=_WINDOW)

    def see(self, stamp_ns: int, sent: int = 1) -> None:
        """One image came.

        :param sent: how many its publisher has sent since the one before, by its own count; 1 where it has none
        """
        step_ns = 0 if self._newest_ns is None else stamp_ns - self._newest_ns
        self._newest_ns = stamp_ns
        if 0 < step_ns <= _LONGEST_STEP_NS:
            self._steps_ns.append(step_ns / max(sent, 1))

    @property
    def rate_hz(self) -> float:
        """The rate that most stamps keep, 0 before there are any."""
        return 1e9 / float(np.median(self._steps_ns)) if self._steps_ns else 0.0

    def missing(self) -> tuple[int, int]:
        """(missing, expected) of the last images; nothing is missing while a camera changes its rate."""
        steps_ns = np.asarray(self._steps_ns)
        missing = holes(steps_ns, _EVEN_SHARE, _JITTER) if holes(steps_ns[-_NEWEST:], _EVEN_SHARE, _JITTER) else 0
        return missing, missing + len(steps_ns)
