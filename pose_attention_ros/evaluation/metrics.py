"""Numbers for classification with some honesty: accuracy, macro F1, confusion, calibration error, rejection of strangers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

NO_CLASS = -1  # as the truth: none of the classes; as a prediction: unknown
OBSERVED_FRACTIONS: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def accuracy(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Share of equal entries of two (N,) arrays; NaN for none."""
    return float((predicted == truth).mean()) if len(truth) else float("nan")


def confusion(predicted: np.ndarray, truth: np.ndarray, classes: int) -> np.ndarray:
    """(classes, classes) int64: row is the truth, column the prediction."""
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (truth, predicted), 1)
    return table


def macro_f1(table: np.ndarray) -> float:
    """Mean F1 over the classes that occur in a confusion table; NaN for none."""
    hits = np.diag(table)
    total = table.sum(0) + table.sum(1)
    there = table.sum(1) > 0
    return float((2 * hits[there] / total[there]).mean()) if there.any() else float("nan")


def calibration_error(confidence: np.ndarray, correct: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error (Guo et al. 2017) of confidences (N,) in [0, 1]; NaN for none."""
    if not len(confidence):
        return float("nan")
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(correct[bin_of == b].mean() - confidence[bin_of == b].mean()) * (bin_of == b).mean() for b in np.unique(bin_of)
    ]
    return float(sum(gaps))


def area_under_roc(known: np.ndarray, strange: np.ndarray) -> float:
    """Chance that a known clip's confidence is above a stranger's (ties count half); NaN where one side is empty."""
    if not len(known) or not len(strange):
        return float("nan")
    ordered = np.sort(strange)
    below = np.searchsorted(ordered, known, "left")
    equal = np.searchsorted(ordered, known, "right") - below
    return float((below + equal / 2).mean() / len(strange))


def average_precision(scores: np.ndarray, positive: np.ndarray) -> float:
    """Mean, over the positives, of the precision among all scores (N,) at least as high; NaN without any.

    positive (N,) bool. Equal scores are taken together, so that their order does not matter.
    """
    if not positive.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)  # the last place of each score
    hits = np.cumsum(positive[order])[ends]
    return float((hits / (ends + 1) * np.diff(hits, prepend=0)).sum() / hits[-1])


def rounded(value: float) -> float | None:
    """Four decimals; None for NaN, which JSON does not have."""
    return round(float(value), 4) if np.isfinite(value) else None


def fit_temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """Divisor of the logits (N, K) with the least negative log likelihood of truth (N,) (Guo et al. 2017). 1 where every
    answer is right: nothing then says how sure is too sure."""
    if (logits.argmax(-1) == truth).all():
        return 1.0
    candidates = np.exp(np.linspace(np.log(0.2), np.log(5.0), 161))

    def loss(temperature: float) -> float:
        chances = softmax(logits / temperature)[np.arange(len(truth)), truth]
        return float(-np.log(np.maximum(chances, 1e-12)).mean())

    return float(min(candidates, key=loss))


def choose_threshold(
    confidence: np.ndarray, correct: np.ndarray, precision: float = 0.9, weights: np.ndarray | None = None
) -> float:
    """The lowest confidence, in steps of 0.01, above which at least the share `precision` of the answers is right.

    confidence (N,), correct (N,) bool, weights (N,) how much each answer counts. Where no confidence is enough for that: the
    highest one.
    """
    steps = np.round(np.arange(0.2, 1.0, 0.01), 2)
    for step in steps:
        passed = confidence >= step
        if passed.any() and np.average(correct[passed], weights=None if weights is None else weights[passed]) >= precision:
            return float(step)
    return float(steps[-1])


def choose_thresholds(
    confidence: np.ndarray,
    answers: np.ndarray,
    correct: np.ndarray,
    precisions: Sequence[float],
    weights: np.ndarray,
    lowest: Sequence[float],
    shared: float = 0.03,
) -> tuple[float, ...]:
    """`choose_threshold` for the answers of each of K classes, but no less than `lowest`. Answers of the other classes count
    by the share `shared`: a class with few answers gets about the threshold of all.

    :param answers: (N,) the classes answered
    :param precisions: (K,) the share of each class's answers that is to be right
    """
    return tuple(
        max(choose_threshold(confidence, correct, precision, weights * np.where(answers == k, 1, shared)), least)
        for k, (precision, least) in enumerate(zip(precisions, lowest, strict=True))
    )
