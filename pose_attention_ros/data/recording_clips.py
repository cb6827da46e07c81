"""Recordings with labels as clips of a data set: every labelled stretch of every tracked person, cut to a handy length."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from pose_attention_ros.bags.identities import IdSwitches, Roll, truth_of
from pose_attention_ros.bags.stream_labels import StreamLabels
from pose_attention_ros.core.body.layouts import layout, layout_map
from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.graph_stage import GraphConfig, GraphStage
from pose_attention_ros.core.time.resampling import resample
from pose_attention_ros.core.types import FEATURE_NAMES, Frame, SkeletonGraphs, Skeletons
from pose_attention_ros.data.dataset import Clip, SkeletonDataset
from pose_attention_ros.data.finishing import finished

_SCORE = FEATURE_NAMES.index("score")
PoseStage = Callable[[Frame], Skeletons]


@dataclass(frozen=True)
class RecordingClipConfig(Settings):
    """How a recording becomes clips."""

    clip_s: float = setting(3.0, "longer stretches are cut into clips of about this length", unit="s", low=0.5, high=60.0)
    shortest_s: float = setting(0.6, "shorter stretches are left out", unit="s", low=0.1, high=10.0)
    val_share: float = setting(
        0.25,
        "share of each label's groups (stretches, or videos) that goes to validation, at least one of several",
        low=0.0,
        high=0.9,
    )
    background: str = setting("", "label for the time that nobody labelled; empty: it is left out")


@dataclass
class _Run:
    """Frames of one person within one labelled stretch."""

    label: str
    span: str
    stamps_ns: list[int] = field(default_factory=list)
    points: list[np.ndarray] = field(default_factory=list)  # (V, 3): x, y, score


@dataclass
class LabelledRecording:
    """items: records (images, skeletons or skeleton graphs) with increasing stamps; truth: its labels; group: of all its
    clips, empty where each labelled stretch is one."""

    name: str
    items: Iterator[Any]
    truth: StreamLabels
    group: str = ""


def import_recordings(
    recordings: Iterable[LabelledRecording],
    config: RecordingClipConfig,
    make_pose: Callable[[], PoseStage],
    done: Callable[[int], None] = lambda frames: None,
) -> SkeletonDataset:
    """The data set of recordings, which are read one after another.

    :param make_pose: makes the pose estimator, called once the first image comes
    :raises UserError: nothing in them can be used
    """
    table = layout(GraphConfig().layout)
    pose = cache(make_pose)
    clips = []
    for recording in recordings:
        seen = _people(recording.items, pose, done)
        runs = list(_runs(seen, recording.truth, config))
        clips += [
            (recording.group or f"{recording.name}/{run.span}", clip)
            for run, size in runs
            for clip in _clips(run, size, config)
        ]
    if not clips:
        raise UserError("no labelled stretch with a tracked person in it; nothing to import")
    return finished(_divided(clips, config.val_share), table.joints)


def _people(
    items: Iterator[Any], pose: Callable[[], PoseStage], done: Callable[[int], None]
) -> Iterator[tuple[SkeletonGraphs, np.ndarray]]:
    """Graphs and (N, V, 3) joints of each image: as the estimator saw them, unsmoothed, where that is still known."""
    stage = GraphStage()
    to_layout: Callable | None = None
    for item in items:
        done(1)
        skeletons = pose()(item) if isinstance(item, Frame) else item
        if isinstance(skeletons, SkeletonGraphs):
            scores = skeletons.features[..., _SCORE:] * skeletons.mask[..., None]
            yield skeletons, np.concatenate([skeletons.keypoints_px(), scores], -1)
            continue
        graphs = stage(skeletons)
        to_layout = to_layout or layout_map(skeletons.layout.name, graphs.layout.name)
        keypoints, scores = to_layout(skeletons.keypoints_px, skeletons.scores)
        rows = [int(np.flatnonzero((skeletons.boxes_xyxy == box).all(1))[0]) for box in graphs.boxes_xyxy]
        yield graphs, np.concatenate([keypoints[rows], scores[rows, :, None]], -1)


def _runs(
    seen: Iterator[tuple[SkeletonGraphs, np.ndarray]], truth: StreamLabels, config: RecordingClipConfig
) -> Iterator[tuple[_Run, tuple[int, int]]]:
    """Each person's unbroken stretches of one label, with the image size."""
    switches, roll = IdSwitches(), None
    longest_gap_ns = round(GraphConfig().max_gap_s * 1e9)
    open_runs: dict[int, _Run] = {}
    first_ns = last_ns = 0
    size = (0, 0)
    for graphs, points in seen:
        if roll is None:
            truth.begin(graphs.stamp_ns)
            roll, first_ns = Roll(truth), graphs.stamp_ns
        last_ns, size = graphs.stamp_ns, graphs.image_size
        boxes = dict(zip(graphs.track_ids.tolist(), graphs.boxes_xyxy))
        switches.add(last_ns, boxes)
        named = roll.tracks(last_ns, boxes, frozenset(boxes), switches.successor)
        for track, joints in zip(boxes, points):
            span = truth_of(truth, named.get(track), last_ns)
            label, where = (span.label, span.where) if span else (config.background, "background")
            run = open_runs.get(track)
            if run is not None and (where != run.span or last_ns - run.stamps_ns[-1] > longest_gap_ns):
                yield open_runs.pop(track), size
                run = None
            if label:
                run = run or open_runs.setdefault(track, _Run(label, where))
                run.stamps_ns.append(last_ns)
                run.points.append(joints)
    for run in open_runs.values():
        yield run, size
    if roll is not None:
        truth.check_inside(first_ns, last_ns)


def _clips(run: _Run, size: tuple[int, int], config: RecordingClipConfig) -> Iterator[Clip]:
    """Pieces of a run at an even frame rate, the usual one of the run."""
    stamps_s = (np.array(run.stamps_ns) - run.stamps_ns[0]) * 1e-9
    if len(stamps_s) < 4 or stamps_s[-1] < config.shortest_s:
        return
    fps = float(np.round(1 / np.median(np.diff(stamps_s)), 2))
    even = resample(stamps_s, np.stack(run.points), np.arange(int(stamps_s[-1] * fps + 1e-6) + 1) / fps)
    pieces = max(1, round(stamps_s[-1] / config.clip_s))
    for part in np.array_split(even, pieces):
        yield Clip(part[..., :2], np.clip(part[..., 2], 0, 1), run.label, fps, "train", "", size)


def _divided(clips: Sequence[tuple[str, Clip]], val_share: float) -> list[Clip]:
    """The last groups of each label go to validation; of a label with one group, its last clips."""
    groups: dict[str, dict[str, None]] = defaultdict(dict)
    for group, clip in clips:
        groups[clip.label][group] = None
    result = []
    of_label: dict[str, int] = defaultdict(int)
    total = {label: sum(clip.label == label for _, clip in clips) for label in groups}
    for group, clip in clips:
        names = list(groups[clip.label])
        if len(names) > 1:
            kept = len(names) - max(1, round(len(names) * val_share)) if val_share else len(names)
            held = names.index(group) >= kept
        else:
            kept = total[clip.label] - round(total[clip.label] * val_share)
            held = of_label[clip.label] >= kept
        of_label[clip.label] += 1
        result.append(replace(clip, split="val" if held else "train", group=group))
    return result
