"""From pixels to what the recogniser reads: a body-centred, body-sized frame of reference and the features of each joint.

Everything is written for any leading shape `...`: one person, all people of a frame, or a padded batch of clips.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.body.layouts import Layout
from pose_attention_ros.core.body.smoothing import JointSmoother, SmoothingConfig, chosen_rows
from pose_attention_ros.core.types import FEATURE_NAMES

# Bones and their length in torso lengths (mid-shoulder to mid-hip), from the body proportions of Drillis and Contini (1964).
# A bone seen at an angle looks shorter, never longer, so the long ones among these ratios tell the size of the person.
# fmt: off
BONE_LENGTHS: tuple[tuple[str, str, float], ...] = (
    ("left_shoulder", "left_hip", 1.0), ("right_shoulder", "right_hip", 1.0),
    ("left_shoulder", "left_elbow", 0.65), ("right_shoulder", "right_elbow", 0.65),
    ("left_elbow", "left_wrist", 0.51), ("right_elbow", "right_wrist", 0.51),
    ("left_hip", "left_knee", 0.85), ("right_hip", "right_knee", 0.85),
    ("left_knee", "left_ankle", 0.85), ("right_knee", "right_ankle", 0.85),
)
# fmt: on
_SCALE_RANK = 0.25  # the size is the ratio that a quarter of the visible bones exceed


class BodyFrame:
    """Where a person's root is and how many pixels a body unit has, for one layout.

    The root is the middle of the hips; without hips, a body unit below the middle of the shoulders; without these, the
    middle of the joints there are. The scale follows the person slowly, so that bending over does not change it. Of a
    person who has not shown a single bone yet, the diagonal of the joints there are is taken for one body unit.
    """

    def __init__(self, layout: Layout, shape: tuple[int, ...] = (), scale_time_s: float = 1.0) -> None:
        """
        :param shape: leading shape `...` of what it will be called with
        :param scale_time_s: time constant with which the scale follows what is seen, in seconds
        """
        self._hips = [layout.index("left_hip"), layout.index("right_hip")]
        self._shoulders = [layout.index("left_shoulder"), layout.index("right_shoulder")]
        ends = [[layout.index(a), layout.index(b)] for a, b, _ in BONE_LENGTHS]
        self._ends = np.array(ends).T.ravel()  # all first ends, then all second ones
        self._rank_of_count = (np.arange(len(BONE_LENGTHS) + 1) * _SCALE_RANK).astype(np.int64)
        self._inverse_lengths = np.array([1 / length for *_, length in BONE_LENGTHS], np.float32)
        self._scale_time_s = scale_time_s
        self._scale_px = np.zeros(shape, np.float32)  # 0: not seen yet

    def scale_px(self, keypoints_px: np.ndarray, mask: np.ndarray, dt_s: np.ndarray) -> np.ndarray:
        """Pixels a body unit (...), after this frame. keypoints_px (..., V, 2), mask (..., V), dt_s (...) seconds."""
        seen = self._seen_scale_px(keypoints_px, mask)
        gain = 1 - np.exp(-np.asarray(dt_s, np.float32) / np.float32(self._scale_time_s))
        followed = self._scale_px + gain * (seen - self._scale_px)
        if (seen > 0).all() and (self._scale_px > 0).all():  # as almost always
            scale = followed
        else:
            first = np.where(seen > 0, seen, _extent_px(keypoints_px, mask))
            scale = np.where(self._scale_px == 0, first, np.where(seen == 0, self._scale_px, followed))
        self._scale_px = np.asarray(scale, np.float32)
        return np.maximum(self._scale_px, 1)

    def select(self, rows: np.ndarray) -> None:
        """Keep these rows of a one-dimensional leading shape, in this order; -1 is a new person."""
        self._scale_px = chosen_rows(self._scale_px, rows, 0)

    def _seen_scale_px(self, keypoints_px: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """The same from this frame alone; 0 where no bone is visible."""
        bones = len(self._inverse_lengths)
        ends_px, end_there = keypoints_px.take(self._ends, -2), mask.take(self._ends, -1)
        bone = ends_px[..., :bones, :] - ends_px[..., bones:, :]
        bone *= bone
        there = end_there[..., :bones] & end_there[..., bones:]
        ratios = np.where(there, np.sqrt(bone[..., 0] + bone[..., 1]) * self._inverse_lengths, np.float32(-1))
        ratios.sort(-1)  # ascending: rank counts from the end
        rank = self._rank_of_count.take(np.add.reduce(there, -1, np.int64))
        chosen = np.arange(bones - 1, ratios.size, bones).reshape(rank.shape) - rank
        return np.maximum(ratios.take(chosen), 0)

    def root_px(self, keypoints_px: np.ndarray, mask: np.ndarray, scale_px: np.ndarray) -> np.ndarray:
        """The root (..., 2) in pixels; 0 where no joint is there."""
        left, right = self._hips
        if (mask[..., left] & mask[..., right]).all():  # as almost always
            return np.asarray((keypoints_px[..., left, :] + keypoints_px[..., right, :]) / 2, np.float32)
        hips, has_hips = _middle(keypoints_px, mask, self._hips)
        shoulders, has_shoulders = _middle(keypoints_px, mask, self._shoulders)
        everything, _ = _middle(keypoints_px, mask, slice(None))
        below = shoulders + np.stack([np.zeros_like(scale_px), scale_px], -1)
        return np.where(has_hips[..., None], hips, np.where(has_shoulders[..., None], below, everything)).astype(np.float32)


def _extent_px(keypoints_px: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Diagonal of the box round the joints that are there (...); 0 where there is none."""
    there = mask[..., None]
    low = np.where(there, keypoints_px, np.inf).min(-2)
    high = np.where(there, keypoints_px, -np.inf).max(-2)
    some = np.asarray(mask.any(-1))
    return np.where(some, np.linalg.norm(np.where(some[..., None], high - low, 0), axis=-1), 0)


def _middle(keypoints: np.ndarray, mask: np.ndarray, joints: list[int] | slice) -> tuple[np.ndarray, np.ndarray]:
    """Mean of those of `joints` that are there (..., 2), and whether any is (...)."""
    there = mask[..., joints]
    count: np.ndarray = there.sum(-1)
    total = np.where(there[..., None], keypoints[..., joints, :], 0).sum(-2)
    return total / np.maximum(count, 1)[..., None], count > 0


def node_features(nodes: np.ndarray, velocities: np.ndarray, scores: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(..., V, C) float32 with the channels FEATURE_NAMES; 0 throughout for a missing joint.

    :param nodes: (..., V, 2) body units; :param velocities: (..., V, 2) body units a second
    :param scores: (..., V); :param mask: (..., V) bool
    """
    features = np.empty((*np.shape(scores), len(FEATURE_NAMES)), np.float32)
    features[..., :2], features[..., 2:4], features[..., 4] = nodes, velocities, scores
    if not mask.all():
        features[~mask] = 0
    return features


@dataclass(frozen=True, eq=False)
class BodyGraph:
    """nodes (..., V, 2) body units; features (..., V, C); root_px (..., 2); scale_px (...) pixels a body unit."""

    nodes: np.ndarray
    features: np.ndarray
    root_px: np.ndarray
    scale_px: np.ndarray


class FeatureStream:
    """Joints in pixels in, graph nodes and features out, frame by frame: smoothing, body frame and features in a row.

    The robot runs it on the people of a frame, training on a padded batch of clips: one code path, one result.
    """

    def __init__(
        self,
        layout: Layout,
        shape: tuple[int, ...] = (),
        smoothing: SmoothingConfig | None = None,
        scale_time_s: float = 1.0,
    ) -> None:
        self._body = BodyFrame(layout, shape, scale_time_s)
        self._smoother = JointSmoother((*shape, len(layout.joints)), smoothing)

    def __call__(self, keypoints_px: np.ndarray, scores: np.ndarray, mask: np.ndarray, dt_s: np.ndarray) -> BodyGraph:
        """keypoints_px (..., V, 2), scores (..., V), mask (..., V) bool, dt_s (...) seconds since the frame before."""
        scale = self._body.scale_px(keypoints_px, mask, dt_s)
        positions, velocities = self._smoother(keypoints_px, mask, scale, dt_s)
        root = self._body.root_px(positions, mask, scale)
        nodes = np.asarray((positions - root[..., None, :]) / scale[..., None, None], np.float32)
        if not mask.all():
            nodes[~mask] = 0
        return BodyGraph(nodes, node_features(nodes, velocities, scores, mask), root, scale)

    def configure(self, smoothing: SmoothingConfig) -> None:
        """Other settings from the next frame on."""
        self._smoother.config = smoothing

    def select(self, rows: np.ndarray) -> None:
        """Keep these rows of a one-dimensional leading shape, in this order; -1 is a new person."""
        self._body.select(rows)
        self._smoother.select(rows)
