"""Joins messages of several topics by their exact stamp, in bounded memory."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Any


class StampSynchroniser:
    """Complete sets come out in the order in which they become complete; incomplete ones are given up.

    Every topic keeps its order. So a set that became complete is the last word on those of which a part came before its own.

    :param names: the topics of a complete set
    :param size: how many stamps may wait at a time
    """

    def __init__(self, names: tuple[str, ...], size: int) -> None:
        self._names, self._size = names, size
        self._waiting: OrderedDict[int, dict[str, tuple[int, Any]]] = OrderedDict()  # name: number of arrival, item
        self._arrivals = 0
        self.given_up = 0
        self.given_up_of: Counter[str] = Counter()  # by name: items whose set was never completed

    def add(self, name: str, stamp_ns: int, item: Any) -> tuple[Any, ...] | None:
        """The items of `stamp_ns` in the order of `names` if this one completes them. Given again, an item is replaced."""
        self._arrivals += 1
        parts = self._waiting.setdefault(stamp_ns, {})
        parts[name] = (self._arrivals, item)
        if len(parts) == len(self._names):
            del self._waiting[stamp_ns]
            self._give_up_before(parts)
            return tuple(parts[wanted][1] for wanted in self._names)
        if len(self._waiting) > self._size:
            self._give_up(next(iter(self._waiting)))
        return None

    def _give_up_before(self, complete: dict[str, tuple[int, Any]]) -> None:
        overtaken = [
            stamp_ns
            for stamp_ns, parts in self._waiting.items()
            if any(arrival < complete[name][0] for name, (arrival, _) in parts.items())
        ]
        for stamp_ns in overtaken:
            self._give_up(stamp_ns)

    def _give_up(self, stamp_ns: int) -> None:
        self.given_up += 1
        self.given_up_of.update(self._waiting.pop(stamp_ns).keys())

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
