"""Motions on knees and hands: kneeling, crawling, push-ups, and rising from there."""

from __future__ import annotations

import numpy as np

from pose_attention_ros.data.simulated import poses
from pose_attention_ros.data.simulated.manner import lasting, taken
from pose_attention_ros.data.simulated.poses import jittered
from pose_attention_ros.data.simulated.standing import upright
from pose_attention_ros.data.simulated.track import FLOOR, FPS, Track, drifting, frames_in


def kneel_down(track: Track) -> None:
    beat = lasting(track, 0.5, 1.0)
    track.to(taken(track, poses.HALF_KNEEL), beat, "other", FLOOR)
    track.to(taken(track, poses.KNEEL if track.rng.uniform() < 0.6 else poses.KNEEL_SAT), beat, "other", FLOOR)
    track.hold(track.rng.uniform(0.5, 2.0), "other", 2.0)


def rest_on_knees(track: Track) -> None:
    track.to(
        taken(track, poses.KNEEL_SAT if track.rng.uniform() < 0.5 else poses.KNEEL), lasting(track, 0.6, 1.0), "other", FLOOR
    )
    track.hold(track.rng.uniform(0.5, 1.5), "other", 2.0)


def crawl(track: Track) -> None:
    """On hands and knees, forward."""
    rng = track.rng
    track.to(taken(track, poses.ALL_FOURS), lasting(track, 0.6, 1.0), "other", FLOOR)
    n = frames_in(rng.uniform(1.2, 3.5))
    phase = 2 * np.pi * rng.uniform(0.5, 0.9) * np.arange(n) / FPS
    angles = np.repeat(jittered(poses.ALL_FOURS, rng, 4)[None], n, 0)
    at = {name: i for i, name in enumerate(poses.ANGLES)}
    for side, shift in (("l", 0.0), ("r", np.pi)):
        swing, lift = np.cos(phase + shift), np.maximum(0, -np.sin(phase + shift))
        angles[:, at[f"hip_flex_{side}"]] += 18 * swing
        angles[:, at[f"knee_{side}"]] += 18 * swing + 8 * lift
        angles[:, at[f"arm_flex_{side}"]] -= 20 * swing
        angles[:, at[f"elbow_{side}"]] += 25 * np.maximum(0, np.sin(phase + shift))
    track.follow(angles, "other", 10 * drifting(rng, n, (), 1.5))


def rise_from_knees(track: Track) -> None:
    beat = lasting(track, 0.5, 0.9)
    track.to(taken(track, poses.HALF_KNEEL), beat, "get_up", FLOOR)
    track.to(taken(track, poses.BENT), 0.8 * beat, "get_up", FLOOR)
    track.to(upright(track), beat, "get_up", FLOOR)
