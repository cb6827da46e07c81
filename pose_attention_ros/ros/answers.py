"""What lockstep waits for: who works on the frames says which are done."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Protocol


class Acknowledgement(Protocol):
    """Tells a player that a frame is done."""

    def wait(self, stamp_ns: int, timeout_s: float) -> bool:
        """Whether the next frame may come after that of `stamp_ns`; waits for at most `timeout_s`."""
        ...

    def caught_up(self, stamp_ns: int, timeout_s: float) -> bool:
        """Whether everything up to `stamp_ns` is done; waits for at most `timeout_s`."""
        ...


class Answers:
    """An Acknowledgement fed by a subscription.

    :param lag: how many frames the answers may be behind; that to the first is waited for in any case
    """

    def __init__(self, lag: int = 0) -> None:
        self._condition = threading.Condition()
        self._owed: deque[int] = deque(maxlen=lag + 1)
        self._newest_ns: int | None = None

    def clear(self) -> None:
        """Forget what was done: another round begins."""
        with self._condition:
            self._newest_ns = None
            self._owed.clear()

    def seen(self, stamp_ns: int) -> None:
        """The frame of `stamp_ns` is done."""
        with self._condition:
            self._newest_ns = stamp_ns
            self._condition.notify_all()

    def wait(self, stamp_ns: int, timeout_s: float) -> bool:
        """Whether it is done, or as many frames before it as may be owed, after at most `timeout_s`."""
        if not self._owed or self._owed[-1] != stamp_ns:
            self._owed.append(stamp_ns)
        return self._wait_between(self._owed[0], stamp_ns, timeout_s)

    def caught_up(self, stamp_ns: int, timeout_s: float) -> bool:
        """Whether it is done, after at most `timeout_s`."""
        return self._wait_between(stamp_ns, stamp_ns, timeout_s)

    def _wait_between(self, first_ns: int, last_ns: int, timeout_s: float) -> bool:
        """A newer answer than `last_ns` comes from the round before."""
        with self._condition:
            return self._condition.wait_for(
                lambda: self._newest_ns is not None and first_ns <= self._newest_ns <= last_ns, timeout_s
            )


class AllAnswers:
    """An Acknowledgement of several."""

    def __init__(self, answers: Iterable[Acknowledgement]) -> None:
        self._answers = tuple(answers)

    def wait(self, stamp_ns: int, timeout_s: float) -> bool:
        """See Acknowledgement; `timeout_s` is for all together."""
        until = time.monotonic() + timeout_s
        return all(answers.wait(stamp_ns, until - time.monotonic()) for answers in self._answers)

    def caught_up(self, stamp_ns: int, timeout_s: float) -> bool:
        """See Acknowledgement; `timeout_s` is for all together."""
        until = time.monotonic() + timeout_s
        return all(answers.caught_up(stamp_ns, until - time.monotonic()) for answers in self._answers)
