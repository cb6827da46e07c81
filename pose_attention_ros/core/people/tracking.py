"""Who is who from frame to frame: all tracks in arrays, on real time.

A track is a constant-velocity Kalman filter (J. Basic Engineering 82, 1960) of the middle of a person's box; its joints and
its box move along. In units of the person's size both axes err alike, so that three numbers are the whole covariance of a
track, and all tracks are predicted and corrected at once. People are matched in turns, as ByteTrack does (Zhang et al., ECCV
2022): first those whom the estimator is sure of, then the others, who may go on with a track but not begin one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.people.assignment import assign

_SEEN_ERROR = 0.08  # one standard deviation of a seen middle, in sizes of the person
_SPEED_ERROR = 0.5  # of a speed at first, in sizes a second
_ACCELERATION = 0.15  # how freely people change their speed: spectral density, sizes^2/s^3
_COASTING_S = 2.0  # somebody out of sight slows down with this time constant
_GROWTH_S = 0.5  # a box's width and height follow what is seen with this time constant
_FEWEST_JOINTS = 3  # in common; with fewer the boxes' middles are compared
_WEIGHT_OF_OVERLAP = 0.5  # of the boxes, against that of the joints' distance
_SAME_PERSON = 0.12  # joints nearer than this to those of a matched person are that person again


@dataclass(frozen=True)
class TrackingConfig(Settings):
    """How far people may move unseen, and for how long."""

    max_distance: float = setting(
        0.35,
        "farthest that a person's joints may lie from where the track expects them, as a share of the person's size",
        low=0.01,
        high=5.0,
    )
    confirm_s: float = setting(0.2, "a person must be seen this long before a track begins", unit="s", low=0.0, high=5.0)
    max_lost_s: float = setting(2.5, "a track ends when its person was not seen for this long", unit="s", low=0.1, high=30.0)
    sure_score: float = setting(
        0.2, "people of whom the estimator is less sure may go on with a track but not begin one", low=0.0, high=1.0
    )


class _Sightings(NamedTuple):
    """N people as they were seen: the middles of their boxes and their sizes, width and height (N, 2) pixels; joints_px
    (N, V, 2), and there (N, V)."""

    centres_px: np.ndarray
    sizes_px: np.ndarray
    joints_px: np.ndarray
    there: np.ndarray


class _Tracks:
    """T tracks in rows. ids: -1 until confirmed; centres_px, velocities_px (T, 2), pixels and pixels a second; sizes_px
    (T, 2) width and height; spreads (T, 3): variance of place, covariance, variance of speed, in sizes; joints_px (T, V, 2)
    and there (T, V), as last seen, moved along; unseen_s since then; evidence_s for a person, while not confirmed."""

    _NAMES = ("ids", "centres_px", "velocities_px", "sizes_px", "spreads", "joints_px", "there", "unseen_s", "evidence_s")

    def __init__(self, seen: _Sightings) -> None:
        """Tracks that begin with these people."""
        people = len(seen.centres_px)
        self.ids = np.full(people, -1, np.int64)
        self.centres_px, self.sizes_px, self.joints_px, self.there = (each.copy() for each in seen)
        self.velocities_px = np.zeros((people, 2))
        self.spreads = np.tile([_SEEN_ERROR**2, 0, _SPEED_ERROR**2], (people, 1))
        self.unseen_s, self.evidence_s = np.zeros(people), np.zeros(people)

    def __len__(self) -> int:
        return len(self.ids)

    def keep(self, rows: np.ndarray) -> None:
        """Forget the tracks that are not in `rows`."""
        for name in self._NAMES:
            setattr(self, name, getattr(self, name)[rows])

    def add(self, others: _Tracks) -> None:
        """Append them."""
        for name in self._NAMES:
            setattr(self, name, np.concatenate([getattr(self, name), getattr(others, name)]))

    def predict(self, dt_s: float) -> None:
        """Move everybody on by dt_s."""
        moved_px = self.velocities_px * dt_s
        unseen = self.unseen_s > 0
        if unseen.any():
            slower = math.exp(-dt_s / _COASTING_S)
            moved_px[unseen] *= _COASTING_S * (1 - slower) / max(dt_s, 1e-9)
            self.velocities_px[unseen] *= slower
        self.centres_px += moved_px
        self.joints_px += moved_px[:, None]
        step = np.array([[1, 0, 0], [2 * dt_s, 1, 0], [dt_s * dt_s, dt_s, 1]])
        self.spreads = self.spreads @ step + _ACCELERATION * np.array([dt_s**3 / 3, dt_s**2 / 2, dt_s])
        self.unseen_s += dt_s

    def correct(self, rows: np.ndarray, seen: _Sightings) -> None:
        """Those in `rows` are the people of `seen`."""
        spread = self.spreads[rows]
        gains = spread[:, :2] / (spread[:, :1] + _SEEN_ERROR**2)  # of place and of speed
        off_px = seen.centres_px - self.centres_px[rows]
        self.centres_px[rows] += gains[:, :1] * off_px
        self.velocities_px[rows] += gains[:, 1:] * off_px
        spread[:, 1:] -= gains[:, 1:] * spread[:, :2]
        spread[:, :1] -= gains[:, :1] * spread[:, :1]
        self.spreads[rows] = spread
        share = 1 - np.exp(self.unseen_s[rows] / -_GROWTH_S)
        size = self.sizes_px[rows]
        self.sizes_px[rows] = size + share[:, None] * (seen.sizes_px - size)
        self.joints_px[rows], self.there[rows], self.unseen_s[rows] = seen.joints_px, seen.there, 0


class PersonTracker:
    """Gives the people of successive frames stable ids; an id is never used twice."""

    def __init__(self, config: TrackingConfig | None = None) -> None:
        self._config = config or TrackingConfig()
        self._highest = 0
        self.reset()

    def reset(self) -> None:
        """Forget everybody."""
        self._tracks: _Tracks | None = None

    def __call__(
        self, keypoints_px: np.ndarray, mask: np.ndarray, boxes_xyxy: np.ndarray, person_scores: np.ndarray, dt_s: float
    ) -> tuple[np.ndarray, list[int]]:
        """One frame of N people, dt_s seconds after the frame before; who gets which id does not depend on their order.

        :param keypoints_px: (N, V, 2), what lies where mask (N, V) is False means nothing; boxes_xyxy (N, 4)
        :param person_scores: (N,); 0 is what an estimator says that does not judge people, and counts as sure
        :returns: track id of each person (N,) int64, -1 where no track has begun yet; and the ids of all living tracks,
            seen in this frame or not
        """
        # In an order of their own, so that ids do not hang on the estimator's.
        order = np.lexsort(boxes_xyxy.T)
        boxes = boxes_xyxy[order].astype(np.float64)
        low, high = boxes[:, :2], boxes[:, 2:]
        seen = _Sightings((low + high) / 2, high - low, keypoints_px[order].astype(np.float64), mask[order])
        scores = person_scores[order]
        sure = (scores >= self._config.sure_score) | (scores <= 0)
        row_of = np.full(len(order), -1, np.int64)  # the track of each person; -1: nobody's
        if self._tracks is None:
            self._tracks = _Tracks(_Sightings(*(each[:0] for each in seen)))
        tracks = self._tracks
        # Move everybody on, find each again, and put the tracks where their people were seen.
        if len(tracks):
            tracks.predict(dt_s)
            if len(order):
                self._match(tracks, seen, sure, row_of)
        matched = row_of >= 0
        if matched.all():
            tracks.correct(row_of, seen)
        else:
            tracks.correct(row_of[matched], _Sightings(*(each[matched] for each in seen)))
        self._begin_and_confirm(tracks, seen, sure, row_of, dt_s)
        # Tell the ids before tracks end: their rows move then.
        ids = np.full(len(order), -1, np.int64)
        there = row_of >= 0
        ids[order[there]] = tracks.ids[row_of[there]]
        ended = np.where(tracks.ids < 0, tracks.evidence_s < 0, tracks.unseen_s > self._config.max_lost_s)
        if ended.any():
            tracks.keep(np.flatnonzero(~ended))
        return ids, sorted(tracks.ids[tracks.ids >= 0].tolist())

    def _match(self, tracks: _Tracks, seen: _Sightings, sure: np.ndarray, row_of: np.ndarray) -> None:
        """Fill in the track row of each person (N,); who is nobody's stays -1."""
        cost = self._costs(tracks, seen)
        known = tracks.ids >= 0
        for whose, whom in ((known, sure), (known, ~sure), (~known, sure | ~sure)):
            waiting = row_of < 0
            people = np.flatnonzero(whom & waiting)
            if not len(people):
                continue
            free = whose.copy()
            free[row_of[~waiting]] = False
            rows = np.flatnonzero(free)
            if len(rows):
                chosen = assign(cost[people[:, None], rows])
                row_of[people] = np.where(chosen >= 0, rows[chosen], -1)

    def _costs(self, tracks: _Tracks, seen: _Sightings) -> np.ndarray:
        """(N, T); inf where they cannot be the same person."""
        apart_px = np.abs(seen.centres_px[:, None] - tracks.centres_px)
        distance = _middle_distance(seen.joints_px, seen.there, tracks.joints_px, tracks.there)
        unknown = distance == np.inf
        if unknown.any():
            distance = np.where(unknown, np.hypot(apart_px[..., 0], apart_px[..., 1]), distance)
        distance /= np.maximum(seen.sizes_px.max(1), 1)[:, None]
        gate = self._config.max_distance + np.minimum(np.sqrt(tracks.spreads[:, 0]), self._config.max_distance)
        cost = distance / gate - _WEIGHT_OF_OVERLAP * _overlap(apart_px, seen.sizes_px[:, None], tracks.sizes_px)
        return np.where(distance < gate, cost, np.inf)

    def _begin_and_confirm(
        self, tracks: _Tracks, seen: _Sightings, sure: np.ndarray, row_of: np.ndarray, dt_s: float
    ) -> None:
        """Begin tracks with those who are nobody's, and confirm those that were seen for long enough."""
        beginners = tracks.ids < 0
        if beginners.any():
            tracks.evidence_s += np.where(tracks.unseen_s > 0, -dt_s, dt_s)
        new = np.flatnonzero((row_of < 0) & sure)
        if len(new):
            new = new[~_seen_twice(seen, new, row_of >= 0)]
            row_of[new] = len(tracks) + np.arange(len(new))
            tracks.add(_Tracks(_Sightings(*(each[new] for each in seen))))
            beginners = tracks.ids < 0
        if beginners.any():
            rows = np.flatnonzero(beginners & (tracks.evidence_s >= self._config.confirm_s - 1e-6))
            tracks.ids[rows] = self._highest + 1 + np.arange(len(rows))
            self._highest += len(rows)


def _middle_distance(
    some_px: np.ndarray, some_there: np.ndarray, others_px: np.ndarray, others_there: np.ndarray
) -> np.ndarray:
    """The median way (N, M) in pixels between the joints (N, V, 2) and (M, V, 2) that both have; inf where these are few."""
    way = some_px[:, None] - others_px
    way *= way
    common = some_there[:, None] & others_there
    squares = np.where(common, way[..., 0] + way[..., 1], np.inf)
    squares.sort()
    count = np.count_nonzero(common, -1)
    rows = np.arange(count.size)
    median = squares.reshape(-1, squares.shape[-1])[rows, np.minimum(count // 2, squares.shape[-1] - 1).ravel()]
    median[count.ravel() < _FEWEST_JOINTS] = np.inf
    return np.sqrt(median).reshape(count.shape)


def _overlap(apart_px: np.ndarray, sizes_px: np.ndarray, other_sizes_px: np.ndarray) -> np.ndarray:
    """Intersection over union (N, M) of boxes (N, 1, 2) and (M, 2) whose middles are so far apart (N, M, 2)."""
    sides = np.minimum(np.minimum(sizes_px, other_sizes_px), (sizes_px + other_sizes_px) / 2 - apart_px)
    common = np.maximum(sides, 0).prod(-1)
    return common / np.maximum(sizes_px.prod(-1) + other_sizes_px.prod(-1) - common, 1e-9)


def _seen_twice(seen: _Sightings, new: np.ndarray, matched: np.ndarray) -> np.ndarray:
    """Which of the people in rows `new` are somebody once more who is `matched` (N,), or who comes before in `new`."""
    near = _middle_distance(seen.joints_px[new], seen.there[new], seen.joints_px, seen.there)
    same = near < _SAME_PERSON * seen.sizes_px[new].max(1)[:, None]
    before = np.zeros_like(same)
    before[:, new] = np.tri(len(new), k=-1, dtype=bool)
    return (same & (matched | before)).any(1)
