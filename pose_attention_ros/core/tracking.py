"""Who is who from frame to frame: norfair's tracker with a distance between skeletons, run on real time.

norfair counts updates, not seconds. Here one of its steps is a fixed slice of time, so that speeds and patience mean the
same at 10 and at 30 frames a second and over dropped frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pose_attention_ros.core.config import Settings, setting

_STEP_S = 1 / 30  # one step of norfair's motion model


@dataclass(frozen=True)
class TrackingConfig(Settings):
    """How far people may move unseen, and for how long."""

    max_distance: float = setting(0.35, "farthest that a person's joints may lie from where the track expects them, as a "
                                  "share of the person's size", low=0.01, high=5.0)
    confirm_s: float = setting(0.2, "a person must be seen this long before a track begins", unit="s", low=0.0, high=5.0)
    max_lost_s: float = setting(1.0, "a track ends when its person was not seen for this long", unit="s", low=0.1, high=30.0)


class PersonTracker:
    """Gives the people of successive frames stable ids; an id is never used twice."""

    def __init__(self, config: TrackingConfig | None = None) -> None:
        self._config = config or TrackingConfig()
        self._ids_before = 0  # ids handed out before the last reset
        self._highest = 0
        self.reset()

    def reset(self) -> None:
        """Forget everybody."""
        from norfair import Tracker  # a second to import: not at start-up of what does not track
        from norfair.filter import OptimizedKalmanFilterFactory

        self._ids_before = self._highest
        self._tracker = Tracker(
            distance_function=lambda detection, track: self._distances.between(track, detection.data.row),
            distance_threshold=self._config.max_distance,
            hit_counter_max=max(1, round(self._config.max_lost_s / _STEP_S)),
            initialization_delay=min(round(self._config.confirm_s / _STEP_S), round(self._config.max_lost_s / _STEP_S) - 1),
            filter_factory=OptimizedKalmanFilterFactory(),
            past_detections_length=0,
        )

    def __call__(self, keypoints_px: np.ndarray, mask: np.ndarray, boxes_xyxy: np.ndarray,
                 dt_s: float) -> tuple[np.ndarray, list[int]]:
        """One frame of N people, dt_s seconds after the frame before.

        :returns: track id of each person (N,) int64, -1 where no track has begun yet; and the ids of all living tracks,
            seen in this frame or not
        """
        from norfair import Detection

        corners = boxes_xyxy.reshape(-1, 2, 2).astype(np.float64)
        self._distances = _Distances(self._tracker, keypoints_px, mask, corners)
        detections = [Detection(points, data=_Sighting(row, keypoints_px[row], mask[row], points.mean(0)))
                      for row, points in enumerate(corners)]
        steps = max(1, round(dt_s / _STEP_S))
        for _ in range(steps - 1):
            self._tracker.update()
        tracks = self._tracker.update(detections or None, period=steps)

        row_of = {id(detection): row for row, detection in enumerate(detections)}
        ids = np.full(len(detections), -1, np.int64)
        alive = []
        for track in tracks:
            track_id = self._ids_before + track.id
            self._highest = max(self._highest, track_id)
            alive.append(track_id)
            row = row_of.get(id(track.last_detection))
            if row is not None:
                ids[row] = track_id
        return ids, alive


class _Sighting(NamedTuple):
    """What a track remembers of a detection; centre_px (2,) is that of its box."""

    row: int
    keypoints_px: np.ndarray
    mask: np.ndarray
    centre_px: np.ndarray


class _Distances:
    """The median way between a person's joints and where a track expects them, as a share of the person's size.

    The tracker's motion model carries the box; the joints of the track's last sighting move along with it. norfair asks for
    one pair after the other, all are worked out when it first asks: when every track has moved on and none has been matched.
    """

    def __init__(self, tracker: Any, keypoints_px: np.ndarray, mask: np.ndarray, corners_px: np.ndarray) -> None:
        self._tracker, self._keypoints_px, self._mask, self._corners_px = tracker, keypoints_px, mask, corners_px
        self._of_track: dict[int, list[float]] = {}

    def between(self, track: Any, row: int) -> float:
        """The distance of the person in `row` to `track`."""
        if not self._of_track:
            tracks = self._tracker.tracked_objects
            self._of_track = dict(zip(map(id, tracks), self._worked_out(tracks).tolist()))
        return self._of_track[id(track)][row]

    def _worked_out(self, tracks: list[Any]) -> np.ndarray:
        """(tracks, people)"""
        seen: list[_Sighting] = [track.last_detection.data for track in tracks]
        expected_px = np.array([track.estimate for track in tracks]).mean(1)
        moved_px = expected_px - np.array([sighting.centre_px for sighting in seen])
        joints_px = np.array([sighting.keypoints_px for sighting in seen]) + moved_px[:, None]
        common = self._mask & np.array([sighting.mask for sighting in seen])[:, None]
        way = self._keypoints_px - joints_px[:, None]
        ways = np.sort(np.where(common, np.hypot(way[..., 0], way[..., 1]), np.inf))
        count = common.sum(-1)
        rows = ways.reshape(-1, ways.shape[-1])
        middle = np.minimum(count // 2, ways.shape[-1] - 1)
        median = rows[np.arange(len(rows)), middle.reshape(-1)].reshape(middle.shape)
        sizes = np.maximum((self._corners_px[:, 1] - self._corners_px[:, 0]).max(1, initial=1), 1)
        if (count > 0).all():
            return median / sizes
        boxes = np.linalg.norm(self._corners_px.mean(1) - expected_px[:, None], axis=-1)
        return np.where(count > 0, median, boxes) / sizes
