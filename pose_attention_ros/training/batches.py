"""Training batches: streams drawn from the corpus, seen by a camera and an estimator, read as the robot reads them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pose_attention_ros.core.body.features import FeatureStream
from pose_attention_ros.core.body.layouts import Layout
from pose_attention_ros.core.body.smoothing import SmoothingConfig
from pose_attention_ros.core.time.resampling import resample, ticks_due
from pose_attention_ros.data.augment import Surroundings, estimate, mirrored, viewed
from pose_attention_ros.data.proportions import proportioned
from pose_attention_ros.data.streams import Example, Stream, join, seen_by_camera
from pose_attention_ros.data.views import shot
from pose_attention_ros.models.losses import IGNORE, OTHER
from pose_attention_ros.training.corpus import HELD_OUT, Corpus
from pose_attention_ros.training.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Batch:
    """features (B, T, V, C) float32; targets (B, T) int64, IGNORE where padded or undecided; weights (B, T) float32;
    ticks (B,) the length of each stream."""

    features: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    ticks: np.ndarray

    @property
    def inside(self) -> np.ndarray:
        """(B, T) bool, False where padded."""
        return np.arange(self.targets.shape[1]) < self.ticks[:, None]


def read_streams(
    streams: list[Stream], scores: list[np.ndarray], layout: Layout, rate_hz: float, smoothing: SmoothingConfig | None = None
) -> Batch:
    """Streams of frames through the feature path to ticks. scores: (m, V) of each stream's frames, 0 for a missing joint."""
    frames = np.array([len(stream.time_s) for stream in streams])
    count, joints = len(streams), len(layout.joints)
    path = FeatureStream(layout, (count,), smoothing)
    keypoints = np.zeros((frames.max(), count, joints, 2), np.float32)
    score = np.zeros((frames.max(), count, joints), np.float32)
    time_s = np.zeros((frames.max(), count))
    for b, stream in enumerate(streams):
        keypoints[: frames[b], b], score[: frames[b], b] = stream.keypoints, scores[b]
        time_s[: frames[b], b], time_s[frames[b] :, b] = stream.time_s, stream.time_s[-1]
    dt_s = np.diff(time_s, axis=0, prepend=0)
    features = np.stack([path(keypoints[i], score[i], score[i] > 0, dt_s[i]).features for i in range(len(keypoints))], 1)

    ticks_s = [ticks_due(0, stream.time_s[-1], rate_hz) for stream in streams]
    ticks = np.array([len(each) for each in ticks_s])
    batch = Batch(
        np.zeros((count, ticks.max(), *features.shape[2:]), np.float32),
        np.full((count, ticks.max()), IGNORE, np.int64),
        np.ones((count, ticks.max()), np.float32),
        ticks,
    )
    for b, stream in enumerate(streams):
        batch.features[b, : ticks[b]] = resample(stream.time_s, features[b, : frames[b]], ticks_s[b])
        nearest = np.clip(np.searchsorted(stream.time_s, ticks_s[b]), 0, frames[b] - 1)
        batch.targets[b, : ticks[b]] = np.where(stream.ignored[nearest], IGNORE, stream.targets[nearest])
    return batch


def read_examples(
    examples: list[Example], layout: Layout, rate_hz: float, smoothing: SmoothingConfig | None = None
) -> Batch:
    """Whole clips as they are, at their own frame rate."""
    streams = [
        Stream(
            np.arange(len(e.keypoints)) / e.fps,
            e.keypoints,
            e.mask,
            np.full(len(e.keypoints), e.target),
            np.zeros(len(e.keypoints), bool),
        )
        for e in examples
    ]
    return read_streams(streams, [e.scores.astype(np.float32) for e in examples], layout, rate_hz, smoothing)


def as_estimated(
    streams: list[Stream], rng: np.random.Generator, recipe: Recipe, layout: Layout, carriers: Carriers | None = None
) -> Batch:
    """Motions seen by a random camera and a rough estimator. Where too little of a body is shown to tell its class, the
    target is OTHER.

    :param carriers: which joints tell which class; None: targets stay
    """
    shots = []
    for stream in streams:
        stream = seen_by_camera(stream, rng, recipe.stream)
        if stream.keypoints.shape[-1] == 2:
            keypoints = viewed(rng, stream.keypoints[None], recipe.augment)[0]
            stream = dataclasses.replace(stream, keypoints=keypoints)
        shots.append(shot(stream, rng, layout, recipe.view))
    streams = [each.stream for each in shots]
    frames = np.array([len(stream.time_s) for stream in streams])
    shape = (len(streams), frames.max(), len(layout.joints))
    true, mask, time_s = np.zeros((*shape, 2), np.float32), np.zeros(shape, bool), np.zeros(shape[:2])
    for b, stream in enumerate(streams):
        true[b, : frames[b]], mask[b, : frames[b]] = stream.keypoints, stream.mask
        time_s[b, : frames[b]], time_s[b, frames[b] :] = stream.time_s, stream.time_s[-1]
    around = Surroundings.of(shots)
    keypoints, scores = estimate(rng, true, mask, np.diff(time_s, axis=1, prepend=0), layout, recipe.augment, around)
    shown = (scores > 0) & (around.beyond(true) == 0) & ~around.behind(true)
    seen = []
    for b, stream in enumerate(streams):
        targets = stream.targets if carriers is None else carriers.told(stream.targets, shown[b, : frames[b]])
        ignored = stream.ignored | ~scores[b, : frames[b]].any(-1)  # nobody is found
        seen.append(Stream(stream.time_s, keypoints[b, : frames[b]], stream.mask, targets, ignored))
    return read_streams(
        seen, [scores[b, : frames[b]] for b in range(len(seen))], layout, recipe.model.rate_hz, recipe.smoothing
    )


class Carriers:
    """Which joints must be in sight for a class to be told at all."""

    _GROUPS: ClassVar[dict[str, tuple[str, ...]]] = {"arm": ("elbow", "wrist"), "leg": ("knee", "ankle"), "any": ()}

    def __init__(self, classes: tuple[str, ...], named: Mapping[str, str], layout: Layout) -> None:
        """Look the joints up.

        :param named: class -> "arm" or "leg": one of them, whole; every class wants a shoulder, and the head or an elbow
        """
        self._shoulders = self._rows(layout, ("shoulder",))
        self._near = self._rows(layout, ("head", "elbow"))
        self._limbs = [
            [
                [layout.index(f"{side}_{joint}") for joint in self._GROUPS[named.get(name, "any")]]
                for side in ("left", "right")
            ]
            for name in classes
        ]

    @staticmethod
    def _rows(layout: Layout, ends: tuple[str, ...]) -> list[int]:
        return [i for i, joint in enumerate(layout.joints) if joint.endswith(ends)]

    def told(self, targets: np.ndarray, shown: np.ndarray) -> np.ndarray:
        """targets (m,) with OTHER where, up to that frame, a class's joints were in sight for less than half of the time.

        :param shown: (m, V) bool
        """
        upper = shown[:, self._shoulders].any(-1) & shown[:, self._near].any(-1)
        targets = targets.copy()
        for target in np.unique(targets[targets >= 0]):
            limbs = self._limbs[target]
            there = upper & np.logical_or.reduce([shown[:, limb].all(-1) for limb in limbs])
            told = np.cumsum(there) >= 0.5 * np.arange(1, len(there) + 1)
            targets[(targets == target) & ~told] = OTHER
        return targets


class StreamMaker:
    """Stream number i of a run, always the same for the same seed."""

    def __init__(self, recipe: Recipe, corpus: Corpus, seed: int) -> None:
        self._recipe, self._corpus, self._seed = recipe, corpus, seed
        self.entries = [entry for entry in corpus.entries if entry.taught and entry.kind != HELD_OUT]
        self._chances = draw_chances(
            np.array([entry.kind for entry in self.entries]),
            [entry.data for entry in self.entries],
            recipe.train.balance,
            recipe.train.other_share,
        )
        self._flat = np.array([entry.example.keypoints.shape[-1] == 2 for entry in self.entries])
        self._carriers = Carriers(corpus.classes, recipe.carriers, corpus.layout)
        self.sets = tuple(recipe.data)

    def block(self, number: int, size: int) -> tuple[Batch, np.ndarray]:
        """`size` streams as the robot would read them, and which data sets each is made of, (size,) bits of `sets`."""
        rng = np.random.default_rng([self._seed, number])
        made = [self._stream(rng) for _ in range(size)]
        batch = as_estimated([stream for stream, _ in made], rng, self._recipe, self._corpus.layout, self._carriers)
        rise = np.arange(1, batch.targets.shape[1] + 1) / (self._recipe.train.early_s * self._recipe.model.rate_hz)
        batch.weights[:] = np.minimum(rise, 1)
        return batch, np.array([bits for _, bits in made])

    def _stream(self, rng: np.random.Generator) -> tuple[Stream, int]:
        config = self._recipe.stream
        clips = int(rng.integers(2, 5)) if rng.uniform() < config.join else 1
        rows = [int(rng.choice(len(self.entries), p=self._chances))]
        if clips > 1:  # joined with others of as many dimensions
            alike = np.where(self._flat == self._flat[rows[0]], self._chances, 0)
            rows += rng.choice(len(self.entries), clips - 1, p=alike / alike.sum()).tolist()
        chosen = [self.entries[row].example for row in rows]
        if rng.uniform() < self._recipe.augment.mirror:
            chosen = [Example(*mirrored(e.keypoints, e.scores, self._corpus.layout), e.fps, e.target) for e in chosen]
        bits = sum({1 << self.sets.index(self.entries[row].data) for row in rows})
        stream = join(chosen, rng, self._corpus.layout, config)
        keypoints = proportioned(stream.keypoints, stream.mask, rng, self._corpus.layout, self._recipe.augment.proportions)
        return dataclasses.replace(stream, keypoints=keypoints), bits


def draw_chances(targets: np.ndarray, data: list[str], balance: float, other_share: float) -> np.ndarray:
    """How often each clip is drawn (N,), sums to 1. A class's share is proportional to its size ** (1 - balance), and so is
    that of each data set within a class.

    :param targets: (N,) each clip's class, OTHER for none; data: the data set it is of
    """
    named = np.array([f"{target} {name}" for target, name in zip(targets, data)])
    groups, group, sizes = np.unique(named, return_inverse=True, return_counts=True)
    class_of = np.array([int(name.split(" ", 1)[0]) for name in groups])
    within = sizes ** (1 - balance)
    classes, place = np.unique(class_of, return_inverse=True)
    class_sizes = np.bincount(place, sizes)
    shares = class_sizes ** (1 - balance)
    if OTHER in classes and len(classes) > 1:
        known = classes != OTHER
        shares = np.where(known, shares / shares[known].sum() * (1 - other_share), other_share)
    group_shares = shares[place] * within / np.bincount(place, within)[place]
    chances = (group_shares / sizes)[group]
    return chances / chances.sum()
