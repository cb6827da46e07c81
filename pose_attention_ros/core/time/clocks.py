"""What stamps that cross between two machines tell of the difference of their clocks.

A delay is never negative and is part of the way there and back. That bounds the difference from both sides without any
exchange made for it (the reasoning of NTP, RFC 5905, section 8, on messages that flow anyway).
"""

from __future__ import annotations

import math
from collections import deque

TOLERANCE_S = 0.005  # clocks that a time service keeps together differ by less
_OTHER_TIMELINE_S = 60.0  # stamps that far off are a recording's own, not those of a wrong clock
_WINDOW = 100

# A longer pause between two stamps of a recording means that the clock was set, not that nothing happened.
LONGEST_PAUSE_S = 600.0


class StampWatch:
    """The receiver's side: images cannot come before they were taken."""

    def __init__(self) -> None:
        self._ages_s: deque[float] = deque(maxlen=_WINDOW)

    def see(self, age_s: float) -> None:
        """One message came; `age_s` is this machine's time minus its stamp, of any sign."""
        if abs(age_s) <= _OTHER_TIMELINE_S:
            self._ages_s.append(age_s)

    @property
    def sender_ahead_s(self) -> float:
        """By how much at least the sender's clock is ahead of ours; 0 where nothing shows that it is."""
        ahead_s = -min(self._ages_s, default=0.0)
        return ahead_s if ahead_s > TOLERANCE_S else 0.0


class RoundTrip:
    """The sender's side: an answer that took so long by our own clock cannot have taken longer on its way."""

    def __init__(self) -> None:
        self._loops_s: deque[float] = deque(maxlen=_WINDOW)
        self._bounds_s: deque[tuple[float, float]] = deque(maxlen=_WINDOW)

    def see(self, loop_s: float, latency_s: float) -> None:
        """One answer is back.

        :param loop_s: from capture to the arrival of the answer, both by this machine's clock
        :param latency_s: from capture to the answer's sending, as the other machine's clock has it; NaN where it says none
        """
        if not 0 <= loop_s <= _OTHER_TIMELINE_S:
            return
        self._loops_s.append(loop_s)
        if not math.isnan(latency_s):
            self._bounds_s.append((latency_s - loop_s, latency_s))

    @property
    def loops_s(self) -> list[float]:
        """From capture to the answer's arrival, the newest ones, by this machine's clock alone."""
        return list(self._loops_s)

    @property
    def other_ahead_s(self) -> float:
        """By how much at least the other machine's clock is ahead of ours; 0 where nothing shows that it is.

        That it is behind is seen over there, by a StampWatch.
        """
        ahead_s = max((low for low, _ in self._bounds_s), default=0.0)
        return ahead_s if ahead_s > TOLERANCE_S else 0.0

    @property
    def bounds_s(self) -> tuple[float, float]:
        """The other clock minus ours lies between these; (-inf, inf) before any answer stated its latency."""
        return (
            max((low for low, _ in self._bounds_s), default=-math.inf),
            min((high for _, high in self._bounds_s), default=math.inf),
        )
