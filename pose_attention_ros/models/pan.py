"""Pose-Attention Network (Li & Wang 2020): graph of joints -> joints-attention -> GRU -> pose-attention -> action.

Two forms that give the same numbers: `forward` reads whole sequences (training), `step` one tick (the robot).
N people or clips, T ticks, V joints, C channels, K classes, D and H widths, G heads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.layouts import LAYOUTS, layout
from pose_attention_ros.core.types import FEATURE_NAMES
from pose_attention_ros.models.attention import JointsAttention, PoseAttention
from pose_attention_ros.models.hgn import HumanGraphNetwork


@dataclass(frozen=True)
class PanConfig(Settings):
    """Shape of the network. The switches that leave a part out are for ablations."""

    layout: str = setting("common13", "joint layout of the input", choices=tuple(LAYOUTS))
    width: int = setting(64, "width D of a joint's embedding", low=1)
    heads: int = setting(4, "heads of the joints-attention; the paper has 1", low=1)
    hidden: int = setting(128, "width H of the GRU", low=1)
    rate_hz: float = setting(15.0, "ticks a second", unit="Hz", low=1)
    decay_per_s: float = setting(0.0, "what a moment's attention score loses a second; 0 is the paper's form", unit="1/s",
                                 low=0)
    assignment: str = setting("softmax", "soft assignment to body parts", choices=("softmax", "relu"))
    graph_convolution: bool = setting(True, "let joints read their neighbours")
    pooling: bool = setting(True, "pool joints to body parts and back")
    joints_attention: bool = setting(True, "weigh joints; else their mean")
    pose_attention: bool = setting(True, "weigh moments; else the last state")
    dropout: float = setting(0.3, "drop-out on what the GRU reads and on what is classified", low=0, high=0.9)

    @property
    def state_size(self) -> int:
        """S: h, n, d, m side by side."""
        return 2 * self.hidden + 2


class PanOutput(NamedTuple):
    """After every tick: logits (N, T, K); joint_logits (N, T, K) of that tick alone; joint_attention (N, T, V), rows sum
    to 1 (mean over heads); frame_energy (N, T), the moment's score e_i."""

    logits: Tensor
    joint_logits: Tensor
    joint_attention: Tensor
    frame_energy: Tensor


class PoseAttentionNetwork(nn.Module):
    """See the module's text. A new person's state is zeros."""

    def __init__(self, config: PanConfig, classes: int) -> None:
        super().__init__()
        self.config = config
        # What the channels are divided by, so that each has about unit spread; set from the training data.
        self.register_buffer("feature_scale", torch.ones(len(FEATURE_NAMES)))
        self.graph = HumanGraphNetwork(layout(config.layout), len(FEATURE_NAMES), config.width, pooling=config.pooling,
                                       graph_convolution=config.graph_convolution, assignment=config.assignment)
        self.joints_attention = JointsAttention(config.width, config.heads)
        self.gru = nn.GRU(config.heads * config.width, config.hidden, batch_first=True)  # (6)-(9)
        self.pose_attention = PoseAttention(config.hidden, config.decay_per_s / config.rate_hz)
        self.classify = nn.Linear(config.hidden, classes)  # W_c of (17)
        self.classify_joints = nn.Linear(config.heads * config.width, classes)  # W_w' of (18)
        self.dropout = nn.Dropout(config.dropout)

    def read_frame(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """features (B, V, C) of single frames -> s (B, G * D), joint weights (B, V)."""
        mask = (features[..., FEATURE_NAMES.index("score")] > 0).to(features.dtype)
        joints = self.graph(features / self.feature_scale, mask)
        if self.config.joints_attention:
            attended, weights = self.joints_attention(joints, mask)
            return attended, weights.mean(-1)
        weights = (mask + 1e-6) / (mask + 1e-6).sum(-1, keepdim=True)
        return (weights[..., None, :] @ joints).squeeze(-2).repeat(1, self.config.heads), weights

    def forward(self, features: Tensor, inside: Tensor | None = None) -> PanOutput:
        """features (N, T, V, C), a missing joint all 0, from the beginning of each stream -> outputs after every tick.

        :param inside: (N, T) bool, False for padding at the end, which is then not computed (its outputs mean nothing)
        """
        people, ticks = features.shape[:2]
        rows = slice(None) if inside is None else inside.flatten().nonzero().squeeze(-1)
        attended, weights = self.read_frame(features.flatten(0, 1)[rows])
        if inside is not None:
            attended = attended.new_zeros(people * ticks, attended.shape[-1]).index_copy(0, rows, attended)
            weights = weights.new_zeros(people * ticks, weights.shape[-1]).index_copy(0, rows, weights)
        attended = self.dropout(attended.unflatten(0, (people, ticks)))  # s_i           (N, T, G * D)
        states, _ = self.gru(attended)  # h_i                                            (N, T, H)
        if self.config.pose_attention:
            seen, energy = self.pose_attention.prefixes(states)
        else:
            seen, energy = states, torch.zeros_like(states[..., 0])
        return PanOutput(self.classify(self.dropout(seen)), self.classify_joints(attended),
                         weights.unflatten(0, (people, ticks)), energy)

    def step(self, features: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One tick: features (N, V, C), state (N, S) -> logits (N, K), joint weights (N, V), e (N,), next state (N, S)."""
        hidden = self.config.hidden
        attended, weights = self.read_frame(features)
        memory, total, mass, peak = state.split([hidden, hidden, 1, 1], -1)
        memory = gru_step(self.gru, attended, memory)
        if self.config.pose_attention:
            seen, energy, total, mass, peak = self.pose_attention.step(memory, total, mass, peak)
        else:
            seen, energy = memory, torch.zeros_like(mass)
        return self.classify(seen), weights, energy.squeeze(-1), torch.cat([memory, total, mass, peak], -1)


def gru_step(gru: nn.GRU, inputs: Tensor, memory: Tensor) -> Tensor:
    """One step of a one-layer `gru`: (6)-(9) with s_t = 1 - z. inputs (N, I), memory (N, H) -> (N, H).

    Written out because it costs ONNX Runtime less than its sequence operator on a sequence of one.
    """
    from_input = nn.functional.linear(inputs, gru.weight_ih_l0, gru.bias_ih_l0)
    from_memory = nn.functional.linear(memory, gru.weight_hh_l0, gru.bias_hh_l0)
    width = gru.hidden_size
    gates = torch.sigmoid(from_input[:, : 2 * width] + from_memory[:, : 2 * width])
    reset, keep = gates[:, :width], gates[:, width:]  # f_t of (9), 1 - s_t of (7)
    candidate = torch.tanh(from_input[:, 2 * width :] + reset * from_memory[:, 2 * width :])  # (8)
    return candidate + keep * (memory - candidate)  # (6)
