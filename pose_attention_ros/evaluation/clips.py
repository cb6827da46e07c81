"""A recogniser on labelled clips, through the same feature path, ticks and steps as on the robot.

N clips, F observed fractions, K classes; m frames of a clip, V joints, C features.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.actions.recogniser import ModelSpec, Recogniser
from pose_attention_ros.core.body.features import BodyFrame, FeatureStream
from pose_attention_ros.core.body.layouts import Layout, joint_map
from pose_attention_ros.core.graph_stage import GraphConfig
from pose_attention_ros.core.time.resampling import resample, ticks_due
from pose_attention_ros.data.dataset import Clip, SkeletonDataset
from pose_attention_ros.data.streams import DEFAULT_FPS
from pose_attention_ros.evaluation import metrics
from pose_attention_ros.evaluation.metrics import NO_CLASS

_CLIPS_AT_ONCE = 32
_LEAST_CHANCE = 1e-6


@dataclass(frozen=True, eq=False)
class ClipResults:
    """logits (N, F, K) of the answer (see `Answers`) after each of metrics.OBSERVED_FRACTIONS of a clip's ticks; truth (N,)
    class index, NO_CLASS for a clip of an action outside the classes; labels (N,) as the data set has them."""

    logits: np.ndarray
    truth: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class ShownClip:
    """A clip as a camera delivers it: time_s (m,) increasing stamps; keypoints (m, V, 2) pixels and scores (m, V), 0 where a
    joint is missing, in the model's layout; unit_px, pixels a body unit."""

    time_s: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray
    unit_px: float

    @classmethod
    def of(cls, clip: Clip, joints: tuple[str, ...], layout: Layout) -> ShownClip:
        keypoints, scores = joint_map(joints, layout.joints)(clip.keypoints, clip.scores)
        units_px = BodyFrame(layout, (len(keypoints),)).scale_px(keypoints, scores > 0, np.zeros(len(keypoints)))
        return cls(np.arange(len(keypoints)) / (clip.fps or DEFAULT_FPS), keypoints, scores, float(np.median(units_px)))


class Answers:
    """What a recogniser says of a clip so far: what it says after the last tick. One that knows postures says at a clip's
    end, rightly, that somebody stands or sits again; so it is asked which class was the most probable on average (later
    ticks count more), and after postures only where the clips show some."""

    def __init__(
        self, classes: Sequence[str], postures: Sequence[str], temperature: float, clips: int, classes_shown: Collection[int]
    ) -> None:
        """
        :param postures: those of the `classes` that are states of a still body
        :param clips: n, those that run side by side
        :param classes_shown: class indices of all clips that are asked about, NO_CLASS counts for nothing
        """
        still = {classes.index(name) for name in postures}
        self._temperature = temperature
        self._averaged = bool(still)
        self._not_asked = [] if still & set(classes_shown) else sorted(still)
        self._means = np.zeros((clips, len(classes)))
        self._ticks = np.zeros((clips, 1))

    def after(self, rows: np.ndarray, logits: np.ndarray) -> np.ndarray:
        """One tick of the clips `rows`: logits (len(rows), K) -> those of the answers so far."""
        if not self._averaged:
            return logits
        chances = metrics.softmax(logits / self._temperature)
        chances[:, self._not_asked] = 0
        self._ticks[rows] += 1
        share = 3 / (self._ticks[rows] + 2)  # of a mean in which the tick t weighs about t ** 2
        self._means[rows] += share * (chances - self._means[rows])
        return (self._temperature * np.log(np.maximum(self._means[rows], _LEAST_CHANCE))).astype(np.float32)


# What happens to a clip on its way to the recogniser; see evaluation.robustness.
Change = Callable[[ShownClip, np.random.Generator, Layout], ShownClip]


def run_clips(
    recogniser: Recogniser,
    data: SkeletonDataset,
    targets: Mapping[int, int],
    done: Callable[[int], None] = lambda clips: None,
    change: Change | None = None,
    seed: int = 0,
    pixels: Callable[[int, int], np.ndarray] | None = None,
) -> ClipResults:
    """Show each clip as one person seen from its first frame on.

    :param targets: which clips (rows of `data`), and each one's class index or NO_CLASS
    :param done: called with the number of clips finished since the call before
    :param pixels: row of a clip, number of its ticks -> what the recogniser reads of its images, see clip_pixels
    :param change: applied to each clip, with random numbers that depend on `seed` and the clip's row alone
    """
    rows = sorted(targets, key=lambda i: data.offsets[i + 1] - data.offsets[i])
    parts = []
    for begin in range(0, len(rows), _CLIPS_AT_ONCE):
        chosen = rows[begin : begin + _CLIPS_AT_ONCE]
        clips = [ShownClip.of(data[i], data.joints, recogniser.spec.layout) for i in chosen]
        if change is not None:
            clips = [
                change(clip, np.random.default_rng([seed, i]), recogniser.spec.layout) for clip, i in zip(clips, chosen)
            ]
        ticks = clip_ticks(clips, recogniser.spec)
        seen = [pixels(i, len(each)) for i, each in zip(chosen, ticks)] if pixels else None
        parts.append(_run_together(recogniser, ticks, seen, set(targets.values())))
        done(len(chosen))
    return ClipResults(np.concatenate(parts), np.array([targets[i] for i in rows], np.int64), data.labels[rows])


def clip_ticks(clips: list[ShownClip], spec: ModelSpec) -> list[np.ndarray]:
    """(T, V, C) of each clip: what the recogniser reads of it."""
    frames = np.array([len(clip.time_s) for clip in clips])
    shape = (frames.max(), len(clips), len(spec.layout.joints))
    keypoints, scores, time_s = np.zeros((*shape, 2), np.float32), np.zeros(shape, np.float32), np.zeros(shape[:2])
    for b, clip in enumerate(clips):
        keypoints[: frames[b], b], scores[: frames[b], b] = clip.keypoints, clip.scores
        time_s[: frames[b], b], time_s[frames[b] :, b] = clip.time_s - clip.time_s[0], clip.time_s[-1] - clip.time_s[0]
    mask = scores >= max(GraphConfig().min_joint_score, 1e-6)
    elapsed_s = np.diff(time_s, axis=0, prepend=0).astype(np.float32)
    path = FeatureStream(spec.layout, (len(clips),), spec.smoothing)
    features = np.stack([path(keypoints[i], scores[i], mask[i], elapsed_s[i]).features for i in range(len(keypoints))], 1)
    return [
        resample(time_s[:n, b], features[b, :n], ticks_due(0, time_s[n - 1, b], spec.rate_hz)) for b, n in enumerate(frames)
    ]


def _run_together(
    recogniser: Recogniser, ticks: list[np.ndarray], pixels: list[np.ndarray] | None, classes_shown: Collection[int]
) -> np.ndarray:
    """Logits (n, F, K) of the answers to clips, (T, V, C) each, that run side by side, as people in view do."""
    spec = recogniser.spec
    wanted = [np.maximum(np.ceil(np.array(metrics.OBSERVED_FRACTIONS) * len(t) - 1e-9).astype(int) - 1, 0) for t in ticks]
    logits = np.zeros((len(ticks), len(metrics.OBSERVED_FRACTIONS), len(spec.classes)), np.float32)
    state = np.zeros((len(ticks), spec.state_size), np.float32)
    answers = Answers(spec.classes, spec.postures, spec.temperature, len(ticks), classes_shown)
    for tick in range(max(map(len, ticks))):
        there = np.array([i for i, each in enumerate(ticks) if tick < len(each)])
        seen = None if pixels is None else np.stack([pixels[i][tick] for i in there])
        output = recogniser.step(np.stack([ticks[i][tick] for i in there]), state[there], seen)
        state[there] = output.state
        for i, answer in zip(there, answers.after(there, output.logits)):
            logits[i, wanted[i] == tick] = answer
    return logits


def summarise(results: ClipResults, spec: ModelSpec) -> dict:
    """Plain values: accuracy and macro F1 of the classes' clips, by observed fraction and by class; calibration; and how
    many clips of each kind get past the threshold."""
    number = metrics.rounded
    known = results.truth != NO_CLASS
    logits, truth = results.logits[known], results.truth[known]
    predicted = logits[:, -1].argmax(-1)
    chances = metrics.softmax(results.logits[:, -1] / spec.temperature)
    confidence = chances.max(-1)
    table = metrics.confusion(predicted, truth, len(spec.classes))
    early = {
        f"{fraction:.1f}": number(metrics.accuracy(logits[:, f].argmax(-1), truth))
        for f, fraction in enumerate(metrics.OBSERVED_FRACTIONS)
    }
    accepted = confidence >= spec.threshold_of_each()[chances.argmax(-1)]
    return {
        "model_id": spec.model_id,
        "sha256": spec.sha256,
        "clips": int(known.sum()),
        "accuracy": number(metrics.accuracy(predicted, truth)),
        "macro_f1": number(metrics.macro_f1(table)),
        "accuracy_by_observed_fraction": early,
        "area_under_observed_fraction": number(float(np.mean(list(early.values()))) if len(truth) else float("nan")),
        "expected_calibration_error": number(metrics.calibration_error(confidence[known], predicted == truth)),
        "threshold": spec.threshold,
        "accepted": number(_share(accepted[known])),
        "accuracy_of_accepted": number(_share((predicted == truth)[accepted[known]])),
        "clips_of_no_class": int((~known).sum()),
        "accepted_of_no_class": number(_share(accepted[~known])),
        "unknown_auroc": number(metrics.area_under_roc(confidence[known], confidence[~known])),
        "no_class_by_label": {
            str(label): {
                "clips": int((results.labels[~known] == label).sum()),
                "accepted": number(_share(accepted[~known][results.labels[~known] == label])),
                "auroc": number(
                    metrics.area_under_roc(confidence[known], confidence[~known][results.labels[~known] == label])
                ),
            }
            for label in np.unique(results.labels[~known])
        },
        "reliability": reliability(confidence[known], predicted == truth),
        "classes": list(spec.classes),
        "recall_by_class": {
            name: number(table[k, k] / table[k].sum()) for k, name in enumerate(spec.classes) if table[k].sum()
        },
        "confusion": table.tolist(),
    }


def reliability(confidence: np.ndarray, correct: np.ndarray, bins: int = 10) -> list[dict]:
    """Of each tenth of the confidences (N,) that occurs: mean confidence, share of correct (N,) answers, clips."""
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    return [
        {
            "confidence": metrics.rounded(confidence[bin_of == b].mean()),
            "accuracy": metrics.rounded(correct[bin_of == b].mean()),
            "clips": int((bin_of == b).sum()),
        }
        for b in np.unique(bin_of)
    ]


def _share(values: Iterable[bool]) -> float:
    values = np.asarray(values)
    return float(values.mean()) if len(values) else float("nan")
