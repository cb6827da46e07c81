"""Training batches of whole clips, as a benchmark has them: no camera and no estimator is simulated."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from pose_attention_ros.core.body.layouts import Layout
from pose_attention_ros.core.body.smoothing import SmoothingConfig
from pose_attention_ros.data.clip_views import ClipConfig, seen_anew
from pose_attention_ros.data.streams import Example
from pose_attention_ros.models.losses import IGNORE
from pose_attention_ros.training.batches import Batch, read_examples
from pose_attention_ros.training.corpus import Corpus
from pose_attention_ros.training.recipe import Recipe

_READ_AT_ONCE = 64


def clip_features(examples: list[Example], layout: Layout, rate_hz: float, smoothing: SmoothingConfig) -> list[np.ndarray]:
    """Each clip's ticks (T_i, V, C), as the robot's feature path makes them."""
    features: dict[int, np.ndarray] = {}
    order = sorted(range(len(examples)), key=lambda i: len(examples[i].keypoints))
    for begin in range(0, len(order), _READ_AT_ONCE):
        rows = order[begin : begin + _READ_AT_ONCE]
        batch = read_examples([examples[i] for i in rows], layout, rate_hz, smoothing)
        features.update({i: batch.features[b, : batch.ticks[b]] for b, i in enumerate(rows)})
    return [features[i] for i in range(len(examples))]


class ClipBatchMaker:
    """Batch number i of a run, always the same for the same seed: every epoch shows each training clip once, seen anew, but
    for those that fill no batch (with `alike` some of the longest; J-HMDB: ten of 394)."""

    def __init__(self, recipe: Recipe, corpus: Corpus, seed: int) -> None:
        self._config: ClipConfig = recipe.clips
        self._layout, self._seed, self._size = corpus.layout, seed, recipe.train.batch
        entries = corpus.part("train")
        self._targets = np.array([entry.example.target for entry in entries])
        self._clips = clip_features(
            [entry.example for entry in entries], corpus.layout, recipe.model.rate_hz, recipe.smoothing
        )
        self.per_epoch = max(len(entries) // self._size, 1)
        self._length = self.per_epoch * recipe.train.epochs
        self._epoch: tuple[int, list[np.ndarray]] = (-1, [])

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, i: int) -> Batch:
        if not 0 <= i < self._length:
            raise IndexError(i)
        rows = self._rows(i // self.per_epoch)[i % self.per_epoch]
        rng = np.random.default_rng([self._seed, i])
        features, ticks = seen_anew([self._clips[k] for k in rows], rng, self._layout, self._config)
        inside = np.arange(features.shape[1]) < ticks[:, None]
        targets = np.where(inside, self._targets[rows, None], IGNORE)
        seen = np.arange(1, features.shape[1] + 1) / ticks[:, None]
        weights = np.minimum(seen / self._config.early, 1) / ticks[:, None] * self._mean_ticks  # clips count alike
        return Batch(features, targets, weights.astype(np.float32), ticks)

    @cached_property
    def _mean_ticks(self) -> float:
        return float(np.mean([len(clip) for clip in self._clips]))

    def _rows(self, epoch: int) -> list[np.ndarray]:
        """Which clips each batch of an epoch shows."""
        if self._epoch[0] != epoch:
            rng = np.random.default_rng([self._seed, epoch, 1])
            order = rng.permutation(len(self._clips))
            span = self._size * self._config.alike
            order = np.concatenate(
                [sorted(order[k : k + span], key=lambda i: len(self._clips[i])) for k in range(0, len(order), span)]
            )
            batches = [order[k * self._size : (k + 1) * self._size] for k in range(self.per_epoch)]
            self._epoch = (epoch, [batches[k] for k in rng.permutation(len(batches))])
        return self._epoch[1]
