"""Exercises: squats, push-ups, sit-ups, jumping jacks, and what is like them but has no name here."""

from __future__ import annotations

import numpy as np

from pose_attention_ros.data.simulated import poses
from pose_attention_ros.data.simulated.manner import lasting, taken
from pose_attention_ros.data.simulated.poses import jittered, mirrored, pose
from pose_attention_ros.data.simulated.standing import upright
from pose_attention_ros.data.simulated.track import FLOOR, Track

# How arms are held while the legs work: hanging, forward, crossed on the chest, hands at the head, on the hips, clasped.
# fmt: off
_ARMS = ({}, {"arm_flex": 85, "elbow": 8}, {"arm_flex": 50, "elbow": 130, "arm_twist": 65}, {"arm_abd": 85, "elbow": 140,
                                                                                           "arm_twist": -80},
         {"arm_abd": 45, "elbow": 95, "arm_twist": 60, "arm_flex": -15}, {"arm_flex": 45, "elbow": 115, "arm_twist": 25},
         {"arm_flex": 170, "elbow": 5})
# fmt: on


def _arms(track: Track) -> dict[str, float]:
    return _ARMS[track.rng.choice(len(_ARMS), p=(0.16, 0.3, 0.12, 0.12, 0.1, 0.15, 0.05))]


def squats(track: Track) -> None:
    """With arms held in some way, raised while going down or not; shallow ones too."""
    rng, down = track.rng, _arms(track)
    up = down if rng.uniform() < 0.5 else _ARMS[0]
    wide, deep = rng.uniform(4, 28), rng.uniform(0.62, 1.0)
    high = pose(upright(track), hip_abd=wide * 0.6, hip_twist=-0.4 * wide, **up)
    low = pose(
        pitch=rng.uniform(12, 42) * deep,
        hip_flex=rng.uniform(85, 118) * deep,
        knee=rng.uniform(95, 125) * deep,
        ankle=-25 * deep,
        hip_abd=wide,
        hip_twist=-1.2 * wide,
        spine_flex=rng.uniform(-5, 15),
        neck_flex=-15 * deep,
        arm_abd=9,
        elbow=12,
    )
    low = pose(low, **down)
    beat = lasting(track, 0.4, 1.6)
    track.to(jittered(high, rng, 4), rng.uniform(0.4, 0.9), "stand", FLOOR)
    track.hold(rng.uniform(0.2, 0.8), "stand")
    for _ in range(rng.integers(1, 6)):
        track.to(jittered(low, rng, 4), beat * rng.uniform(0.85, 1.15), "squat", FLOOR)
        if rng.uniform() < 0.4:
            track.hold(rng.uniform(0.1, 0.9), "squat")
        track.to(jittered(high, rng, 4), beat * rng.uniform(0.75, 1.05), "squat", FLOOR)
        if rng.uniform() < 0.3:
            track.hold(rng.uniform(0.1, 0.5), "squat")


def _down_to_plank(track: Track, straight: np.ndarray) -> None:
    beat = lasting(track, 0.5, 0.9)
    track.to(taken(track, poses.CROUCH if track.rng.uniform() < 0.5 else poses.HALF_KNEEL), beat, "other", FLOOR)
    track.to(taken(track, poses.ALL_FOURS), beat, "other", FLOOR)
    track.to(straight, beat, "other", FLOOR)


def _up_from_plank(track: Track) -> None:
    beat = lasting(track, 0.5, 0.9)
    track.to(taken(track, poses.ALL_FOURS), beat, "other", FLOOR)
    track.to(taken(track, poses.HALF_KNEEL), beat, "get_up", FLOOR)
    track.to(upright(track), beat, "get_up", FLOOR)


def push_ups(track: Track) -> None:
    """On toes or knees, arms narrow or wide, shallow or deep."""
    rng = track.rng
    knees = {"knee": rng.uniform(40, 80), "pitch": 72} if rng.uniform() < 0.25 else {}
    wide, deep = rng.uniform(5, 45), rng.uniform(0.55, 1.0)
    high = pose(poses.PLANK, arm_abd=wide * 0.4, neck_flex=rng.uniform(-35, 5), **knees)
    low = pose(high, pitch=high[0] + 8 * deep, arm_flex=78 - 68 * deep, elbow=5 + 92 * deep, arm_abd=wide)
    _down_to_plank(track, jittered(high, rng, 3))
    track.hold(rng.uniform(0.1, 1.0), "other")
    beat = lasting(track, 0.4, 1.1)
    for _ in range(rng.integers(3, 9)):
        track.to(jittered(low, rng, 2.5), beat * rng.uniform(0.85, 1.15), "push_up", FLOOR)
        track.to(jittered(high, rng, 2.5), beat * rng.uniform(0.75, 1.05), "push_up", FLOOR)
    track.hold(rng.uniform(0.1, 0.6), "other")
    _up_from_plank(track)


def plank(track: Track) -> None:
    """On hands or elbows, held; sometimes with taps of a hand or steps of a foot."""
    rng = track.rng
    held = poses.PLANK if rng.uniform() < 0.5 else pose(poses.PLANK, pitch=87, arm_flex=85, elbow=92)
    _down_to_plank(track, jittered(held, rng, 4))
    for _ in range(rng.integers(2, 6)):
        track.hold(rng.uniform(0.5, 1.5), "other", 1.5)
        track.to(jittered(held, rng, 4), rng.uniform(0.4, 0.9), "other", FLOOR)
    _up_from_plank(track)


def sit_ups(track: Track) -> None:
    """Lying on the back with bent knees, hands at the head, on the chest or reaching."""
    rng = track.rng
    bent, arms = rng.uniform(60, 110), (_ARMS[2], _ARMS[3], {"arm_flex": 70, "elbow": 10})[rng.integers(3)]
    low = pose(poses.LIE_BACK, hip_flex=bent * 0.55, knee=bent, ankle=0, **arms)
    high = pose(
        low,
        pitch=rng.uniform(-45, -5),
        hip_flex=bent * 0.55 + rng.uniform(35, 70),
        spine_flex=rng.uniform(20, 50),
        neck_flex=15,
    )
    track.to(taken(track, poses.FLOOR_SIT), lasting(track, 0.8, 1.4), "other", FLOOR)
    track.to(jittered(low, rng, 4), lasting(track, 0.8, 1.4), "lie_down", FLOOR)
    beat = lasting(track, 0.6, 1.3)
    for _ in range(rng.integers(2, 6)):
        track.to(jittered(high, rng, 4), beat * rng.uniform(0.8, 1.1), "sit_up", FLOOR)
        track.to(jittered(low, rng, 4), beat * rng.uniform(0.85, 1.2), "sit_up", FLOOR)
    track.to(taken(track, poses.FLOOR_SIT), lasting(track, 0.7, 1.2), "rise_up", FLOOR)
    track.to(taken(track, poses.HALF_KNEEL), lasting(track, 0.6, 1.0), "get_up", FLOOR)
    track.to(upright(track), lasting(track, 0.6, 1.0), "get_up", FLOOR)


def jumping_jacks(track: Track) -> None:
    rng = track.rng
    closed = upright(track)
    opened = pose(closed, arm_abd=rng.uniform(110, 172), elbow=rng.uniform(2, 25), hip_abd=rng.uniform(14, 28), knee=6)
    beat = rng.uniform(0.28, 0.6)
    for _ in range(rng.integers(3, 9)):
        track.to(jittered(opened, rng, 4), beat * rng.uniform(0.9, 1.1), "jumping_jacks", FLOOR)
        track.to(jittered(closed, rng, 4), beat * rng.uniform(0.9, 1.1), "jumping_jacks", FLOOR)


def lunges(track: Track) -> None:
    """Forward, backward or to the side; the arms as for squats."""
    rng, arms = track.rng, _arms(track)
    if rng.uniform() < 0.35:
        deep = rng.uniform(0.6, 1.0)
        low = pose(
            pitch=20 * deep,
            hip_flex_l=85 * deep,
            knee_l=95 * deep,
            hip_abd_l=22,
            hip_twist_l=-25,
            ankle_l=-15,
            hip_flex_r=20 * deep,
            hip_abd_r=40 * deep,
            **arms,
        )
    else:
        low = pose(
            pitch=rng.uniform(0, 20),
            hip_flex_l=rng.uniform(60, 95),
            knee_l=rng.uniform(65, 100),
            hip_flex_r=-15,
            knee_r=rng.uniform(50, 95),
            ankle_r=35,
            **arms,
        )
    high, beat = pose(upright(track), **arms), lasting(track, 0.55, 1.2)
    for k in range(rng.integers(2, 6)):
        track.to(jittered(low if k % 2 else mirrored(low), rng, 5), beat, "other", FLOOR)
        track.to(jittered(high, rng, 5), beat * rng.uniform(0.8, 1.1), "other", FLOOR)


def floor_twists(track: Track) -> None:
    """Sitting on the floor, leaning back, turning from side to side; then up again."""
    rng = track.rng
    base = pose(poses.KNEES_UP, pitch=-35, arm_flex=60, elbow=70, arm_twist=40, knee=rng.uniform(70, 110))
    track.to(jittered(base, rng, 4), lasting(track, 0.9, 1.5), "other", FLOOR)
    beat, turn = rng.uniform(0.35, 0.9), rng.uniform(25, 55)
    for k in range(rng.integers(4, 9)):
        track.to(jittered(pose(base, spine_twist=turn * (-1) ** k), rng, 4), beat, "other", FLOOR)
    track.to(taken(track, poses.HALF_KNEEL), lasting(track, 0.7, 1.1), "get_up", FLOOR)
    track.to(upright(track), lasting(track, 0.6, 1.0), "get_up", FLOOR)


def stretches(track: Track) -> None:
    """Side bends, turns of the trunk, high knees, toes touched."""
    rng, base = track.rng, upright(track)
    kind, size = rng.integers(4), rng.uniform(0.6, 1.0)
    first = (
        pose(base, spine_side=35 * size, roll=6, **_arms(track)),
        pose(base, spine_twist=50 * size, **_arms(track)),
        pose(base, hip_flex_l=90 * size, knee_l=100 * size, **_arms(track)),
        pose(poses.BENT, pitch=75 * size, hip_flex=80 * size, knee=5, arm_flex=95, spine_flex=60 * size),
    )[kind]
    second = base if kind == 3 else mirrored(first)
    beat = lasting(track, 0.45, 1.1)
    for _ in range(rng.integers(2, 5)):
        track.to(jittered(first, rng, 5), beat, "other", FLOOR)
        track.to(jittered(second, rng, 5), beat, "other", FLOOR)
    track.to(base, beat, "other", FLOOR)


def calisthenics(track: Track) -> None:
    """From one pose of the whole body to another and back, to a beat: arms and legs that together are no named exercise."""
    rng, base = track.rng, upright(track)
    size = rng.uniform(0.6, 1.0)
    legs = (
        {},
        {"hip_abd": rng.uniform(8, 28), "knee": 6},
        {"hip_abd_l": 35 * size, "roll": 6 * size},
        {"hip_flex_l": 85 * size, "knee_l": 90 * size},
        {"knee_l": 95 * size, "hip_flex_l": -10},
        {"hip_flex_l": 45 * size, "knee_l": 55 * size, "hip_flex_r": -25 * size, "knee_r": 20 * size, "ankle_r": 25},
        {"hip_flex_l": 70 * size, "knee_l": 75 * size, "hip_abd_l": 30, "hip_abd_r": 30 * size, "pitch": 10},
    )
    stance = int(rng.integers(len(legs)))
    spread = stance == 1  # with arms that go up at the sides, that would be jumping jacks
    kind = rng.integers(2 if stance == 0 else 0, 3 if spread else 6)
    arms = (
        {},
        _arms(track),
        {"arm_flex": 90 * size, "elbow": rng.uniform(2, 90)},
        {"arm_abd": rng.uniform(50, 175), "elbow": rng.uniform(2, 100)},
        {"arm_abd_l": rng.uniform(50, 170), "elbow_l": rng.uniform(2, 60)},
        {"arm_flex": rng.uniform(80, 175), "arm_abd": rng.uniform(0, 50), "elbow": rng.uniform(2, 120)},
    )[kind]
    rest = pose(base, arm_flex=rng.uniform(60, 95), elbow=rng.uniform(2, 30)) if rng.uniform() < 0.25 else base
    first = pose(rest if kind == 0 else base, **legs[stance], **arms)
    turns = rng.uniform() < 0.6  # left and right in turn
    trunk = {"spine_twist": rng.normal(0, 20), "spine_side": rng.normal(0, 12)} if turns else {}
    first = pose(first, **trunk)
    beat = lasting(track, 0.3, 1.1)
    for k in range(rng.integers(3, 9)):
        goal = mirrored(first) if turns and k % 2 else first
        track.to(jittered(goal, rng, 5), beat * rng.uniform(0.9, 1.1), "other", FLOOR)
        if rng.uniform() < 0.15:
            track.hold(rng.uniform(0.2, 1.0), "other")
        track.to(jittered(rest, rng, 4), beat * rng.uniform(0.9, 1.1), "other", FLOOR)


def in_place(track: Track) -> None:
    """Walking or running on the spot, knees high or low, arms swinging, hanging or bent."""
    rng, base = track.rng, upright(track)
    runs = rng.uniform() < 0.45
    lift = rng.uniform(25, 75) if runs else rng.uniform(12, 70)
    bent = rng.uniform(60, 105) if runs else rng.choice([5, 10, 20, 80])
    swing = rng.uniform(5, 40)
    step = pose(
        base,
        hip_flex_l=lift,
        knee_l=lift * rng.uniform(1.1, 1.7),
        ankle_l=15,
        elbow=bent,
        arm_flex_r=swing,
        arm_flex_l=-0.7 * swing,
        pitch=rng.uniform(-2, 8) if runs else 0,
    )
    beat = rng.uniform(0.17, 0.3) if runs else rng.uniform(0.38, 0.8)
    label = "run" if runs else "walk"
    for k in range(rng.integers(6, 16) if runs else rng.integers(4, 9)):
        track.to(jittered(mirrored(step) if k % 2 else step, rng, 4), beat * rng.uniform(0.93, 1.07), label, FLOOR)
    track.to(base, lasting(track, 0.3, 0.6), label, FLOOR)
