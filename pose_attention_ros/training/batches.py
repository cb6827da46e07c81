"""Training batches: streams drawn from the corpus, seen by a camera and an estimator, read as the robot reads them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.features import FeatureStream
from pose_attention_ros.core.layouts import Layout
from pose_attention_ros.core.resampling import resample, ticks_due
from pose_attention_ros.core.smoothing import SmoothingConfig
from pose_attention_ros.data.augment import estimate, mirrored
from pose_attention_ros.data.streams import Example, Stream, join, seen_by_camera
from pose_attention_ros.models.losses import IGNORE, OTHER
from pose_attention_ros.training.corpus import Corpus
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


def read_streams(streams: list[Stream], scores: list[np.ndarray], layout: Layout, rate_hz: float,
                 smoothing: SmoothingConfig | None = None) -> Batch:
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
    batch = Batch(np.zeros((count, ticks.max(), *features.shape[2:]), np.float32),
                  np.full((count, ticks.max()), IGNORE, np.int64), np.ones((count, ticks.max()), np.float32), ticks)
    for b, stream in enumerate(streams):
        batch.features[b, : ticks[b]] = resample(stream.time_s, features[b, : frames[b]], ticks_s[b])
        nearest = np.clip(np.searchsorted(stream.time_s, ticks_s[b]), 0, frames[b] - 1)
        batch.targets[b, : ticks[b]] = np.where(stream.ignored[nearest], IGNORE, stream.targets[nearest])
    return batch


def read_examples(examples: list[Example], layout: Layout, rate_hz: float,
                  smoothing: SmoothingConfig | None = None) -> Batch:
    """Whole clips as they are, at their own frame rate."""
    streams = [Stream(np.arange(len(e.keypoints)) / e.fps, e.keypoints, e.mask, np.full(len(e.keypoints), e.target),
                      np.zeros(len(e.keypoints), bool)) for e in examples]
    return read_streams(streams, [e.scores.astype(np.float32) for e in examples], layout, rate_hz, smoothing)


def as_estimated(streams: list[Stream], rng: np.random.Generator, recipe: Recipe, layout: Layout) -> Batch:
    """Motions seen by a random camera and a rough estimator."""
    streams = [seen_by_camera(stream, rng, recipe.stream) for stream in streams]
    frames = np.array([len(stream.time_s) for stream in streams])
    shape = (len(streams), frames.max(), len(layout.joints))
    keypoints, mask, time_s = np.zeros((*shape, 2), np.float32), np.zeros(shape, bool), np.zeros(shape[:2])
    for b, stream in enumerate(streams):
        keypoints[b, : frames[b]], mask[b, : frames[b]] = stream.keypoints, stream.mask
        time_s[b, : frames[b]], time_s[b, frames[b] :] = stream.time_s, stream.time_s[-1]
    keypoints, scores = estimate(rng, keypoints, mask, np.diff(time_s, axis=1, prepend=0), layout, recipe.augment)
    seen = [Stream(s.time_s, keypoints[b, : frames[b]], s.mask, s.targets, s.ignored) for b, s in enumerate(streams)]
    return read_streams(seen, [scores[b, : frames[b]] for b in range(len(seen))], layout, recipe.model.rate_hz,
                        recipe.smoothing)


class BatchMaker:
    """Batch number i of a run, always the same for the same seed; a torch DataLoader may ask for it in another process."""

    def __init__(self, recipe: Recipe, corpus: Corpus, seed: int) -> None:
        self._recipe, self._corpus, self._seed = recipe, corpus, seed
        self.per_epoch = max(recipe.train.streams_per_epoch // recipe.train.batch, 1)
        self._batches = self.per_epoch * recipe.train.epochs
        self._entries = corpus.part("train")
        self._chances = draw_chances(np.array([entry.example.target for entry in self._entries]), recipe.train.balance,
                                     recipe.train.other_share)

    def __len__(self) -> int:
        return self._batches

    def __getitem__(self, i: int) -> Batch:
        if not 0 <= i < self._batches:
            raise IndexError(i)
        rng = np.random.default_rng([self._seed, i])
        recipe, layout = self._recipe, self._corpus.layout
        batch = as_estimated([self._stream(rng) for _ in range(recipe.train.batch)], rng, recipe, layout)
        rise = np.arange(1, batch.targets.shape[1] + 1) / (recipe.train.early_s * recipe.model.rate_hz)
        batch.weights[:] = np.minimum(rise, 1)
        return batch

    def _stream(self, rng: np.random.Generator) -> Stream:
        config = self._recipe.stream
        clips = int(rng.integers(2, 5)) if rng.uniform() < config.join else 1
        chosen = [self._entries[k].example for k in rng.choice(len(self._entries), clips, p=self._chances)]
        if rng.uniform() < self._recipe.augment.mirror:
            chosen = [Example(*mirrored(e.keypoints, e.scores, self._corpus.layout), e.fps, e.target) for e in chosen]
        return join(chosen, rng, self._corpus.layout, config)


def draw_chances(targets: np.ndarray, balance: float, other_share: float) -> np.ndarray:
    """How often each clip is drawn (N,), sums to 1: a class's share is proportional to its size ** (1 - balance)."""
    kinds, sizes = np.unique(targets, return_counts=True)
    shares = sizes ** (1 - balance)
    if OTHER in kinds and len(kinds) > 1:
        known = kinds != OTHER
        shares = np.where(known, shares / shares[known].sum() * (1 - other_share), other_share)
    chances = (shares / sizes)[np.searchsorted(kinds, targets)]
    return chances / chances.sum()
