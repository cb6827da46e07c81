"""Moments of video and photos in which a whole person is seen, and the parts of the image that a nearer camera would see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pose_attention_ros.cameras import CameraConfig, open_source
from pose_attention_ros.core.body.features import BodyFrame
from pose_attention_ros.core.body.layouts import layout, layout_map
from pose_attention_ros.core.types import Frame
from pose_attention_ros.inference.pose import PoseConfig, PoseEstimator

LAYOUT = layout("common13")
KINDS = ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
KIND_OF = np.array([next(k for k, kind in enumerate(KINDS) if joint.endswith(kind)) for joint in LAYOUT.joints])
SMALL = (8, 12, 20, 40, 80)  # pixels a torso length at the network's input, of people made small
RUN = 3  # frames in a row of a moment of video: what a second difference needs
SURE = 0.25  # a joint whose score is at least this, in every frame, is taken for true
_ENOUGH = 10  # so many of the 13 must be, and all of shoulders, hips and knees
_SAME = 0.5  # torso lengths: median distance of the visible joints up to which a found person is the true one
_TRUNK = np.isin(KIND_OF, [KINDS.index(kind) for kind in ("shoulder", "hip", "knee")])
_MARGIN = 0.4  # torso lengths round the body in a view
_SIDES = {"left": (0, -1), "top": (1, -1), "right": (0, 1), "bottom": (1, 1)}  # axis, and outwards


@dataclass(frozen=True)
class Shot:
    """RUN frames of video, or one photo, with the whole person's joints.

    truth_px (T, V, 2), truth_scores (T, V); others_px (K, 2): where other people are; torso_px: pixels a torso length
    """

    source: str
    images: tuple[np.ndarray, ...]
    truth_px: np.ndarray
    truth_scores: np.ndarray
    others_px: np.ndarray
    torso_px: float

    @property
    def middle(self) -> int:
        return len(self.images) // 2

    @property
    def sure(self) -> np.ndarray:
        """(V,) bool, the joints that are compared."""
        return self.truth_scores.min(0) >= SURE

    @property
    def upright(self) -> bool:
        return stands(self.truth_px[self.middle])


def stands(xy: np.ndarray) -> bool:
    """Trunk within 35 degrees of the vertical, knees well below the hips, ankles below the knees. xy (V, 2)."""
    shoulder, hip, knee, ankle = (_level(xy, kind) for kind in ("shoulder", "hip", "knee", "ankle"))
    trunk = hip - shoulder
    return bool(
        trunk[1] > abs(trunk[0]) / np.tan(np.deg2rad(35))
        and min(knee[1] - hip[1], ankle[1] - knee[1]) > 0.15 * np.linalg.norm(trunk)
    )


def people(pose: PoseEstimator, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joints (P, V, 2) in pixels and scores (P, V) of LAYOUT, the most certain person first."""
    found = pose(Frame(np.ascontiguousarray(image), 0))
    return layout_map(found.layout.name, LAYOUT.name)(found.keypoints_px, found.scores)


def torso_px(xy: np.ndarray, seen: np.ndarray) -> float:
    """Pixels a torso length, as the graph stage has it."""
    return float(BodyFrame(LAYOUT).scale_px(xy, seen, np.float32(0)))


def input_torso_px(unit_px: float, image_size: tuple[int, int]) -> float:
    """A torso of `unit_px` image pixels in pixels of the network's input."""
    return unit_px * PoseConfig().input_size / max(image_size)


def match(xy: np.ndarray, truth: np.ndarray, visible: np.ndarray, unit_px: float) -> tuple[int, float]:
    """Row of the found person nearest to the visible true joints, and the median distance in torso lengths; -1 for none."""
    if not len(xy) or not visible.any():
        return -1, np.inf
    apart = np.median(np.linalg.norm(xy - truth, axis=-1)[:, visible], axis=1) / unit_px
    return int(apart.argmin()), float(apart.min())


def same(row: int, apart: float) -> bool:
    """Whether what `match` found is the true person."""
    return row >= 0 and apart < _SAME


def shot_of(pose: PoseEstimator, source: str, images: list[np.ndarray]) -> Shot | None:
    """The largest person, estimated from the whole image and again, larger, from the part round the person. None where the
    two disagree, trunk or knees are not sure, or the person jumps from frame to frame."""
    middle = len(images) // 2
    xy, _ = people(pose, images[middle])
    if not len(xy):
        return None
    best = int(np.argmax([np.ptp(person, axis=0).max() for person in xy]))
    size = np.array(images[middle].shape[1::-1])
    margin = 0.2 * np.ptp(xy[best], axis=0).max()
    low = np.clip(xy[best].min(0) - margin, 0, size).astype(int)
    high = np.clip(xy[best].max(0) + margin, 0, size).astype(int)
    if (high - low).min() < 32:
        return None
    truths, truth_scores = [], []
    for image in images:
        near, near_scores = people(pose, image[low[1] : high[1], low[0] : high[0]])
        if not len(near):
            return None
        row = int(np.linalg.norm(near + low - xy[best], axis=-1).mean(1).argmin())
        truths.append(near[row] + low)
        truth_scores.append(near_scores[row])
    shot = Shot(
        source,
        tuple(images),
        np.array(truths),
        np.array(truth_scores),
        np.delete(xy, best, 0).mean(1),
        torso_px(truths[middle], truth_scores[middle] >= SURE),
    )
    apart = np.linalg.norm(shot.truth_px[middle] - xy[best], axis=-1)[shot.sure]
    moved = np.linalg.norm(np.diff(shot.truth_px, axis=0), axis=-1)[:, shot.sure]
    sure = shot.sure[_TRUNK].all() and shot.sure.sum() >= _ENOUGH and truth_scores[middle].mean() >= 0.45
    return shot if sure and np.median(apart) < 0.15 * shot.torso_px and moved.max(initial=0) < 0.6 * shot.torso_px else None


def video_moments(path: Path, most: int) -> Iterator[list[np.ndarray]]:
    """Up to `most` runs of RUN frames, evenly spread."""
    camera = open_source(str(path), CameraConfig())
    frames = []
    try:
        while (frame := camera.read()) is not None:
            frames.append(frame.image_bgr.copy())
    finally:
        camera.close()
    starts = np.unique(np.linspace(0, len(frames) - RUN, most + 2).round().astype(int)[1:-1]) if len(frames) > RUN else []
    for start in starts:
        yield frames[start : start + RUN]


def views(shot: Shot, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """By name, at which pixel coordinates each side of the image cuts the body: side -> coordinate."""
    xy = shot.truth_px[shot.middle]
    unit, low, high = shot.torso_px, xy.min(0), xy.max(0)
    side = ("left", "right")[rng.integers(2)]
    third = low[0] + (high[0] - low[0]) / 3 if side == "left" else high[0] - (high[0] - low[0]) / 3
    shoulder, hip, knee, ankle = (_level(xy, kind) for kind in ("shoulder", "hip", "knee", "ankle"))
    middle = (shoulder[0] + hip[0]) / 2
    every = {"nothing": {}, "half": {side: middle}, "third": {side: third}}
    if not shot.upright:
        return every
    return every | {
        "feet": {"bottom": (knee[1] + ankle[1]) / 2},
        "legs": {"bottom": hip[1] + 0.6 * (knee[1] - hip[1])},
        "hips and legs": {"bottom": hip[1] - 0.25 * unit},
        "below the chest": {"bottom": shoulder[1] + 0.4 * unit},
        "all but the head": {"bottom": shoulder[1] + 0.1 * unit},
        "all but head and one arm": {"bottom": shoulder[1] + 0.6 * unit, side: middle + _SIDES[side][1] * 0.15 * unit},
        "head": {"top": shoulder[1] - 0.05 * unit},
        "upper body": {"top": hip[1] - 0.15 * unit},
        "all but the shins": {"top": (hip[1] + knee[1]) / 2},
    }


def window(shot: Shot, cuts: dict[str, float], zoom: float) -> tuple[int, int, int, int] | None:
    """The part of the image that is seen, (left, top, right, bottom): the body with a margin up to the cuts, `zoom` times as
    high, four to three where the image goes so far. None where too little of the image is left."""
    xy = shot.truth_px.reshape(-1, 2)
    height, width = shot.images[0].shape[:2]
    box = {
        "left": xy[:, 0].min() - _MARGIN * shot.torso_px,
        "top": xy[:, 1].min() - _MARGIN * shot.torso_px,
        "right": xy[:, 0].max() + _MARGIN * shot.torso_px,
        "bottom": xy[:, 1].max() + _MARGIN * shot.torso_px,
    } | cuts
    high = zoom * max(box["bottom"] - box["top"], 0.75 * (box["right"] - box["left"]))
    for (first, last), size in {("left", "right"): high * 4 / 3, ("top", "bottom"): high}.items():
        room = size - (box[last] - box[first])
        before = 0.0 if first in cuts else 1.0 if last in cuts else 0.5
        if first in cuts and last in cuts:
            room = 0.0
        box[first] -= before * room
        box[last] += (1 - before) * room
    left, top = max(0, round(box["left"])), max(0, round(box["top"]))
    right, bottom = min(width, round(box["right"])), min(height, round(box["bottom"]))
    return (left, top, right, bottom) if min(right - left, bottom - top) >= 32 else None


def beyond(xy: np.ndarray, cuts: dict[str, float]) -> dict[str, np.ndarray]:
    """How far points (..., 2) lie outside of each cut, in pixels; negative inside."""
    return {side: sign * (xy[..., axis] - cuts[side]) for side, (axis, sign) in _SIDES.items() if side in cuts}


def outwards(side: str) -> np.ndarray:
    """(2,) unit vector out of the image through this side."""
    axis, sign = _SIDES[side]
    return np.eye(2)[axis] * sign


def hidden_behind(image: np.ndarray, box: tuple[int, int, int, int], textured: bool, seed: int) -> np.ndarray:
    """A copy with a rectangle (left, top, right, bottom) of one colour or of a woven pattern over it."""
    rng = np.random.default_rng(seed)
    left, top, right, bottom = box
    colour = rng.uniform(40, 190) + rng.uniform(-15, 15, 3)
    size = (bottom - top, right - left, 3)
    if textured:
        stripes = cv2.resize(rng.normal(0, 30, (max(2, size[0] // 6), max(2, size[1] // 25))), size[1::-1])
        colour = colour + stripes[..., None] + rng.normal(0, 6, size)
    covered = image.copy()
    covered[top:bottom, left:right] = np.clip(np.broadcast_to(colour, size), 0, 255).astype(np.uint8)
    return covered


def _level(xy: np.ndarray, kind: str) -> np.ndarray:
    """(2,) the middle of the left and the right joint."""
    return xy[KIND_OF == KINDS.index(kind)].mean(0)
