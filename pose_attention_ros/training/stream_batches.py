"""Training batches of streams. Each is made once and kept on disk, for later epochs and for other runs on the same data:
making one takes as long as learning from it.

B streams, T ticks, V joints, C channels.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
from functools import cached_property
from pathlib import Path

import numpy as np

from pose_attention_ros.core.types import FEATURE_NAMES
from pose_attention_ros.models.losses import IGNORE
from pose_attention_ros.models.pan import MIRRORED
from pose_attention_ros.training.batches import Batch, StreamMaker
from pose_attention_ros.training.corpus import Corpus
from pose_attention_ros.training.recipe import Recipe

FORMAT = 1  # raised when the same recipe gives other streams
_STREAMS_SEED = 0  # streams are the same for all seeds: a seed draws from them, and begins them elsewhere
_NOT_OF_STREAMS = ("model_id", "model", "train", "start_from", "postures", "alarms", "leave_out")
_SHORTEST = 0.5  # of a stream's ticks remain where it is begun later
_SIGNS = np.array([-1 if name in MIRRORED else 1 for name in FEATURE_NAMES], np.float32)


class StreamBatchMaker:
    """Batch number i of a run, always the same for the same seed; a torch DataLoader may ask for it in other processes.

    The first `fresh_epochs` show each kept stream once as it is; after them a batch is drawn from all of them, each begun at
    another moment and half of them mirrored. Streams with clips of a data set that is left out are passed over.
    """

    def __init__(self, recipe: Recipe, corpus: Corpus, seed: int, folder: Path) -> None:
        self._recipe, self._layout, self._seed = recipe, corpus.layout, seed
        self.per_epoch = max(recipe.train.streams_per_epoch // recipe.train.batch, 1)
        self._length = self.per_epoch * recipe.train.epochs
        self._kept = self.per_epoch * (recipe.train.fresh_epochs or recipe.train.epochs)
        self._maker = StreamMaker(recipe, corpus, _STREAMS_SEED)
        self._left_out = sum(1 << self._maker.sets.index(name) for name in recipe.leave_out)
        self._folder = folder / _key(recipe, corpus)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, i: int) -> Batch:
        if not 0 <= i < self._length:
            raise IndexError(i)
        if i < self._kept:
            arrays = self._block(i)
            rows = np.flatnonzero((arrays["bits"] & self._left_out) == 0)
            return self._batch(arrays, rows, np.zeros(len(rows), np.int64), np.zeros(len(rows), bool))
        rng = np.random.default_rng([self._seed, i])
        allowed, pool = self._pool
        rows = rng.choice(allowed, self._recipe.train.batch, replace=False)
        ticks = np.diff(pool["offsets"])[rows]
        later = (rng.uniform(size=len(rows)) < 0.5) * rng.uniform(0, 1 - _SHORTEST, len(rows))
        return self._batch(pool, rows, (later * ticks).astype(np.int64), rng.uniform(size=len(rows)) < 0.5)

    def _batch(self, arrays: dict[str, np.ndarray], rows: np.ndarray, begins: np.ndarray, mirrored: np.ndarray) -> Batch:
        parts = [slice(arrays["offsets"][row] + begin, arrays["offsets"][row + 1]) for row, begin in zip(rows, begins)]
        ticks = np.array([part.stop - part.start for part in parts])
        shape = (len(rows), ticks.max())
        batch = Batch(
            np.zeros((*shape, *arrays["features"].shape[1:]), np.float32),
            np.full(shape, IGNORE, np.int64),
            np.ones(shape, np.float32),
            ticks,
        )
        rise = np.arange(1, shape[1] + 1) / (self._recipe.train.early_s * self._recipe.model.rate_hz)
        batch.weights[:] = np.minimum(rise, 1)
        for b, (part, flip) in enumerate(zip(parts, mirrored)):
            features = arrays["features"][part]
            batch.features[b, : ticks[b]] = features[:, self._layout.mirror] * _SIGNS if flip else features
            batch.targets[b, : ticks[b]] = arrays["targets"][part]
        return batch

    def _block(self, number: int) -> dict[str, np.ndarray]:
        path = self._folder / f"{number:05d}.npz"
        if not path.is_file():
            arrays = flattened(*self._maker.block(number, self._recipe.train.batch))
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".part", delete=False) as file:
                np.savez(file, **arrays)
            os.replace(file.name, path)
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}

    @cached_property
    def _pool(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Which streams may be drawn, and all that are kept, as one block."""
        blocks = [self._block(number) for number in range(self._kept)]
        pool = {name: np.concatenate([block[name] for block in blocks]) for name in ("features", "targets", "bits")}
        lengths = np.concatenate([np.diff(block["offsets"]) for block in blocks])
        return np.flatnonzero((pool["bits"] & self._left_out) == 0), {**pool, "offsets": np.cumsum([0, *lengths])}


def flattened(batch: Batch, bits: np.ndarray) -> dict[str, np.ndarray]:
    """A batch without its padding: features (ticks of all, V, C) float16, targets, offsets (B + 1,), bits (B,)."""
    inside = batch.inside
    return {
        "features": batch.features[inside].astype(np.float16),
        "targets": batch.targets[inside].astype(np.int16),
        "offsets": np.cumsum([0, *batch.ticks]),
        "bits": bits,
    }


def _key(recipe: Recipe, corpus: Corpus) -> str:
    """Of all that decides what the streams are."""
    values = {key: value for key, value in dataclasses.asdict(recipe).items() if key not in _NOT_OF_STREAMS}
    train = recipe.train
    text = json.dumps(
        [
            FORMAT,
            values,
            recipe.model.layout,
            recipe.model.rate_hz,
            train.batch,
            train.balance,
            train.other_share,
            dict(corpus.sha256),
            corpus.official_split,
        ],
        sort_keys=True,
        default=str,
    )
    return hashlib.sha256(text.encode()).hexdigest()[:20]
