"""A Kalman filter of joints with a constant velocity, whose measurement noise depends on the score: a comparator of the
One-Euro filter that the graph stage uses (Kalman, J. Basic Engineering 82, 1960). All lengths are in body units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_SPEED_AT_FIRST = 1.0  # standard deviation, body units a second
_USUAL_SCORE = 0.5


@dataclass(frozen=True)
class KalmanConfig:
    """acceleration: how freely joints change their speed, spectral density in units^2/s^3; noise: standard deviation of a
    joint seen with a score of 0.5; the noise falls with this power of the score, 0: whatever the score."""

    acceleration: float
    noise: float
    power: float = 1.0


class JointKalman:
    """The filter's state for V joints. Both axes err alike, so that a joint has one covariance."""

    def __init__(self, joints: int, config: KalmanConfig) -> None:
        self._config = config
        self._at, self._speed = np.zeros((joints, 2)), np.zeros((joints, 2))
        self._place, self._both, self._pace = (np.zeros(joints) for _ in range(3))  # variances and covariance
        self._known = np.zeros(joints, bool)

    def __call__(
        self, keypoints_px: np.ndarray, mask: np.ndarray, scores: np.ndarray, scale_px: float, dt_s: float
    ) -> np.ndarray:
        """One frame: (V, 2) places in pixels, of joints that are there (mask); `scale_px` is a body unit."""
        seen, density = keypoints_px / scale_px, self._config.acceleration
        self._at = self._at + self._speed * dt_s
        self._place = self._place + 2 * dt_s * self._both + dt_s**2 * self._pace + density * dt_s**3 / 3
        self._both = self._both + dt_s * self._pace + density * dt_s**2 / 2
        self._pace = self._pace + density * dt_s
        noise = (self._config.noise * (_USUAL_SCORE / np.maximum(scores, 0.05)) ** self._config.power) ** 2
        known = self._known & mask
        gain_place, gain_speed = (np.where(known, part / (self._place + noise), 0) for part in (self._place, self._both))
        off = seen - self._at
        self._at = self._at + gain_place[:, None] * off
        self._speed = self._speed + gain_speed[:, None] * off
        self._pace = self._pace - gain_speed * self._both
        self._both = (1 - gain_place) * self._both
        self._place = (1 - gain_place) * self._place
        new = mask & ~self._known
        self._at[new], self._speed[new] = seen[new], 0
        self._place[new], self._both[new], self._pace[new] = noise[new], 0, _SPEED_AT_FIRST**2
        self._known |= mask
        return self._at * scale_px
