"""The slow scan for people whom nobody has seen yet: next comes the place where most moves that is not explained and where
nobody has looked for longest. Where nothing moves, or the camera does, every place has its turn.
"""

from __future__ import annotations

import numpy as np

_CELLS = 96  # along the image's longer side
_BACKGROUND_S = 1.5  # what stands still belongs to the background with this time constant
_STIRS = 12.0  # levels of 255 from the background: less is noise
_ABOVE_ALL = 3.0  # and so many times the mean of the image, which is high where the camera moves
_STILL = 0.02  # how much a cell in which nothing moves is worth, of one in which something does
_REACH = 0.35  # heights; whose middle is so near to a place's middle is whole in it
_FIRST_AGE_S = 1.0  # of places at which nobody has looked yet


class Scan:
    """For each image: `watch`, then `next_middle` as often as there is room for a look."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget what was seen and looked at."""
        self._background = np.zeros((0, 0), np.float32)

    def watch(self, stamp_ns: int, image_bgr: np.ndarray, explained_xyxy: np.ndarray) -> None:
        """See what moves.

        :param explained_xyxy: (N, 4) boxes in pixels, within which whatever moves is no news
        """
        self._step = step = max(1, max(image_bgr.shape[:2]) // _CELLS)
        # One pixel a cell: no more than its green is read, so that a large image costs as little as a small one.
        now = image_bgr[step // 2 :: step, step // 2 :: step, 1].astype(np.float32)  # (h, w) cells
        if self._background.shape != now.shape:
            self._background, self._seen_ns = now, stamp_ns
            self._looked_ns = np.full(now.shape, stamp_ns - round(_FIRST_AGE_S * 1e9), np.int64)
        off = np.abs(now - self._background)
        moves = off > max(_STIRS, _ABOVE_ALL * float(off.mean()))
        for x0, y0, x1, y1 in np.clip(np.round(explained_xyxy / step), 0, None).astype(np.int64).tolist():
            moves[y0:y1, x0:x1] = False
        share = np.float32(1 - np.exp((self._seen_ns - stamp_ns) * 1e-9 / _BACKGROUND_S))
        self._background = self._background + share * (now - self._background)
        self._seen_ns = stamp_ns
        self._worth = moves + np.float32(_STILL)

    def next_middle(self, height_px: float) -> np.ndarray:
        """(2,) x, y in pixels of the place for people of this height; it counts as looked at from now on."""
        need = self._worth * ((self._seen_ns - self._looked_ns) * np.float32(1e-9))
        reach = max(1, round(_REACH * height_px / self._step))
        around = _sums(need, reach)
        row, column = np.unravel_index(around.argmax(), around.shape)
        y, x = _shifted(need, row, column, reach)
        self._looked_ns[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1] = self._seen_ns
        return (np.array([x, y]) + 0.5) * self._step


def _sums(values: np.ndarray, reach: int) -> np.ndarray:
    """(h, w) sums of the values (h, w) at most `reach` rows and columns away."""
    height, width = values.shape
    total = np.zeros((height + 1, width + 1))
    total[1:, 1:] = values.cumsum(0).cumsum(1)
    (top, bottom), (left, right) = (
        (np.maximum(np.arange(side) - reach, 0), np.minimum(np.arange(side) + reach + 1, side)) for side in (height, width)
    )
    rows = total[bottom] - total[top]
    return rows[:, right] - rows[:, left]


def _shifted(need: np.ndarray, row: int, column: int, reach: int) -> tuple[int, int]:
    """The middle of what is needed around a cell."""
    top, left = max(0, row - reach), max(0, column - reach)
    part = need[top : row + reach + 1, left : column + reach + 1]
    if not part.any():
        return int(row), int(column)
    y, x = (part.sum(1 - axis) @ np.arange(part.shape[axis]) / part.sum() for axis in (0, 1))
    return top + round(float(y)), left + round(float(x))
