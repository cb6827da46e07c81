"""One-Euro smoothing of joints on real time stamps, for one person, many people, or a padded batch of clips alike.

Casiez, Roussel, Vogel: 1 Euro Filter (CHI 2012). Some things differ for skeletons: a joint may be missing for a while; the
speed that opens the filter is measured in body units a second, so that a person far away is smoothed as one nearby; and
that speed is taken between samples as they came, which leaves no lag in it, for it is a feature of the recogniser too; and
what a joint at rest trembles may be left out of it (`still_speed`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.config import Settings, setting


@dataclass(frozen=True)
class SmoothingConfig(Settings):
    """Settings of the One-Euro filter."""

    min_cutoff_hz: float = setting(
        0.4, "cut-off of a joint at rest; lower is steadier and later", unit="Hz", low=0.01, high=100.0, live=True
    )
    cutoff_slope: float = setting(
        4.0, "how much a joint's speed opens the filter (beta)", unit="Hz per body unit/s", low=0.0, high=100.0, live=True
    )
    still_speed: float = setting(
        0.5, "speed up to which a joint counts as at rest", unit="body unit/s", low=0.0, high=10.0, live=True
    )
    velocity_cutoff_hz: float = setting(2.0, "cut-off of the joint velocities", unit="Hz", low=0.01, high=100.0)
    joint_memory_s: float = setting(0.4, "a joint missing for longer starts afresh", unit="s", low=0.0, high=10.0)


def _gain(cutoff_hz: np.ndarray | np.floating, dt_s: np.ndarray) -> np.ndarray:
    """Weight of a new sample in a first-order low-pass filter after dt_s seconds."""
    turn = 2 * np.pi * cutoff_hz * dt_s
    return turn / (turn + 1)


def chosen_rows(state: np.ndarray, rows: np.ndarray, fill: float) -> np.ndarray:
    """`state[rows]`, and `fill` where a row is -1."""
    chosen = np.full((len(rows), *state.shape[1:]), fill, state.dtype)
    chosen[rows >= 0] = state[rows[rows >= 0]]
    return chosen


class JointSmoother:
    """The filter's state for joints of shape (..., V, 2); `...` is empty, people, or clips."""

    def __init__(self, shape: tuple[int, ...], config: SmoothingConfig | None = None) -> None:
        """`shape` is (..., V)."""
        self.config = config or SmoothingConfig()
        self._position = np.zeros((*shape, 2), np.float32)
        self._velocity = np.zeros((*shape, 2), np.float32)
        self._raw = np.zeros((*shape, 2), np.float32)  # newest keypoints as they came
        self._since_s = np.full(shape, np.inf, np.float32)  # seconds since the joint was last there; inf: never

    def select(self, rows: np.ndarray) -> None:
        """Keep these rows of a one-dimensional leading shape, in this order; -1 is a new person."""
        self._position, self._velocity, self._raw, self._since_s = (
            chosen_rows(state, rows, fill)
            for state, fill in ((self._position, 0), (self._velocity, 0), (self._raw, 0), (self._since_s, np.inf))
        )

    def __call__(
        self, keypoints_px: np.ndarray, mask: np.ndarray, scale_px: np.ndarray, dt_s: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """One frame. Returns positions (..., V, 2) in pixels and velocities (..., V, 2) in body units a second.

        :param keypoints_px: (..., V, 2); :param mask: (..., V) bool, whether the joint is there
        :param scale_px: (...), pixels a body unit; :param dt_s: (...), seconds since the frame before (any value at first)

        A missing joint's outputs are 0.
        """
        config = self.config
        since = self._since_s + np.asarray(dt_s, np.float32)[..., None]
        fresh = since > config.joint_memory_s
        mask = np.asarray(mask)
        some_fresh, all_there = fresh.any(), mask.all()
        dt = np.maximum(np.where(fresh, np.float32(1), since) if some_fresh else since, np.float32(1e-3))[..., None]
        scale = np.asarray(scale_px, np.float32)[..., None, None]

        # The faster a joint moves, the wider the filter opens.
        raw_velocity = (keypoints_px - self._raw) / (dt * scale)
        velocity = self._velocity + _gain(np.float32(config.velocity_cutoff_hz), dt) * (raw_velocity - self._velocity)
        squares = velocity * velocity
        speed = np.sqrt(squares[..., :1] + squares[..., 1:])
        moving = np.maximum(speed - np.float32(config.still_speed), 0)
        cutoff = np.float32(config.min_cutoff_hz) + np.float32(config.cutoff_slope) * moving
        position = self._position + _gain(cutoff, dt) * (keypoints_px - self._position)

        # What was away for too long starts afresh; what is missing keeps its last state until then.
        if some_fresh:
            fresh = fresh[..., None]
            position, velocity = np.where(fresh, keypoints_px, position), np.where(fresh, np.float32(0), velocity)
        if all_there:  # what is kept is never changed, so it may be given out
            self._position, self._velocity = np.asarray(position, np.float32), np.asarray(velocity, np.float32)
            self._raw = np.array(keypoints_px, np.float32)
            self._since_s = np.zeros_like(since)
            return self._position, self._velocity
        there = mask[..., None]
        self._position = np.where(there, position, self._position).astype(np.float32, copy=False)
        self._velocity = np.where(there, velocity, self._velocity).astype(np.float32, copy=False)
        self._raw = np.where(there, keypoints_px, self._raw).astype(np.float32, copy=False)
        self._since_s = np.where(mask, np.float32(0), since)
        return np.where(there, self._position, np.float32(0)), np.where(there, self._velocity, np.float32(0))
