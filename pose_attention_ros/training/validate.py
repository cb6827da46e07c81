"""A network on whole clips: logits after every tick, and the numbers that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from pose_attention_ros.data.streams import join
from pose_attention_ros.evaluation import metrics
from pose_attention_ros.models.bundle import Network
from pose_attention_ros.training.batches import Batch, as_estimated, read_examples
from pose_attention_ros.training.corpus import Corpus, Entry
from pose_attention_ros.training.recipe import Recipe

_CLIPS_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class ClipScores:
    """logits (N, F, K) after each of metrics.OBSERVED_FRACTIONS of a clip's ticks; truth (N,) targets; data (N,) the data
    set each clip is of."""

    logits: np.ndarray
    truth: np.ndarray
    data: np.ndarray

    def at_end(self) -> np.ndarray:
        return self.logits[:, -1]


@dataclass(frozen=True, eq=False)
class ReadClips:
    """Clips as the network reads them: batches, and of their N clips, in this order, what ClipScores says."""

    batches: list[Batch]
    truth: np.ndarray
    data: np.ndarray
    classes: int


def read_clips(entries: list[Entry], corpus: Corpus, recipe: Recipe, estimated_seed: int | None = None) -> ReadClips:
    """Clips as they are, or, with a seed, as a simulated camera and estimator show them."""
    batches = []
    order = sorted(range(len(entries)), key=lambda i: len(entries[i].example.keypoints))
    for begin in range(0, len(order), _CLIPS_AT_ONCE):
        chosen = [entries[i].example for i in order[begin : begin + _CLIPS_AT_ONCE]]
        if estimated_seed is None:
            batch = read_examples(chosen, corpus.layout, recipe.model.rate_hz, recipe.smoothing)
        else:
            rng = np.random.default_rng([estimated_seed, begin])
            batch = as_estimated([join([e], rng, corpus.layout, recipe.stream) for e in chosen], rng, recipe, corpus.layout)
        batches.append(batch)
    return ReadClips(batches, np.array([entries[i].example.target for i in order], np.int64),
                     np.array([entries[i].data for i in order], dtype=str), len(corpus.classes))


def score(network: Network, clips: ReadClips) -> ClipScores:
    """Run `network` over clips."""
    parts = [_at_fractions(network, batch) for batch in clips.batches]
    logits = np.concatenate(parts) if parts else np.zeros((0, len(metrics.OBSERVED_FRACTIONS), clips.classes))
    return ClipScores(logits, clips.truth, clips.data)


def score_clips(network: Network, entries: list[Entry], corpus: Corpus, recipe: Recipe,
                estimated_seed: int | None = None) -> ClipScores:
    """`score` of `read_clips`."""
    return score(network, read_clips(entries, corpus, recipe, estimated_seed))


@torch.inference_mode()
def _at_fractions(network: Network, batch: Batch) -> np.ndarray:
    network.eval()
    logits = network(torch.from_numpy(batch.features), torch.from_numpy(batch.inside)).logits.numpy()
    seen = np.ceil(np.array(metrics.OBSERVED_FRACTIONS) * batch.ticks[:, None] - 1e-9).astype(int) - 1
    return logits[np.arange(len(logits))[:, None], np.maximum(seen, 0)]


def summary(scores: ClipScores, classes: tuple[str, ...]) -> dict:
    """Accuracy, macro F1, accuracy at each observed fraction, by data set and by class, and the confusion table."""
    predicted = scores.at_end().argmax(-1)
    table = metrics.confusion(predicted, scores.truth, len(classes))
    return {
        "clips": len(scores.truth),
        "accuracy": round(metrics.accuracy(predicted, scores.truth), 4),
        "macro_f1": round(metrics.macro_f1(table), 4),
        "area_under_observed_fraction": round(float(np.mean(
            [metrics.accuracy(scores.logits[:, f].argmax(-1), scores.truth) for f in range(scores.logits.shape[1])])), 4),
        "accuracy_by_observed_fraction": {
            f"{fraction:.1f}": round(metrics.accuracy(scores.logits[:, f].argmax(-1), scores.truth), 4)
            for f, fraction in enumerate(metrics.OBSERVED_FRACTIONS)},
        "accuracy_by_data_set": {str(name): round(metrics.accuracy(predicted[scores.data == name],
                                                                   scores.truth[scores.data == name]), 4)
                                 for name in np.unique(scores.data)},
        "recall_by_class": {name: round(float(table[k, k] / table[k].sum()), 4) for k, name in enumerate(classes)
                            if table[k].sum()},
        "confusion": table.tolist(),
    }


@dataclass(frozen=True)
class Calibration:
    """What makes confidences honest; see ModelSpec. `unknown_auroc` is measured where it was chosen, on validation."""

    temperature: float
    threshold: float
    expected_calibration_error: float
    unknown_auroc: float


def calibrate(known: ClipScores, strange: ClipScores) -> Calibration:
    """Temperature and threshold from validation clips of the classes and of left-out actions. Both count at every observed
    fraction from one half on: a robot asks all the time, not only at the end."""
    half = len(metrics.OBSERVED_FRACTIONS) // 2 - 1
    late = known.logits[:, half:]
    logits, truth = late.reshape(-1, late.shape[-1]), np.repeat(known.truth, late.shape[1])
    temperature = metrics.fit_temperature(logits, truth)
    chances = metrics.softmax(logits / temperature)
    confidence, correct = chances.max(-1), chances.argmax(-1) == truth
    outside = metrics.softmax(strange.logits[:, half:].reshape(-1, late.shape[-1]) / temperature).max(-1)
    return Calibration(round(temperature, 4), metrics.choose_threshold(confidence, correct),
                       round(metrics.calibration_error(confidence, correct), 4),
                       round(metrics.area_under_roc(confidence, outside), 4))
