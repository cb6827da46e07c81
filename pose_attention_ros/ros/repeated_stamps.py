"""Answering the same stamp twice without working twice."""

from __future__ import annotations

from collections.abc import Callable


class RepeatedStamp:
    """Makes a stage answer a stamp that comes twice with the answer it gave, so that asking again is harmless.

    A lockstep camera sends a frame again when an answer is lost; the stages' states must not advance for that.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget the last answer."""
        self._stamp_ns: int | None = None
        self._repeat: Callable[[], None] = lambda: None
        self.times = 0

    def answered(self, stamp_ns: int) -> bool:
        """True if `stamp_ns` was the last one; its answer has then been given again."""
        if stamp_ns != self._stamp_ns:
            self.times = 0
            return False
        self.times += 1
        self._repeat()
        return True

    @property
    def stamp_ns(self) -> int | None:
        """The stamp that was answered last."""
        return self._stamp_ns

    def keep(self, stamp_ns: int, repeat: Callable[[], None]) -> None:
        """`repeat()` gives the answer to `stamp_ns` again."""
        self._stamp_ns, self._repeat = stamp_ns, repeat
