"""How every importer ends: clips without joints are left out and told, and a data set that cannot be right is refused."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.dataset import NO_PART, Clip, SkeletonDataset

log = logging.getLogger(__name__)
NO_JOINTS = "no joint in any frame"
_NAMED = 3  # examples that are told of each reason
# Smaller and larger than these no person is in pixels, whatever the camera: coordinates of 0 to 1 or -1 to 1 are smaller.
_SMALLEST_BODY_PX, _LARGEST_BODY_PX = 4.0, 20_000.0
# Where all joints of a data set lie within this share of the images, or the most outside, the images have another size.
_LEAST_SHARE_OF_IMAGE, _MOST_OUTSIDE, _CLIPS_FOR_SHARE = 0.2, 0.5, 20
_MOST_ODD_CLIPS = 0.05  # share of clips whose scale cannot be; so many may hold a single joint or two
_MOST_MISSING = 0.95  # share of joints
_UPSIDE_DOWN, _FRAMES_FOR_UPRIGHT = 0.9, 100  # share of frames, and how many frames such a share needs
_LEAST_FPS, _MOST_FPS = 0.5, 1000.0
_FEET = ("left_ankle", "right_ankle", "left_foot", "right_foot")
_HEAD = ("head", "nose", "neck", "left_eye", "right_eye")


@dataclass
class LeftOut:
    """Clips that an importer leaves out: {reason: their names}."""

    reasons: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, reason: str, name: str) -> None:
        """A clip `name` is left out."""
        self.reasons[reason].append(name)

    def counts(self) -> dict[str, int]:
        """{reason: number of clips}."""
        return {reason: len(names) for reason, names in self.reasons.items()}

    def lines(self) -> Iterator[str]:
        """A line a reason, with examples."""
        for reason, names in self.reasons.items():
            more = ", ..." if len(names) > _NAMED else ""
            yield f"left out {len(names)} clip{'s' * (len(names) > 1)}, {reason}: {', '.join(names[:_NAMED])}{more}"


def finished(clips: Iterable[Clip], joints: tuple[str, ...], left_out: LeftOut | None = None) -> SkeletonDataset:
    """The data set that an importer makes of `clips`; every importer ends here.

    :param left_out: what the importer itself has left out; clips without a joint are added to it
    :raises UserError: nothing is left, or joints, scale, times or labels are such that they cannot be right
    """
    left_out = left_out if left_out is not None else LeftOut()
    clips = list(clips)
    kept = [clips[i] for i in with_joints(clips, left_out)]
    for line in left_out.lines():
        log.warning("%s", line)
    if not kept:
        reasons = "; ".join(f"{number} clips with {reason}" for reason, number in left_out.counts().items())
        raise UserError(f"nothing to import: {reasons or 'no clip found in the source'}")
    data = SkeletonDataset.from_clips(kept, joints)
    problem = next((problem for check in _CHECKS for problem in check(data)), None)
    if problem:
        raise UserError(f"the import cannot be right: {problem}")
    for line in _remarks(data):
        log.warning("%s", line)
    return replace(data, left_out=left_out.counts())


def with_joints(clips: Sequence[Clip], left_out: LeftOut) -> list[int]:
    """Numbers of the clips that can be used; the others go to `left_out`."""
    kept = []
    for i, clip in enumerate(clips):
        if len(clip.scores) and (clip.scores > 0).any():
            kept.append(i)
        else:
            left_out.add(NO_JOINTS, f"clip {i} ({clip.label}{', ' if clip.group else ''}{clip.group})")
    return kept


def _joints_there(data: SkeletonDataset) -> Iterator[str]:
    missing = float((data.scores == 0).mean())
    if missing > _MOST_MISSING:
        yield f"{missing:.1%} of the joints are missing; is the person taken whom the file holds the joints of?"


def _scale(data: SkeletonDataset) -> Iterator[str]:
    bodies_px = _bodies_px(data)
    small, large = bodies_px < _SMALLEST_BODY_PX, bodies_px > _LARGEST_BODY_PX
    if small.mean() > _MOST_ODD_CLIPS:
        yield (
            f"people are {np.median(bodies_px[small]):.2g} pixels large{_in(small)}, the coordinates run to "
            f"{_largest(data, small):.3g}: expected pixels, not shares of the image; multiply them by the image's width "
            "and height"
        )
    elif large.mean() > _MOST_ODD_CLIPS:
        yield (
            f"people are {np.median(bodies_px[large]):.3g} pixels large{_in(large)}: expected pixels, not millimetres or "
            "other units"
        )
    known = np.repeat((data.image_size > 0).all(1), np.diff(data.offsets))[:, None] & (data.scores > 0)
    if not known.any():
        return
    size = np.repeat(data.image_size, np.diff(data.offsets), axis=0)[:, None]
    place = (data.keypoints / np.maximum(size, 1))[known]
    outside = float(((place < -1) | (place > 2)).any(1).mean())
    if outside > _MOST_OUTSIDE:
        yield (
            f"{outside:.0%} of the joints lie more than an image's size outside their image; are the sizes those of the "
            "images?"
        )
    farthest = float(np.quantile(place.max(1), 0.99))
    if farthest < _LEAST_SHARE_OF_IMAGE and len(data) >= _CLIPS_FOR_SHARE:
        yield (
            f"all joints lie in the first {farthest:.0%} of their images; are the coordinates those of smaller images "
            f"than {data.image_size[0][0]}x{data.image_size[0][1]}?"
        )


def _upright(data: SkeletonDataset) -> Iterator[str]:
    """y grows downwards in images, and upwards where joints are in metres."""
    heads, feet = (_mean_height(data, names) for names in (_HEAD, _FEET))
    both = np.isfinite(heads) & np.isfinite(feet)
    below = float((heads[both] > feet[both]).mean()) if both.any() else 0.0
    if both.sum() >= _FRAMES_FOR_UPRIGHT and below > _UPSIDE_DOWN:
        yield f"heads are below the feet in {below:.0%} of the frames; expected y to grow downwards, as in images"


def _times(data: SkeletonDataset) -> Iterator[str]:
    odd = data.fps[(data.fps > 0) & ((data.fps < _LEAST_FPS) | (data.fps > _MOST_FPS))]
    if len(odd):
        yield f"a frame rate is {odd[0]:.3g} frames a second, expected {_LEAST_FPS:g} to {_MOST_FPS:g}, or 0 for unknown"


def _labels(data: SkeletonDataset) -> Iterator[str]:
    odd = [label for label in data.labels.tolist() if label.strip().lower() in ("", "nan", "none")]
    if odd:
        yield f"{len(odd)} clips have the label {odd[0]!r}, expected a class name"


_CHECKS: tuple[Callable[[SkeletonDataset], Iterator[str]], ...] = (_joints_there, _scale, _upright, _times, _labels)


def _remarks(data: SkeletonDataset) -> Iterator[str]:
    """What may be meant so, and yet is worth a line."""
    tiny = int((_bodies_px(data) < _SMALLEST_BODY_PX).sum())
    if tiny:
        yield f"people are smaller than {_SMALLEST_BODY_PX:g} pixels in {tiny} of {len(data)} clips"
    absent = [joint for joint, seen in zip(data.joints, (data.scores > 0).any(0)) if not seen]
    if absent:
        yield f"no clip has a joint {', '.join(absent)}"
    classes = set(data.labels.tolist())
    if len(classes) == 1:
        yield f"there is only one class, {classes.pop()}; a recogniser needs at least two"
        return
    parts = {split: set(data.labels[data.split == split].tolist()) for split in set(data.split.tolist()) - {"", NO_PART}}
    for split, found in sorted(parts.items()):
        untaught = sorted(found - parts.get("train", set()))
        if split != "train" and untaught:
            yield f"{len(untaught)} classes are in {split} and not in train: {', '.join(untaught[:_NAMED])}"


def _in(clips: np.ndarray) -> str:
    """How many of the clips, (N,) bool, where these are not all."""
    return "" if clips.all() else f" in {clips.sum()} of {len(clips)} clips"


def _bodies_px(data: SkeletonDataset) -> np.ndarray:
    """(N,) for each clip the median over its frames of the larger side of the box around the joints, in pixels; of frames
    with half as many joints as its best one or more."""
    there = data.scores > 0
    low = np.where(there[..., None], data.keypoints, np.inf).min(1)
    high = np.where(there[..., None], data.keypoints, -np.inf).max(1)
    sides, joints = (high - low).max(1), there.sum(1)
    clips = [slice(*ends) for ends in zip(data.offsets, data.offsets[1:])]
    return np.array([np.median(sides[clip][2 * joints[clip] >= joints[clip].max()]) for clip in clips])


def _largest(data: SkeletonDataset, clips: np.ndarray) -> float:
    """The largest coordinate of the clips, (N,) bool."""
    chosen = np.repeat(clips, np.diff(data.offsets))
    return float(np.abs(data.keypoints[chosen][data.scores[chosen] > 0]).max())


def _mean_height(data: SkeletonDataset, names: Sequence[str]) -> np.ndarray:
    """(F,) mean y of those of the joints that are there, NaN where none is."""
    rows = [data.joints.index(name) for name in names if name in data.joints]
    there = data.scores[:, rows] > 0
    number = there.sum(1)
    total = np.where(there, data.keypoints[:, rows, 1], 0).sum(1)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)
