"""ST-GCN, written from the paper: Yan, Xiong, Lin, "Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action
Recognition", AAAI 2018. Spatial configuration partitioning, learnable edge importance, ten layers.

N clips, C channels, T frames, V joints, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

FRAMES = 32
TEMPORAL_KERNEL = 9
# Output channels of the nine layers after the first, and where time is halved.
_LAYERS = ((64, 1), (64, 1), (64, 1), (128, 2), (128, 1), (128, 1), (256, 2), (256, 1), (256, 1))


def partitions(links: Sequence[tuple[int, int]], joints: int, centre: int) -> np.ndarray:
    """(3, V, V) float32, columns normalised: neighbours as near to the centre as a joint, nearer, farther (their eq. 8)."""
    adjacency = np.eye(joints, dtype=np.float32)
    for a, b in links:
        adjacency[a, b] = adjacency[b, a] = 1
    normalised = adjacency / adjacency.sum(0)
    hops, reached = np.full(joints, np.inf), np.eye(joints)[centre] > 0
    for hop in range(joints):
        hops[reached & np.isinf(hops)] = hop
        reached = adjacency @ reached > 0
    difference = hops[:, None] - hops[None, :]
    return np.stack(
        [np.where(condition, normalised, 0) for condition in (difference == 0, difference < 0, difference > 0)]
    ).astype(np.float32)


class _Layer(nn.Module):
    """Graph convolution over three partitions, then a convolution over nine frames, with a residual path."""

    def __init__(self, channels: int, filters: int, stride: int, residual: bool, dropout: float, links: Tensor) -> None:
        super().__init__()
        self.importance = nn.Parameter(torch.ones_like(links))
        self.space = nn.Conv2d(channels, filters * len(links), 1)
        self.time = nn.Sequential(
            nn.BatchNorm2d(filters),
            nn.ReLU(),
            nn.Conv2d(filters, filters, (TEMPORAL_KERNEL, 1), (stride, 1), (TEMPORAL_KERNEL // 2, 0)),
            nn.BatchNorm2d(filters),
            nn.Dropout(dropout),
        )
        self.residual = residual
        self.shortcut = nn.Identity()
        if residual and (channels != filters or stride != 1):
            self.shortcut = nn.Sequential(nn.Conv2d(channels, filters, 1, (stride, 1)), nn.BatchNorm2d(filters))

    def forward(self, nodes: Tensor, links: Tensor) -> Tensor:
        """nodes (N, C, T, V), links (P, V, V) -> (N, filters, T / stride, V)."""
        parts = self.space(nodes).unflatten(1, (len(links), -1))  # (N, P, filters, T, V)
        gathered = (parts @ (links * self.importance)[None, :, None]).sum(1)
        return torch.relu(self.time(gathered) + (self.shortcut(nodes) if self.residual else 0))


class STGCN(nn.Module):
    """See the module's text."""

    frames = FRAMES

    def __init__(
        self,
        links: Sequence[tuple[int, int]],
        joints: int,
        centre: int,
        classes: int,
        channels: int = 3,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.register_buffer("links", torch.from_numpy(partitions(links, joints, centre)))
        self.normalise = nn.BatchNorm1d(channels * joints)
        layers, width = [_Layer(channels, 64, 1, False, 0, self.links)], 64
        for filters, stride in _LAYERS:
            layers.append(_Layer(width, filters, stride, True, dropout, self.links))
            width = filters
        self.layers = nn.ModuleList(layers)
        self.classify = nn.Linear(width, classes)

    def forward(self, features: Tensor) -> Tensor:
        """features (N, T, V, C) -> logits (N, K)."""
        joints = features.shape[2]
        nodes = self.normalise(features.permute(0, 2, 3, 1).flatten(1, 2))  # (N, V * C, T)
        nodes = nodes.unflatten(1, (joints, -1)).permute(0, 2, 3, 1)  # (N, C, T, V)
        for layer in self.layers:
            nodes = layer(nodes, self.links)
        return self.classify(nodes.mean((2, 3)))
