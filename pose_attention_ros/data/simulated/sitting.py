"""Sitting down on a chair or on the floor, sitting in many ways, standing up."""

from __future__ import annotations

import numpy as np

from pose_attention_ros.data.simulated import poses
from pose_attention_ros.data.simulated.body import INDEX, from_root
from pose_attention_ros.data.simulated.manner import lasting, taken
from pose_attention_ros.data.simulated.poses import pose, tilt_and_directions
from pose_attention_ros.data.simulated.standing import upright
from pose_attention_ros.data.simulated.track import FLOOR, Support, Track


def seat_of(track: Track) -> Support:
    """A chair, sofa or bed edge: as high as this person's knees, or as high as furniture is."""
    _, bones = tilt_and_directions(poses.SIT[None])
    joints = from_root(bones, track.body.lengths_m)[0]
    feet = (joints[:, 1] - track.body.radii_m).min()
    hips_m = float(joints[INDEX["left_hip"], 1] - feet - track.body.radii_m[INDEX["left_hip"]])
    return Support(max(hips_m * track.rng.uniform(0.9, 1.05), 0.3 if track.rng.uniform() < 0.5 else 0.4))


def sitting(track: Track) -> np.ndarray:
    """One of the many ways to sit on something."""
    rng = track.rng
    lean = rng.uniform(-35, 5)
    forward = rng.uniform(15, 40)
    side = rng.uniform(10, 30)
    # fmt: off
    ways = ({}, {"arm_flex": 40, "elbow": 80, "arm_twist": 45},  # hands in the lap, at a phone
            {"pitch": lean, "hip_flex": 86 + 0.9 * lean + 12, "spine_flex": -0.7 * lean, "knee": 75},  # slumped back
            {"pitch": forward, "hip_flex": 88 + forward, "spine_flex": 25, "arm_flex": 55, "elbow": 60},  # bent over
            {"roll": 0.6 * side, "spine_side": side, "arm_abd_l": 40, "elbow_l": 70, "neck_side": 8},  # leaning sideways
            {"hip_twist_l": 20, "hip_twist_r": -20, "hip_abd_l": -15, "hip_abd_r": 30, "spine_twist": -20},  # legs sideways
            {"hip_flex_l": 105, "knee_l": 80, "hip_abd_l": -12, "hip_twist_l": -15},  # legs crossed
            {"knee": 45, "hip_flex": 80, "ankle": 20},  # legs stretched out
            {"arm_flex": 60, "elbow": 100, "arm_twist": 20},  # holding something up
            {"arm_abd": 25, "elbow": 80, "arm_flex": 10, "arm_twist": 0})  # on armrests
    # fmt: on
    return taken(track, pose(poses.SIT, **ways[rng.integers(len(ways))]), 5.0)


def sit(track: Track) -> None:
    for _ in range(track.rng.integers(1, 3)):
        track.to(sitting(track), track.rng.uniform(0.6, 1.4), "sit", sway_deg=1.5)
        track.hold(track.rng.uniform(0.5, 2.5), "sit", 1.2)


def sit_down(track: Track, seat: Support | None = None) -> None:
    seconds = lasting(track, 0.9, 1.6)
    forward = track.rng.uniform(15, 40)
    over = pose(pitch=forward, hip_flex=forward + 48, knee=62, ankle=-18, spine_flex=20, arm_flex=35, elbow=35, hip_abd=6)
    track.to(taken(track, over), 0.55 * seconds, "sit_down", FLOOR)
    track.to(sitting(track), 0.5 * seconds, "sit_down", seat or seat_of(track))
    track.hold(track.rng.uniform(0.5, 2.0), "sit", 1.2)


def stand_up(track: Track) -> None:
    """From a chair: lean forward, rise, straighten; with hands on the thighs or thrown forward."""
    seconds = lasting(track, 0.9, 1.7)
    forward = track.rng.uniform(30, 50)
    ready = pose(
        poses.SIT, pitch=forward, hip_flex=88 + forward, knee=100, spine_flex=20, arm_flex=45, elbow=track.rng.uniform(5, 70)
    )
    half = pose(
        pitch=0.9 * forward, hip_flex=forward + 35, knee=55, ankle=-18, spine_flex=18, arm_flex=40, elbow=25, hip_abd=6
    )
    track.to(taken(track, ready), 0.4 * seconds, "stand_up")
    track.to(taken(track, half), 0.35 * seconds, "stand_up", FLOOR)
    track.to(upright(track), 0.45 * seconds, "stand_up", FLOOR)


def sit_on_floor(track: Track) -> None:
    seconds = lasting(track, 1.4, 2.6)
    track.to(taken(track, poses.CROUCH), 0.5 * seconds, "sit_down", FLOOR)
    track.to(floor_sitting(track), 0.5 * seconds, "sit_down", FLOOR)
    track.hold(track.rng.uniform(0.5, 1.5), "sit", 1.2)


def floor_sitting(track: Track) -> np.ndarray:
    ways = (
        poses.FLOOR_SIT,
        poses.CROSS_LEGGED,
        poses.KNEES_UP,
        poses.SIDE_SIT,
        pose(poses.FLOOR_SIT, pitch=-30, arm_flex=-45, elbow=5, arm_abd=15, hip_flex=62),
    )
    return taken(track, ways[track.rng.integers(len(ways))], 7.0)


def sit_floor(track: Track) -> None:
    track.to(floor_sitting(track), track.rng.uniform(0.8, 1.6), "sit")
    track.hold(track.rng.uniform(0.5, 2.5), "sit", 1.2)
