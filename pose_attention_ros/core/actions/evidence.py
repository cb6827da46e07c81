"""What a recogniser remembers of a person, and for how long: evidence that starts afresh when the person comes to rest, and
that never reaches back farther than twice the memory, at constant cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.actions.recogniser import ModelSpec
from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.types import FEATURE_NAMES

_VX, _VY = FEATURE_NAMES.index("vx"), FEATURE_NAMES.index("vy")
_SCORE = FEATURE_NAMES.index("score")


@dataclass(frozen=True)
class MemoryConfig(Settings):
    """How long the past counts."""

    memory_s: float = setting(
        3.0,
        "what was seen longer ago than twice this counts no more, what is newer than this always "
        "does; 0: all since the person was first seen, as in the batch model",
        unit="s",
        low=0.0,
        high=60.0,
        live=True,
    )
    rest_speed: float = setting(
        0.3,
        "a person whose joints move more slowly, on average, is at rest: the action is over "
        "and its label is given up; 0: never",
        unit="body units/s",
        low=0.0,
        high=10.0,
        live=True,
    )
    rest_s: float = setting(0.4, "being slow for this long is rest", unit="s", low=0.0, high=10.0, live=True)


def speeds(features: np.ndarray) -> list[float]:
    """Mean speed of the joints that are there, body units a second, NaN without any; features (N, V, C)."""
    there = features[..., _SCORE] > 0
    joints = np.where(there, np.hypot(features[..., _VX], features[..., _VY]), np.float32(0))
    sums, counts = np.add.reduce(joints, -1).tolist(), np.add.reduce(there, -1, np.int64).tolist()
    return [total / count if count else math.nan for total, count in zip(sums, counts)]


class Evidence:
    """A recurrent state and the moments that it rests on."""

    def __init__(self, spec: ModelSpec) -> None:
        self.state = np.zeros(spec.state_size, np.float32)
        self._window = spec.frame_window or max(1, round(spec.attention_window_s * spec.rate_hz))
        # Of each tick; nothing is ever written to twice, so that the newest may be given out as they are.
        self._stamps_ns, self._energies = np.zeros(2 * self._window, np.int64), np.zeros(2 * self._window)
        self._filled = 0
        self.ticks = 0

    def add(self, stamp_ns: int, state: np.ndarray, energy: float | list[float]) -> None:
        """One tick; energy as one row of StepOutput.frame_energy."""
        self.state = state
        if self._filled == len(self._stamps_ns):
            newest = slice(self._filled - self._window, None)
            self._stamps_ns, self._energies = (
                np.concatenate([each[newest], np.zeros_like(each[: self._window])])
                for each in (self._stamps_ns, self._energies)
            )
            self._filled = self._window
        self._stamps_ns[self._filled] = stamp_ns
        self._filled += 1
        if isinstance(energy, list):  # all of the window are scored anew
            scored = min(self._filled, self._window)
            self._energies = self._energies.copy()
            self._energies[self._filled - scored : self._filled] = energy[-scored:]
        else:
            self._energies[self._filled - 1] = energy
        self.ticks += 1

    def frame_attention(self, decay_per_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Weights (W,) of the moments in the window and their stamps (W,): softmax of eq. 10, older moments discounted."""
        window = slice(max(self._filled - self._window, 0), self._filled)
        stamps_ns = self._stamps_ns[window]
        weights = self._energies[window] - decay_per_s * (stamps_ns[-1] - stamps_ns) * 1e-9
        weights -= np.maximum.reduce(weights)
        np.exp(weights, out=weights)
        weights /= np.add.reduce(weights)
        return weights.astype(np.float32), stamps_ns


class Memory:
    """The evidence that counts, and a younger one that grows beside it and takes over once it is `memory_s` old."""

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec
        self._slow_since_ns: int | None = None
        self._resting = False
        self.restart()

    def restart(self) -> None:
        """Nothing counts that was seen before."""
        self.current = Evidence(self._spec)
        self._younger: Evidence | None = None

    def running(self, memory_s: float) -> list[Evidence]:
        """The evidence to step by one tick: the current one first, and the one that will follow it, if any."""
        wanted = round(memory_s * self._spec.rate_hz)
        if not wanted:
            self._younger = None
        elif self._younger is not None and self._younger.ticks >= wanted:
            self.current, self._younger = self._younger, Evidence(self._spec)
        elif self._younger is None and self.current.ticks >= wanted:
            self._younger = Evidence(self._spec)
        return [self.current] if self._younger is None else [self.current, self._younger]

    def comes_to_rest(self, stamp_ns: int, speed: float, config: MemoryConfig, *, restart: bool = True) -> bool:
        """Whether with this tick the person has just been slow for long enough. Then all starts afresh.

        :param speed: see `speeds`; NaN changes nothing
        :param restart: False where the person is known to be in a posture: the evidence of a posture is not over with rest
        """
        if math.isnan(speed):
            return False
        if speed >= config.rest_speed:
            self._slow_since_ns, self._resting = None, False
            return False
        if self._slow_since_ns is None:
            self._slow_since_ns = stamp_ns
        if self._resting or (stamp_ns - self._slow_since_ns) * 1e-9 < config.rest_s:
            return False
        self._resting = True
        if restart:
            self.restart()
        return True
