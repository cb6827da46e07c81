"""A lesson: one person shows an action several times; the takes are cut by motion.

T ticks, E channels of an embedding, V joints, C features of a joint.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.actions.recogniser import ModelSpec
from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.teaching.actions import LENGTHS_S, MOST_TAKES, TaughtAction, checked_name, taught_action
from pose_attention_ros.core.teaching.space import TeachingSpace, pooled, unit
from pose_attention_ros.core.types import FEATURE_NAMES

LONGEST_LESSON_S = 300.0
_TAKES_TO_CUT = 3  # so many must agree that a part of a take is enough
_PLACE_AND_SCORE = [FEATURE_NAMES.index(name) for name in ("x", "y", "score")]


@dataclass(frozen=True)
class TakeConfig(Settings):
    """How a lesson is cut into takes."""

    still_speed: float = setting(
        0.35,
        "a person whose joints move more slowly, on average, stands still between two takes",
        unit="body units/s",
        low=0.0,
        high=10.0,
    )
    still_s: float = setting(0.35, "being still for this long ends a take", unit="s", low=0.0, high=5.0)
    shortest_take_s: float = setting(0.6, "a motion shorter than this is no take", unit="s", low=0.1, high=10.0)
    longest_take_s: float = setting(6.0, "a motion that goes on is cut after this", unit="s", low=0.5, high=30.0)


@dataclass(frozen=True, eq=False)
class Take:
    """embeddings (T, E); features (T, V, C); stamps of its ends."""

    begin_ns: int
    end_ns: int
    embeddings: np.ndarray
    features: np.ndarray

    @property
    def length_s(self) -> float:
        return (self.end_ns - self.begin_ns) * 1e-9

    @property
    def figure(self) -> np.ndarray:
        """(T, V, 3), each joint's place in body units and its score."""
        return self.features[..., _PLACE_AND_SCORE]


def cut(stamps_ns: np.ndarray, speeds: np.ndarray, config: TakeConfig) -> list[slice]:
    """The ticks of each take; stamps_ns, speeds (T,) body units a second, NaN where nothing was seen."""
    moving = np.nan_to_num(speeds) >= config.still_speed
    takes: list[slice] = []
    begin: int | None = None
    last = 0
    for tick, moves in enumerate([*moving.tolist(), None]):
        over = moves is None or (
            begin is not None
            and (
                (stamps_ns[tick] - stamps_ns[last]) * 1e-9 > config.still_s
                or (stamps_ns[tick] - stamps_ns[begin]) * 1e-9 >= config.longest_take_s
            )
        )
        if over and begin is not None:
            if (stamps_ns[last] - stamps_ns[begin]) * 1e-9 >= config.shortest_take_s:
                takes.append(slice(begin, last + 1))
            begin = None
        if moves:
            begin, last = tick if begin is None else begin, tick
    return takes


class Lesson:
    """What is seen of the person while an action is taught."""

    def __init__(
        self,
        name: str,
        track_id: int,
        rate_hz: float,
        config: TakeConfig | None = None,
        spans_ns: Sequence[tuple[int, int]] = (),
    ) -> None:
        """:param spans_ns: stamps between which the action is shown, where that is known"""
        self.name, self.track_id, self.config = name, track_id, config or TakeConfig()
        self._rate_hz, ticks = rate_hz, math.ceil(LONGEST_LESSON_S * rate_hz)
        self._ticks: deque[tuple[int, float, np.ndarray, np.ndarray]] = deque(maxlen=ticks)
        self._deleted: set[int] = set()
        self._spans_ns = spans_ns
        self._closed = False

    def add(self, stamp_ns: int, speed: float, embedding: np.ndarray, features: np.ndarray) -> None:
        """One tick of the person: speed as of `evidence.speeds`, embedding (E,), features (V, C)."""
        if self._ticks and stamp_ns <= self._ticks[-1][0]:
            self._ticks.clear()  # another time begins
        self._ticks.append((stamp_ns, speed, embedding.astype(np.float32), features.astype(np.float32)))

    def takes(self) -> list[Take]:
        """Those cut so far and not deleted, at most MOST_TAKES, the first ones."""
        if not self._ticks:
            return []
        stamps_ns, speeds, embeddings, features = (np.array(part) for part in zip(*self._ticks))
        parts = self._spans(stamps_ns) if self._spans_ns else cut(stamps_ns, speeds, self.config)
        if parts and self._going_on(parts[-1], stamps_ns):
            parts.pop()
        found = [
            Take(int(stamps_ns[part.start]), int(stamps_ns[part.stop - 1]), embeddings[part], features[part])
            for part in parts
        ]
        return [take for take in found if take.begin_ns not in self._deleted][:MOST_TAKES]

    def _spans(self, stamps_ns: np.ndarray) -> list[slice]:
        """The ticks between the stamps that were given, of those that were seen."""
        ends = [np.searchsorted(stamps_ns, [begin, end + 1]).tolist() for begin, end in self._spans_ns]
        return [slice(begin, end) for begin, end in ends if end - begin > 1]

    def _going_on(self, part: slice, stamps_ns: np.ndarray) -> bool:
        """Whether the motion may not be over yet."""
        return not self._closed and part.stop > len(stamps_ns) - max(self.config.still_s, 0.1) / self._tick_s(stamps_ns)

    def close(self) -> None:
        """Nothing more comes: the last motion is over."""
        self._closed = True

    @staticmethod
    def _tick_s(stamps_ns: np.ndarray) -> float:
        return float(np.median(np.diff(stamps_ns))) * 1e-9 if len(stamps_ns) > 1 else 1.0

    def delete(self, number: int) -> None:
        """Forget take `number`, from 0 on. Raises UserError where there is none."""
        takes = self.takes()
        if not 0 <= number < len(takes):
            raise UserError(f"take is {number}, expected 0 to {len(takes) - 1}" if takes else "there is no take to delete")
        self._deleted.add(takes[number].begin_ns)

    def learnt(self, space: TeachingSpace) -> TaughtAction:
        """The action that the takes show. Raises UserError without a take."""
        self.close()
        takes = self.takes()
        if not takes:
            raise UserError(
                f"no take of {self.name!r} by person {self.track_id}: stand still, move, stand still again; "
                f"a take lasts {self.config.shortest_take_s:g} to {self.config.longest_take_s:g} s"
            )
        places = space.place(np.stack([pooled(take.embeddings, take.features) for take in takes]))
        action = taught_action(self.name, places, tuple(take.length_s for take in takes), space)
        return self._told_sooner(action, takes, space) or action

    def _told_sooner(self, action: TaughtAction, takes: list[Take], space: TeachingSpace) -> TaughtAction | None:
        """The same looked for in the next shorter window, where any part of each take as long as that is told by the other
        takes: as in exercises, whose takes repeat a motion. None where it is not, or with too few takes to know."""
        shorter = [length_s for length_s in LENGTHS_S if length_s < action.window_s]
        if len(takes) < _TAKES_TO_CUT or not shorter:
            return None
        ticks = round(shorter[-1] * self._rate_hz)
        parts = [
            space.place(
                np.stack(
                    [
                        pooled(take.embeddings[begin : begin + ticks], take.features[begin : begin + ticks])
                        for begin in range(0, max(len(take.features) - ticks, 0) + 1, max(ticks // 4, 1))
                    ]
                )
            )
            for take in takes
        ]
        middles = unit(np.stack([each.mean(0) for each in parts]))
        sooner = taught_action(self.name, middles, (shorter[-1],) * len(takes), space)
        told = [(each @ unit(middles.sum(0) - middle)).min() >= sooner.limit for each, middle in zip(parts, middles)]
        return sooner if all(told) else None


def lesson_of(before: Lesson | None, name: str, track_id: int, spec: ModelSpec) -> Lesson:
    """A new lesson, or the one before where it teaches the same: it goes on with this person, and keeps its takes.

    :raises UserError: no action may be called so
    """
    checked_name(name, spec.classes)
    if before is None or before.name != name:
        return Lesson(name, track_id, spec.rate_hz)
    before.track_id = track_id
    return before
