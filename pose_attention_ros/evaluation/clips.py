"""A recogniser on labelled clips, tick by tick through the same stages as on the robot.

N clips, F observed fractions, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.features import FeatureStream
from pose_attention_ros.core.graph_stage import GraphConfig
from pose_attention_ros.core.layouts import joint_map
from pose_attention_ros.core.recogniser import ModelSpec, Recogniser
from pose_attention_ros.core.resampling import TickResampler
from pose_attention_ros.data.dataset import Clip, SkeletonDataset
from pose_attention_ros.data.streams import DEFAULT_FPS
from pose_attention_ros.evaluation import metrics
from pose_attention_ros.evaluation.metrics import NO_CLASS

_CLIPS_AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class ClipResults:
    """logits (N, F, K) after each of metrics.OBSERVED_FRACTIONS of a clip's ticks; truth (N,) class index, NO_CLASS for a
    clip of an action outside the classes."""

    logits: np.ndarray
    truth: np.ndarray


def run_clips(recogniser: Recogniser, data: SkeletonDataset, targets: Mapping[int, int],
              done: Callable[[int], None] = lambda clips: None) -> ClipResults:
    """Show each clip as one person seen from its first frame on.

    :param targets: which clips (rows of `data`), and each one's class index or NO_CLASS
    :param done: called with the number of clips finished since the call before
    """
    rows = sorted(targets, key=lambda i: data.offsets[i + 1] - data.offsets[i])
    parts = []
    for begin in range(0, len(rows), _CLIPS_AT_ONCE):
        chosen = [data[i] for i in rows[begin : begin + _CLIPS_AT_ONCE]]
        parts.append(_run_together(recogniser, chosen, data.joints))
        done(len(chosen))
    return ClipResults(np.concatenate(parts), np.array([targets[i] for i in rows], np.int64))


def clip_ticks(clip: Clip, joints: tuple[str, ...], spec: ModelSpec) -> np.ndarray:
    """(T, V, C): a clip as the recogniser reads it."""
    keypoints, scores = joint_map(joints, spec.layout.joints)(clip.keypoints, clip.scores)
    mask = scores >= GraphConfig().min_joint_score
    path, resampler = FeatureStream(spec.layout), TickResampler(spec.rate_hz)
    period_s = 1 / (clip.fps or DEFAULT_FPS)
    ticks = []
    for i in range(len(keypoints)):
        graph = path(keypoints[i], scores[i], mask[i], np.float32(period_s if i else 0))
        ticks.append(resampler.push(round(i * period_s * 1e9), graph.features)[0])
    return np.concatenate(ticks)


def _run_together(recogniser: Recogniser, clips: list[Clip], joints: tuple[str, ...]) -> np.ndarray:
    """Logits (n, F, K) of clips that run side by side, as people in view do."""
    spec = recogniser.spec
    ticks = [clip_ticks(clip, joints, spec) for clip in clips]
    wanted = [np.maximum(np.ceil(np.array(metrics.OBSERVED_FRACTIONS) * len(t) - 1e-9).astype(int) - 1, 0) for t in ticks]
    logits = np.zeros((len(clips), len(metrics.OBSERVED_FRACTIONS), len(spec.classes)), np.float32)
    state = np.zeros((len(clips), spec.state_size), np.float32)
    for tick in range(max(map(len, ticks))):
        there = np.array([i for i, each in enumerate(ticks) if tick < len(each)])
        output = recogniser.step(np.stack([ticks[i][tick] for i in there]), state[there])
        state[there] = output.state
        for row, i in enumerate(there):
            logits[i, wanted[i] == tick] = output.logits[row]
    return logits


def summarise(results: ClipResults, spec: ModelSpec) -> dict:
    """Plain values: accuracy and macro F1 of the classes' clips, by observed fraction and by class; calibration; and how
    many clips of each kind get past the threshold."""
    number = metrics.rounded
    known = results.truth != NO_CLASS
    logits, truth = results.logits[known], results.truth[known]
    predicted = logits[:, -1].argmax(-1)
    confidence = metrics.softmax(results.logits[:, -1] / spec.temperature).max(-1)
    table = metrics.confusion(predicted, truth, len(spec.classes))
    early = {f"{fraction:.1f}": number(metrics.accuracy(logits[:, f].argmax(-1), truth))
             for f, fraction in enumerate(metrics.OBSERVED_FRACTIONS)}
    accepted = confidence >= spec.threshold
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
        "classes": list(spec.classes),
        "recall_by_class": {name: number(table[k, k] / table[k].sum()) for k, name in enumerate(spec.classes)
                            if table[k].sum()},
        "confusion": table.tolist(),
    }


def _share(values: Iterable[bool]) -> float:
    values = np.asarray(values)
    return float(values.mean()) if len(values) else float("nan")

