"""A plain GRU over the same features: no graph, no attention. It streams as our model does."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pose_attention_ros.models.pan import gru_step


class PlainGRU(nn.Module):
    """One layer over all joints' features side by side; the state is classified. N people, T ticks, V joints, C channels."""

    def __init__(self, joints: int, channels: int, classes: int, hidden: int = 256, dropout: float = 0.3) -> None:
        super().__init__()
        self.register_buffer("feature_scale", torch.ones(channels))
        self.gru = nn.GRU(joints * channels, hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(hidden, classes)

    def forward(self, features: Tensor) -> Tensor:
        """features (N, T, V, C) -> logits (N, T, K) after every tick."""
        states, _ = self.gru(self.dropout((features / self.feature_scale).flatten(2)))
        return self.classify(self.dropout(states))

    def step(self, features: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One tick: features (N, V, C), state (N, H) -> logits (N, K), next state."""
        state = gru_step(self.gru, (features / self.feature_scale).flatten(1), state)
        return self.classify(state), state
