"""What a frame of the stream is told of the frames before it, ahead of the GRU: motion over several distances in time, and
causal dilated convolutions. Each part has two forms with the same numbers: whole sequences, and one tick with a memory.

N people, T ticks, V joints, L distances, I and W widths. A new person's memory is zeros.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_TAPS = 3


class Motion(nn.Module):
    """How far each joint has moved, relative to the body, in the last `lags` ticks (DD-Net's slow and fast motion, causal).

    Before a joint has been seen for so long, what it has moved since its person's first tick counts. 0 where the joint is
    missing at one of the two ends. No weights.
    """

    def __init__(self, lags: tuple[int, ...], joints: int) -> None:
        super().__init__()
        self.lags = lags
        self.joints = joints
        self.memory_size = max(lags, default=0) * joints * 3

    def forward(self, nodes: Tensor, mask: Tensor) -> Tensor:
        """nodes (N, T, V, 2), mask (N, T, V) of 0 and 1 -> (N, T, V, 2 L)."""
        seen = torch.cat([nodes, mask[..., None]], -1)
        ticks = torch.arange(nodes.shape[1], device=nodes.device)
        return torch.cat([_moved(seen, seen[:, (ticks - lag).clamp(min=0)]) for lag in self.lags], -1)

    def step(self, nodes: Tensor, mask: Tensor, memory: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        """nodes (N, V, 2), mask (N, V), memory (N, memory_size), first (N, 1) bool, whether this is the person's first tick
        -> (N, V, 2 L), memory after it. The memory holds the last ticks, the newest last."""
        seen = torch.cat([nodes, mask[..., None]], -1)
        ring = memory.unflatten(-1, (max(self.lags), self.joints, 3))
        ring = torch.where(first[..., None, None], seen[:, None], ring)
        moved = torch.cat([_moved(seen, ring[:, -lag]) for lag in self.lags], -1)
        return moved, torch.cat([ring[:, 1:], seen[:, None]], 1).flatten(1)


def _moved(now: Tensor, before: Tensor) -> Tensor:
    """(..., V, 3) of x, y, mask -> (..., V, 2)."""
    return (now[..., :2] - before[..., :2]) * (now[..., 2:] * before[..., 2:])


class CausalConvolutions(nn.Module):
    """Convolutions over this tick and two earlier ones each, at growing distances, with residuals from the second on."""

    def __init__(self, inputs: int, width: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.dilations = dilations
        widths = [inputs, *(width for _ in dilations)]
        self.mix = nn.ModuleList(nn.Linear(_TAPS * size, width) for size in widths[:-1])
        self.norm = nn.ModuleList(nn.LayerNorm(width) for _ in dilations)
        self.memory_sizes = [(_TAPS - 1) * dilation * size for dilation, size in zip(dilations, widths)]

    def forward(self, values: Tensor) -> Tensor:
        """(N, T, I) -> (N, T, W)."""
        for i, dilation in enumerate(self.dilations):
            ticks = values.shape[1]
            padded = functional.pad(values, (0, 0, (_TAPS - 1) * dilation, 0))
            taps = [padded[:, k * dilation : k * dilation + ticks] for k in range(_TAPS)]
            values = self._layer(i, taps, values)
        return values

    def step(self, values: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """values (N, I), memory (N, sum of memory_sizes) -> (N, W), memory after it."""
        after = []
        for i, (dilation, part) in enumerate(zip(self.dilations, memory.split(self.memory_sizes, -1))):
            ring = torch.cat([part.unflatten(-1, ((_TAPS - 1) * dilation, values.shape[-1])), values[:, None]], 1)
            after.append(ring[:, 1:].flatten(1))
            values = self._layer(i, [ring[:, k * dilation] for k in range(_TAPS)], values)
        return values, torch.cat(after, -1)

    def _layer(self, i: int, taps: list[Tensor], values: Tensor) -> Tensor:
        out = self.norm[i](self.mix[i](torch.cat(taps, -1))).relu()
        return out + values if i else out


class WholeFrame(nn.Module):
    """All joints of one frame at once, and their distances from each other (DD-Net's joint collection distances), as one
    vector: what the joints-attention, which adds joints up, cannot say."""

    def __init__(self, joints: int, channels: int, width: int) -> None:
        super().__init__()
        first, second = torch.triu_indices(joints, joints, 1)
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("second", second, persistent=False)
        self.read = nn.Linear(joints * channels + len(first), width)
        self.norm = nn.LayerNorm(width)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """features (B, V, C) with x and y first, mask (B, V) -> (B, W)."""
        apart = features[:, self.first, :2] - features[:, self.second, :2]
        distances = ((apart * apart).sum(-1) + 1e-4).sqrt() * (mask[:, self.first] * mask[:, self.second])
        return self.norm(self.read(torch.cat([features.flatten(1), distances], -1))).relu()
