"""What arms do, on a body that stands or sits, and kicks: gestures with a name, and those without one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pose_attention_ros.data.simulated.manner import lasting
from pose_attention_ros.data.simulated.poses import ANGLES, jittered, mirrored, pose
from pose_attention_ros.data.simulated.track import Track

_ARM = ("arm_flex", "arm_abd", "arm_twist", "elbow")
_TRUNK = ("spine_flex", "spine_side", "spine_twist", "neck_flex", "neck_side")
_UPPER = [i for i, name in enumerate(ANGLES) if name in _TRUNK or name.rsplit("_", 1)[0] in _ARM]
Gesture = Callable[[Track, np.ndarray], None]


def _shown(track: Track, base: np.ndarray, upper: np.ndarray, seconds: float, label: str, degrees: float = 4.0) -> None:
    """The upper body goes to `upper`, the rest of the body stays as in `base`."""
    angles = base.copy()
    angles[_UPPER] = jittered(upper, track.rng, degrees)[_UPPER]
    track.to(angles, seconds, label)


def _either(track: Track, *upper: np.ndarray) -> list[np.ndarray]:
    """The same arm for all: the right, or mirrored the left."""
    return [mirrored(each) for each in upper] if track.rng.uniform() < 0.5 else list(upper)


def wave(track: Track, base: np.ndarray) -> None:
    """A raised forearm that swings from the elbow, or a whole arm overhead; one arm or both."""
    rng, one = track.rng, "_r"
    if rng.uniform() < 0.65:  # forearm up, beside the head or before the chest
        flex, abd, elbow = rng.uniform(0, 70), rng.uniform(20, 80), rng.uniform(70, 135)
        ends = [
            {"arm_flex": flex, "arm_abd": abd, "elbow": elbow + bend, "arm_twist": -75 + turn}
            for bend, turn in ((-20, -rng.uniform(12, 35)), (10, rng.uniform(12, 35)))
        ]
    else:
        flex, swing = rng.uniform(0, 40), rng.uniform(15, 40)
        ends = [{"arm_flex": flex, "arm_abd": abd, "elbow": rng.uniform(3, 40)} for abd in (150 - swing, 150 + swing * 0.7)]
    ending = "" if rng.uniform() < 0.25 else one
    first, second = _either(
        track, *(pose(base, **{f"{name}{ending}": value for name, value in each.items()}) for each in ends)
    )
    beat = rng.uniform(0.18, 0.45)
    _shown(track, base, first, lasting(track, 0.4, 0.8), "other")
    for _ in range(rng.integers(3, 9)):
        _shown(track, base, second, beat, "wave", 3)
        _shown(track, base, first, beat, "wave", 3)
    _shown(track, base, base, lasting(track, 0.4, 0.8), "other")


def clap(track: Track, base: np.ndarray) -> None:
    rng = track.rng
    flex, elbow, wide = rng.uniform(20, 70), rng.uniform(50, 100), rng.uniform(15, 45)
    closed = pose(base, arm_flex=flex, elbow=elbow, arm_twist=42, arm_abd=2)
    opened = pose(closed, arm_twist=42 - wide, arm_abd=2 + 0.4 * wide)
    beat = rng.uniform(0.12, 0.3)
    _shown(track, base, opened, lasting(track, 0.4, 0.7), "other")
    for _ in range(rng.integers(4, 12)):
        _shown(track, base, closed, beat, "clap", 2)
        _shown(track, base, opened, beat, "clap", 2)
    _shown(track, base, base, lasting(track, 0.4, 0.7), "other")


def throw(track: Track, base: np.ndarray) -> None:
    """Overarm, hard or soft."""
    rng, hard = track.rng, track.rng.uniform(0.5, 1.0)
    back, forth, after = _either(
        track,
        pose(
            base,
            arm_abd_r=rng.uniform(70, 110),
            arm_twist_r=-100,
            arm_flex_r=-20 * hard,
            elbow_r=rng.uniform(70, 115),
            spine_twist=-35 * hard,
            spine_flex=-8,
        ),
        pose(
            base,
            arm_abd_r=30,
            arm_flex_r=rng.uniform(95, 135),
            elbow_r=15,
            arm_twist_r=-20,
            spine_twist=20 * hard,
            spine_flex=12 * hard,
        ),
        pose(
            base,
            arm_flex_r=rng.uniform(20, 60),
            arm_abd_r=5,
            arm_twist_r=30,
            elbow_r=20,
            spine_twist=35 * hard,
            spine_flex=25 * hard,
        ),
    )
    _shown(track, base, back, lasting(track, 0.4, 0.8), "throw")
    _shown(track, base, forth, rng.uniform(0.15, 0.3), "throw")
    _shown(track, base, after, rng.uniform(0.15, 0.35), "throw")
    _shown(track, base, base, lasting(track, 0.5, 0.9), "throw")


def push(track: Track, base: np.ndarray) -> None:
    """Both hands away from the chest, or punches."""
    rng = track.rng
    guard = pose(base, arm_flex=rng.uniform(15, 45), elbow=rng.uniform(110, 140), arm_abd=rng.uniform(5, 35), arm_twist=20)
    out = {"arm_flex": rng.uniform(70, 95), "elbow": rng.uniform(3, 20), "arm_abd": 2, "arm_twist": 10}
    both = pose(guard, spine_flex=rng.uniform(0, 15), **out)
    one = pose(guard, spine_twist=22, **{f"{name}_r": value for name, value in out.items()})
    _shown(track, base, guard, lasting(track, 0.4, 0.7), "other")
    if rng.uniform() < 0.55:
        for _ in range(rng.integers(1, 3)):
            _shown(track, base, both, rng.uniform(0.3, 0.8), "push")
            track.hold(rng.uniform(0.1, 0.5), "push")
            _shown(track, base, guard, rng.uniform(0.3, 0.7), "push")
    else:
        for k in range(rng.integers(1, 6)):
            _shown(track, base, one if k % 2 else mirrored(one), rng.uniform(0.12, 0.25), "push")
            _shown(track, base, guard, rng.uniform(0.15, 0.4), "push")
    _shown(track, base, base, lasting(track, 0.4, 0.7), "other")


def raise_arms(track: Track, base: np.ndarray) -> None:
    """To the front, the side or overhead, held or up and down: no wave."""
    rng = track.rng
    where = {"arm_flex": rng.uniform(60, 175)} if rng.uniform() < 0.5 else {"arm_abd": rng.uniform(60, 170)}
    where["elbow"] = rng.uniform(2, 60)
    ending = "" if rng.uniform() < 0.5 else "_r"
    (high,) = _either(track, pose(base, **{f"{name}{ending}": value for name, value in where.items()}))
    for _ in range(rng.integers(1, 4)):
        _shown(track, base, high, lasting(track, 0.4, 1.0), "other")
        track.hold(rng.uniform(0.2, 1.5), "other")
        _shown(track, base, base, lasting(track, 0.4, 1.0), "other")


def curls(track: Track, base: np.ndarray) -> None:
    """Of the arms, with something in the hands or not."""
    rng = track.rng
    high = pose(base, elbow=rng.uniform(110, 145), arm_flex=rng.uniform(0, 25))
    low, beat = pose(base, elbow=10), lasting(track, 0.5, 1.1)
    for _ in range(rng.integers(2, 5)):
        _shown(track, base, high, beat, "other")
        _shown(track, base, low, beat, "other")


def at_the_face(track: Track, base: np.ndarray) -> None:
    """A hand at the mouth, the ear or the hair: drinking, on the phone, glasses."""
    rng = track.rng
    (high,) = _either(
        track,
        pose(
            base,
            arm_flex_r=rng.uniform(25, 85),
            arm_abd_r=rng.uniform(0, 50),
            elbow_r=rng.uniform(120, 148),
            arm_twist_r=rng.uniform(-30, 50),
            neck_flex=rng.uniform(-20, 10),
        ),
    )
    for _ in range(rng.integers(1, 4)):
        _shown(track, base, high, lasting(track, 0.5, 1.0), "other")
        for _ in range(rng.integers(1, 4)):
            _shown(track, base, high, rng.uniform(0.3, 0.9), "other", 5)
    _shown(track, base, base, lasting(track, 0.5, 1.0), "other")


def handle(track: Track, base: np.ndarray) -> None:
    """Hands before the body at work: reading, a phone, dishes, talking with the hands, drawing in the air."""
    rng = track.rng
    middle = pose(
        base,
        arm_flex=rng.uniform(10, 60),
        elbow=rng.uniform(50, 120),
        arm_twist=rng.uniform(0, 50),
        arm_abd=rng.uniform(0, 25),
        neck_flex=rng.uniform(-5, 35),
    )
    size, beat = rng.uniform(3, 22), rng.uniform(0.25, 0.9)
    for _ in range(rng.integers(4, 10)):
        _shown(track, base, middle, beat * rng.uniform(0.7, 1.4), "other", size)
    _shown(track, base, base, lasting(track, 0.5, 1.0), "other")


def point(track: Track, base: np.ndarray) -> None:
    """An arm out, to point, stop, beckon or swipe."""
    rng = track.rng
    out, across = _either(
        track,
        pose(base, arm_flex_r=rng.uniform(60, 100), arm_abd_r=rng.uniform(0, 60), elbow_r=rng.uniform(2, 30)),
        pose(base, arm_flex_r=rng.uniform(50, 100), arm_twist_r=rng.uniform(10, 60), elbow_r=rng.uniform(20, 110)),
    )
    _shown(track, base, out, lasting(track, 0.35, 0.8), "other")
    for _ in range(rng.integers(0, 4)):
        _shown(track, base, across, lasting(track, 0.3, 0.8), "other")
        _shown(track, base, out, lasting(track, 0.3, 0.8), "other")
    track.hold(rng.uniform(0.1, 0.8), "other")
    _shown(track, base, base, lasting(track, 0.4, 0.8), "other")


def kick(track: Track, base: np.ndarray) -> None:
    """A ball or the air, on a body that stands."""
    rng, hard = track.rng, track.rng.uniform(0.5, 1.0)
    back, forth = _either(
        track,
        pose(base, hip_flex_r=-30 * hard, knee_r=75 * hard, arm_flex_l=25, pitch=6 * hard),
        pose(
            base,
            hip_flex_r=rng.uniform(45, 95) * hard,
            knee_r=rng.uniform(2, 25),
            arm_flex_r=-20,
            arm_flex_l=20,
            pitch=-10 * hard,
            hip_abd_r=rng.uniform(0, 20),
        ),
    )
    track.to(jittered(back, rng, 5), lasting(track, 0.3, 0.55), "kick")
    track.to(jittered(forth, rng, 5), rng.uniform(0.18, 0.35), "kick")
    track.to(jittered(base, rng, 4), lasting(track, 0.4, 0.7), "kick")


SEATED: tuple[tuple[Gesture, float], ...] = (
    (wave, 1.6),
    (clap, 1.4),
    (throw, 1.0),
    (push, 1.2),
    (raise_arms, 1.6),
    (curls, 0.7),
    (at_the_face, 1.2),
    (handle, 1.6),
    (point, 1.4),
)
STANDING: tuple[tuple[Gesture, float], ...] = (*SEATED, (kick, 1.3))
