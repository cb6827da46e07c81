"""Lying in many ways, turning over, lying down, rising to sit, getting up from the floor."""

from __future__ import annotations

import numpy as np

from pose_attention_ros.data.simulated import poses
from pose_attention_ros.data.simulated.manner import lasting, taken
from pose_attention_ros.data.simulated.poses import jittered, mirrored, pose
from pose_attention_ros.data.simulated.sitting import floor_sitting, sitting
from pose_attention_ros.data.simulated.standing import upright
from pose_attention_ros.data.simulated.track import FLOOR, LEVEL, Support, Track

LYING = {"back": poses.LIE_BACK, "belly": poses.LIE_BELLY, "left": poses.LIE_SIDE, "right": mirrored(poses.LIE_SIDE)}
# fmt: off
_TURNS = {"back": ("left", "right"), "belly": ("left", "right"), "left": ("back", "belly", "left"), "right": ("back",
                                                                                                              "belly",
                                                                                                              "right")}
# fmt: on


def on_what(track: Track) -> str:
    """What the body lies on now: back, belly, left or right side; `seat` where the trunk is upright."""
    frame = track.frames[-1][-1]
    if frame[1, 1] > LEVEL:
        return "seat"
    front, left = frame[1, 2], frame[1, 0]
    if abs(front) >= abs(left):
        return "back" if front > 0 else "belly"
    return "right" if left > 0 else "left"


def lying(track: Track, side: str) -> np.ndarray:
    """One of the many ways to lie on that side: limbs stretched, drawn up or anywhere, arms under, beside or above."""
    rng = track.rng
    angles = jittered(LYING[side], rng, 7.0)
    if side in ("left", "right"):
        curl = rng.uniform(-0.5, 1.2)
        curled = poses.CURLED if side == "left" else mirrored(poses.CURLED)
        angles = angles + curl * (curled - LYING[side]) + pose(hip_flex_l=rng.normal(0, 12), knee_r=abs(rng.normal(0, 15)))
    elif rng.uniform() < 0.5:
        for leg in ("l", "r"):
            bent = rng.uniform(15, 65) if rng.uniform() < 0.7 else 0.0
            if side == "back":
                angles = angles + pose(**{f"hip_flex_{leg}": bent, f"knee_{leg}": 1.8 * bent})
            else:  # in the plane of the floor
                angles = angles + pose(
                    **{f"hip_abd_{leg}": 0.8 * bent, f"hip_twist_{leg}": -75 * (bent > 0), f"knee_{leg}": 1.5 * bent}
                )
    for arm in ("l", "r"):
        if side in ("left", "right"):
            upper = arm != side[0]  # hangs down to the floor in front, or lies along the body
            angles = pose(
                angles,
                **{
                    f"arm_flex_{arm}": rng.uniform(0, 110),
                    f"elbow_{arm}": rng.uniform(0, 120),
                    f"arm_abd_{arm}": rng.uniform(-40, -15) if upper else rng.uniform(-5, 5),
                },
            )
        elif rng.uniform() < 0.1 and side == "back":  # held up
            angles = pose(angles, **{f"arm_flex_{arm}": rng.uniform(20, 90), f"elbow_{arm}": rng.uniform(0, 90)})
        else:  # anywhere in the plane of the floor, or a hand on the belly or under it
            spread, in_or_out = rng.uniform(8, 165), rng.choice([-1, 1])
            bent = rng.uniform(0, 120) * (0.4 if spread < 30 else 1)
            angles = pose(
                angles,
                **{
                    f"arm_abd_{arm}": spread,
                    f"elbow_{arm}": bent,
                    f"arm_flex_{arm}": rng.normal(0, 4),
                    f"arm_twist_{arm}": in_or_out * rng.normal(85, 6),
                },
            )
            if spread < 60 and in_or_out > 0:
                angles = pose(angles, **{f"arm_flex_{arm}": 18 if side == "back" else 5})
    return angles


def lie(track: Track) -> None:
    """Lie still; sometimes limbs move, are drawn up, or the body shifts."""
    side = on_what(track)
    kind = track.rng.uniform()
    if kind < 0.45 or side == "seat":
        track.hold(track.rng.uniform(0.8, 4.0), "lie", track.rng.choice([0.15, 0.5, 1.5]))
    else:
        track.to(lying(track, side), track.rng.uniform(0.7, 2.5), "lie", sway_deg=0.7)
        track.hold(track.rng.uniform(0.5, 2.0), "lie", track.rng.choice([0.15, 0.5]))


def sink(track: Track, sides: tuple[str, ...]) -> None:
    """From half sitting on the floor, or folded up there, to lying."""
    track.to(lying(track, str(track.rng.choice(sides))), track.rng.uniform(0.8, 2.0), "lie")
    track.hold(track.rng.uniform(0.3, 1.0), "lie", 0.3)


def turn_over(track: Track) -> None:
    options = _TURNS.get(on_what(track), ("back",))
    side = str(track.rng.choice(options))
    track.to(lying(track, side), track.rng.uniform(0.9, 2.2), "lie", sway_deg=0.7)
    track.hold(track.rng.uniform(0.3, 1.0), "lie", 0.3)


def lie_down_on_floor(track: Track) -> None:
    seconds = lasting(track, 2.4, 4.5)
    if track.rng.uniform() < 0.5:
        keys = (poses.CROUCH, poses.FLOOR_SIT, poses.PROPPED)
        last = "back"
    else:
        keys = (poses.HALF_KNEEL, poses.ALL_FOURS, poses.SIDE_PROPPED)
        last = "left" if track.rng.uniform() < 0.5 else "belly"
    for key in keys:
        track.to(taken(track, key, either_side=last == "back"), 0.25 * seconds, "lie_down", FLOOR)
    track.to(lying(track, last), 0.3 * seconds, "lie_down", FLOOR)
    track.hold(track.rng.uniform(0.5, 1.5), "lie", 0.3)


def lie_down_from_floor_seat(track: Track) -> None:
    seconds = lasting(track, 1.2, 2.5)
    track.to(taken(track, poses.PROPPED), 0.5 * seconds, "lie_down")
    track.to(lying(track, "back"), 0.5 * seconds, "lie_down")
    track.hold(track.rng.uniform(0.5, 1.5), "lie", 0.3)


def lie_down_on_bed(track: Track) -> None:
    """From sitting on its edge: turn, let the trunk down, draw the legs up."""
    seat_m = track.supports[-1][-1][0]
    bed = Support(seat_m, seat_m, seat_m)
    seconds = lasting(track, 1.4, 2.8)
    way = 1 if track.rng.uniform() < 0.5 else -1
    half = pose(poses.SIT, pitch=-40, hip_flex=75, knee=70, arm_flex=-25, elbow=60, spine_flex=15)
    track.to(taken(track, half), 0.5 * seconds, "lie_down", Support(seat_m, seat_m, 0.3 * seat_m), 45 * way)
    track.to(lying(track, "back"), 0.6 * seconds, "lie_down", bed, 40 * way)
    track.hold(track.rng.uniform(0.5, 1.5), "lie", 0.3)


def rise_up(track: Track) -> None:
    """From lying to sitting: on the floor, or on the edge of the bed with the feet down."""
    seat_m = track.supports[-1][-1][0]
    seconds = lasting(track, 1.2, 2.6)
    if on_what(track) == "belly":
        track.to(lying(track, str(track.rng.choice(["left", "right"]))), 0.5 * seconds, "lie")
    side = on_what(track)
    key = {"left": poses.SIDE_PROPPED, "right": mirrored(poses.SIDE_PROPPED)}.get(side, poses.PROPPED)
    way = 35 if track.rng.uniform() < 0.5 else -35
    if seat_m > 0.1:
        track.to(taken(track, key, either_side=False), 0.5 * seconds, "rise_up", Support(seat_m, seat_m, seat_m), way)
        track.to(sitting(track), 0.6 * seconds, "rise_up", Support(seat_m), way)
    else:
        track.to(taken(track, key, either_side=False), 0.5 * seconds, "rise_up")
        track.to(floor_sitting(track), 0.5 * seconds, "rise_up")
    track.hold(track.rng.uniform(0.4, 1.2), "sit", 1.2)


def get_up(track: Track) -> None:
    """From lying or sitting on the floor to standing, over the side, all fours and one knee, or straight from a crouch."""
    rng, beat = track.rng, lasting(track, 0.45, 0.95)
    side = on_what(track)
    if side == "back" and rng.uniform() < 0.45:
        track.to(taken(track, poses.PROPPED), beat, "get_up", FLOOR)
        track.to(taken(track, poses.KNEES_UP), beat, "get_up", FLOOR)
    elif side == "back":
        roll = poses.SIDE_PROPPED if rng.uniform() < 0.5 else mirrored(poses.SIDE_PROPPED)
        track.to(taken(track, roll, either_side=False), 1.3 * beat, "get_up", FLOOR)
    elif side in ("left", "right"):
        roll = poses.SIDE_PROPPED if side == "left" else mirrored(poses.SIDE_PROPPED)
        track.to(taken(track, roll, either_side=False), beat, "get_up", FLOOR)
    if (side != "seat" and (side != "back" or rng.uniform() < 0.6)) or rng.uniform() < 0.4:
        track.to(taken(track, poses.ALL_FOURS), 1.2 * beat, "get_up", FLOOR)
        if rng.uniform() < 0.4:
            track.to(taken(track, poses.KNEEL), 0.8 * beat, "get_up", FLOOR)
    if rng.uniform() < 0.75:
        track.to(taken(track, poses.HALF_KNEEL), beat, "get_up", FLOOR)
    else:
        track.to(taken(track, poses.CROUCH), beat, "get_up", FLOOR)
    track.to(taken(track, poses.BENT), 0.8 * beat, "get_up", FLOOR)
    track.to(upright(track), beat, "get_up", FLOOR)
