"""What travels between the stages: frozen records of numpy arrays, checked once when they are made.

N is the number of people, V the joints of the record's layout, C the features of a node, K the action classes,
W the ticks of an evidence window. Times are capture stamps in nanoseconds and are copied through every stage.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.body.layouts import Layout, layout

FARTHEST_PX = 1e6  # nothing that was measured lies beyond


def _array(owner: object, name: str, shape: tuple, dtype: type) -> None:
    """Coerce field `name` of a frozen record to a contiguous `dtype` array."""
    given = getattr(owner, name)
    value: np.ndarray = np.ascontiguousarray(given, dtype=dtype)
    if value.shape != shape:
        raise ValueError(f"{type(owner).__name__}.{name} has shape {value.shape}, expected {shape}")
    if value is not given:
        object.__setattr__(owner, name, value)


def _finite(owner: object, *names: str) -> None:
    for name in names:
        values = getattr(owner, name)
        # A finite sum of squares is one of finite numbers, at a fifth of the cost of asking each.
        if not math.isfinite(np.vdot(values, values)) and not np.isfinite(values).all():
            raise ValueError(f"{type(owner).__name__}.{name} holds NaN or infinity; expected finite numbers")


@dataclass(frozen=True, eq=False)
class Frame:
    """One camera image. `image_bgr` is (height, width, 3) uint8; `stamp_ns` the capture time; `frame_id` the camera's."""

    image_bgr: np.ndarray
    stamp_ns: int
    frame_id: str = ""

    def __post_init__(self) -> None:
        image = self.image_bgr
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            found = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            raise ValueError(f"Frame.image_bgr is {found}, expected uint8 (height, width, 3)")
        if 0 in image.shape:
            raise ValueError(f"Frame.image_bgr is empty: shape {image.shape}")


@dataclass(frozen=True, eq=False)
class Skeletons:
    """All people of one image, as the pose estimator saw them.

    keypoints_px (N, V, 2) float32, x right and y down; scores (N, V) float32 in [0, 1], 0 for a missing joint
    (its coordinates then mean nothing); boxes_xyxy (N, 4) float32 pixels; person_scores (N,) float32 in [0, 1];
    image_size (width, height) in pixels.
    """

    stamp_ns: int
    frame_id: str
    layout: Layout
    image_size: tuple[int, int]
    keypoints_px: np.ndarray
    scores: np.ndarray
    boxes_xyxy: np.ndarray
    person_scores: np.ndarray

    def __post_init__(self) -> None:
        people, joints = len(self.keypoints_px), len(self.layout.joints)
        _array(self, "keypoints_px", (people, joints, 2), np.float32)
        _array(self, "scores", (people, joints), np.float32)
        _array(self, "boxes_xyxy", (people, 4), np.float32)
        _array(self, "person_scores", (people,), np.float32)
        # An estimator's NaN is a missing joint, which is a score of 0; it never travels further. Nor does a place so far
        # away that no camera can have seen it, whose squares overflow.
        near = np.vdot(self.keypoints_px, self.keypoints_px) <= 0.9 * FARTHEST_PX**2  # none of them can be farther then
        if not (near and math.isfinite(np.vdot(self.scores, self.scores))):
            self._miss_what_cannot_be()
        _finite(self, "boxes_xyxy", "person_scores")

    def _miss_what_cannot_be(self) -> None:
        missing = ~((np.abs(self.keypoints_px) <= FARTHEST_PX).all(-1) & np.isfinite(self.scores))
        if missing.any():
            object.__setattr__(self, "keypoints_px", np.where(missing[..., None], np.float32(0), self.keypoints_px))
            object.__setattr__(self, "scores", np.where(missing, np.float32(0), self.scores))

    def __len__(self) -> int:
        return len(self.keypoints_px)

    @classmethod
    def empty(cls, stamp_ns: int, frame_id: str, layout_name: str, image_size: tuple[int, int]) -> Skeletons:
        """Nobody in view."""
        table = layout(layout_name)
        joints = len(table.joints)
        return cls(
            stamp_ns,
            frame_id,
            table,
            image_size,
            np.zeros((0, joints, 2)),
            np.zeros((0, joints)),
            np.zeros((0, 4)),
            np.zeros(0),
        )


# Channels of `SkeletonGraphs.features`, in order; a model states the list it was trained with.
# x, y: position in body units from the body's root. vx, vy: velocity in the image, body units a second.
# score: the joint's confidence, 0 where it is missing (the other channels are 0 there too).
FEATURE_NAMES: tuple[str, ...] = ("x", "y", "vx", "vy", "score")


@dataclass(frozen=True, eq=False)
class SkeletonGraphs:
    """The tracked people of one image as graphs: what the recogniser reads. Edges follow from the layout.

    track_ids (N,) int64; nodes (N, V, 2) float32 normalised positions, so that
    pixels = nodes * scales_px[:, None, None] + roots_px[:, None]; features (N, V, C) float32, channels FEATURE_NAMES;
    mask (N, V) bool, False for a missing joint; ages_s (N,) float32 seconds since the track began;
    roots_px (N, 2) float32; scales_px (N,) float32 pixels a body unit (one torso length);
    boxes_xyxy (N, 4) float32 pixels; image_size (width, height) in pixels.
    """

    stamp_ns: int
    frame_id: str
    layout: Layout
    image_size: tuple[int, int]
    track_ids: np.ndarray
    nodes: np.ndarray
    features: np.ndarray
    mask: np.ndarray
    ages_s: np.ndarray
    roots_px: np.ndarray
    scales_px: np.ndarray
    boxes_xyxy: np.ndarray

    def __post_init__(self) -> None:
        people, joints = len(self.track_ids), len(self.layout.joints)
        _array(self, "track_ids", (people,), np.int64)
        _array(self, "nodes", (people, joints, 2), np.float32)
        _array(self, "features", (people, joints, len(FEATURE_NAMES)), np.float32)
        _array(self, "mask", (people, joints), np.bool_)
        _array(self, "ages_s", (people,), np.float32)
        _array(self, "roots_px", (people, 2), np.float32)
        _array(self, "scales_px", (people,), np.float32)
        _array(self, "boxes_xyxy", (people, 4), np.float32)
        _finite(self, "nodes", "features", "roots_px", "scales_px")

    def __len__(self) -> int:
        return len(self.track_ids)

    def keypoints_px(self) -> np.ndarray:
        """The smoothed joints back in pixels, (N, V, 2) float32; meaningless where `mask` is False."""
        return self.nodes * self.scales_px[:, None, None] + self.roots_px[:, None]


class LabelState(enum.IntEnum):
    """How far the recogniser commits itself; the numbers are those of ActionLabel.msg."""

    WARMING_UP = 0  # too little of this person has been seen
    UNKNOWN = 1  # evidence enough, but no class is above the calibrated threshold
    CONFIRMED = 2  # `label` is a class


UNKNOWN_LABEL = "unknown"


@dataclass(frozen=True, eq=False)
class ActionEstimate:
    """What one person is doing at `stamp_ns` of the enclosing record.

    label: a class name, or UNKNOWN_LABEL unless state is CONFIRMED; confidence: calibrated probability of the best class
    (whatever the state), in [0, 1]; scores (K,) float32 sum to 1; onset_ns: since when this label holds;
    evidence_start_ns, evidence_end_ns: the span of frames that the scores rest on; joint_attention (V,) float32 sums to 1
    (the weights of the newest tick); frame_attention (W,) float32 sums to 1, oldest first; frame_stamps_ns (W,) int64.
    """

    track_id: int
    label: str
    state: LabelState
    confidence: float
    scores: np.ndarray
    onset_ns: int
    evidence_start_ns: int
    evidence_end_ns: int
    joint_attention: np.ndarray
    frame_attention: np.ndarray
    frame_stamps_ns: np.ndarray


@dataclass(frozen=True, eq=False)
class ActionEstimates:
    """The estimates of every tracked person of one image; `classes` names the K scores, `layout` the V joint weights."""

    stamp_ns: int
    frame_id: str
    layout: Layout
    classes: tuple[str, ...]
    model_id: str
    model_sha256: str
    people: tuple[ActionEstimate, ...]

    def __len__(self) -> int:
        return len(self.people)
