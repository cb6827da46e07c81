"""Per-frame inputs of the temporal attention on skeletons: motion over several distances in time, and the whole frame.

N people, T ticks, V joints, L distances, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Motion(nn.Module):
    """How far each joint has moved, relative to the body, in the last `lags` ticks (DD-Net's slow and fast motion, causal).

    Before a joint has been seen for so long, what it has moved since its person's first tick counts. 0 where the joint is
    missing at one of the two ends. No weights.
    """

    def __init__(self, lags: tuple[int, ...]) -> None:
        super().__init__()
        self.lags = lags

    def forward(self, nodes: Tensor, mask: Tensor) -> Tensor:
        """nodes (N, T, V, 2), mask (N, T, V) of 0 and 1 -> (N, T, V, 2 L)."""
        seen = torch.cat([nodes, mask[..., None]], -1)
        ticks = torch.arange(nodes.shape[1], device=nodes.device)
        return torch.cat([_moved(seen, seen[:, (ticks - lag).clamp(min=0)]) for lag in self.lags], -1)


def _moved(now: Tensor, before: Tensor) -> Tensor:
    """(..., V, 3) of x, y, mask -> (..., V, 2)."""
    return (now[..., :2] - before[..., :2]) * (now[..., 2:] * before[..., 2:])


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
