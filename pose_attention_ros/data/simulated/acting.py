"""Sequences of named actions by bodies that stand, sit and walk between them, with much that has no name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pose_attention_ros.data.simulated import exercises, gestures, scripts, sitting, standing
from pose_attention_ros.data.simulated.body import Body
from pose_attention_ros.data.simulated.track import FPS, Track

_SEATED = 0.3  # share of sequences on a chair
_GESTURE = 0.5  # of what a standing body does next: a gesture, an exercise, or what anybody does
_EXERCISE = 0.38
_EXERCISES = (
    (exercises.squats, 2.4),
    (exercises.push_ups, 1.6),
    (exercises.plank, 1.0),
    (exercises.sit_ups, 1.2),
    (exercises.jumping_jacks, 1.2),
    (exercises.lunges, 1.6),
    (exercises.floor_twists, 0.7),
    (exercises.stretches, 1.4),
    (exercises.calisthenics, 3.6),
    (exercises.in_place, 2.0),
)
_AT_REST = (gestures.handle, gestures.at_the_face)  # who sits and reads or drinks, sits
_BETWEEN = (
    (standing.stand, 1.5),
    (standing.walk, 1.5),
    (standing.crouch, 0.6),
    (standing.pick_up, 1.2),
    (standing.reach_up, 0.8),
    (standing.lean_on, 0.4),
)


def acted(rng: np.random.Generator, body: Body) -> tuple[np.ndarray, list[str]]:
    """One sequence of 8 to 16 s: joints (n, 20, 3) in metres, and a label a frame."""
    seated = rng.uniform() < _SEATED
    track = scripts.begun(rng, body, "seated" if seated else "standing", rng.uniform(-180, 180))
    seconds = rng.uniform(8, 14)
    (sitting.sit if seated else standing.stand)(track)
    while track.seconds < seconds:
        _next(track, seated)
    track.cut(int(min(track.seconds, seconds + 2) * FPS))
    return track.placed(), track.labels


def _next(track: Track, seated: bool) -> None:
    rng, draw = track.rng, track.rng.uniform()
    if seated:
        if draw < 0.75:
            gesture, before = _drawn(rng, gestures.SEATED), len(track)
            gesture(track, sitting.sitting(track))
            if gesture in _AT_REST:
                track.labels[before:] = ["sit"] * (len(track) - before)
        else:
            sitting.sit(track)
    elif draw < _GESTURE:
        _drawn(rng, gestures.STANDING)(track, standing.upright(track))
    else:
        _drawn(rng, _EXERCISES if draw < _GESTURE + _EXERCISE else _BETWEEN)(track)
    if not seated and rng.uniform() < 0.35:
        standing.stand(track)


def _drawn(rng: np.random.Generator, options: tuple[tuple[Callable[..., None], float], ...]) -> Callable[..., None]:
    weights = np.array([weight for _, weight in options])
    return options[rng.choice(len(options), p=weights / weights.sum())][0]
