"""Training batches of the compared recognisers: which frames of a clip they see, and from which side.

B clips of a batch, T ticks, V joints, C channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pose_attention_ros.core.body.layouts import Layout
from pose_attention_ros.data.clip_views import ClipConfig, seen_anew
from pose_attention_ros.training.comparators.clips import TickClip, padded


@dataclass(frozen=True, eq=False)
class TickBatch:
    """features (B, T, V, C) float32, 0 behind a clip's end; ticks (B,) its length; targets (B,) int64; pixels (B, T,
    *shape) float32 or None; with pixels also keypoints_px (B, T, V, 2) and there (B, T, V) bool."""

    features: Tensor
    ticks: Tensor
    targets: Tensor
    pixels: Tensor | None = None
    keypoints_px: Tensor | None = None
    there: Tensor | None = None


def batch_of(clips: list[TickClip]) -> TickBatch:
    """Clips as they are."""
    features, pixels = padded(clips)
    ticks = torch.tensor([len(clip.features) for clip in clips])
    targets = torch.tensor([clip.target for clip in clips])
    if pixels is None:
        return TickBatch(features, ticks, targets)
    joints = torch.from_numpy(np.stack([clip.keypoints_px for clip in clips]))
    return TickBatch(features, ticks, targets, pixels, joints, torch.from_numpy(np.stack([clip.there for clip in clips])))


class Views:
    """The batches of each epoch, always the same for the same seed: every training clip once, seen anew. Clips with pixels
    are mirrored half of the time, as the papers do; those of joints alone are changed as the recipe's `clips` says."""

    def __init__(self, clips: list[TickClip], size: int, seed: int, layout: Layout, config: ClipConfig) -> None:
        self._clips, self._size, self._seed = clips, size, seed
        self._layout, self._config = layout, config

    def __call__(self, epoch: int) -> Iterator[TickBatch]:
        rng = np.random.default_rng([self._seed, epoch])
        order = rng.permutation(len(self._clips))
        for begin in range(0, max(len(order) - self._size, 0) + 1, self._size):
            yield self._seen([self._clips[i] for i in order[begin : begin + self._size]], rng)

    def _seen(self, clips: list[TickClip], rng: np.random.Generator) -> TickBatch:
        if clips[0].pixels is not None:
            return batch_of([clip.mirrored if rng.uniform() < self._config.mirror else clip for clip in clips])
        features, ticks = seen_anew([clip.features for clip in clips], rng, self._layout, self._config)
        return TickBatch(torch.from_numpy(features), torch.from_numpy(ticks), torch.tensor([clip.target for clip in clips]))


def validation_batches(
    clips: list[TickClip], size: int, make: Callable[[list[TickClip]], TickBatch] = batch_of
) -> list[TickBatch]:
    """All clips as they are, in batches."""
    return [make(clips[begin : begin + size]) for begin in range(0, len(clips), size)]


def random_ends(ticks: Tensor, window: int, training: bool, prefixes: float = 0.0) -> Tensor:
    """ticks (B,) -> (B, 1): the last tick of one of each clip's samples of `window` ticks, any in training, else the last;
    a shorter clip is one sample. `prefixes` is the share of training samples that end before, see `seen_so_far`."""
    first = torch.minimum(ticks, torch.tensor(window)) - 1
    if not training:
        return (ticks - 1)[:, None]
    share = torch.rand(len(ticks))
    seen = seen_so_far(first + 1, prefixes)
    return torch.where(seen <= first, seen - 1, first + (share * (ticks - first)).long())[:, None]


def seen_so_far(ticks: Tensor, prefixes: float) -> Tensor:
    """ticks (B,) -> (B,): as many, or of a share `prefixes` of the clips any smaller number: what a robot has seen when it
    must answer already."""
    if not prefixes:
        return ticks
    some = 1 + (torch.rand(len(ticks)) * ticks).long().clamp(max=ticks - 1)
    return torch.where(torch.rand(len(ticks)) < prefixes, some, ticks)


def random_sub_sequences(ticks: Tensor, frames: int, training: bool) -> Tensor:
    """ticks (B,) -> (B, frames): one frame out of each of `frames` equal stretches of each clip, any in training, else the
    middle one."""
    place = torch.rand(len(ticks), frames) if training else torch.full((len(ticks), frames), 0.5)
    share = (torch.arange(frames) + place) / frames
    return (share * ticks[:, None] + 1e-4).long().clamp(max=ticks[:, None] - 1)


def rows(values: Tensor, index: Tensor) -> Tensor:
    """values (B, T, ...), index (B, F) -> (B, F, ...)."""
    return values[torch.arange(len(values))[:, None], index]
