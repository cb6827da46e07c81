"""Who is who from frame to frame: all tracks in arrays, on real time.

A track is a constant-velocity Kalman filter (J. Basic Engineering 82, 1960) of the middle of a person's box; its joints and
its box move along. In units of the person's size both axes err alike, so that three numbers are the whole covariance of a
track, and all tracks are predicted and corrected at once. People are matched in turns, as ByteTrack does (Zhang et al., ECCV
2022): first those whom the estimator is sure of, then the others, who may go on with a track but not begin one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.people.assignment import assign
from pose_attention_ros.core.people.tracks import Sightings, Tracks, sightings

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


class PersonTracker:
    """Gives the people of successive frames stable ids; an id is never used twice."""

    def __init__(self, config: TrackingConfig | None = None) -> None:
        self._config = config or TrackingConfig()
        self._highest = 0
        self.reset()

    def reset(self) -> None:
        """Forget everybody."""
        self._tracks: Tracks | None = None
        self._beginners = False  # whether somebody waits for an id
        self._alive: list[int] = []

    def __call__(
        self, keypoints_px: np.ndarray, mask: np.ndarray, boxes_xyxy: np.ndarray, person_scores: np.ndarray, dt_s: float
    ) -> tuple[np.ndarray, list[int]]:
        """One frame of N people, dt_s seconds after the frame before; who gets which id does not depend on their order.

        :param keypoints_px: (N, V, 2), what lies where mask (N, V) is False means nothing; boxes_xyxy (N, 4)
        :param person_scores: (N,); 0 is what an estimator says that does not judge people, and counts as sure
        :returns: track id of each person (N,) int64, -1 where no track has begun yet; and the ids of all living tracks,
            seen in this frame or not
        """
        seen = sightings(keypoints_px, mask, boxes_xyxy)
        row_of = np.full(len(boxes_xyxy), -1, np.int64)  # the track of each person; -1: nobody's
        if self._tracks is None:
            self._tracks = Tracks(seen.taken(row_of[:0]))
        tracks = self._tracks
        # Move everybody on, find each again, and put the tracks where their people were seen.
        if len(tracks):
            tracks.predict(dt_s)
            if len(row_of):
                row_of = self._match(tracks, seen, person_scores, boxes_xyxy)
        matched = row_of >= 0
        everybody = bool(matched.all())
        if everybody:
            tracks.correct(row_of, seen)
        else:
            tracks.correct(row_of[matched], seen.taken(np.flatnonzero(matched)))
        if self._beginners or not everybody:
            self._begin_and_confirm(tracks, seen, self._order_of_new(row_of, person_scores, boxes_xyxy), row_of, dt_s)
        # Tell the ids before tracks end: their rows move then.
        ids = np.where(row_of >= 0, tracks.ids[row_of], -1) if len(tracks) else row_of
        if self._beginners or not tracks.all_seen:
            ended = np.where(tracks.ids < 0, tracks.evidence_s < 0, tracks.unseen_s > self._config.max_lost_s)
            if ended.any():
                tracks.keep(np.flatnonzero(~ended))
                self._tell_rows(tracks)
        return ids, self._alive

    def _tell_rows(self, tracks: Tracks) -> None:
        """Which tracks there are has changed."""
        self._beginners = bool((tracks.ids < 0).any())
        self._alive = sorted(tracks.ids[tracks.ids >= 0].tolist())

    def _sure(self, person_scores: np.ndarray) -> np.ndarray:
        return (person_scores >= self._config.sure_score) | (person_scores <= 0)

    def _order_of_new(self, row_of: np.ndarray, person_scores: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
        """The people who are nobody's and may begin a track, in an order that does not hang on the estimator's."""
        new = (row_of < 0) & self._sure(person_scores)
        if not new.any():
            return row_of[:0]
        order = np.lexsort(boxes_xyxy.T)
        return order[new[order]]

    def _match(self, tracks: Tracks, seen: Sightings, person_scores: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
        """The track row of each person (N,); -1 for nobody's."""
        distance, apart_px, gate = self._distances(tracks, seen)
        fits = distance < gate
        row_of = without_choice(fits)
        if row_of is not None:  # as almost always
            return row_of
        row_of = np.empty(len(boxes_xyxy), np.int64)
        order = np.lexsort(boxes_xyxy.T)  # ids must not hang on the estimator's order where two fit as well
        overlap = _overlap(apart_px, seen.sizes_px[:, None], tracks.sizes_px)
        cost = np.where(fits, distance / gate - _WEIGHT_OF_OVERLAP * overlap, np.inf)[order]
        row_of[order] = _in_turns(cost, tracks.ids >= 0, self._sure(person_scores[order]))
        return row_of

    def _distances(self, tracks: Tracks, seen: Sightings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """How far each person is from where each track expects them (N, T), in sizes of the person; how far apart their
        middles are (N, T, 2), in pixels; and the farthest that each track allows (T,)."""
        apart_px = np.abs(seen.centres_px[:, None] - tracks.centres_px)
        distance = _middle_distance(seen.joints_px, seen.there, tracks.joints_px, tracks.there)
        unknown = distance == np.inf
        if unknown.any():
            distance = np.where(unknown, np.hypot(apart_px[..., 0], apart_px[..., 1]), distance)
        distance /= seen.longest_px()[:, None]
        farthest = self._config.max_distance
        return distance, apart_px, farthest + np.minimum(np.sqrt(tracks.spreads[:, 0]), farthest)

    def _begin_and_confirm(self, tracks: Tracks, seen: Sightings, new: np.ndarray, row_of: np.ndarray, dt_s: float) -> None:
        """Begin tracks with the people `new`, and confirm those that were seen for long enough."""
        if self._beginners:
            tracks.evidence_s += np.where(tracks.unseen_s > 0, -dt_s, dt_s)
        if len(new):
            new = new[~_seen_twice(seen, new, row_of >= 0)]
            row_of[new] = len(tracks) + np.arange(len(new))
            tracks.add(Tracks(seen.taken(new)))
        if self._beginners or len(new):
            rows = np.flatnonzero((tracks.ids < 0) & (tracks.evidence_s >= self._config.confirm_s - 1e-6))
            tracks.ids[rows] = self._highest + 1 + np.arange(len(rows))
            self._highest += len(rows)
            self._tell_rows(tracks)


def without_choice(fits: np.ndarray) -> np.ndarray | None:
    """The track of each person (N,), -1 for none, where nobody fits two tracks and no track two people; else None.

    :param fits: (N, T) bool, whether they can be the same person
    """
    people, rows = fits.nonzero()
    if len(set(rows.tolist())) < len(rows) or len(set(people.tolist())) < len(people):
        return None
    row_of = np.full(len(fits), -1, np.int64)
    row_of[people] = rows
    return row_of


def _in_turns(cost: np.ndarray, known: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """The track of each person (N,), -1 for none: first those who are surely seen choose among the known tracks (T,), then
    the others, and whoever is left may go on with a track that is not confirmed.

    :param cost: (N, T), inf where they cannot be the same person
    """
    row_of = np.full(len(cost), -1, np.int64)
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
    return row_of


def _middle_distance(
    some_px: np.ndarray, some_there: np.ndarray, others_px: np.ndarray, others_there: np.ndarray
) -> np.ndarray:
    """The median way (N, M) in pixels between the joints (N, 2, V) and (M, 2, V) that both have; inf where these are few."""
    way = some_px[:, None] - others_px
    way *= way
    squares = way[:, :, 0] + way[:, :, 1]
    squares.sort()  # NaN, which a joint is that one of them lacks, comes last
    common = some_there @ others_there.T
    joints = squares.shape[-1]
    middle = (common / 2).astype(np.int64) + np.arange(0, common.size * joints, joints).reshape(common.shape)
    median = squares.take(middle)
    few = common < _FEWEST_JOINTS
    if few.any():
        median[few] = np.inf
    return np.sqrt(median)


def _overlap(apart_px: np.ndarray, sizes_px: np.ndarray, other_sizes_px: np.ndarray) -> np.ndarray:
    """Intersection over union (N, M) of boxes (N, 1, 2) and (M, 2) whose middles are so far apart (N, M, 2)."""
    sides = np.minimum(np.minimum(sizes_px, other_sizes_px), (sizes_px + other_sizes_px) / 2 - apart_px)
    common = np.maximum(sides, 0).prod(-1)
    return common / np.maximum(sizes_px.prod(-1) + other_sizes_px.prod(-1) - common, 1e-9)


def _seen_twice(seen: Sightings, new: np.ndarray, matched: np.ndarray) -> np.ndarray:
    """Which of the people in rows `new` are somebody once more who is `matched` (N,), or who comes before in `new`."""
    near = _middle_distance(seen.joints_px[new], seen.there[new], seen.joints_px, seen.there)
    same = near < _SAME_PERSON * seen.longest_px()[new][:, None]
    before = np.zeros_like(same)
    before[:, new] = np.tri(len(new), k=-1, dtype=bool)
    return (same & (matched | before)).any(1)
