"""Who does what next: from each state of the body some motions lead on, drawn at random by weight."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pose_attention_ros.data.simulated import exercises, kneeling, lying, manner, poses, sitting, standing
from pose_attention_ros.data.simulated.body import Body
from pose_attention_ros.data.simulated.track import FLOOR, Support, Track

Motion = Callable[[Track], None]
# state -> motions with weight and the state they lead to
# fmt: off
NEXT: dict[str, tuple[tuple[Motion, float, str], ...]] = {
    "standing": ((standing.stand, 2.5, "standing"), (standing.walk, 3.5, "standing"), (sitting.sit_down, 2.5, "seated"),
                 (sitting.sit_on_floor, 0.8, "floor"), (lying.lie_down_on_floor, 1.2, "lying"),
                 (kneeling.kneel_down, 1.0, "kneeling"), (standing.crouch, 0.9, "standing"), (standing.pick_up, 0.8,
                                                                                            "standing"),
                 (standing.reach_up, 0.5, "standing"), (standing.lean_on, 0.6, "standing"), (standing.stumble, 0.8,
                                                                                           "standing")),
    "seated": ((sitting.sit, 2.0, "seated"), (sitting.stand_up, 2.5, "standing"), (lying.lie_down_on_bed, 1.8, "bed")),
    "floor": ((sitting.sit_floor, 2.0, "floor"), (lying.get_up, 2.0, "standing"),
              (lying.lie_down_from_floor_seat, 2.0, "lying")),
    "kneeling": ((kneeling.rest_on_knees, 1.0, "kneeling"), (kneeling.crawl, 1.5, "kneeling"), (exercises.push_ups, 1.0,
                                                                                              "standing"),
                 (kneeling.rise_from_knees, 2.0, "standing")),
    "lying": ((lying.lie, 3.0, "lying"), (lying.turn_over, 1.5, "lying"), (lying.rise_up, 0.8, "floor"),
              (lying.get_up, 1.4, "standing")),
    "bed": ((lying.lie, 3.0, "bed"), (lying.turn_over, 1.2, "bed"), (lying.rise_up, 2.0, "seated")),
}
# fmt: on
LABELS = {"standing": "stand", "seated": "sit", "floor": "sit", "kneeling": "other", "lying": "lie", "bed": "lie"}
SHARES = {"standing": 0.45, "seated": 0.2, "floor": 0.08, "kneeling": 0.05, "lying": 0.12, "bed": 0.1}


def begun(rng: np.random.Generator, body: Body, state: str, yaw_deg: float) -> Track:
    """A track of one frame in that state."""
    track = Track(rng, body)
    side = str(rng.choice(list(lying.LYING)))
    seat = sitting.seat_of(track)
    bed_m = float(rng.uniform(0.4, 0.6))
    make, support = {
        "standing": (standing.upright, FLOOR),
        "seated": (sitting.sitting, seat),
        "floor": (sitting.floor_sitting, FLOOR),
        "kneeling": (lambda t: manner.taken(t, poses.ALL_FOURS), FLOOR),
        "lying": (lambda t: lying.lying(t, side), FLOOR),
        "bed": (lambda t: lying.lying(t, side), Support(bed_m, bed_m, bed_m)),
    }[state]
    track.begin(make(track), support, yaw_deg, LABELS[state])
    return track


def go_on(track: Track, state: str, seconds: float) -> str:
    """Motions until the track is `seconds` long. Returns the state it ends in."""
    while track.seconds < seconds:
        options = NEXT[state]
        weights = np.array([weight for _, weight, _ in options])
        motion, _, state = options[track.rng.choice(len(options), p=weights / weights.sum())]
        motion(track)
    return state


def go_on_with(track: Track, motion: Motion, seconds: float) -> None:
    """One motion again and again until the track is `seconds` long."""
    while track.seconds < seconds:
        motion(track)
