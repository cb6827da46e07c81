"""What the compared recognisers have in common: a step with a flat state, as the Pose-Attention Network has it, and for
those that read a stretch of time at once, that stretch as a part of the state.

N people or clips, T ticks, V joints, C channels, K classes, W ticks of a window, S floats of state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from pose_attention_ros.core.body.layouts import LAYOUTS, Layout
from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.types import FEATURE_NAMES

SCORE = FEATURE_NAMES.index("score")
_LEAST_CHANCE = 1e-12


@dataclass(frozen=True)
class ComparatorConfig(Settings):
    """What every compared recogniser's shape has."""

    layout: str = setting("common13", "joint layout", choices=tuple(LAYOUTS))
    rate_hz: float = setting(15.0, "ticks a second", unit="Hz", low=0.1)


class StepResult(NamedTuple):
    """logits (N, K); joint_attention (N, V), rows sum to 1; frame_energy (N,), or (N, W) of a window's ticks, newest last,
    whose softmax is the attention over them; next_state (N, S)."""

    logits: Tensor
    joint_attention: Tensor
    frame_energy: Tensor
    next_state: Tensor


class Comparator(nn.Module, ABC):
    """A recogniser that is trained, exported and run as the Pose-Attention Network is. A new person's state is zeros.

    `kind` is its name in recipes and model.json; `pixels` says what it reads beside the joints' features (see
    core.actions.recogniser.PIXELS), of shape `pixels_shape` a person and tick.
    """

    config: ComparatorConfig
    kind: str
    pixels: str = ""
    pixels_shape: tuple[int, ...] = ()
    frame_window: int = 0  # W, or 0 where frame_energy is one number

    @property
    @abstractmethod
    def state_size(self) -> int:
        """S: floats of state a person."""

    @abstractmethod
    def step(self, features: Tensor, state: Tensor, pixels: Tensor | None = None) -> StepResult:
        """One tick: features (N, V, C), a missing joint all 0; state (N, S); pixels (N, *pixels_shape)."""

    @abstractmethod
    def after(self, features: Tensor, at: Tensor, pixels: Tensor | None = None) -> Tensor:
        """features (N, T, V, C) and `prepare`d pixels (N, T, ...) from the beginning of each stream, at (N, F) ticks ->
        logits (N, F, K) as `step` gives them at these ticks."""

    def prepare(self, pixels: Tensor) -> Tensor:
        """pixels (B, *pixels_shape) -> (B, ...) after all that no training changes; done once for each clip."""
        return pixels

    def example_pixels(self, *lead: int) -> Tensor:
        """(*lead, *pixels_shape) random ones of about the size that the training had."""
        return torch.rand(*lead, *self.pixels_shape)

    @abstractmethod
    def fit_scales(self, features: Tensor, pixels: Tensor | None = None) -> None:
        """Take what the inputs are divided by, so that each has about unit spread, from examples: features (N, T, V, C),
        pixels (N, T, *pixels_shape)."""


class Ring:
    """The newest `ticks` rows of `width` floats, kept in a stretch of the state: oldest first, and how many were pushed."""

    def __init__(self, ticks: int, width: int) -> None:
        self.ticks, self.width = ticks, width
        self.size = ticks * width + 1

    def push(self, row: Tensor, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """row (N, width), memory (N, size) -> window (N, W, width), 0 before the first; pushed (N, 1), a float; memory."""
        rows, pushed = memory.split([self.size - 1, 1], -1)
        window = torch.cat([rows.unflatten(-1, (self.ticks, self.width))[:, 1:], row[:, None]], 1)
        return window, pushed + 1, torch.cat([window.flatten(1), pushed + 1], -1)

    def there(self, pushed: Tensor) -> Tensor:
        """pushed (N, 1) -> (N, W) bool: which rows of the window hold something."""
        back = self.ticks - torch.arange(self.ticks, device=pushed.device)
        return back <= pushed

    def windows(self, rows: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
        """rows (N, T, ...), at (N, F) -> the windows (N * F, W, ...) that end with these ticks, 0 before the first tick, and
        (N * F, 1) how many rows were pushed by then."""
        index = at[..., None] + torch.arange(1 - self.ticks, 1, device=at.device)  # (N, F, W)
        clip = torch.arange(len(rows), device=at.device)[:, None, None]
        chosen = rows[clip, index.clamp(min=0)]
        inside = (index >= 0).reshape(*index.shape, *[1] * (chosen.dim() - 3))
        return (chosen * inside).flatten(0, 1), (at + 1).reshape(-1, 1).to(rows.dtype)


def filled(window: Tensor, there: Tensor) -> Tensor:
    """window (N, W, ...), there (N, W) bool, False before a stream's first tick -> the same with this tick's row there, so
    that motion over a window begins as motion over a stream does."""
    first = (~there).to(torch.int64).sum(-1, keepdim=True)  # (N, 1)
    rows = torch.maximum(torch.arange(window.shape[1], device=window.device)[None], first).clamp(max=window.shape[1] - 1)
    flat = window.flatten(2)
    return flat.gather(1, rows[..., None].expand(-1, -1, flat.shape[-1])).reshape(window.shape)


class Scaled(nn.Module):
    """What divides its inputs by `scale`, so that each has about unit spread in the training data."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(inputs))

    def fit_scale(self, values: Tensor) -> None:
        """Take the scale from examples (..., inputs)."""
        self.scale.copy_(spread(values))


def spread(values: Tensor) -> Tensor:
    """values (..., C) -> (C,): root mean square of each channel where it is not 0."""
    flat = values.flatten(0, -2)
    return (flat.square().sum(0) / (flat != 0).sum(0).clamp(min=1)).sqrt().clamp(min=1e-3)


def even_joints(features: Tensor) -> Tensor:
    """features (N, V, C) -> (N, V): the same weight for each joint that is there, or for all where none is."""
    mask = (features[..., SCORE] > 0).to(features.dtype) + 1e-6
    return mask / mask.sum(-1, keepdim=True)


def log_chances(chances: Tensor) -> Tensor:
    """Logits whose softmax is `chances` (..., K)."""
    return chances.clamp(min=_LEAST_CHANCE).log()


def memberships(rows: Sequence[Sequence[int]], joints: int) -> Tensor:
    """rows of the joints of each of P parts -> (P, V), 1 where the joint belongs to the part."""
    found = torch.zeros(len(rows), joints)
    for part, own in enumerate(rows):
        found[part, list(own)] = 1
    return found


def loss_of_all_steps(logits: Tensor, targets: Tensor) -> Tensor:
    """logits (N, T, K), targets (N,) -> the sum over the steps of the cross entropy, mean over the clips."""
    steps = targets.repeat_interleave(logits.shape[1])
    return functional.cross_entropy(logits.flatten(0, 1), steps, reduction="sum") / len(targets)


def joint_rows(layout: Layout, names: tuple[str, ...]) -> list[int]:
    """Rows of those of `names` that `layout` has."""
    return [layout.joints.index(name) for name in names if name in layout.joints]
