"""A second look at small people: parts of the image, enlarged side by side into one small extra input.

Where people are small, the first look, at the whole image, is a smaller one than it would be alone: parts find more of them
for the same time. Where everybody is large there is no second look, and the first is what it would be alone. What it may
cost is counted in pixels of the input, not in time, so that the same images give the same people on every machine.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.people.second_look import FirstLook, Places, SecondLook
from pose_attention_ros.core.types import Frame, Skeletons
from pose_attention_ros.inference.joining import chosen, joined
from pose_attention_ros.inference.letterbox import Letterbox
from pose_attention_ros.inference.pose import STRIDE, PoseConfig, PoseEstimator
from pose_attention_ros.inference.topdown.crops import cut

_PART_PX = np.array([48, 80])  # width and height of a part in the extra input
_BLOCK = np.array([2, 2])  # parts side by side and above one another, which make sides that are multiples of 32
_BLOCK_PX = _PART_PX * _BLOCK
_FIRST = 0.9  # of the asked-for side of the input: the first look's
_ENOUGH_PX = 256  # but no less where so much is asked for: near people are best seen at this side
_DEARER = 1.16  # what a pixel of so small an input costs, in pixels of the first look's
_COST_PX = _DEARER * _BLOCK_PX.prod()
_LARGE_PX = 96  # height in the first look's input from which a person needs no other
_SUSPECTED_SCORE = 0.04  # of a person in the first look
_NEW_SCORE = 0.25  # of somebody whom nothing but the scan has seen
_CENTRED = 0.25  # of a part's sides; an expected person is this near to its middle
_LONGEST_GAP_S = 1.0
_SMALL_S = 1.0  # after somebody small was found the first look stays a smaller one for so long


class TwoViews(PoseEstimator, Protocol):
    """An estimator that can look at an image beside its stream; `input_size` is (width, height) of its network's input."""

    @property
    def input_size(self) -> tuple[int, int]: ...

    def look(self, image_bgr: np.ndarray) -> Skeletons:
        """The people of an image whose sides are multiples of STRIDE, and which is not scaled."""
        ...


def refuse_small(config: PoseConfig) -> None:
    """Raises UserError where the input that the runtime is opened for has no room for a block of parts."""
    if config.input_size < _BLOCK_PX.max():
        raise UserError(
            f"zoom is {config.zoom!r}, which needs an input_size of {_BLOCK_PX.max()} px or more, and it is "
            f"{config.input_size}; expected zoom off or a larger input"
        )


def first_side(input_size: int) -> int:
    """The longer side of the first look's input where one look alone would have `input_size`."""
    return min(input_size, max(_ENOUGH_PX, round(_FIRST * input_size / STRIDE) * STRIDE))


class Zoom:
    """A PoseEstimator. It remembers the people of a second or so."""

    _stamp_ns: int  # of the image before
    _small_ns: int | None  # of the newest image in which somebody small was found
    _image_size: tuple[int, int]
    _saved_px: float  # pixels of the input that a second look may still cost

    def __init__(self, near: TwoViews, far: TwoViews, config: PoseConfig) -> None:
        """`near` looks at the whole image alone; `far` at a smaller one, and at the parts."""
        self._near, self._far, self._config = near, far, config
        self._inner = near  # who looks at the whole image now
        far.resize(first_side(config.input_size))
        self.layout, self.resizable = near.layout, near.resizable
        self.network_s = 0.0
        self._looks = SecondLook()
        self._restart()
        self.configure(config)

    @property
    def backend(self) -> str:
        """What computes."""
        return self._inner.backend

    def __call__(self, frame: Frame) -> Skeletons:
        """The people of `frame`, most certain first."""
        self._inner = self._far if self._small(frame.stamp_ns) else self._near
        everybody = self._inner(frame)  # with those whom it only suspects
        self.network_s = self._inner.network_s
        sure = everybody.person_scores >= self._config.min_person_score
        found = chosen(everybody, sure)
        gap_s = (frame.stamp_ns - self._stamp_ns) * 1e-9
        if found.image_size != self._image_size or not 0 < gap_s <= _LONGEST_GAP_S:
            self._restart()
        self._image_size, self._stamp_ns = found.image_size, frame.stamp_ns
        large_px = _LARGE_PX * found.image_size[1] / self._inner.input_size[1]
        blocks = self._affordable()
        if blocks:
            first = FirstLook(
                frame.stamp_ns,
                found.image_size,
                found.boxes_xyxy,
                found.person_scores,
                everybody.boxes_xyxy[~sure],
                large_px,
            )
            places = self._looks.places(first, blocks * int(_BLOCK.prod()))
            if len(places):
                self._saved_px -= blocks * _COST_PX
                found = joined(found, self._look(frame, places, blocks))
        self._looks.remember(frame.stamp_ns, found.boxes_xyxy)
        if (found.boxes_xyxy[:, 3] - found.boxes_xyxy[:, 1] < large_px).any():
            self._small_ns = frame.stamp_ns
        return found

    def image_features(self) -> None:
        """See PoseEstimator."""

    def warm_up(self, image_size: tuple[int, int]) -> None:
        """See PoseEstimator."""
        self._image_size = image_size
        for inner in (self._near, self._far) if self._smaller() else (self._near,):
            inner.warm_up(image_size)
            self._inner = inner
            self._far.look(_canvas(self._blocks()))
        self._restart()

    def configure(self, config: PoseConfig) -> None:
        """See PoseEstimator."""
        least = min(config.min_person_score, _SUSPECTED_SCORE)
        for inner in (self._near, self._far):
            inner.configure(dataclasses.replace(config, min_person_score=least))
        self._config = dataclasses.replace(config, input_size=self._config.input_size)

    def resize(self, input_size: int) -> None:
        """See PoseEstimator."""
        self._near.resize(input_size)
        self._far.resize(first_side(input_size))
        self._config = dataclasses.replace(self._config, input_size=input_size)

    def close(self) -> None:
        """See PoseEstimator."""
        self._near.close()
        self._far.close()

    def _restart(self) -> None:
        self._looks.restart()
        self._stamp_ns, self._image_size, self._small_ns = 0, (0, 0), None
        self._saved_px = 0.0

    def _smaller(self) -> bool:
        """Whether a first look can be a smaller one at all."""
        return first_side(self._config.input_size) < self._config.input_size

    def _small(self, stamp_ns: int) -> bool:
        """Whether the first look is to be a smaller one."""
        return self._smaller() and self._small_ns is not None and 0 < (stamp_ns - self._small_ns) * 1e-9 <= _SMALL_S

    def _asked(self) -> tuple[int, int]:
        """Width and height of the input that one look alone would have."""
        return Letterbox.fit(self._image_size, self._config.input_size, STRIDE).input_size

    def _spare_px(self) -> float:
        """Pixels that the second look may cost an image: what the first leaves of one look alone, and the share."""
        return (1 + self._config.zoom_share) * np.prod(self._asked()) - np.prod(self._inner.input_size)

    def _blocks(self) -> int:
        """How many blocks of parts one look has."""
        room = max(1, max(self._asked()) // _BLOCK_PX[0])
        return int(np.clip(self._spare_px() // _COST_PX, 1, room))

    def _affordable(self) -> int:
        """The same, or 0 until so much is saved. What is not spent is kept for one look, not for more."""
        blocks = self._blocks()
        self._saved_px = min(self._saved_px + self._spare_px(), blocks * _COST_PX)
        return blocks if self._saved_px >= blocks * _COST_PX else 0

    def _look(self, frame: Frame, places: Places, blocks: int) -> Skeletons:
        """The people at these places."""
        canvas, (wide, tall) = _canvas(blocks), _PART_PX.tolist()
        number = np.arange(len(places))
        slots = np.stack([number // _BLOCK[1], number % _BLOCK[1]], 1) * _PART_PX  # x, y of each part in the canvas
        scales = places.heights_px / tall  # pixels of the image, one of the part
        corners = places.middles_px - scales[:, None] * _PART_PX / 2
        for corner, scale, (x, y) in zip(corners, scales, slots.tolist()):
            canvas[y : y + tall, x : x + wide] = cut(
                frame.image_bgr, np.array([*corner, scale * wide, scale * tall]), (wide, tall)
            )
        seen = self._far.look(canvas)
        self.network_s += self._far.network_s

        rows, part = self._believed(seen, places, slots)
        size = frame.image_bgr.shape[1::-1]
        boxes, keypoints_px = (
            (points[rows] - slots[part][:, None]) * scales[part][:, None, None] + corners[part][:, None]
            for points in (seen.boxes_xyxy.reshape(-1, 2, 2), seen.keypoints_px)
        )
        return Skeletons(
            frame.stamp_ns,
            frame.frame_id,
            self.layout,
            size,
            keypoints_px,
            seen.scores[rows],
            np.clip(boxes, 0, size).reshape(-1, 4),
            seen.person_scores[rows],
        )

    def _believed(self, seen: Skeletons, places: Places, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the canvas's people who are believed, and the part that each is in: those expected, in the middle of
        their part, and others who are whole and certain."""
        boxes = seen.boxes_xyxy.reshape(-1, 2, 2).astype(np.float64)
        middles, scores = boxes.mean(1), seen.person_scores
        at = (middles // _PART_PX).astype(np.int64)
        part = at[:, 0] * _BLOCK[1] + at[:, 1]
        rows = np.flatnonzero((part >= 0) & (part < len(places)))
        part = part[rows]
        off = np.abs(middles[rows] - slots[part] - _PART_PX / 2) / _PART_PX
        expected = places.expected[part] & (off < _CENTRED).all(1) & (scores[rows] >= self._config.min_person_score)
        inside = boxes[rows] - slots[part][:, None]
        whole = ((inside > 1) & (inside < _PART_PX - 1)).all((1, 2))
        kept = expected | (whole & (scores[rows] >= max(_NEW_SCORE, self._config.min_person_score)))
        return rows[kept], part[kept]


def _canvas(blocks: int) -> np.ndarray:
    return np.zeros((_BLOCK_PX[1], blocks * _BLOCK_PX[0], 3), np.uint8)
