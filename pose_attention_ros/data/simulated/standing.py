"""Motions of a standing body: standing, walking, and what looks a little like a fall."""

from __future__ import annotations

import numpy as np

from pose_attention_ros.data.simulated import poses
from pose_attention_ros.data.simulated.manner import lasting, taken
from pose_attention_ros.data.simulated.poses import jittered, mirrored, pose
from pose_attention_ros.data.simulated.track import FLOOR, FPS, Track, drifting, frames_in


def upright(track: Track) -> np.ndarray:
    """How this person stands: old people stooped, with bent knees; hands hang, hold something, rest on the hips."""
    stoop = track.body.stoop_deg
    knees = 0.5 * stoop
    angles = pose(
        poses.STAND,
        spine_flex=0.7 * stoop,
        pitch=0.25 * stoop,
        hip_flex=0.25 * stoop + 0.5 * knees + 3,
        knee=knees + 4,
        ankle=-0.5 * knees,
        neck_flex=-0.4 * stoop,
        arm_flex=0.5 * stoop,
    )
    arms = track.rng.choice(5, p=(0.62, 0.1, 0.1, 0.1, 0.08))
    changes = (
        {},
        {"arm_abd": 45, "elbow": 95, "arm_twist": 60, "arm_flex": -15},
        {"arm_flex": 35, "elbow": 95, "arm_twist": 55},
        {"arm_flex_l": 30, "elbow_l": 90},
        {"arm_flex": -20, "arm_twist": 30, "elbow": 30},
    )[arms]
    return taken(track, pose(angles, **changes), 4.0)


def stand(track: Track) -> None:
    """Stand still, look about, shift the weight."""
    for _ in range(track.rng.integers(1, 4)):
        lean = track.rng.normal(0, 4)
        angles = upright(track) + pose(roll=lean, hip_abd_l=lean, hip_abd_r=-lean, spine_side=-lean)
        track.to(angles, track.rng.uniform(0.6, 1.2), "stand", FLOOR, track.rng.normal(0, 8))
        track.hold(track.rng.uniform(0.3, 1.5), "stand")


def walk(track: Track, seconds: float | None = None, label: str = "walk") -> None:
    """Walk on, straight or in a bend; old people in short slow steps."""
    rng, body = track.rng, track.body
    n = frames_in(seconds or rng.uniform(1.5, 4.0))
    old = body.kind == "old"
    reach = (rng.uniform(8, 18) if old else rng.uniform(19, 30)) * (1.0 if rng.uniform() < 0.85 else 0.5)
    rate_hz = rng.uniform(0.55, 0.85) if old else rng.uniform(0.75, 1.15) * (1.72 / body.height_m) ** 0.5
    phase = 2 * np.pi * (rng.uniform() + rate_hz * np.arange(n) / FPS)
    base, swing = upright(track), rng.uniform(0.3, 1.1) * (0.6 if old else 1)
    angles = np.repeat(base[None], n, 0)
    at = {name: i for i, name in enumerate(poses.ANGLES)}
    for side, shift in (("l", 0.0), ("r", np.pi)):
        p = (phase + shift) % (2 * np.pi)
        lifted = np.exp(-0.5 * ((p - 1.45 * np.pi) / (0.24 * np.pi)) ** 2)
        loaded = np.exp(-0.5 * ((p - 0.25 * np.pi) / (0.2 * np.pi)) ** 2)
        angles[:, at[f"hip_flex_{side}"]] += 3 + reach * np.cos(p) + 0.35 * reach * lifted
        knee = (2.4 * reach + 6) * lifted + 10 * loaded
        angles[:, at[f"knee_{side}"]] += knee
        pushed = np.exp(-0.5 * ((p - 1.12 * np.pi) / (0.16 * np.pi)) ** 2)
        stands = np.clip(1.6 - 2.4 * np.exp(-0.5 * ((p - 1.52 * np.pi) / (0.26 * np.pi)) ** 2), 0, 1)  # flat on the floor
        level = angles[:, at[f"hip_flex_{side}"]] - angles[:, at[f"knee_{side}"]] - angles[:, at["pitch"]]
        angles[:, at[f"ankle_{side}"]] = stands * np.clip(level, -16, 22) + 12 * pushed - 6 * lifted
        angles[:, at[f"arm_flex_{side}"]] -= reach * swing * np.cos(p)
        angles[:, at[f"elbow_{side}"]] += 8 * swing * (1 - np.cos(p))
    angles[:, at["spine_twist"]] += 5 * swing * np.cos(phase)
    angles[:, at["roll"]] += rng.uniform(1, 4) * np.sin(phase)
    bend = rng.normal(0, 25) if rng.uniform() < 0.7 else rng.choice([-1, 1]) * rng.uniform(40, 80)
    turns = bend * np.linspace(0, 1, n) * n / FPS / 2
    track.follow(angles, label, turns + 3 * drifting(rng, n, (), 1.0) * np.minimum(1, np.arange(n) / 20))


def crouch(track: Track) -> None:
    """Crouch, or kneel on one knee, and work with the hands near the feet: shoes, a drawer, a pet."""
    beat = lasting(track, 0.6, 1.1)
    low = (
        pose(poses.CROUCH, arm_flex=85, elbow=30)
        if track.rng.uniform() < 0.6
        else pose(poses.HALF_KNEEL, pitch=45, hip_flex_l=128, arm_flex=80, elbow=20, spine_flex=35)
    )
    low = taken(track, low)
    track.to(low, beat, "other", FLOOR)
    for _ in range(track.rng.integers(1, 4)):
        track.to(jittered(low, track.rng, 8), track.rng.uniform(0.4, 0.8), "other", sway_deg=3.0)
    track.to(upright(track), beat, "other", FLOOR)


def pick_up(track: Track) -> None:
    beat = lasting(track, 0.5, 0.9)
    deep = track.rng.uniform(0, 1)
    low = pose(
        poses.BENT,
        pitch=70 - 25 * deep,
        hip_flex=90 + 25 * deep,
        knee=15 + 85 * deep,
        ankle=-10,
        spine_flex=45 - 10 * deep,
        arm_flex=90 - 15 * deep,
        elbow=5,
    )
    if track.rng.uniform() < 0.4:
        low = pose(low, arm_flex_l=20, elbow_l=30)
    track.to(taken(track, low), beat, "pick_up", FLOOR)
    track.hold(0.2, "pick_up", 2.0)
    track.to(upright(track), beat, "pick_up", FLOOR)


def reach_up(track: Track) -> None:
    beat = lasting(track, 0.5, 0.9)
    high = pose(
        poses.STAND,
        arm_flex=track.rng.uniform(120, 175),
        elbow=15,
        neck_flex=-20,
        spine_flex=-8,
        ankle=track.rng.choice([0, 25]),
    )
    if track.rng.uniform() < 0.6:
        high = pose(high, arm_flex_l=0, elbow_l=20)
    track.to(taken(track, high), beat, "other", FLOOR)
    track.hold(track.rng.uniform(0.3, 1.2), "other", 3.0)
    track.to(upright(track), beat, "other", FLOOR)


def lean_on(track: Track) -> None:
    """Hands or hip against a table, wall or counter."""
    lean = track.rng.uniform(15, 45)
    way = (
        pose(
            poses.STAND,
            pitch=0.6 * lean,
            hip_flex=0.6 * lean - 8,
            spine_flex=0.4 * lean,
            arm_flex=30 + lean,
            elbow=15,
            ankle=8,
        )
        if track.rng.uniform() < 0.6
        else pose(
            poses.STAND,
            roll=0.4 * lean,
            spine_side=0.3 * lean,
            arm_abd_l=50,
            elbow_l=20,
            hip_abd_l=-0.4 * lean,
            hip_abd_r=0.4 * lean + 8,
        )
    )
    track.to(taken(track, way), lasting(track, 0.6, 1.1), "other", FLOOR)
    track.hold(track.rng.uniform(0.6, 2.0), "other", 1.5)
    track.to(upright(track), lasting(track, 0.6, 1.0), "other", FLOOR)


def stumble(track: Track) -> None:
    """Trip or sway, throw the arms out, catch oneself with a step or two."""
    rng = track.rng
    lurch = rng.uniform(20, 45) * (1 if rng.uniform() < 0.7 else -0.6)
    caught = pose(
        pitch=lurch,
        hip_flex_l=lurch + rng.uniform(25, 50),
        knee_l=rng.uniform(30, 60),
        ankle_l=-10,
        hip_flex_r=lurch - 22,
        knee_r=20,
        ankle_r=20,
        spine_flex=0.4 * lurch,
        arm_flex=rng.uniform(20, 90),
        arm_abd=rng.uniform(20, 70),
        elbow=25,
        roll=rng.normal(0, 8),
    )
    track.to(taken(track, caught, 8.0), rng.uniform(0.3, 0.5), "other", FLOOR, rng.normal(0, 15), 3.0)
    if rng.uniform() < 0.5:
        track.to(mirrored(caught) * rng.uniform(0.5, 0.9), rng.uniform(0.3, 0.5), "other", FLOOR, rng.normal(0, 15), 3.0)
    track.to(upright(track), lasting(track, 0.4, 0.8), "other", FLOOR, sway_deg=2.5)
