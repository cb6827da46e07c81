"""The newest ticks of a person, in which taught actions are looked for: constant in size and cost."""

from __future__ import annotations

import numpy as np

from pose_attention_ros.core.teaching.actions import LENGTHS_S, TaughtActions
from pose_attention_ros.core.teaching.space import pooled

_LEAST_SHARE = 0.6  # of a window must have been seen before it says anything


class TaughtWindow:
    """What was seen of one person in the last ticks, since they last rested."""

    def __init__(self, embedding_size: int, features_shape: tuple[int, ...], rate_hz: float) -> None:
        """:param features_shape: (V, C)"""
        self._rate_hz = rate_hz
        ticks = round(max(LENGTHS_S) * rate_hz)
        self._embeddings = np.zeros((ticks, embedding_size), np.float32)
        self._features = np.zeros((ticks, *features_shape), np.float32)
        self._count = 0

    def restart(self) -> None:
        """Nothing counts that was seen before."""
        self._count = 0

    def add(self, embedding: np.ndarray, features: np.ndarray) -> None:
        """(E,) and (V, C) of one tick."""
        row = self._count % len(self._embeddings)
        self._embeddings[row], self._features[row] = embedding, features
        self._count += 1

    def likeness(self, taught: TaughtActions) -> np.ndarray:
        """(A,) how like each taught action the motion is now; -1 while too little was seen."""
        windows = [action.window_s for action in taught.actions]
        answer = np.full(len(windows), -1, np.float32)
        for length_s in set(windows):
            ticks = round(length_s * self._rate_hz)
            if self._count < _LEAST_SHARE * ticks:
                continue
            rows = np.arange(max(self._count - ticks, 0), self._count) % len(self._embeddings)
            place = taught.space.place(pooled(self._embeddings[rows], self._features[rows]))
            chosen = [row for row, each in enumerate(windows) if each == length_s]
            answer[chosen] = taught.centres[chosen] @ place
        return answer
