"""Whole sequences: what is simulated, as records and as a compact 3D file. Sequence i of a seed is the same whatever else is
simulated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.data.simulated import acting, falls, lying, scripts
from pose_attention_ros.data.simulated.body import INDEX, JOINTS, ROOT, Body
from pose_attention_ros.data.simulated.track import FPS, Support, Track

# fmt: off
LABELS = ("stand", "walk", "sit", "sit_down", "stand_up", "fall", "lie", "lie_down", "rise_up", "get_up", "pick_up",
          "push_up", "topple", "other")  # of falls and of what is like them
# fmt: on
ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]
_SHORTEST = 3  # frames of a clip
_BLOCK = 500  # simulated side by side
_BEFORE_S = 0.15  # a fall is told from so long before the body is down
_TOLD_S = 1.3  # and for so long after
_DOWN_M = 0.12  # it is down where hips and neck stay within this of where they come to rest


@dataclass(frozen=True)
class SimulationConfig(Settings):
    """What is simulated."""

    sequences: int = setting(2000, "sequences of 6 to 16 s", low=1, high=1_000_000)
    seed: int = setting(0, "everything random follows from it", low=0)
    bodies: int = setting(200, "different people; sequences take turns", low=1, high=100_000)
    falling: float = setting(0.6, "of falls: share of sequences with one", low=0, high=1)


@dataclass(frozen=True, eq=False)
class Sequence:
    """One continuous motion of one body.

    :param joints_m: (n, 20, 3) float32 metres in the world of the 3D files: y up, right-handed, an unmirrored image has
        u = -x, v = -y, z is depth; about the origin, the floor at 0
    :param labels: n names of `LABELS`
    :param subject: number of the body
    :param fall: what made the body fall, empty for none
    """

    joints_m: np.ndarray
    labels: list[str]
    subject: int
    fall: str = ""
    fps: float = float(FPS)


def _bodies(config: SimulationConfig) -> list[Body]:
    return [Body.drawn(np.random.default_rng([config.seed, 1, k])) for k in range(config.bodies)]


def simulate_actions(config: SimulationConfig, done: Callable[[int], object] = lambda number: None) -> list[Sequence]:
    """Exercises and gestures, with a name and without one; `done` is told how many sequences were added."""
    bodies, found = _bodies(config), []
    for i in range(config.sequences):
        joints, labels = acting.acted(np.random.default_rng([config.seed, 3, i]), bodies[i % config.bodies])
        found.append(Sequence(_in_the_middle(joints), _whole(labels), i % config.bodies))
        done(1)
    return found


def simulate(config: SimulationConfig, done: Callable[[int], object] = lambda number: None) -> list[Sequence]:
    """Falls and what is like them; `done` is told how many sequences were added."""
    bodies = _bodies(config)
    sequences: list[Sequence] = []
    for first in range(0, config.sequences, _BLOCK):
        numbers = range(first, min(first + _BLOCK, config.sequences))
        sequences += _block(config, bodies, numbers)
        done(len(numbers))
    return sequences


def _block(config: SimulationConfig, bodies: list[Body], numbers: range) -> list[Sequence]:
    rngs = {i: np.random.default_rng([config.seed, 2, i]) for i in numbers}
    body = {i: bodies[i % config.bodies] for i in numbers}
    falling = [i for i in numbers if rngs[i].uniform() < config.falling]
    begun = {i: falls.begin(rngs[i], body[i]) for i in falling}
    fallen = dict(zip(falling, falls.simulate(list(begun.values())), strict=True))
    found = []
    for i in numbers:
        if i in begun:
            joints, labels = _with_fall(rngs[i], begun[i], fallen[i])
        else:
            joints, labels = _without_fall(rngs[i], body[i])
        found.append(
            Sequence(_in_the_middle(joints), _whole(labels), i % config.bodies, begun[i].cause if i in begun else "")
        )
    return found


def _in_the_middle(joints: np.ndarray) -> np.ndarray:
    """The joints (n, 20, 3) with the middle of the root's path over the origin."""
    path = joints[:, ROOT, (0, 2)]
    middle = (path.min(0) + path.max(0)) / 2
    return (joints - np.array([middle[0], 0, middle[1]])).astype(np.float32)


def _whole(labels: list[str]) -> list[str]:
    """The labels without spans of under a tenth of a second: they are given to what follows, the last to what was before."""
    spans = [list(group) for _, group in groupby(labels)]
    for k in range(len(spans) - 2, -1, -1):
        if len(spans[k]) < _SHORTEST:
            spans[k] = [spans[k + 1][0]] * len(spans[k])
    if len(spans) > 1 and len(spans[-1]) < _SHORTEST:
        spans[-1] = [spans[-2][0]] * len(spans[-1])
    return [label for span in spans for label in span]


def _without_fall(rng: np.random.Generator, body: Body) -> tuple[np.ndarray, list[str]]:
    state = str(rng.choice(list(scripts.SHARES), p=list(scripts.SHARES.values())))
    track = scripts.begun(rng, body, state, rng.uniform(-180, 180))
    seconds = rng.uniform(6, 13)
    scripts.go_on(track, state, seconds)
    track.cut(int(min(track.seconds, seconds + 2) * FPS))
    return track.placed(), track.labels


def _with_fall(rng: np.random.Generator, begun: falls.Beginning, fallen: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """The beginning, the fall, and lying, turning and perhaps getting up after it."""
    bed_m = falls.borne_m(fallen[-1], begun.row["box"])
    hanging = fallen[-1, ANKLES, 1].min() < bed_m
    track = Track.going_on(rng, begun.body, fallen[-1], Support(bed_m, bed_m, 0.0 if hanging else bed_m))
    so_far = (len(begun.joints) + len(fallen)) / FPS
    sits = fallen[-1, INDEX["neck"], 1] > fallen[-1, ROOT, 1] + 0.5 * (begun.body.lengths_m[0] + begun.body.lengths_m[1])
    if sits or lying.on_what(track) == "seat":
        lying.sink(track, ("back", "left", "right") if sits else ("left", "right"))
    seconds = max(6.0, rng.uniform(7, 14)) - so_far
    scripts.go_on_with(track, lying.lie, min(rng.uniform(1.5, 5.0), max(1.5, seconds)))
    if rng.uniform() < 0.3:
        lying.turn_over(track)
    if rng.uniform() < 0.5:
        scripts.go_on(track, "bed" if bed_m else "lying", seconds)
    else:
        scripts.go_on_with(track, lying.lie, seconds)
    track.cut(int(min(track.seconds, max(15 - so_far, 2.0)) * FPS))
    joints = np.concatenate([begun.joints, fallen[1:], track.placed()[1:]])
    labels = _labels_of_fall(joints[len(begun.joints) :], len(fallen) - 1)
    return joints, begun.labels + labels + track.labels[1 + len(labels) - (len(fallen) - 1) :]


def _labels_of_fall(joints: np.ndarray, fallen: int) -> list[str]:
    """Of the first frames of joints (n, 20, 3), of which `fallen` show the fall until all is still: "topple" on the way
    down, for a quick squat begins alike; "fall" from just before the body is down until a while after; and "lie"."""
    heights_m = joints[:fallen, [ROOT, INDEX["neck"]], 1]
    moving = np.flatnonzero((np.abs(heights_m - heights_m[-1]) > _DOWN_M).any(1))
    down = int(moving[-1]) + 1 if len(moving) else 0
    begin, end = max(down - int(_BEFORE_S * FPS), 0), down + int(_TOLD_S * FPS)
    return (["topple"] * begin + ["fall"] * (end - begin) + ["lie"] * max(fallen - end, 0))[: len(joints)]


def as_arrays(sequences: list[Sequence]) -> dict[str, np.ndarray]:
    """The arrays of the compact 3D file: a clip is a span of one label; clips of the same `sequence` follow one another."""
    action, offsets, number, subject = [], [0], [], []
    for k, sequence in enumerate(sequences):
        labels = np.array(sequence.labels)
        ends = [*(np.flatnonzero(labels[1:] != labels[:-1]) + 1), len(labels)]
        start = offsets[-1]
        for end in ends:
            action.append(sequence.labels[end - 1])
            offsets.append(start + int(end))
            number.append(k)
            subject.append(sequence.subject)
    return {
        "xyz": np.concatenate([sequence.joints_m for sequence in sequences]),
        "offsets": np.array(offsets, np.int64),
        "action": np.array(action),
        "sequence": np.array(number, np.int64),
        "subject": np.array(subject, np.int64),
        "fps": np.full(len(action), FPS, np.float32),
        "joints": np.array(JOINTS),
    }


KINDS = {"falls": simulate, "actions": simulate_actions}


def write_simulated(
    kind: str, config: SimulationConfig, path: Path, done: Callable[[int], object] = lambda number: None
) -> dict[str, np.ndarray]:
    """Simulates one of `KINDS` and writes the compact 3D file (no pickles). Returns its arrays."""
    arrays = as_arrays(KINDS[kind](config, done))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return arrays
