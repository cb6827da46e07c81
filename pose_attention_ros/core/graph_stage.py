"""Second stage of the pipeline: the skeletons of one image become tracked, smoothed, normalised graphs."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.body.features import BodyGraph, FeatureStream
from pose_attention_ros.core.body.layouts import LAYOUTS, layout, layout_map
from pose_attention_ros.core.body.smoothing import SmoothingConfig, chosen_rows
from pose_attention_ros.core.config import setting
from pose_attention_ros.core.people.tracking import PersonTracker, TrackingConfig
from pose_attention_ros.core.time.resampling import GapConfig
from pose_attention_ros.core.types import SkeletonGraphs, Skeletons

_log = logging.getLogger(__name__)
_SAME_SHAPE = 0.02  # widths over heights that differ by less are those of one camera in several sizes


@dataclass(frozen=True)
class GraphConfig(GapConfig, TrackingConfig, SmoothingConfig):
    """Settings of the graph stage."""

    layout: str = setting(
        "common13", "joint layout of the graphs; the recogniser's model must have been trained on it", choices=tuple(LAYOUTS)
    )
    min_joint_score: float = setting(
        0.2, "a joint that the estimator is less sure of counts as missing", low=0.0, high=1.0, live=True
    )


class GraphStage:
    """Call it with the Skeletons of successive images; state is kept a track and freed with it.

    A camera that goes on with images of another size but the same shape sees the same people: they are followed in pixels
    of the first size.
    """

    def __init__(self, config: GraphConfig | None = None) -> None:
        self._config = config or GraphConfig()
        self._layout = layout(self._config.layout)
        self._tracker = PersonTracker(self._config)
        self._restart()

    def configure(self, config: GraphConfig) -> None:
        """Other live settings from the next frame on; the tracks stay."""
        self._config = config
        self._stream.configure(config)

    def reset(self) -> None:
        """Forget everybody; ids given before are not given again."""
        self._tracker.reset()
        self._restart()

    def _restart(self) -> None:
        self._stamp_ns: int | None = None
        self._size: tuple[int, int] | None = None
        self._tracks: list[int] = []  # row of the feature stream -> track id
        self._row_of: dict[int, int] = {}  # and back
        self._born_ns = np.zeros(0, np.int64)  # of each row
        self._stream = FeatureStream(self._layout, (0,), self._config)

    def __call__(self, skeletons: Skeletons) -> SkeletonGraphs:
        """The people of one image who have a track. Raises ValueError for a layout that lacks the body."""
        dt_s = self._elapsed_s(skeletons.stamp_ns)
        to_layout = layout_map(skeletons.layout.name, self._layout.name)
        keypoints_px, scores = to_layout(skeletons.keypoints_px, skeletons.scores)
        mask = scores >= max(self._config.min_joint_score, 1e-6)
        zoom, boxes_xyxy = self._zoom(skeletons.image_size), skeletons.boxes_xyxy
        boxes_px = boxes_xyxy
        if zoom != 1:
            keypoints_px, boxes_px = keypoints_px * zoom, boxes_xyxy * zoom
        ids, alive = self._tracker(keypoints_px, mask, boxes_px, skeletons.person_scores, dt_s)
        self._follow(alive, skeletons.stamp_ns)

        if not (ids >= 0).all():  # somebody has no track yet
            person = np.flatnonzero(ids >= 0)
            keypoints_px, scores, mask, ids = keypoints_px[person], scores[person], mask[person], ids[person]
            boxes_xyxy = boxes_xyxy[person]
        row = np.array([self._row_of[track_id] for track_id in ids.tolist()], np.int64)
        body = self._advance(row, keypoints_px, scores, mask, dt_s)
        root_px, scale_px = body.root_px.take(row, 0), body.scale_px.take(row)
        if zoom != 1:
            root_px, scale_px = root_px / zoom, scale_px / zoom
        return SkeletonGraphs(
            skeletons.stamp_ns,
            skeletons.frame_id,
            self._layout,
            skeletons.image_size,
            ids,
            body.nodes.take(row, 0),
            body.features.take(row, 0),
            mask,
            (skeletons.stamp_ns - self._born_ns.take(row)) * 1e-9,
            root_px,
            scale_px,
            boxes_xyxy,
        )

    def _zoom(self, size: tuple[int, int]) -> np.float32:
        """Pixels in which the people are followed, a pixel of this image."""
        if self._size is None or abs(self._size[0] * size[1] / max(self._size[1] * size[0], 1) - 1) > _SAME_SHAPE:
            self._size = size
        return np.float32(self._size[0] / max(size[0], 1))

    def _elapsed_s(self, stamp_ns: int) -> float:
        """Seconds since the image before; starts afresh, with one log line, where time jumps."""
        before, self._stamp_ns = self._stamp_ns, stamp_ns
        if before is None:
            return 0.0
        dt_s = (stamp_ns - before) * 1e-9
        if 0 < dt_s <= self._config.max_gap_s:
            return dt_s
        what = "image stamps went back by" if dt_s <= 0 else "no image for"
        _log.warning("%s %.2f s: all %d tracks start afresh", what, abs(dt_s), len(self._tracks))
        self.reset()
        self._stamp_ns = stamp_ns
        return 0.0

    def _follow(self, alive: list[int], stamp_ns: int) -> None:
        """Give new tracks a row of the feature stream and free those of ended ones."""
        if alive == self._tracks:
            return
        rows = np.array([self._row_of.get(track_id, -1) for track_id in alive], np.int64)
        self._stream.select(rows)
        self._born_ns = chosen_rows(self._born_ns, rows, stamp_ns)
        self._tracks, self._row_of = alive, {track_id: row for row, track_id in enumerate(alive)}

    def _advance(
        self, row: np.ndarray, keypoints_px: np.ndarray, scores: np.ndarray, mask: np.ndarray, dt_s: float
    ) -> BodyGraph:
        """Move every living track on by dt_s; those not seen in this image have no joints."""
        elapsed_s = np.full(len(self._tracks), dt_s, np.float32)
        if len(row) == len(self._tracks):  # everybody is seen
            person = row.argsort()
            return self._stream(keypoints_px.take(person, 0), scores.take(person, 0), mask.take(person, 0), elapsed_s)
        shape = (len(self._tracks), len(self._layout.joints))
        keypoints_of, scores_of, mask_of = np.zeros((*shape, 2), "f4"), np.zeros(shape, "f4"), np.zeros(shape, "?")
        keypoints_of[row], scores_of[row], mask_of[row] = keypoints_px, scores, mask
        return self._stream(keypoints_of, scores_of, mask_of, elapsed_s)
