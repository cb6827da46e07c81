"""The tracks of all people in arrays: constant-velocity Kalman filters that are predicted and corrected together.

T tracks, N people, V joints. The method: tracking.py.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

_SEEN_ERROR = 0.08  # one standard deviation of a seen middle, in sizes of the person
_SPEED_ERROR = 0.5  # of a speed at first, in sizes a second
_ACCELERATION = 0.15  # how freely people change their speed: spectral density, sizes^2/s^3
_COASTING_S = 2.0  # somebody out of sight slows down with this time constant
_GROWTH_S = 0.5  # a box's width and height follow what is seen with this time constant
_MISSING = np.float64("nan")  # where a joint is that was not seen


class Sightings(NamedTuple):
    """N people as they were seen: the middles of their boxes and their sizes, width and height (N, 2) pixels; joints_px
    (N, 2, V), NaN where a joint is missing, and there (N, V), 1 or 0."""

    centres_px: np.ndarray
    sizes_px: np.ndarray
    joints_px: np.ndarray
    there: np.ndarray

    def taken(self, people: np.ndarray) -> Sightings:
        """The people in these rows alone, in that order."""
        return Sightings(*(each.take(people, 0) for each in self))

    def longest_px(self) -> np.ndarray:
        """The longer side of each person's box (N,), at least a pixel."""
        return np.maximum(np.maximum(self.sizes_px[:, 0], self.sizes_px[:, 1]), 1)


def sightings(keypoints_px: np.ndarray, mask: np.ndarray, boxes_xyxy: np.ndarray) -> Sightings:
    """keypoints_px (N, V, 2), mask (N, V) bool, boxes_xyxy (N, 4)."""
    boxes = boxes_xyxy.astype(np.float64)
    low, high = boxes[:, :2], boxes[:, 2:]
    joints_px = np.where(mask[:, None], keypoints_px.transpose(0, 2, 1), _MISSING)
    return Sightings((low + high) / 2, high - low, joints_px, mask.astype(np.float64))


class Tracks:
    """T tracks in rows. ids: -1 until confirmed; centres_px, velocities_px (T, 2), pixels and pixels a second; sizes_px
    (T, 2) width and height; spreads (T, 3): variance of place, covariance, variance of speed, in sizes; joints_px (T, 2, V)
    and there (T, V), as last seen, moved along; unseen_s since then; evidence_s for a person, while not confirmed.
    all_seen: whether nobody was out of sight when they were corrected last."""

    _NAMES = ("ids", "centres_px", "velocities_px", "sizes_px", "spreads", "joints_px", "there", "unseen_s", "evidence_s")

    def __init__(self, seen: Sightings) -> None:
        """Tracks that begin with these people."""
        people = len(seen.centres_px)
        self.ids = np.full(people, -1, np.int64)
        self.centres_px, self.sizes_px, self.joints_px, self.there = (each.copy() for each in seen)
        self.velocities_px = np.zeros((people, 2))
        self.spreads = np.tile([_SEEN_ERROR**2, 0, _SPEED_ERROR**2], (people, 1))
        self.unseen_s, self.evidence_s = np.zeros(people), np.zeros(people)
        self.all_seen = True
        self._step, self._noise = np.eye(3), np.zeros(3)  # of `predict`; made once

    def __len__(self) -> int:
        return len(self.ids)

    def keep(self, rows: np.ndarray) -> None:
        """Forget the tracks that are not in `rows`."""
        for name in self._NAMES:
            setattr(self, name, getattr(self, name)[rows])

    def add(self, others: Tracks) -> None:
        """Append them."""
        for name in self._NAMES:
            setattr(self, name, np.concatenate([getattr(self, name), getattr(others, name)]))

    def predict(self, dt_s: float) -> None:
        """Move everybody on by dt_s."""
        moved_px = self.velocities_px * dt_s
        if not self.all_seen:
            unseen = self.unseen_s > 0
            slower = math.exp(-dt_s / _COASTING_S)
            moved_px[unseen] *= _COASTING_S * (1 - slower) / max(dt_s, 1e-9)
            self.velocities_px[unseen] *= slower
        self.centres_px += moved_px
        self.joints_px += moved_px[..., None]
        step, noise = self._step, self._noise
        step[1, 0], step[2, 0], step[2, 1] = 2 * dt_s, dt_s * dt_s, dt_s
        noise[0], noise[1], noise[2] = _ACCELERATION * (dt_s**3 / 3), _ACCELERATION * (dt_s**2 / 2), _ACCELERATION * dt_s
        self.spreads = self.spreads @ step + noise
        self.unseen_s += dt_s

    def correct(self, rows: np.ndarray, seen: Sightings) -> None:
        """Those in `rows` are the people of `seen`."""
        which: np.ndarray | slice = rows
        self.all_seen = len(rows) == len(self)
        if self.all_seen:  # as almost always: in the order of the tracks, no row need be picked
            seen, which = seen.taken(rows.argsort()), slice(None)
        spread = self.spreads[which]
        gains = spread[:, :2] / (spread[:, :1] + _SEEN_ERROR**2)  # of place and of speed
        off_px = seen.centres_px - self.centres_px[which]
        self.centres_px[which] += gains[:, :1] * off_px
        self.velocities_px[which] += gains[:, 1:] * off_px
        spread[:, 1:] -= gains[:, 1:] * spread[:, :2]
        spread[:, :1] -= gains[:, :1] * spread[:, :1]
        share = 1 - np.exp(self.unseen_s[which] / -_GROWTH_S)
        size = self.sizes_px[which]
        grown = share[:, None] * (seen.sizes_px - size)
        if self.all_seen:
            self.sizes_px += grown
            self.joints_px, self.there = seen.joints_px, seen.there
        else:
            self.spreads[which] = spread
            self.sizes_px[which] = size + grown
            self.joints_px[which], self.there[which] = seen.joints_px, seen.there
        self.unseen_s[which] = 0
