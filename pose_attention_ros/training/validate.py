"""A network on whole clips: logits after every tick, and the numbers that follow from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import torch

from pose_attention_ros.data.streams import join
from pose_attention_ros.data.views import in_an_image
from pose_attention_ros.evaluation import metrics
from pose_attention_ros.evaluation.clips import Answers
from pose_attention_ros.models.bundle import Network
from pose_attention_ros.models.losses import OTHER
from pose_attention_ros.training.batches import Batch, as_estimated, read_examples
from pose_attention_ros.training.corpus import Corpus, Entry
from pose_attention_ros.training.recipe import Recipe

_CLIPS_AT_ONCE = 64
_QUIET_PRECISION = 0.8
_ALARM_PRECISION = 0.7
_LEAST = 0.5  # what is told is likelier than all else together
_LEAST_OF_ALARMS = 0.3


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
    """Clips as they are, or, with a seed, as a simulated camera and estimator show them: whole people in both, 3D motions
    from a random side."""
    whole = dataclasses.replace(recipe, view=dataclasses.replace(recipe.view, cut=0.0, furniture=0.0))
    batches = []
    order = sorted(range(len(entries)), key=lambda i: len(entries[i].example.keypoints))
    for begin in range(0, len(order), _CLIPS_AT_ONCE):
        chosen = [entries[i].example for i in order[begin : begin + _CLIPS_AT_ONCE]]
        rng = np.random.default_rng([estimated_seed or 0, begin])
        if estimated_seed is None:
            chosen = [in_an_image(example, rng, corpus.layout, whole.view) for example in chosen]
            batch = read_examples(chosen, corpus.layout, recipe.model.rate_hz, recipe.smoothing)
        else:
            batch = as_estimated([join([e], rng, corpus.layout, recipe.stream) for e in chosen], rng, whole, corpus.layout)
        batches.append(batch)
    return ReadClips(
        batches,
        np.array([entries[i].kind for i in order], np.int64),
        np.array([entries[i].data for i in order], dtype=str),
        len(corpus.classes),
    )


def score(network: Network, clips: ReadClips, answers: Callable[[int], Answers] | None = None) -> ClipScores:
    """Run `network` over clips.

    :param answers: number of clips -> what makes answers of their ticks; None: what is said after a tick is the answer
    """
    parts = [_at_fractions(network, batch, answers and answers(len(batch.ticks))) for batch in clips.batches]
    logits = np.concatenate(parts) if parts else np.zeros((0, len(metrics.OBSERVED_FRACTIONS), clips.classes))
    return ClipScores(logits, clips.truth, clips.data)


def of_no_class(scores: ClipScores) -> ClipScores:
    """Those of the clips that are of no class."""
    rows = scores.truth == OTHER
    return ClipScores(scores.logits[rows], scores.truth[rows], scores.data[rows])


def score_clips(
    network: Network, entries: list[Entry], corpus: Corpus, recipe: Recipe, estimated_seed: int | None = None
) -> ClipScores:
    """`score` of `read_clips`."""
    return score(network, read_clips(entries, corpus, recipe, estimated_seed))


@torch.inference_mode()
def _at_fractions(network: Network, batch: Batch, answers: Answers | None) -> np.ndarray:
    network.eval()
    logits = network(torch.from_numpy(batch.features), torch.from_numpy(batch.inside)).logits.numpy()
    if answers is not None:
        everybody = np.arange(len(logits))
        logits = np.stack([answers.after(everybody, logits[:, tick]) for tick in range(logits.shape[1])], 1)
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
        "area_under_observed_fraction": round(
            float(
                np.mean(
                    [metrics.accuracy(scores.logits[:, f].argmax(-1), scores.truth) for f in range(scores.logits.shape[1])]
                )
            ),
            4,
        ),
        "accuracy_by_observed_fraction": {
            f"{fraction:.1f}": round(metrics.accuracy(scores.logits[:, f].argmax(-1), scores.truth), 4)
            for f, fraction in enumerate(metrics.OBSERVED_FRACTIONS)
        },
        "accuracy_by_data_set": {
            str(name): round(metrics.accuracy(predicted[scores.data == name], scores.truth[scores.data == name]), 4)
            for name in np.unique(scores.data)
        },
        "recall_by_class": {
            name: round(float(table[k, k] / table[k].sum()), 4) for k, name in enumerate(classes) if table[k].sum()
        },
        "confusion": table.tolist(),
    }


@dataclass(frozen=True)
class Calibration:
    """What makes confidences honest; see ModelSpec. `unknown_auroc` is measured where it was chosen, on validation."""

    temperature: float
    threshold: float
    expected_calibration_error: float
    unknown_auroc: float
    thresholds: tuple[float, ...] = ()

    def accepted(self, chances: np.ndarray) -> np.ndarray:
        """(N,) bool of (N, K) probabilities, whether the most probable class is told."""
        best = chances.argmax(-1)
        return chances.max(-1) >= (np.array(self.thresholds)[best] if self.thresholds else self.threshold)


def calibrate(
    known: ClipScores,
    strange: ClipScores,
    nothing: ClipScores | None = None,
    postures: Collection[int] = (),
    alarms: Collection[int] = (),
) -> Calibration:
    """Temperature and threshold from validation clips of the classes and of left-out actions. Both count at every observed
    fraction from one half on: a robot asks all the time, not only at the end.

    :param nothing: clips of actions of no class that training knows. Where there are some, they count as much as those of
        the classes, and four in five of the answers that pass are to be right, of all and of each class; else nine in ten
        of those to the classes
    :param postures: classes that need be no surer than all together: who sits and does what has no name sits all the same
    :param alarms: classes of which seven in ten answers are to be right, and which need not be likelier than all else
        together
    """
    half = len(metrics.OBSERVED_FRACTIONS) // 2 - 1
    late = known.logits[:, half:]
    logits, truth = late.reshape(-1, late.shape[-1]), np.repeat(known.truth, late.shape[1])
    temperature = metrics.fit_temperature(logits, truth)
    chances = metrics.softmax(logits / temperature)
    confidence, correct = chances.max(-1), chances.argmax(-1) == truth
    outside = metrics.softmax(strange.logits[:, half:].reshape(-1, late.shape[-1]) / temperature).max(-1)
    threshold, thresholds = metrics.choose_threshold(confidence, correct), ()
    if nothing is not None and len(nothing.truth):
        idle = metrics.softmax(nothing.logits[:, half:].reshape(-1, late.shape[-1]) / temperature)
        answers = (np.concatenate([confidence, idle.max(-1)]), np.concatenate([correct, np.zeros(len(idle), bool)]))
        weights = np.concatenate([np.ones(len(confidence)), np.full(len(idle), len(confidence) / len(idle))])
        threshold = metrics.choose_threshold(*answers, _QUIET_PRECISION, weights)
        best = np.concatenate([chances.argmax(-1), idle.argmax(-1)])
        alarm = np.isin(np.arange(late.shape[-1]), list(alarms))
        precisions = np.where(alarm, _ALARM_PRECISION, _QUIET_PRECISION).tolist()
        lowest = np.where(alarm, _LEAST_OF_ALARMS, _LEAST).tolist()
        each = metrics.choose_thresholds(answers[0], best, answers[1], precisions, weights, lowest)
        thresholds = tuple(min(own, threshold) if k in postures else own for k, own in enumerate(each))
    return Calibration(
        round(temperature, 4),
        threshold,
        round(metrics.calibration_error(confidence, correct), 4),
        round(metrics.area_under_roc(confidence, outside), 4),
        thresholds,
    )
