"""Stamps of recorded frames: where playing started, plus the frame's presentation time.

The rule for stamps that messages carry is in `core/stamps.py`. A file's frames are all its own, so none is left out here.
"""

from __future__ import annotations


class Timeline:
    """Turns presentation times into strictly increasing stamps.

    A time that is missing, or does not come after the one before, is replaced by one frame period after it. `restart` begins
    the next round of a looped recording one period after the last frame.

    :param start_stamp_ns: stamp of the first frame
    :param fps: nominal rate
    """

    def __init__(self, start_stamp_ns: int, fps: float) -> None:
        self._period_ns = round(1e9 / fps)
        self._next_round_ns = start_stamp_ns
        self._last_ns: int | None = None
        self.restart()

    def restart(self) -> None:
        """The next frame is the first of a new round."""
        self._round_start_ns = self._next_round_ns
        self._first_ns: int | None = None

    def stamp(self, presentation_ns: int | None) -> int:
        """Stamp of the next frame; None for a frame that states no time."""
        if presentation_ns is not None and self._first_ns is None:
            self._first_ns = presentation_ns
        stated = self._round_start_ns if presentation_ns is None else self._round_start_ns + presentation_ns - self._first_ns
        if self._last_ns is not None and stated <= self._last_ns:
            stated = self._last_ns + self._period_ns
        self._last_ns = stated
        self._next_round_ns = stated + self._period_ns
        return stated
