"""Taught actions: their takes in the space, how close is close enough, and what they add to the model's answer.

N people, K classes of the model, A taught actions, D dimensions of the space.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace

import numpy as np

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.teaching.space import TeachingSpace, unit
from pose_attention_ros.core.types import UNKNOWN_LABEL

MOST_ACTIONS, MOST_TAKES, LONGEST_NAME = 64, 32, 40
NAME = re.compile(rf"[^\W_][\w .-]{{0,{LONGEST_NAME - 1}}}")
_OTHERS_ACCEPTED, _KNOWN_ACCEPTED = 0.01, 0.002  # shares of the negatives that one taught action may claim
_BETWEEN = 0.2  # how far from the negatives' limit towards the takes' own likeness the limit is drawn
_STEEPNESS = 10.0  # logits a unit of likeness
LENGTHS_S = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)  # of the windows in which taught actions are looked for


@dataclass(frozen=True, eq=False)
class TaughtAction:
    """takes (n, D) unit vectors; lengths_s (n,) of the takes; limit: likeness (cosine) to their mean from which on a motion
    is this action."""

    name: str
    takes: np.ndarray
    lengths_s: tuple[float, ...]
    limit: float

    @property
    def centre(self) -> np.ndarray:
        """(D,) unit vector."""
        return unit(self.takes.mean(0))

    @property
    def window_s(self) -> float:
        """Length of the window in which it is looked for."""
        wanted = float(np.median(self.lengths_s))
        return min(LENGTHS_S, key=lambda length: abs(math.log(length / max(wanted, 0.1))))


@dataclass(frozen=True, eq=False)
class TaughtActions:
    """All that was taught to one model, in the order of teaching."""

    space: TeachingSpace
    actions: tuple[TaughtAction, ...] = ()
    centres: np.ndarray = field(init=False, repr=False)
    limits: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        size = self.space.basis.shape[1]
        centres = np.stack([action.centre for action in self.actions]) if self.actions else np.zeros((0, size), np.float32)
        object.__setattr__(self, "centres", centres)
        object.__setattr__(self, "limits", np.array([action.limit for action in self.actions], np.float32))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(action.name for action in self.actions)

    def with_action(self, action: TaughtAction) -> TaughtActions:
        """The same with `action`, which replaces one of its name. Raises UserError where there are too many."""
        kept = tuple(each for each in self.actions if each.name != action.name)
        if len(kept) >= MOST_ACTIONS:
            raise UserError(f"{len(kept)} actions are taught already, expected at most {MOST_ACTIONS}: remove one first")
        return replace(self, actions=(*kept, action))

    def without(self, name: str) -> TaughtActions:
        """Raises UserError where there is none of that name."""
        self._find(name)
        return replace(self, actions=tuple(each for each in self.actions if each.name != name))

    def renamed(self, name: str, new_name: str, classes: tuple[str, ...]) -> TaughtActions:
        """:param classes: the model's own, which no taught action may be called. Raises UserError."""
        action, new_name = self._find(name), checked_name(new_name, classes)
        if new_name != name and new_name in self.names:
            raise UserError(f"name is {new_name!r}, but another taught action is called so: remove that one first")
        actions = tuple(replace(each, name=new_name) if each is action else each for each in self.actions)
        return replace(self, actions=actions)

    def _find(self, name: str) -> TaughtAction:
        for action in self.actions:
            if action.name == name:
                return action
        raise UserError(f"name is {name!r}, expected a taught action: {', '.join(self.names) or 'none is taught yet'}")

    def likeness(self, places: np.ndarray) -> np.ndarray:
        """places (N, D) -> cosines (N, A)."""
        return places @ self.centres.T


def checked_name(name: str, classes: tuple[str, ...]) -> str:
    """`name`, if an action may be called so. Raises UserError."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise UserError(
            f"name is {str(name)[:60]!r}, expected 1 to {LONGEST_NAME} letters, digits, spaces, _, - and dots, "
            "a letter or digit first"
        )
    if name in classes or name == UNKNOWN_LABEL:
        raise UserError(f"name is {name!r}, which the model knows already: choose another")
    return name


def taught_action(name: str, takes: np.ndarray, lengths_s: tuple[float, ...], space: TeachingSpace) -> TaughtAction:
    """An action from its takes, with the limit that they and the negatives ask for.

    The limit lets at most _OTHERS_ACCEPTED of the motions of no class pass and _KNOWN_ACCEPTED of those of the model's
    classes; where the takes are more like each other than that it is drawn closer to them.

    :param takes: (n, D) of TeachingSpace.place
    :raises UserError: no take, or too many
    """
    if not 1 <= len(takes) <= MOST_TAKES:
        raise UserError(f"{len(takes)} takes of {name!r}, expected 1 to {MOST_TAKES}")
    takes = unit(np.asarray(takes, np.float32))
    against = space.negatives @ unit(takes.mean(0))
    limit = max(
        (
            float(np.quantile(part, 1 - share))
            for part, share in ((against[~space.known], _OTHERS_ACCEPTED), (against[space.known], _KNOWN_ACCEPTED))
            if len(part)
        ),
        default=0.5,
    )
    if len(takes) > 1:
        limit += _BETWEEN * max(float(np.median(own_likeness(takes))) - limit, 0.0)
    return TaughtAction(name, takes, tuple(float(length) for length in lengths_s), float(np.clip(limit, -1.0, 0.99)))


def own_likeness(takes: np.ndarray) -> np.ndarray:
    """(n,) of takes (n, D), n >= 2: each one's cosine with the mean of the others."""
    others = unit(takes.sum(0) - takes)
    return (others * takes).sum(-1)


def joined(probabilities: np.ndarray, likeness: np.ndarray, limits: np.ndarray, threshold: float) -> np.ndarray:
    """The model's probabilities (N, K) and the taught actions' as one distribution (N, K + A).

    An action within its limit has `threshold` or more, and the best of them wins whatever the model says. Else the model's
    best class keeps its probability, and the rest is shared.

    :param likeness: (N, A) cosines; limits: (A,)
    """
    if not likeness.shape[1]:
        return probabilities
    start = math.log(max(threshold, 1e-3) / max(1 - threshold, 1e-3))
    taught = 1 / (1 + np.exp(-(start + _STEEPNESS * (likeness - limits))))
    both = np.concatenate([probabilities, taught], 1).astype(np.float64)
    within = np.where(likeness >= limits, taught, -1)
    rows = np.arange(len(both))
    best = np.where(within.max(1) >= 0, probabilities.shape[1] + within.argmax(1), probabilities.argmax(1))
    kept = both[rows, best]
    both[rows, best] = 0
    rest = both.sum(1)
    both *= ((1 - kept) / np.maximum(rest, 1e-12))[:, None]
    both[rows, best] = kept
    return both.astype(np.float32)
