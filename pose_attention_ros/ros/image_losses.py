"""Counts the images that should have come: by the middleware's word, by the publisher's count, and by the stamps' rate."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from pose_attention_ros.core.time.rates import RateWatch

_RECENT_S = 10.0
_MANY = 0.1  # share of images whose loss is worth a warning
_ENOUGH = 30  # images before a share means anything
_OTHER_PUBLISHER = 1000  # a jump of the publisher's count beyond this is another publisher, not a loss


class ImageLosses:
    """What came on one subscription, and what did not.

    came: images taken; lost: on their way, as the middleware tells; dropped: replaced by newer ones before they were worked
    on, or lost unnoticed, as the publisher's count tells
    """

    def __init__(self) -> None:
        self.came = self.lost = self.dropped = 0
        self.begin()

    def begin(self) -> None:
        """Another publisher, or the same one after a pause; the counts go on."""
        self._moments: deque[tuple[float, int]] = deque()
        self._sequence: int | None = None
        self._rate = RateWatch()

    def on_lost(self, event: Any) -> None:
        """The middleware's event of that name."""
        self.lost += event.total_count_change
        self._moments.append((time.monotonic(), event.total_count_change))

    def see(self, stamp_ns: int, info: dict[str, Any]) -> None:
        """One image came; 0: without a stamp. `info` is what the middleware says of it."""
        self.came += 1
        self._moments.append((time.monotonic(), 0))
        sent = self._sent(info.get("publication_sequence_number"))
        self.dropped += sent - 1
        if stamp_ns:
            self._rate.see(stamp_ns, sent)

    def lost_recently(self) -> tuple[int, int] | None:
        """(lost on their way, sent) within the last seconds; None where that is not worth a word."""
        now = time.monotonic()
        while self._moments and now - self._moments[0][0] > _RECENT_S:
            self._moments.popleft()
        lost = sum(count for _, count in self._moments)
        return _worth_a_word(lost, lost + sum(not count for _, count in self._moments))

    def never_sent(self) -> tuple[int, int, float] | None:
        """(missing in the publisher's own rate, expected, that rate in Hz); None where that is not worth a word."""
        found = _worth_a_word(*self._rate.missing())
        return None if found is None else (*found, self._rate.rate_hz)

    def details(self) -> dict[str, str]:
        """For the diagnostics."""
        return {
            "received": str(self.came),
            "lost": str(self.lost),
            "missing": str(self._rate.missing()[0]),
            "image_rate_hz": f"{self._rate.rate_hz:.1f}",
        }

    def _sent(self, sequence: int | None) -> int:
        """How many were sent since the last one that came."""
        before, self._sequence = self._sequence, sequence
        if sequence is None or before is None or not 0 < sequence - before < _OTHER_PUBLISHER:
            return 1
        return sequence - before


def _worth_a_word(missing: int, of: int) -> tuple[int, int] | None:
    return (missing, of) if of >= _ENOUGH and missing >= _MANY * of else None
