"""Where a second, enlarged look at an image is worth it: a memory of the people of a stream, and a slow scan.

First come people who were seen a moment ago and are not now, where they should be by now; then places where the first look
suspects somebody; then the next place of a grid over the image; then people of whom the first look is not very sure. Places
that were suspected in vain rest for a while. It depends on nothing but what was seen, so that the same images give the same
places everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.people.assignment import assign

_MARGIN = 1.15  # height of a place, in heights of the person in its middle
_SCAN_MARGIN = 1.6
_NEAR = 0.4  # heights; two sightings this near may be one person
_TAKEN = 0.25  # heights; so near to somebody found nobody else is looked for
_MEMORY_S = 1.5  # how long somebody is looked for, and how long a place suspected in vain rests
_TRIES = 5  # looks in vain after which somebody is given up
_IDLE = 4  # with nobody to look for there is a look in every so many
_UNSURE = 0.25  # somebody with a lower score is worth a second look where there is room
_USUAL_HEIGHT = 0.15  # of the image's height: of people whom nobody has seen yet
_SMALLEST_PX = 16.0
_SCAN_STEP = 0.6  # of a place's height
_QUICK = 0.5  # share of the newest step in a person's speed


@dataclass(frozen=True)
class FirstLook:
    """What the first look at an image has found.

    :param found_xyxy: (N, 4) boxes in pixels of those whom it is sure enough of, and their scores (N,)
    :param suspected_xyxy: (M, 4) of others, the likeliest first
    :param large_px: people of this height need no second look
    """

    stamp_ns: int
    image_size: tuple[int, int]
    found_xyxy: np.ndarray
    scores: np.ndarray
    suspected_xyxy: np.ndarray
    large_px: float


@dataclass(frozen=True)
class Places:
    """Where to look.

    :param middles_px: (P, 2) float64; heights_px (P,) of what is to be cut out
    :param expected: (P,) bool, whether somebody should be in the middle; the others belong to the scan
    """

    middles_px: np.ndarray
    heights_px: np.ndarray
    expected: np.ndarray

    def __len__(self) -> int:
        return len(self.heights_px)


@dataclass
class _Known:
    """Somebody seen: middle of the box and its speed, height, when, and looks in vain since."""

    middle_px: np.ndarray
    speed_px_s: np.ndarray
    height_px: float
    seen_ns: int
    tries: int = 0

    def at(self, stamp_ns: int) -> np.ndarray:
        """Where the middle should be by now."""
        return self.middle_px + self.speed_px_s * (stamp_ns - self.seen_ns) * 1e-9


class SecondLook:
    """For each image in turn: `places`, then, with what the look at them has found, `remember`."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget everybody."""
        self._known: list[_Known] = []
        self._vain: list[tuple[np.ndarray, int]] = []  # a place suspected in vain, and when
        self._suspected: list[tuple[np.ndarray, float]] = []
        self._next, self._images = 0, 0

    def places(self, first: FirstLook, most: int) -> Places:
        """Up to `most` places that are worth a look; none where everybody is large."""
        self._images += 1
        chosen = [(known.at(first.stamp_ns), known.height_px) for known in self._lost(first, most)]
        self._suspected = self._suspects(first, chosen)[: most - len(chosen)]
        chosen += self._suspected
        spare, expected = most - len(chosen), np.ones(len(chosen), bool)
        middles, heights = _middles_and_heights(first.found_xyxy)
        everybody_large = len(heights) > 0 and heights.min() >= first.large_px
        if spare and not everybody_large and (chosen or self._images % _IDLE == 0):
            unsure = [
                row
                for row in np.argsort(first.scores, kind="stable").tolist()
                if first.scores[row] < _UNSURE and heights[row] < first.large_px
            ][: spare - 1]
            scanned = spare - len(unsure)
            chosen += [(middles[row], float(heights[row])) for row in unsure]
            chosen += [self._scanned(first.image_size) for _ in range(scanned)]
            expected = np.arange(len(chosen)) < len(chosen) - scanned
        margins = np.where(expected, _MARGIN, _SCAN_MARGIN)
        return Places(
            np.array([place for place, _ in chosen], np.float64).reshape(-1, 2),
            margins * np.array([height for _, height in chosen], np.float64),
            expected,
        )

    def _lost(self, first: FirstLook, most: int) -> list[_Known]:
        """Those known who are not among the found, the likeliest first; each is tried now."""
        row_of = self._match(first.stamp_ns, *_middles_and_heights(first.found_xyxy))
        lost = [known for known, row in zip(self._known, row_of) if row < 0 and known.height_px < first.large_px]
        lost = sorted(lost, key=lambda known: (known.tries, known.seen_ns))[:most]
        for known in lost:
            known.tries += 1
        return lost

    def _suspects(self, first: FirstLook, chosen: list[tuple[np.ndarray, float]]) -> list[tuple[np.ndarray, float]]:
        """Middle and height of small people whom the first look suspects, where nobody else is or is looked for."""
        self._vain = [(place, when) for place, when in self._vain if (first.stamp_ns - when) * 1e-9 < _MEMORY_S]
        taken = [*_middles_and_heights(first.found_xyxy)[0], *(place for place, _ in (*chosen, *self._vain))]
        suspects = []
        for middle, height in zip(*_middles_and_heights(first.suspected_xyxy)):
            if height < first.large_px and not any(np.hypot(*(middle - place)) < _TAKEN * height for place in taken):
                suspects.append((middle, float(height)))
                taken.append(middle)
        return suspects

    def remember(self, stamp_ns: int, found_xyxy: np.ndarray) -> None:
        """Bring what is known up to date with all (N, 4) who were found in this image, by either look."""
        middles, heights = _middles_and_heights(found_xyxy)
        self._vain += [
            (place, stamp_ns)
            for place, _ in self._suspected
            if not any(np.hypot(*(place - middle)) < _NEAR * height for middle, height in zip(middles, heights))
        ]
        row_of = self._match(stamp_ns, middles, heights)
        before = {row: known for known, row in zip(self._known, row_of) if row >= 0}
        kept = [
            known
            for known, row in zip(self._known, row_of)
            if row < 0 and known.tries < _TRIES and (stamp_ns - known.seen_ns) * 1e-9 <= _MEMORY_S
        ]
        for row, (middle, height) in enumerate(zip(middles, heights)):
            speed, known = np.zeros(2), before.get(row)
            if known is not None and stamp_ns > known.seen_ns:
                step = (middle - known.middle_px) / ((stamp_ns - known.seen_ns) * 1e-9)
                speed = known.speed_px_s + _QUICK * (step - known.speed_px_s)
            kept.append(_Known(middle, speed, height, stamp_ns))
        self._known = kept

    def _match(self, stamp_ns: int, middles: np.ndarray, heights: np.ndarray) -> list[int]:
        """Row of the found person who is each known one, or -1."""
        expected = np.array([known.at(stamp_ns) for known in self._known]).reshape(-1, 2)
        sizes = np.array([known.height_px for known in self._known])
        apart = np.linalg.norm(expected[:, None] - middles, axis=2) / np.maximum(sizes[:, None], heights)
        return assign(np.where(apart < _NEAR, apart, np.inf)).tolist()

    def _scanned(self, image_size: tuple[int, int]) -> tuple[np.ndarray, float]:
        """The scan's next place, row by row, and the height of the people it looks for: of those known, or a usual one."""
        width, height = image_size
        tall = float(np.median([known.height_px for known in self._known])) if self._known else _USUAL_HEIGHT * height
        tall = min(max(tall, _SMALLEST_PX), height / _SCAN_MARGIN)
        columns, rows = (max(1, round(side / (_SCAN_STEP * _SCAN_MARGIN * tall))) for side in image_size)
        row, column = divmod(self._next % (columns * rows), columns)
        self._next += 1
        return np.array([(column + 0.5) * width / columns, (row + 0.5) * height / rows]), tall


def _middles_and_heights(boxes_xyxy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    boxes = np.asarray(boxes_xyxy, np.float64).reshape(-1, 2, 2)
    return boxes.mean(1), np.maximum(boxes[:, 1, 1] - boxes[:, 0, 1], _SMALLEST_PX)
