"""What was answered and what was true, frame by frame: kept in a temporary file, so that memory does not grow."""

from __future__ import annotations

import tempfile

import numpy as np

_BLOCK = 2048
_SORTED_BLOCK = 1 << 16


class FrameLog:
    """Rows of one stream: who, when, truth, prediction, scores of K classes."""

    def __init__(self, classes: int) -> None:
        # fmt: off
        self._kind = np.dtype([("person", "i4"), ("track", "i4"), ("stamp_ns", "i8"), ("truth", "i2"), ("predicted", "i2"),
                               ("confidence", "f4"), ("scores", "f4", (classes,))])
        # fmt: on
        self._file = tempfile.TemporaryFile()
        self._block = np.zeros(_BLOCK, self._kind)
        self._filled = 0
        self.rows = 0

    def add(
        self,
        person: int,
        track: int,
        stamp_ns: int,
        truth: int,
        predicted: int,
        confidence: float,
        scores: np.ndarray | float,
    ) -> None:
        """One person in one frame; scores (K,), or 0 for none."""
        self._block[self._filled] = (person, track, stamp_ns, truth, predicted, confidence, scores)
        self._filled += 1
        self.rows += 1
        if self._filled == _BLOCK:
            self._flush()

    def _flush(self) -> None:
        self._file.write(self._block[: self._filled].tobytes())
        self._filled = 0

    def people(self) -> dict[int, np.ndarray]:
        """person -> its rows in the order of time, (T,) of a structured type, still in a file."""
        self._flush()
        self._file.flush()
        if not self.rows:
            return {}
        rows = np.memmap(self._file, self._kind, "r", shape=(self.rows,))
        order = np.argsort(rows["person"], kind="stable")
        self._sorted = tempfile.TemporaryFile()
        for begin in range(0, self.rows, _SORTED_BLOCK):
            self._sorted.write(rows[order[begin : begin + _SORTED_BLOCK]].tobytes())
        self._sorted.flush()
        found = np.memmap(self._sorted, self._kind, "r", shape=(self.rows,))
        people, firsts = np.unique(found["person"], return_index=True)
        return {int(person): piece for person, piece in zip(people, np.split(found, firsts[1:]))}

    def close(self) -> None:
        """Delete the file that was written; the rows that `people` gave stay until they are forgotten."""
        self._file.close()
