"""What a recogniser remembers of a person, and for how long: evidence that starts afresh when the person comes to rest, and
that never reaches back farther than twice the memory, at constant cost."""

from __future__ import annotations

import math
from collections import deque
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
    joints = np.hypot(features[..., _VX], features[..., _VY])
    count = there.sum(-1)
    mean = np.where(there, joints, 0).sum(-1) / np.maximum(count, 1)
    return np.where(count > 0, mean, np.nan).tolist()


class Evidence:
    """A recurrent state and the moments that it rests on."""

    def __init__(self, spec: ModelSpec) -> None:
        self.state = np.zeros(spec.state_size, np.float32)
        window = spec.frame_window or max(1, round(spec.attention_window_s * spec.rate_hz))
        self.moments: deque[tuple[int, float]] = deque(maxlen=window)  # stamp and attention energy of each tick
        self.ticks = 0

    def add(self, stamp_ns: int, state: np.ndarray, energy: np.ndarray) -> None:
        """One tick; energy as one row of StepOutput.frame_energy."""
        self.state = state
        self.moments.append((stamp_ns, float(energy.flat[-1])))
        if energy.ndim:  # all of the window are scored anew
            stamps = [stamp for stamp, _ in self.moments]
            self.moments = deque(zip(stamps, energy[-len(stamps) :].tolist()), self.moments.maxlen)
        self.ticks += 1

    def frame_attention(self, decay_per_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Weights (W,) of the moments in the window and their stamps (W,): softmax of eq. 10, older moments discounted."""
        stamps_ns = np.array([stamp for stamp, _ in self.moments], np.int64)
        energy = np.array([energy for _, energy in self.moments], np.float64)
        energy -= decay_per_s * (stamps_ns[-1] - stamps_ns) * 1e-9
        weights = np.exp(energy - energy.max())
        return (weights / weights.sum()).astype(np.float32), stamps_ns


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
