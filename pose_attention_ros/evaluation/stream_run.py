"""Streams through the stages of the robot: feature path, resampling, recogniser, labels; in time, several people at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.action_stage import ActionConfig, ActionStage
from pose_attention_ros.core.actions.recogniser import ModelSpec, Recogniser
from pose_attention_ros.core.body.features import FeatureStream
from pose_attention_ros.core.types import UNKNOWN_LABEL, SkeletonGraphs
from pose_attention_ros.data.augment import AugmentConfig, estimate
from pose_attention_ros.data.streams import Stream, sampled
from pose_attention_ros.evaluation.stream_metrics import NO_CLASS, UNLABELLED, Timeline

IMAGE_SIZE = (1280, 720)
PEOPLE_AT_ONCE = 16


@dataclass(frozen=True, eq=False)
class SeenStream:
    """What a camera and an estimator make of a stream: stamps_ns (T,) int64; keypoints (T, V, 2) pixels; scores (T, V), 0
    for a missing joint; truth (T,) as Timeline has it."""

    stamps_ns: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray
    truth: np.ndarray


def seen_at(
    streams: Sequence[Stream], fps: float, spec: ModelSpec, rough: AugmentConfig | None = None, seed: int = 0
) -> list[SeenStream]:
    """The streams as a camera of `fps` frames a second sees them; with `rough`, through a simulated pose estimator."""
    rng = np.random.default_rng(seed)
    seen = []
    for stream in streams:
        shown = sampled(stream, np.arange(int(stream.time_s[-1] * fps) + 1) / fps)
        keypoints, scores = shown.keypoints, shown.mask.astype(np.float32)
        if rough is not None:
            elapsed_s = np.full((1, len(scores)), 1 / fps)
            keypoints, scores = (
                rows[0] for rows in estimate(rng, keypoints[None], shown.mask[None], elapsed_s, spec.layout, rough)
            )
        truth = np.where(shown.ignored, UNLABELLED, shown.targets)
        seen.append(SeenStream(np.round(shown.time_s * 1e9).astype(np.int64), keypoints, scores, truth))
    return seen


def run_streams(
    recogniser: Recogniser,
    streams: Sequence[SeenStream],
    config: ActionConfig | None = None,
    resting: Collection[str] = (),
    done: Callable[[int], None] = lambda people: None,
) -> list[Timeline]:
    """One timeline a stream: truth, published label and scores at every frame.

    :param resting: classes that mean rest: they count as NO_CLASS, as a truth and as a label
    :param done: called with the number of people finished since the call before
    """
    order = sorted(range(len(streams)), key=lambda i: len(streams[i].stamps_ns))
    timelines: dict[int, Timeline] = {}
    for begin in range(0, len(order), PEOPLE_AT_ONCE):
        chosen = order[begin : begin + PEOPLE_AT_ONCE]
        together = _run_together(recogniser, [streams[i] for i in chosen], config, resting)
        timelines.update(zip(chosen, together))
        done(len(chosen))
    return [timelines[i] for i in range(len(streams))]


def _run_together(
    recogniser: Recogniser, streams: list[SeenStream], config: ActionConfig | None, resting: Collection[str]
) -> list[Timeline]:
    """People in view of one camera; each leaves at the end of his stream."""
    spec, stage = recogniser.spec, ActionStage(recogniser, config)
    labels = {name: NO_CLASS if name in resting else k for k, name in enumerate(spec.classes)} | {UNKNOWN_LABEL: NO_CLASS}
    frames = np.array([len(stream.stamps_ns) for stream in streams])
    stamps_ns = streams[int(frames.argmax())].stamps_ns
    path = FeatureStream(spec.layout, (len(streams),), spec.smoothing)
    predicted = [np.full(n, NO_CLASS) for n in frames]
    scores = [np.zeros((n, len(spec.classes)), np.float32) for n in frames]
    for i, stamp_ns in enumerate(stamps_ns.tolist()):
        rows = np.minimum(i, frames - 1)
        keypoints = np.stack([stream.keypoints[row] for stream, row in zip(streams, rows)])
        score = np.stack([stream.scores[row] for stream, row in zip(streams, rows)]).astype(np.float32)
        elapsed_s = (stamp_ns - int(stamps_ns[max(i - 1, 0)])) * 1e-9
        body = path(keypoints, score, score > 0, np.full(len(streams), elapsed_s, np.float32))
        there = np.flatnonzero(i < frames)
        graphs = SkeletonGraphs(
            stamp_ns,
            "",
            spec.layout,
            IMAGE_SIZE,
            there,
            body.nodes[there],
            body.features[there],
            score[there] > 0,
            np.full(len(there), stamp_ns * 1e-9),
            body.root_px[there],
            body.scale_px[there],
            np.zeros((len(there), 4)),
        )
        for person in stage(graphs).people:
            predicted[person.track_id][i] = labels[person.label]
            scores[person.track_id][i] = person.scores
    rests = [k for k, name in enumerate(spec.classes) if name in resting]
    return [
        Timeline(stream.stamps_ns, np.where(np.isin(stream.truth, rests), NO_CLASS, stream.truth), label, score)
        for stream, label, score in zip(streams, predicted, scores)
    ]
