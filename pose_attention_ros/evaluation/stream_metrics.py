"""Numbers for labels given moment by moment: how right, how early, how steady, and how quiet while nobody acts.

Pure functions of `Timeline`s, one for each person of each stream; numbers of several are pooled, not averaged. T frames,
K classes. A label is a class index or NO_CLASS: as the truth "none of the classes", as a prediction "unknown".
Frames count by the time they stand for, so that dropped frames and jitter do not shift the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pose_attention_ros.evaluation import metrics
from pose_attention_ros.evaluation.metrics import NO_CLASS

UNLABELLED = -2  # a truth that nobody wrote down: such frames count nowhere
OVERLAPS: tuple[float, ...] = (0.10, 0.25, 0.50)
LONGEST_FRAME_S = 1.0  # a frame before a gap stands for no more than this


class Segment(NamedTuple):
    """A run of frames with one label: frames first, ..., end - 1."""

    label: int
    first: int
    end: int


@dataclass(frozen=True, eq=False)
class Timeline:
    """One person of one stream.

    :param stamps_ns: (T,) int64, increasing; :param truth: (T,) int64, class index, NO_CLASS or UNLABELLED
    :param predicted: (T,) int64, class index or NO_CLASS
    :param scores: (T, K) float, the classes' scores, higher is surer; zeros where a frame has none
    :raises ValueError: shapes differ, stamps do not increase, or a label is out of range
    """

    stamps_ns: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray
    scores: np.ndarray

    def __post_init__(self) -> None:
        for name in ("stamps_ns", "truth", "predicted"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.int64))
        if not np.issubdtype(np.asarray(self.scores).dtype, np.floating):  # else as they are: they may lie in a file
            object.__setattr__(self, "scores", np.asarray(self.scores, np.float64))
        frames = len(self.stamps_ns)
        for name in ("stamps_ns", "truth", "predicted"):
            if getattr(self, name).shape != (frames,):
                raise ValueError(f"Timeline.{name} has shape {getattr(self, name).shape}, expected ({frames},)")
        if self.scores.ndim != 2 or len(self.scores) != frames:
            raise ValueError(f"Timeline.scores has shape {self.scores.shape}, expected ({frames}, classes)")
        if (np.diff(self.stamps_ns) <= 0).any():
            raise ValueError("Timeline.stamps_ns does not increase")
        for name, lowest in (("truth", UNLABELLED), ("predicted", NO_CLASS)):
            labels = getattr(self, name)
            if frames and not (lowest <= labels.min() and labels.max() < self.scores.shape[1]):
                raise ValueError(
                    f"Timeline.{name} holds labels {labels.min()} to {labels.max()}, expected {lowest} to "
                    f"{self.scores.shape[1] - 1}"
                )

    @cached_property
    def seconds(self) -> np.ndarray:
        """(T,) the time each frame stands for: until the next one, the last as long as the median; 0 where unlabelled."""
        steps = np.minimum(np.diff(self.stamps_ns) * 1e-9, LONGEST_FRAME_S)
        last = np.median(steps) if len(steps) else 0.0
        return np.where(self.truth == UNLABELLED, 0, np.append(steps, last)[: len(self.truth)])

    def elapsed_s(self, first: int, frame: int) -> float:
        """Seconds from one frame's stamp to another's."""
        return float(self.stamps_ns[frame] - self.stamps_ns[first]) * 1e-9


def segments(labels: np.ndarray) -> list[Segment]:
    """The runs of equal labels (T,), in order; they cover every frame."""
    borders = np.flatnonzero(np.diff(labels)) + 1
    firsts = [0, *borders.tolist()] if len(labels) else []
    return [Segment(int(labels[first]), first, end) for first, end in zip(firsts, [*firsts[1:], len(labels)])]


def frame_accuracy(timelines: Sequence[Timeline]) -> float:
    """Share of the labelled time with the right label; "unknown" is right where no class is shown. NaN for no time."""
    right = sum(line.seconds[line.truth == line.predicted].sum() for line in timelines)
    return _share(right, sum(line.seconds.sum() for line in timelines))


def acting_accuracy(timelines: Sequence[Timeline]) -> float:
    """The same over the time in which a class is shown."""
    right = sum(line.seconds[(line.truth == line.predicted) & (line.truth >= 0)].sum() for line in timelines)
    return _share(right, sum(line.seconds[line.truth >= 0].sum() for line in timelines))


def confusion_s(timelines: Sequence[Timeline], classes: int) -> np.ndarray:
    """(K+1, K+1) seconds: row is the truth, column the prediction; the last of each is NO_CLASS."""
    table = np.zeros((classes + 1, classes + 1))
    for line in timelines:
        there = line.truth != UNLABELLED
        np.add.at(table, (line.truth[there] % (classes + 1), line.predicted[there] % (classes + 1)), line.seconds[there])
    return table


def macro_f1(timelines: Sequence[Timeline], classes: int) -> float:
    """Mean over the classes that are shown of the F1 of their time; NaN for none."""
    table = confusion_s(timelines, classes)
    there = np.flatnonzero(table[:classes].sum(1) > 0)
    total = table.sum(0) + table.sum(1)
    return float((2 * np.diag(table)[there] / total[there]).mean()) if len(there) else float("nan")


def frame_map(timelines: Sequence[Timeline], classes: int) -> float:
    """Mean over the classes that are shown of the average precision with which their score finds their frames among all
    labelled frames, those of no class included; NaN for none."""
    if not timelines:
        return float("nan")
    labelled = [line.truth != UNLABELLED for line in timelines]
    truth = np.concatenate([line.truth[there] for line, there in zip(timelines, labelled)])
    precisions = []
    for k in (k for k in range(classes) if (truth == k).any()):  # one at a time: a long stream's scores lie in a file
        scores = np.concatenate([line.scores[:, k][there] for line, there in zip(timelines, labelled)])
        precisions.append(metrics.average_precision(scores.astype(np.float64), truth == k))
    return float(np.mean(precisions)) if precisions else float("nan")


def segmental_f1(timelines: Sequence[Timeline], overlap: float) -> float:
    """F1 of segments (Lea et al., CVPR 2017): a predicted segment is right if it shares at least `overlap` of the time of
    its union with a true segment of its class that no earlier one has taken. Segments of NO_CLASS count on neither side.

    NaN where there is neither a true nor a predicted segment.
    """
    hits = wanted = given = 0
    for line in timelines:
        true = [s for s in segments(line.truth) if s.label >= 0 and _seconds(line, s) > 0]
        # A run that an unlabelled stretch interrupts stays one; what lies wholly in such stretches is nobody's mistake.
        found = [s for s in segments(line.predicted) if s.label >= 0 and _seconds(line, s) > 0]
        taken: set[Segment] = set()
        for segment in found:
            rivals = [
                (_overlap(line, segment, other), other)
                for other in true
                if other.label == segment.label and other.first < segment.end and segment.first < other.end
            ]
            best, other = max(rivals, default=(0.0, None))
            if other is not None and best >= overlap - 1e-6 and other not in taken:
                taken.add(other)
        hits, wanted, given = hits + len(taken), wanted + len(true), given + len(found)
    return _share(2 * hits, wanted + given)


def seconds_to_label(timelines: Sequence[Timeline]) -> np.ndarray:
    """One entry a true segment of a class: seconds from its first frame to the first in it with the right label; NaN where
    there is none (missed)."""
    delays = []
    for line in timelines:
        for label, first, end in segments(line.truth):
            if label >= 0:
                right = np.flatnonzero(line.predicted[first:end] == label)
                delays.append(line.elapsed_s(first, first + right[0]) if len(right) else np.nan)
    return np.array(delays, np.float64)


def seconds_to_release(timelines: Sequence[Timeline]) -> np.ndarray:
    """One entry a true segment at whose end its label stands and after which no class is shown: seconds until the label is
    given up; where that does not happen before the next class, all of the time until then."""
    delays = []
    for line in timelines:
        runs = segments(line.truth)
        for (label, _, end), after in pairwise(runs):
            if label >= 0 and after.label == NO_CLASS and line.predicted[end - 1] == label:
                given_up = np.flatnonzero(line.predicted[after.first : after.end] != label)
                delays.append(line.elapsed_s(end, end + given_up[0]) if len(given_up) else _seconds(line, after))
    return np.array(delays, np.float64)


def changes_per_minute(timelines: Sequence[Timeline]) -> float:
    """How often the predicted label changes, "unknown" counted as a label; NaN for no time."""
    changes = sum(int(((np.diff(line.predicted) != 0) & (line.seconds[1:] > 0)).sum()) for line in timelines)
    return 60 * _share(changes, sum(line.seconds.sum() for line in timelines))


def false_labels_per_minute(timelines: Sequence[Timeline], grace_s: float = 1.0) -> float:
    """Class labels a minute of the time in which no class is shown; NaN where there is no such time.

    Each run of a label within such a stretch counts once. The label of the action that has just ended is forgiven for
    `grace_s`, and counts if it stays for longer.
    """
    labels = 0
    for line in timelines:
        runs = segments(line.truth)
        for before, (truth, first, end) in zip([None, *runs], runs):
            for label, begin, stop in segments(line.predicted[first:end]) if truth == NO_CLASS else ():
                kept = before is not None and begin == 0 and label == before.label == line.predicted[first - 1]
                late_s = line.seconds[first : first + stop].sum()
                labels += label >= 0 and not (kept and late_s <= grace_s)
    idle_s = sum(line.seconds[line.truth == NO_CLASS].sum() for line in timelines)
    return 60 * _share(labels, idle_s)


def false_time(timelines: Sequence[Timeline]) -> float:
    """Share of the time in which no class is shown that carries a class label; NaN where there is no such time."""
    false = sum(line.seconds[(line.truth == NO_CLASS) & (line.predicted >= 0)].sum() for line in timelines)
    return _share(false, sum(line.seconds[line.truth == NO_CLASS].sum() for line in timelines))


def early_recognition(
    timelines: Sequence[Timeline], fractions: Sequence[float] = metrics.OBSERVED_FRACTIONS
) -> dict[str, np.ndarray]:
    """Share of the true segments of a class that are right once this fraction of their frames has been seen.

    :returns: {"label": (F,), "best_score": (F,)}: whether the published label is right, and whether the class with the
        highest score is; NaN for no segments
    """
    right: dict[str, list[np.ndarray]] = {"label": [], "best_score": []}
    for line in timelines:
        best = line.scores.argmax(-1) if line.scores.shape[1] else line.predicted
        for label, first, end in segments(line.truth):
            if label >= 0:
                seen = first + np.maximum(np.ceil(np.array(fractions) * (end - first) - 1e-9).astype(int) - 1, 0)
                right["label"].append(line.predicted[seen] == label)
                right["best_score"].append(best[seen] == label)
    return {kind: np.mean(rows, axis=0) if rows else np.full(len(fractions), np.nan) for kind, rows in right.items()}


def summarise(timelines: Sequence[Timeline], classes: Sequence[str]) -> dict:
    """Everything above as plain values: shares in [0, 1], times in seconds; None where there is nothing to measure."""
    delays, release = seconds_to_label(timelines), seconds_to_release(timelines)
    found, kinds = delays[~np.isnan(delays)], len(classes)
    early = early_recognition(timelines)
    number = metrics.rounded
    return {
        "people": len(timelines),
        "minutes": number(sum(line.seconds.sum() for line in timelines) / 60),
        "idle_minutes": number(sum(line.seconds[line.truth == NO_CLASS].sum() for line in timelines) / 60),
        "segments": len(delays),
        "frame_accuracy": number(frame_accuracy(timelines)),
        "acting_accuracy": number(acting_accuracy(timelines)),
        "macro_f1": number(macro_f1(timelines, kinds)),
        "frame_map": number(frame_map(timelines, kinds)),
        "segmental_f1": {f"{overlap:.2f}": number(segmental_f1(timelines, overlap)) for overlap in OVERLAPS},
        "missed_segments": number(_share(int(np.isnan(delays).sum()), len(delays))),
        "seconds_to_label": {"median": number(_quantile(found, 0.5)), "p90": number(_quantile(found, 0.9))},
        "seconds_to_release": {"median": number(_quantile(release, 0.5)), "p90": number(_quantile(release, 0.9))},
        "label_changes_per_minute": number(changes_per_minute(timelines)),
        "false_labels_per_idle_minute": number(false_labels_per_minute(timelines)),
        "false_share_of_idle_time": number(false_time(timelines)),
        "early_recognition": {
            kind: {f"{fraction:.1f}": number(value) for fraction, value in zip(metrics.OBSERVED_FRACTIONS, values)}
            for kind, values in early.items()
        },
        "classes": list(classes),
        "confusion_s": np.round(confusion_s(timelines, kinds), 2).tolist(),
    }


def _seconds(line: Timeline, segment: Segment) -> float:
    return float(line.seconds[segment.first : segment.end].sum())


def _overlap(line: Timeline, a: Segment, b: Segment) -> float:
    """Time of both over time of either."""
    both = float(line.seconds[max(a.first, b.first) : min(a.end, b.end)].sum())
    return both / (_seconds(line, a) + _seconds(line, b) - both)


def _quantile(values: np.ndarray, share: float) -> float:
    return float(np.quantile(values, share)) if len(values) else float("nan")


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")
