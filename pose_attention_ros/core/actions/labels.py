"""From class probabilities at every tick to a label that a robot can act on: unknown when unsure, and no flicker."""

from __future__ import annotations

from dataclasses import dataclass

from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.types import UNKNOWN_LABEL, LabelState


@dataclass(frozen=True)
class LabelConfig(Settings):
    """How sure and how steady a label must be."""

    threshold: float = setting(
        0.0,
        "confidence below which a label is unknown; 0 takes those that the model was calibrated to",
        low=0.0,
        high=1.0,
        live=True,
    )
    hysteresis: float = setting(
        0.05, "how far below the threshold a label may fall before it is given up", low=0.0, high=1.0, live=True
    )
    warm_up_s: float = setting(
        0.3, "a person must have been seen this long before a label is given", unit="s", low=0.0, high=10.0, live=True
    )
    hold_s: float = setting(
        0.1, "a new label must lead this long before it replaces the old one", unit="s", low=0.0, high=10.0, live=True
    )


class LabelMachine:
    """The label of one person."""

    def __init__(self, begin_ns: int) -> None:
        """`begin_ns`: stamp of the first tick that rests on this person."""
        self._begin_ns = begin_ns
        self._current: int | None = None  # class index, None is unknown
        self._pending: int | None = None
        self._pending_ns = begin_ns
        self.onset_ns = begin_ns
        self.state = LabelState.WARMING_UP

    def update(self, stamp_ns: int, probabilities: list[float], thresholds: list[float], config: LabelConfig) -> None:
        """One tick. K probabilities sum to 1; K thresholds, one for each class."""
        best = probabilities.index(max(probabilities))
        wanted = None
        if probabilities[best] >= thresholds[best]:
            wanted = best
        elif self._current is not None and probabilities[self._current] >= thresholds[self._current] - config.hysteresis:
            wanted = self._current
        if wanted != self._pending:
            self._pending, self._pending_ns = wanted, stamp_ns
        if (stamp_ns - self._begin_ns) * 1e-9 < config.warm_up_s:
            return
        held_s = (stamp_ns - self._pending_ns) * 1e-9
        if wanted != self._current and held_s >= config.hold_s:
            self._current, self.onset_ns = wanted, self._pending_ns
        self.state = LabelState.UNKNOWN if self._current is None else LabelState.CONFIRMED

    def give_up(self, stamp_ns: int) -> None:
        """What the label rested on is over."""
        if self._current is not None:
            self._current, self.onset_ns = None, stamp_ns
        self._pending, self._pending_ns = None, stamp_ns

    def forget_from(self, first: int, stamp_ns: int) -> None:
        """Classes from number `first` on mean something else from now on."""
        if max(-1 if each is None else each for each in (self._current, self._pending)) >= first:
            self.give_up(stamp_ns)

    def label(self, classes: tuple[str, ...]) -> str:
        """The class name, or UNKNOWN_LABEL."""
        return UNKNOWN_LABEL if self._current is None else classes[self._current]
