"""DD-Net, written from the paper: Yang, Sakti, Wu, Nakamura, "Make Skeleton-based Action Recognition Model Smaller, Faster
and Better", ACM Multimedia Asia 2019.

N clips, T frames, V joints, K classes. It reads a whole window at once; `filters` 64, 32, 16 are the authors' three sizes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

FRAMES = 32


class _Convolution(nn.Sequential):
    """1D convolution over time without bias, batch norm, leaky ReLU."""

    def __init__(self, channels: int, filters: int, kernel: int) -> None:
        super().__init__(
            nn.Conv1d(channels, filters, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm1d(filters, eps=1e-3, momentum=0.01),
            nn.LeakyReLU(0.2),
        )


def _embedding(channels: int, filters: int, dropout: float, halve: bool) -> nn.Sequential:
    """The front of one stream: 1-3-1 convolutions; `halve` brings the time axis to the length of the fast motion's."""
    layers = [
        _Convolution(channels, 2 * filters, 1),
        nn.Dropout1d(dropout),
        _Convolution(2 * filters, filters, 3),
        nn.Dropout1d(dropout),
        _Convolution(filters, filters, 1),
    ]
    return nn.Sequential(*layers, *([nn.MaxPool1d(2)] if halve else []), nn.Dropout1d(dropout))


def _block(channels: int, filters: int) -> nn.Sequential:
    return nn.Sequential(_Convolution(channels, filters, 3), _Convolution(filters, filters, 3))


class DDNet(nn.Module):
    """Joint Collection Distances, slow and fast motion -> class logits."""

    frames = FRAMES

    def __init__(
        self, joints: int, classes: int, filters: int = 64, dropout: float = 0.1, head_dropout: float = 0.5
    ) -> None:
        super().__init__()
        pairs = torch.tril_indices(joints, joints, -1)
        self.register_buffer("pairs", pairs, persistent=False)
        self.distances = _embedding(pairs.shape[1], filters, dropout, halve=True)
        self.slow = _embedding(2 * joints, filters, dropout, halve=True)
        self.fast = _embedding(2 * joints, filters, dropout, halve=False)
        self.trunk = nn.Sequential(
            _block(3 * filters, 2 * filters),
            nn.MaxPool1d(2),
            nn.Dropout1d(dropout),
            _block(2 * filters, 4 * filters),
            nn.MaxPool1d(2),
            nn.Dropout1d(dropout),
            _block(4 * filters, 8 * filters),
            nn.Dropout1d(dropout),
        )
        dense = [
            nn.Sequential(
                nn.Linear(width, 128, bias=False),
                nn.BatchNorm1d(128, eps=1e-3, momentum=0.01),
                nn.LeakyReLU(0.2),
                nn.Dropout(head_dropout),
            )
            for width in (8 * filters, 128)
        ]
        self.head = nn.Sequential(*dense, nn.Linear(128, classes))

    def forward(self, features: Tensor) -> Tensor:
        """features (N, 32, V, 5), channels x, y, vx, vy, score of the recogniser's own features -> logits (N, K).

        The velocities are the slow motion; two of them in a row are the fast one.
        """
        place, motion = features[..., :2], features[..., 2:4]
        between = place[:, :, self.pairs[0]] - place[:, :, self.pairs[1]]
        distances = (between.square().sum(-1) + 1e-8).sqrt()
        distances = distances / (distances.mean((1, 2), keepdim=True) + 1e-6)
        fast = motion.unflatten(1, (-1, 2)).sum(2)
        streams = [
            self.distances(distances.transpose(1, 2)),
            self.slow(motion.flatten(2).transpose(1, 2)),
            self.fast(fast.flatten(2).transpose(1, 2)),
        ]
        return self.head(self.trunk(torch.cat(streams, 1)).amax(-1))
