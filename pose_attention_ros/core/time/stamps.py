"""Which stamps of a stream can be used: one rule for live topics, bags, videos and folders of images."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field

_log = logging.getLogger(__name__)

UNSTAMPED = "images without a stamp (zero): the time of their arrival is taken; let the driver stamp its images"
STILL = "images whose stamps stand still: the time of their arrival is taken; look at the clock of their driver"
AGAIN = "messages or images with the stamp of the one before them"
EARLIER = "messages or images out of order: their stamp is earlier than that of one before them"
AHEAD = "messages whose stamp jumps ahead of the time of their arrival"
NEXT_ROUND = "stamps begin again (a looping player was recorded?): only the first round is used"

_JUMP_NS = 10_000_000_000  # stamps that run ahead of their arrival by more are wrong,
_IN_A_ROW = 5  # unless so many say the same: then the clock was set, or a player began again
_STILL_NS, _STILL_IMAGES = 2_000_000_000, 10  # one stamp for so long and so many images is none
_ABOVE_ZERO_NS = 1 << 62  # a file's frame at 0 has a stamp; the rule takes 0 for none
_LOOP_NS = 1_000_000_000  # stamps that come back this close to the first one begin another round


@dataclass
class LeftOut:
    """What could not be used, as {reason: how often}; a reason is told once, as a warning, when it first occurs."""

    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, reason: str, count: int = 1) -> None:
        if reason not in self.reasons:
            _log.warning("%s", reason)
        self.reasons[reason] += count


class StampOrder:
    """Lets only those stamps pass that are later than all before, and says of the others why not.

    * A stamp of zero is none: the time of arrival takes its place. So it does where `stated` finds that stamps stand still.
    * A stamp that came before, or is earlier than one before it, is left out; in a recording also one that runs far ahead of
      the time at which it was recorded.
    * A handful of them in a row, each later than the last, is no accident: the clock was set, or a player began again. The
      stream then goes on from there, and whoever keeps state of it starts afresh.

    :param left_out: told what is left out
    :param one_round: what begins again is left out, too, as when a recording is evaluated
    :param live: a stamp may run ahead: a player may leave out a part of a recording, and nobody knows when a file's frames
        came
    :param stamped: messages without a stamp are worth a warning
    """

    def __init__(self, left_out: LeftOut, one_round: bool = False, live: bool = False, stamped: bool = True) -> None:
        self._left_out, self._one_round, self._live = left_out, one_round, live
        self._first_ns: int | None = None
        self._newest_ns = -1
        self._newest_arrived_ns = 0
        self._ahead = 0
        self._back: tuple[int, int] = (0, -1)  # how many in a row are earlier, and the stamp of the last of them
        self._round_over = False
        self._same: tuple[int, int, int] = (-1, 0, 0)  # the last stamp stated, when it first came, how often
        self._told = not stamped
        self.unstamped = 0  # how many had no stamp

    def stated(self, stamp_ns: int, arrived_ns: int) -> int:
        """`stamp_ns` as `use` takes it: 0, none, where the stamps have stood still for a while. Ask it of each image."""
        last_ns, since_ns, number = self._same
        if stamp_ns != last_ns:
            self._same = (stamp_ns, arrived_ns, 1)
            return stamp_ns
        self._same = (last_ns, since_ns, number + 1)
        if stamp_ns == 0 or number < _STILL_IMAGES or arrived_ns - since_ns < _STILL_NS:
            return stamp_ns
        if not self._told:
            _log.warning(STILL)
        self._told = True
        return 0

    def use(self, stamp_ns: int, arrived_ns: int) -> int | None:
        """The stamp to use, None where the message is to be left out. Times in nanoseconds, `arrived_ns` of any clock."""
        if stamp_ns == 0:
            if not self._told:
                _log.warning(UNSTAMPED)
            self._told = True
            self.unstamped += 1
            stamp_ns = arrived_ns
        if self._first_ns is not None:
            reason = self._why_not(stamp_ns, arrived_ns)
            if reason:
                self._left_out.add(reason)
                return None
        else:
            self._first_ns = stamp_ns
        self._newest_ns, self._newest_arrived_ns = stamp_ns, arrived_ns
        self._ahead, self._back, self._round_over = 0, (0, -1), False
        return stamp_ns

    def _why_not(self, stamp_ns: int, arrived_ns: int) -> str:
        step_ns, waited_ns = stamp_ns - self._newest_ns, arrived_ns - self._newest_arrived_ns
        if step_ns > 0:
            self._ahead += 1
            too_far = not self._live and step_ns - waited_ns > _JUMP_NS
            return AHEAD if too_far and self._ahead <= _IN_A_ROW else ""
        if self._one_round:
            return self._why_not_first_round(stamp_ns)
        if step_ns == 0:
            return AGAIN
        count, last_ns = self._back
        if stamp_ns == last_ns:
            return AGAIN
        self._back = (count + 1 if stamp_ns > last_ns else 1, stamp_ns)
        if self._back[0] <= _IN_A_ROW:
            return EARLIER
        self._first_ns = stamp_ns
        return ""

    def _why_not_first_round(self, stamp_ns: int) -> str:
        first_ns = stamp_ns if self._first_ns is None else self._first_ns
        long_enough = self._newest_ns - first_ns > _LOOP_NS
        self._round_over = self._round_over or (long_enough and abs(stamp_ns - first_ns) < _LOOP_NS // 2)
        if self._round_over:
            return NEXT_ROUND
        return AGAIN if stamp_ns == self._newest_ns else EARLIER


class FileStamps:
    """Stamps of the frames of a file: where playing started, plus the time at which the file presents them.

    The rule is StampOrder's: a frame arrives one period after the one before it, and that is its stamp where the file states
    none. But time never goes back: where the file's begins again, as in parts that were joined, the stamps go on.

    :param start_ns: stamp of the first frame
    :param fps: nominal rate
    """

    def __init__(self, start_ns: int, fps: float, left_out: LeftOut) -> None:
        self._period_ns, self._left_out = round(1e9 / fps), left_out
        self._next_ns = start_ns  # one period after the newest stamp
        self.restart()

    def restart(self) -> None:
        """The next frame is the first of a new round, one period after the last."""
        self._order = StampOrder(self._left_out, live=True, stamped=False)
        self._shift_ns: int | None = None
        self._newest_ns: int | None = None

    def use(self, presented_ns: int | None) -> int | None:
        """Stamp of the next frame, None where it is to be left out.

        :param presented_ns: None for a frame that states no time
        """
        stated_ns = 0
        if presented_ns is not None:
            if self._shift_ns is None:
                self._shift_ns = self._next_ns - presented_ns
            stated_ns = presented_ns + self._shift_ns + _ABOVE_ZERO_NS
        stamp_ns = self._order.use(stated_ns, self._next_ns + _ABOVE_ZERO_NS)
        if stamp_ns is None:
            return None
        stamp_ns -= _ABOVE_ZERO_NS
        if self._newest_ns is not None and stamp_ns <= self._newest_ns:
            if self._shift_ns is not None:
                self._shift_ns += self._next_ns - stamp_ns
            stamp_ns = self._next_ns
            self._order = StampOrder(self._left_out, live=True, stamped=False)
            self._order.use(stamp_ns + _ABOVE_ZERO_NS, stamp_ns + _ABOVE_ZERO_NS)
        self._newest_ns, self._next_ns = stamp_ns, stamp_ns + self._period_ns
        return stamp_ns
