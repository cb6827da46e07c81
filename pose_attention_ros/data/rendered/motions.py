"""The actions that figures do, as joint angles over time. Each differs from every other in the joints that move, or in how.

Speed, width and phase are drawn anew for each clip; what does not belong to the action sways, holds a pose or drifts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from pose_attention_ros.data.rendered.figure import SEGMENTS, Motion

SIDES = ("left", "right")
# How an arm may be held that has nothing to do: (upper arm raised, towards, forearm raised, towards) in degrees.
_HELD = ((8, 0, 12, 60), (42, -20, 62, 165), (95, 10, 172, 0), (15, 60, 95, 100), (25, 20, 110, 130))

Act = Callable[[Motion, np.ndarray, np.random.Generator], None]


def acted(action: str, times_s: np.ndarray, rng: np.random.Generator) -> Motion:
    """One performance of `action`, a key of ACTIONS, at the moments times_s (T,)."""
    motion = Motion.standing(len(times_s))
    for side in SIDES:
        _hold_arm(motion, side, rng)
    drift = rng.uniform(-0.04, 0.04, 2)
    motion.travel[:] += np.outer(times_s - times_s.mean(), drift)
    ACTIONS[action](motion, times_s, rng)
    for row in range(len(SEGMENTS)):
        sway = rng.uniform(1, 4) * np.sin(_phase(times_s, rng, 0.3, 1.0))
        motion.angles[:, row, 0] += sway
    motion.lean[:] += rng.uniform(-3, 6)
    return motion


def _phase(times_s: np.ndarray, rng: np.random.Generator, slow_hz: float, fast_hz: float) -> np.ndarray:
    """(T,) radians, at a speed and from a beginning that are drawn."""
    return 2 * np.pi * (rng.uniform(slow_hz, fast_hz) * times_s + rng.uniform())


def _pulse(phase: np.ndarray) -> np.ndarray:
    """(T,) from 0 to 1 and back, once a turn of `phase`."""
    return 0.5 - 0.5 * np.cos(phase)


def _hold_arm(motion: Motion, side: str, rng: np.random.Generator) -> None:
    """Hanging down in two cases of three, else in one of the other poses."""
    upper, upper_to, fore, fore_to = _HELD[rng.integers(1, len(_HELD)) if rng.uniform() < 1 / 3 else 0]
    motion.set(f"{side}_upper_arm", upper + rng.uniform(-6, 6), upper_to + rng.uniform(-10, 10))
    motion.set(f"{side}_forearm", fore + rng.uniform(-8, 8), fore_to + rng.uniform(-10, 10))


def _wave(motion: Motion, times_s: np.ndarray, rng: np.random.Generator, sides: tuple[str, ...]) -> None:
    phase, height = _phase(times_s, rng, 0.7, 1.5), rng.uniform(70, 125)
    for side in sides:
        phase = phase + rng.choice((0, np.pi))
        motion.set(f"{side}_upper_arm", height + 5 * np.sin(phase), rng.uniform(-5, 30))
        motion.set(f"{side}_forearm", rng.uniform(165, 185) + rng.uniform(28, 45) * np.sin(phase), 0)


def _drink(motion: Motion, times_s: np.ndarray, rng: np.random.Generator, side: str) -> None:
    """The hand goes to the mouth and down again."""
    raised = _pulse(_phase(times_s, rng, 0.4, 0.8))
    motion.set(f"{side}_upper_arm", 10 + rng.uniform(25, 45) * raised, 50)
    motion.set(f"{side}_forearm", rng.uniform(30, 60) + rng.uniform(85, 100) * raised, 80 + 50 * raised)


def _kick(motion: Motion, times_s: np.ndarray, rng: np.random.Generator) -> None:
    side = SIDES[rng.integers(2)]
    phase = _phase(times_s, rng, 0.6, 1.1)
    swing, width, towards = np.sin(phase), rng.uniform(45, 70), rng.uniform(60, 100)
    motion.set(f"{side}_thigh", 15 + width * swing, towards)
    motion.set(f"{side}_shank", 15 + width * swing - 55 * _pulse(phase + 0.4 * np.pi), towards)
    motion.lean[:] -= 8 * swing


def _squat(motion: Motion, times_s: np.ndarray, rng: np.random.Generator) -> None:
    depth = rng.uniform(60, 95) * _pulse(_phase(times_s, rng, 0.4, 0.8))
    _bend_legs(motion, depth, rng.uniform(40, 75))
    motion.lean[:] += 0.35 * depth


def _bend_legs(motion: Motion, depth: np.ndarray, towards: float) -> None:
    """Both thighs forwards by `depth` (T,) degrees, the shanks back by half of it."""
    for side in SIDES:
        motion.set(f"{side}_thigh", depth, towards)
        motion.set(f"{side}_shank", -0.5 * depth, towards)


def _jump(motion: Motion, times_s: np.ndarray, rng: np.random.Generator) -> None:
    phase = _phase(times_s, rng, 0.7, 1.2)
    _bend_legs(motion, rng.uniform(25, 45) * np.maximum(0, -np.sin(phase)), 80)
    motion.lift[:] = rng.uniform(0.1, 0.2) * np.maximum(0, np.sin(phase))


def _walk(motion: Motion, times_s: np.ndarray, rng: np.random.Generator) -> None:
    phase, stride = _phase(times_s, rng, 0.7, 1.2), rng.uniform(20, 34)
    for side, sign in zip(SIDES, (1, -1)):
        swing = sign * np.sin(phase)
        motion.set(f"{side}_thigh", stride * swing, 88)
        motion.set(f"{side}_shank", stride * swing - 1.4 * stride * np.maximum(0, sign * np.cos(phase)), 88)
    if rng.uniform() < 0.7:  # else the arms are held
        for side, sign in zip(SIDES, (-1, 1)):
            motion.set(f"{side}_upper_arm", stride * sign * np.sin(phase), 85)
            motion.set(f"{side}_forearm", 15 + stride * sign * np.sin(phase), 85)
    motion.travel[:, 1] += rng.uniform(0, 0.35) * (times_s - times_s.mean())


def _jumping_jack(motion: Motion, times_s: np.ndarray, rng: np.random.Generator) -> None:
    phase = _phase(times_s, rng, 0.6, 1.1)
    spread = _pulse(phase)
    for side in SIDES:
        motion.set(f"{side}_upper_arm", 15 + rng.uniform(125, 150) * spread, 5)
        motion.set(f"{side}_forearm", 15 + rng.uniform(125, 150) * spread, 5)
        for segment in ("thigh", "shank"):
            motion.set(f"{side}_{segment}", 3 + rng.uniform(16, 24) * spread, 5)
    motion.lift[:] = 0.05 * np.abs(np.sin(phase))


ACTIONS: dict[str, Act] = {
    "wave_left_hand": partial(_wave, sides=("left",)),
    "wave_right_hand": partial(_wave, sides=("right",)),
    "wave_both_hands": partial(_wave, sides=SIDES),
    "drink_left_hand": partial(_drink, side="left"),
    "drink_right_hand": partial(_drink, side="right"),
    "kick": _kick,
    "squat": _squat,
    "jump": _jump,
    "walk": _walk,
    "jumping_jack": _jumping_jack,
}
