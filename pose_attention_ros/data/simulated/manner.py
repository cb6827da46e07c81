"""How one person does something now: the same pose never twice the same, and at that person's pace."""

from __future__ import annotations

import numpy as np

from pose_attention_ros.data.simulated.poses import jittered, mirrored
from pose_attention_ros.data.simulated.track import Track


def taken(track: Track, angles: np.ndarray, degrees: float = 6.0, either_side: bool = True) -> np.ndarray:
    """A pose as this person takes it now: jittered, and mirrored half of the time."""
    if either_side and track.rng.uniform() < 0.5:
        angles = mirrored(angles)
    return jittered(angles, track.rng, degrees)


def lasting(track: Track, low_s: float, high_s: float) -> float:
    """Seconds that a motion takes this person."""
    return float(track.rng.uniform(low_s, high_s) / track.body.pace)
