"""The space in which a model tells taught actions apart, from the clips that the model was trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from pose_attention_ros.core.actions.recogniser import Recogniser
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.teaching.actions import LENGTHS_S
from pose_attention_ros.core.teaching.space import TeachingSpace, fitted, pooled, reduced, unit
from pose_attention_ros.data.streams import Example, Stream
from pose_attention_ros.data.views import LONGEST_S
from pose_attention_ros.models.losses import OTHER
from pose_attention_ros.training.batches import as_estimated
from pose_attention_ros.training.corpus import HELD_OUT, Corpus, Entry
from pose_attention_ros.training.recipe import Recipe

_CLIPS_AT_ONCE = 32
_SHORTEST_TICKS = 8


@dataclasses.dataclass(frozen=True)
class SpaceConfig:
    """How much of the training data the space is made of.

    :param clips_per_label: of one label of one data set, at most
    :param negatives: motions kept in the file, half of them of no class
    :param size: dimensions kept
    """

    clips_per_label: int = 60
    negatives: int = 1600
    size: int = 400


def make_space(
    recogniser: Recogniser,
    recipe: Recipe,
    corpus: Corpus,
    seed: int = 0,
    config: SpaceConfig | None = None,
    done: Callable[[int], None] = lambda clips: None,
) -> TeachingSpace:
    """Fit the space to training clips seen by random cameras and a rough estimator; clips of data sets that the recipe
    leaves out have no part in it.

    :raises UserError: the model gives no embedding, or there is nothing to fit to
    """
    config, rng, rate_hz = config or SpaceConfig(), np.random.default_rng(seed), recogniser.spec.rate_hz
    entries = _chosen(corpus, recipe, config.clips_per_label, rng)
    if len(entries) < 2:
        raise UserError("the recipe has no training clips to make a teaching space of")
    recipe = dataclasses.replace(recipe, view=dataclasses.replace(recipe.view, cut=0.0, furniture=0.0))
    whole, parts, rows = [], [], []
    for begin in range(0, len(entries), _CLIPS_AT_ONCE):
        chosen = entries[begin : begin + _CLIPS_AT_ONCE]
        batch = as_estimated([_stream(_own_part(entry), rng) for entry in chosen], rng, recipe, corpus.layout)
        clips = [batch.features[b, :n] for b, n in enumerate(batch.ticks)]
        for row, (ticks, features) in enumerate(zip(embedded(recogniser, clips), clips), begin):
            if len(ticks) >= _SHORTEST_TICKS:
                rows.append(row)
                longest, part = round(max(LENGTHS_S) * rate_hz), _some_part(len(ticks), rate_hz, rng)
                whole.append(pooled(ticks[:longest], features[:longest]))
                parts.append(pooled(ticks[part], features[part]))
        done(len(chosen))
    labels = np.array([f"{entries[row].data}/{entries[row].label}" for row in rows])
    known = np.array([entries[row].kind != OTHER for row in rows])
    pools = np.stack(whole)
    mean, scale, basis = fitted(pools, labels)
    basis = reduced(basis, pools, mean, scale, min(config.size, basis.shape[1]))
    kept = np.concatenate([_some(np.flatnonzero(known == part), config.negatives // 2, rng) for part in (False, True)])
    negatives = unit(((np.stack(parts)[kept] - mean) / scale) @ basis)
    return TeachingSpace(recogniser.spec.network_sha256, mean, scale, basis, negatives, known[kept])


def embedded(recogniser: Recogniser, clips: list[np.ndarray]) -> list[np.ndarray]:
    """(T, E) embeddings of each clip (T, V, C), side by side as people in view. Raises UserError without embeddings."""
    spec, rows = recogniser.spec, [[] for _ in clips]
    state = np.zeros((len(clips), spec.state_size), np.float32)
    for tick in range(max(map(len, clips))):
        there = np.array([i for i, clip in enumerate(clips) if tick < len(clip)])
        output = recogniser.step(np.stack([clips[i][tick] for i in there]), state[there])
        if output.embedding is None:
            raise UserError(f"model {spec.model_id!r} gives no embedding: export it anew with `pose-attention export onnx`")
        state[there] = output.state
        for row, i in enumerate(there):
            rows[i].append(output.embedding[row])
    return [np.array(each) for each in rows]


def _chosen(corpus: Corpus, recipe: Recipe, most: int, rng: np.random.Generator) -> list[Entry]:
    """Training entries, `most` of a label at most, the longest last so that batches are of like lengths."""
    by_label: dict[tuple[str, str], list[Entry]] = {}
    for entry in corpus.entries:
        if entry.split == "train" and entry.kind != HELD_OUT and entry.data not in recipe.leave_out:
            by_label.setdefault((entry.data, entry.label), []).append(entry)
    chosen = [entries[i] for entries in by_label.values() for i in _some(np.arange(len(entries)), most, rng)]
    return sorted(chosen, key=lambda entry: len(entry.example.keypoints) / entry.example.fps)


def _some(values: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    return rng.choice(values, most, replace=False) if len(values) > most else values


def _own_part(entry: Entry) -> Example:
    """The longest stretch of the frames that show what the entry shows, of a part of a longer motion."""
    example = entry.example
    if np.ndim(example.target) == 0:
        return example
    own = np.flatnonzero(example.target == entry.kind)
    longest = max(np.split(own, np.flatnonzero(np.diff(own) > 1) + 1), key=len)
    rows = slice(longest[0], longest[-1] + 1)
    return Example(example.keypoints[rows], example.scores[rows], example.fps, entry.kind)


def _stream(example: Example, rng: np.random.Generator) -> Stream:
    """At most LONGEST_S of a clip."""
    frames = len(example.keypoints)
    most = max(int(LONGEST_S * example.fps), 2)
    begin = int(rng.integers(0, max(frames - most, 0) + 1))
    part = slice(begin, begin + most)
    count = len(example.keypoints[part])
    return Stream(
        np.arange(count) / example.fps,
        example.keypoints[part],
        example.mask[part],
        np.zeros(count, np.int64),
        np.zeros(count, bool),
    )


def _some_part(ticks: int, rate_hz: float, rng: np.random.Generator) -> slice:
    """A stretch as long as one of the windows in which taught actions are looked for."""
    length = min(ticks, round(float(rng.choice(LENGTHS_S[:5])) * rate_hz))
    begin = int(rng.integers(0, ticks - length + 1))
    return slice(begin, begin + length)
