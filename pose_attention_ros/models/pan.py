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
from pose_attention_ros.models.temporal import CausalConvolutions, Motion, WholeFrame

_SCORE = FEATURE_NAMES.index("score")
MIRRORED = ("x", "vx")  # channels whose sign a mirror turns


@dataclass(frozen=True)
class PanConfig(Settings):
    """Shape of the network. The switches that leave a part out are for ablations; the parts that the paper does not have are
    left out unless a size is given."""

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
    steady_dropout: bool = setting(False, "drop a channel for a whole stream, not tick by tick")
    motion_lags: tuple[int, ...] = setting((), "distances in ticks over which the motion of each joint is read as well")
    whole_frame: int = setting(0, "width of a vector of all joints and their distances; 0 for none", low=0)
    convolutions: tuple[int, ...] = setting((), "dilations in ticks of causal convolutions before the GRU")
    convolution_width: int = setting(96, "width of these convolutions", low=1)
    mirrored: bool = setting(False, "the mean of two answers, to the person as seen and to the mirror image")

    @property
    def channels(self) -> int:
        """Input channels of a joint, with its motion."""
        return len(FEATURE_NAMES) + 2 * len(self.motion_lags)


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
        table = layout(config.layout)
        joints, attended = len(table.joints), config.heads * config.width
        # What the channels are divided by, so that each has about unit spread; set from the training data.
        self.register_buffer("feature_scale", torch.ones(config.channels))
        self.register_buffer("partner", torch.from_numpy(table.mirror), persistent=False)
        self.register_buffer("reflect", torch.tensor([-1.0 if name in MIRRORED else 1.0 for name in FEATURE_NAMES]),
                             persistent=False)
        self.graph = HumanGraphNetwork(table, config.channels, config.width, pooling=config.pooling,
                                       graph_convolution=config.graph_convolution, assignment=config.assignment)
        self.joints_attention = JointsAttention(config.width, config.heads)
        self.motion = Motion(config.motion_lags, joints)
        frame = attended
        if config.whole_frame:
            self.whole_frame = WholeFrame(joints, config.channels, config.whole_frame)
            frame += config.whole_frame
        self.before = CausalConvolutions(frame, config.convolution_width, config.convolutions)
        self.gru = nn.GRU(config.convolution_width if config.convolutions else frame, config.hidden, batch_first=True)
        self.pose_attention = PoseAttention(config.hidden, config.decay_per_s / config.rate_hz)
        self.classify = nn.Linear(config.hidden, classes)  # W_c of (17)
        self.classify_joints = nn.Linear(attended, classes)  # W_w' of (18)
        self.dropout = SteadyDropout(config.dropout) if config.steady_dropout else nn.Dropout(config.dropout)

    @property
    def _memory_sizes(self) -> list[int]:
        """h, n, d, m, and what the motion and the convolutions keep, of one view."""
        hidden = self.config.hidden
        return [hidden, hidden, 1, 1, self.motion.memory_size, sum(self.before.memory_sizes)]

    @property
    def state_size(self) -> int:
        """S: floats of state a person."""
        return sum(self._memory_sizes) * (2 if self.config.mirrored else 1)

    def mirror(self, features: Tensor) -> Tensor:
        """features (..., V, C) of the same person in a mirror."""
        return features[..., self.partner, :] * self.reflect

    def read_frame(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """features (B, V, C + 2 L) of single frames, with motion -> s (B, G * D), joint weights (B, V), and what the GRU or
        the convolutions before it read of the frame, s first."""
        mask = (features[..., _SCORE] > 0).to(features.dtype)
        features = features / self.feature_scale
        joints = self.graph(features, mask)
        if self.config.joints_attention:
            attended, weights = self.joints_attention(joints, mask)
            weights = weights.mean(-1)
        else:
            weights = (mask + 1e-6) / (mask + 1e-6).sum(-1, keepdim=True)
            attended = (weights[..., None, :] @ joints).squeeze(-2).repeat(1, self.config.heads)
        if not self.config.whole_frame:
            return attended, weights, attended
        return attended, weights, torch.cat([attended, self.whole_frame(features, mask)], -1)

    def forward(self, features: Tensor, inside: Tensor | None = None) -> PanOutput:
        """features (N, T, V, C), a missing joint all 0, from the beginning of each stream -> outputs after every tick.

        :param inside: (N, T) bool, False for padding at the end, which is then not computed (its outputs mean nothing)
        """
        if self.training or not self.config.mirrored:
            return self._one_view(features, inside)
        both = None if inside is None else inside.repeat(2, 1)
        return self._merged(self._one_view(torch.cat([features, self.mirror(features)]), both), features.shape[0])

    def _one_view(self, features: Tensor, inside: Tensor | None) -> PanOutput:
        people, ticks = features.shape[:2]
        features = self.with_motion(features)
        rows = slice(None) if inside is None else inside.flatten().nonzero().squeeze(-1)
        attended, weights, frame = self.read_frame(features.flatten(0, 1)[rows])
        if inside is not None:
            frame, weights = (each.new_zeros(people * ticks, each.shape[-1]).index_copy(0, rows, each)
                              for each in (frame, weights))
        frame = self.dropout(frame.unflatten(0, (people, ticks)))  # s_i, and the whole frame
        states, _ = self.gru(self.before(frame))  # h_i                                  (N, T, H)
        if self.config.pose_attention:
            seen, energy = self.pose_attention.prefixes(states)
        else:
            seen, energy = states, torch.zeros_like(states[..., 0])
        return PanOutput(self.classify(self.dropout(seen)), self.classify_joints(frame[..., : attended.shape[-1]]),
                         weights.unflatten(0, (people, ticks)), energy)

    def with_motion(self, features: Tensor) -> Tensor:
        """(N, T, V, C) -> (N, T, V, C + 2 L)."""
        if not self.config.motion_lags:
            return features
        mask = (features[..., _SCORE] > 0).to(features.dtype)
        return torch.cat([features, self.motion(features[..., :2], mask)], -1)

    def _merged(self, views: PanOutput, people: int) -> PanOutput:
        """The first rows are `people`, the others their mirror images: the mean of the two."""
        logits, joint_logits, weights, energy = ([part[:people], part[people:]] for part in views)
        weights[1] = weights[1][..., self.partner]
        chances = [each.softmax(-1) for each in logits]
        return PanOutput(*((a + b) / 2 for a, b in (chances, joint_logits, weights, energy)))._replace(
            logits=((chances[0] + chances[1]) / 2).clamp(min=1e-12).log())

    def step(self, features: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One tick: features (N, V, C), state (N, S) -> logits (N, K), joint weights (N, V), e (N,), next state (N, S)."""
        if not self.config.mirrored:
            return self._step(features, state)
        views = self._step(torch.cat([features, self.mirror(features)]), torch.cat(state.chunk(2, -1)))
        people = features.shape[0]
        output = self._merged(PanOutput(views[0], views[0], views[1], views[2]), people)
        after = torch.cat([views[3][:people], views[3][people:]], -1)
        return output.logits, output.joint_attention, output.frame_energy, after

    def _step(self, features: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        memory, total, mass, peak, moved, held = state.split(self._memory_sizes, -1)
        if self.config.motion_lags:
            mask = (features[..., _SCORE] > 0).to(features.dtype)
            motion, moved = self.motion.step(features[..., :2], mask, moved, mass == 0)
            features = torch.cat([features, motion], -1)
        _, weights, frame = self.read_frame(features)
        if self.config.convolutions:
            frame, held = self.before.step(frame, held)
        memory = gru_step(self.gru, frame, memory)
        if self.config.pose_attention:
            seen, energy, total, mass, peak = self.pose_attention.step(memory, total, mass, peak)
        else:
            seen, energy, mass = memory, torch.zeros_like(mass), torch.ones_like(mass)
        return self.classify(seen), weights, energy.squeeze(-1), torch.cat([memory, total, mass, peak, moved, held], -1)


class SteadyDropout(nn.Module):
    """Drop-out of (N, T, C) that drops a channel at all ticks of a row."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or not self.share:
            return values
        kept = torch.rand(len(values), 1, values.shape[-1], device=values.device) >= self.share
        return values * (kept.to(values.dtype) / (1 - self.share))


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
