"""Clips joined to long streams, as one person in front of a robot shows them: actions, other motion, and pauses.

Nothing teleports: between two pieces the body moves over at a natural speed. V joints, m frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.body.layouts import Layout
from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.data.augment import UNIT_PX
from pose_attention_ros.data.dataset import SkeletonDataset
from pose_attention_ros.data.standing_still import rest_example
from pose_attention_ros.data.streams import Example, Stream, example_of, root_of, sampled
from pose_attention_ros.evaluation.metrics import NO_CLASS

PASSAGE_HZ = 30.0  # frames of a passage from one piece to the next
_PASSAGE_S = (0.2, 1.5)  # shortest and longest


@dataclass(frozen=True)
class PlanConfig(Settings):
    """How streams are put together."""

    clips: int = setting(12, "clips of a class in one stream", low=1)
    pause: float = setting(
        0.45, "share of the clips that a pause follows: the last pose held, with a living body's sway", low=0, high=1
    )
    other: float = setting(0.25, "share that a clip of no class follows, where the data have any", low=0, high=1)
    pause_low_s: float = setting(1.5, "shortest pause", unit="s", low=0.1)
    pause_high_s: float = setting(5.0, "longest pause", unit="s", low=0.1)
    passage_speed: float = setting(2.0, "speed of the farthest joint between two pieces", unit="body units/s", low=0.1)


def examples_of(data: SkeletonDataset, targets: Mapping[int, int], layout: Layout) -> list[Example]:
    """The clips (rows of `data`) that `targets` names, in `layout`; clips of a single frame are left out."""
    clips = ((data[row], target) for row, target in targets.items())
    return [example_of(clip, data.joints, layout, target) for clip, target in clips if len(clip.keypoints) > 1]


def plan_streams(clips: Sequence[Example], seed: int, layout: Layout, config: PlanConfig) -> list[Stream]:
    """Streams in which each clip of a class is shown once; clips of no class (target NO_CLASS) are drawn between them.

    `targets` is the truth of each frame; `ignored` is True on the way to a clip, where nobody can say what is shown.
    """
    rng = np.random.default_rng(seed)
    acting = [clip for clip in clips if clip.target != NO_CLASS]
    others = [clip for clip in clips if clip.target == NO_CLASS]
    order = rng.permutation(len(acting))
    streams = []
    for begin in range(0, len(order), config.clips):
        pieces: list[tuple[Example, bool]] = []  # piece, and whether it is a pause
        for i in order[begin : begin + config.clips]:
            pieces.append((acting[i], False))
            draw = rng.uniform()
            if draw < config.pause:
                seconds = rng.uniform(config.pause_low_s, config.pause_high_s)
                pieces.append((rest_example(acting[i], "end", seconds, rng, layout, NO_CLASS), True))
            elif draw < config.pause + config.other and others:
                pieces.append((others[rng.integers(len(others))], False))
        streams.append(_joined(pieces, layout, config))
    return streams


def _joined(pieces: list[tuple[Example, bool]], layout: Layout, config: PlanConfig) -> Stream:
    parts: list[Stream] = []
    for piece, is_pause in pieces:
        frames = len(piece.keypoints)
        keypoints, clock_s = piece.keypoints, 0.0
        if parts:
            last = parts[-1]
            keypoints = keypoints + (
                root_of(last.keypoints[-1], last.mask[-1], layout) - root_of(keypoints[0], piece.mask[0], layout)
            )
            passage = _passage(last, keypoints[0], piece.mask[0], is_pause, config)
            parts.append(passage)
            clock_s = passage.time_s[-1] + 1 / PASSAGE_HZ
        parts.append(
            Stream(
                clock_s + np.arange(frames) / piece.fps,
                keypoints,
                piece.mask,
                np.full(frames, piece.target),
                np.zeros(frames, bool),
            )
        )
    return Stream(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("time_s", "keypoints", "mask", "targets", "ignored")
        )
    )


def _passage(before: Stream, keypoints: np.ndarray, mask: np.ndarray, to_pause: bool, config: PlanConfig) -> Stream:
    """The frames between the last of `before` and the pose `keypoints` (V, 2), without these two. On the way to a pause
    nobody acts any more; on the way to a clip there is no truth."""
    both = before.mask[-1] & mask
    farthest = np.linalg.norm(keypoints - before.keypoints[-1], axis=-1)[both].max(initial=0) / UNIT_PX
    frames = round(np.clip(farthest / config.passage_speed, *_PASSAGE_S) * PASSAGE_HZ)
    ends = Stream(
        np.array([0.0, 1.0]),
        np.stack([before.keypoints[-1], keypoints]),
        np.stack([before.mask[-1], mask]),
        np.full(2, NO_CLASS),
        np.full(2, not to_pause),
    )
    share = np.arange(1, frames + 1) / (frames + 1)
    moved = sampled(ends, share * share * (3 - 2 * share))  # slow at both ends
    return Stream(
        before.time_s[-1] + np.arange(1, frames + 1) / PASSAGE_HZ, moved.keypoints, moved.mask, moved.targets, moved.ignored
    )
