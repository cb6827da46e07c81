"""Joins messages of several topics by their exact stamp, in bounded memory."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Any


class StampSynchroniser:
    """Complete sets come out in the order in which they become complete; the oldest incomplete ones are given up.

    :param names: the topics of a complete set
    :param size: how many stamps may wait at a time
    """

    def __init__(self, names: tuple[str, ...], size: int) -> None:
        self._names, self._size = names, size
        self._waiting: OrderedDict[int, dict[str, Any]] = OrderedDict()
        self.given_up = 0
        self.given_up_of: Counter[str] = Counter()  # by name: items whose set was never completed

    def add(self, name: str, stamp_ns: int, item: Any) -> tuple[Any, ...] | None:
        """The items of `stamp_ns` in the order of `names` if this one completes them. Given again, an item is replaced."""
        parts = self._waiting.setdefault(stamp_ns, {})
        parts[name] = item
        if len(parts) == len(self._names):
            del self._waiting[stamp_ns]
            return tuple(parts[wanted] for wanted in self._names)
        while len(self._waiting) > self._size:
            _, parts = self._waiting.popitem(last=False)
            self.given_up += 1
            self.given_up_of.update(parts.keys())
        return None

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
