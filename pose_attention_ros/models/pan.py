"""Pose-Attention Network (Li & Wang 2020): graph of joints -> joints-attention -> GRU -> pose-attention -> action.

Two forms that give the same numbers: `forward` reads whole sequences (training), `step` one tick (the robot).
N people or clips, T ticks, V joints, C channels, K classes, D and H widths, G heads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pose_attention_ros.core.body.layouts import LAYOUTS, layout
from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.types import FEATURE_NAMES
from pose_attention_ros.models.attention import JointsAttention, PoseAttention
from pose_attention_ros.models.human_graph import HumanGraphNetwork
from pose_attention_ros.models.streams import CausalConvolution, FrameInputs, Streams, of_ticks_inside

_SCORE = FEATURE_NAMES.index("score")
_LONGEST = 100_000  # ticks that the batch form reads
_LEAST_RISE = 0.1  # of a moment that raised nothing; much smaller, and rounding would show in the logarithm
MIRRORED = ("x", "vx")  # channels whose sign a mirror turns


@dataclass(frozen=True)
class PanConfig(Settings):
    """Shape of the network. The switches that leave a part out are for ablations; `streams`, `head`, `running_max`,
    `background` and `mirrored` are not in the paper and are left out by default."""

    layout: str = setting("common13", "joint layout of the input", choices=tuple(LAYOUTS))
    width: int = setting(64, "width D of a joint's embedding", low=1)
    heads: int = setting(4, "heads of the joints-attention; the paper has 1", low=1)
    hidden: int = setting(128, "width H of the GRU; 0 for none, where the attention runs over the streams", low=0)
    rate_hz: float = setting(15.0, "ticks a second", unit="Hz", low=1)
    decay_per_s: float = setting(
        0.0, "what a moment's attention score loses a second; 0 is the paper's form", unit="1/s", low=0
    )
    assignment: str = setting("softmax", "soft assignment to body parts", choices=("softmax", "relu"))
    graph_convolution: bool = setting(True, "let joints read their neighbours")
    pooling: bool = setting(True, "pool joints to body parts and back")
    joints_attention: bool = setting(True, "weigh joints; else their mean")
    pose_attention: bool = setting(True, "weigh moments; else the highest values or, without them, the last state")
    dropout: float = setting(0.3, "drop-out on what the GRU reads and on what is classified", low=0, high=0.9)
    streams: int = setting(0, "width of causal convolutions that read distances and motion too; 0 for none", low=0)
    motion_lags: tuple[int, ...] = setting((1, 2), "ticks over which the streams read each joint's motion")
    positions: bool = setting(False, "a stream of the joints' places on the body as well")
    stream_dropout: float = setting(0.1, "drop-out of whole channels in the streams", low=0, high=0.9)
    head: int = setting(0, "width of a layer before the classes; 0 for none", low=0)
    running_max: bool = setting(False, "classify each channel's highest value so far")
    background: bool = setting(
        False, "learn what belongs to no class as one more class, whose chance is then shared evenly among the others"
    )
    mirrored: bool = setting(False, "the mean of two answers, to the person as seen and to the mirror image")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.hidden and not self.streams:
            raise UserError("hidden is 0, expected a GRU where there are no streams")
        if any(not isinstance(lag, int) or lag < 1 for lag in self.motion_lags):
            raise UserError(f"motion_lags is {list(self.motion_lags)}, expected whole numbers of ticks from 1 on")


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
        self.register_buffer("feature_scale", torch.ones(len(FEATURE_NAMES)))
        self.register_buffer("partner", torch.from_numpy(table.mirror), persistent=False)
        self.register_buffer(
            "reflect", torch.tensor([-1.0 if name in MIRRORED else 1.0 for name in FEATURE_NAMES]), persistent=False
        )
        self.graph = HumanGraphNetwork(
            table,
            len(FEATURE_NAMES),
            config.width,
            pooling=config.pooling,
            graph_convolution=config.graph_convolution,
            assignment=config.assignment,
        )
        self.joints_attention = JointsAttention(config.width, config.heads)
        width = attended
        if config.streams:
            inputs = FrameInputs(joints, config.motion_lags, config.rate_hz, config.positions)
            self.streams = Streams(inputs, attended, config.streams, config.stream_dropout)
            width = self.streams.width
        if config.hidden:
            self.gru = nn.GRU(width, config.hidden, batch_first=True)
            width = config.hidden
        self._moment = width  # of what the pose-attention weighs
        self.pose_attention = PoseAttention(width, config.decay_per_s / config.rate_hz)
        width *= config.pose_attention + config.running_max or 1
        if config.head:
            self.head = CausalConvolution(width, config.head)
            width = config.head
        self.classify = nn.Linear(width, classes + config.background)  # W_c of (17)
        if config.background:  # each class's own chance, and its share of the background's
            self.register_buffer(
                "shared", torch.cat([torch.eye(classes), torch.full((1, classes), 1 / classes)]), persistent=False
            )
        self.classify_joints = nn.Linear(attended, classes + config.background)  # W_w' of (18)
        self.dropout = nn.Dropout(config.dropout)

    @property
    def _memory_sizes(self) -> list[int]:
        """Of one view: h, n, d, the highest values, and what the streams keep."""
        config = self.config
        return [
            config.hidden,
            self._moment,
            1,
            self._moment if config.running_max else 0,
            *(self.streams.memory_sizes if config.streams else []),
        ]

    @property
    def state_size(self) -> int:
        """S: floats of state a person."""
        return sum(self._memory_sizes) * (2 if self.config.mirrored else 1)

    def mirror(self, features: Tensor) -> Tensor:
        """features (..., V, C) of the same person in a mirror."""
        return features[..., self.partner, :] * self.reflect

    def read_frame(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """features (B, V, C) of single frames -> s (B, G * D), joint weights (B, V)."""
        mask = features[..., _SCORE:].sign()  # 1 where the joint is there                (B, V, 1)
        joints = self.graph(features, mask, self.feature_scale)
        if self.config.joints_attention:
            attended, weights = self.joints_attention(joints, mask)
            return attended, weights.mean(-2)
        weights = (mask + 1e-6) / (mask + 1e-6).sum(-2, keepdim=True)
        return (weights * joints).sum(-2).repeat(1, self.config.heads), weights[..., 0]

    def forward(self, features: Tensor, inside: Tensor | None = None) -> PanOutput:
        """features (N, T, V, C), a missing joint all 0, from the beginning of each stream -> outputs after every tick.

        :param inside: (N, T) bool, False for padding at the end, which is then not computed (its outputs mean nothing)

        In training a network with a `background` gives its logit too, as the last of K + 1.
        """
        if self.training:
            return self._one_view(features, inside)
        if not self.config.mirrored:
            output = self._one_view(features, inside)
            return output._replace(logits=self._of_classes(output.logits))
        both = None if inside is None else inside.repeat(2, 1)
        return self._merged(self._one_view(torch.cat([features, self.mirror(features)]), both), features.shape[0])

    def _of_classes(self, logits: Tensor) -> Tensor:
        """(..., K), with the chance of the background shared evenly among the classes."""
        if not self.config.background:
            return logits
        return (logits.softmax(-1) @ self.shared).clamp(min=1e-12).log()

    def _one_view(self, features: Tensor, inside: Tensor | None) -> PanOutput:
        rows = None if inside is None else inside.flatten().nonzero().squeeze(-1)
        read = of_ticks_inside(lambda frames: torch.cat(self.read_frame(frames), -1), features, rows)
        attended, weights = read.split([read.shape[-1] - features.shape[2], features.shape[2]], -1)
        attended = self.dropout(attended)  # s_i                                          (N, T, G * D)
        states = self.streams(features, attended, rows) if self.config.streams else attended
        if self.config.hidden:
            states, _ = self.gru(states)  # h_i                                           (N, T, H)
        seen, energy = states, torch.zeros_like(states[..., 0])
        if self.config.running_max:
            seen = running_maximum(states)
            energy = rise_energy(seen.diff(dim=1, prepend=torch.zeros_like(seen[:, :1])))
        if self.config.pose_attention:
            attended_moments, energy = self.pose_attention.prefixes(states)
            seen = torch.cat([attended_moments, seen], -1) if self.config.running_max else attended_moments
        if self.config.head:
            seen = self.head(seen, rows)
        return PanOutput(self.classify(self.dropout(seen)), self.classify_joints(attended), weights, energy)

    def _merged(self, views: PanOutput, people: int) -> PanOutput:
        """The first rows are `people`, the others their mirror images: the mean of the two."""
        logits, joint_logits, weights, energy = ([part[:people], part[people:]] for part in views)
        weights[1] = weights[1][..., self.partner]
        chances = [self._of_classes(each).softmax(-1) for each in logits]
        return PanOutput(*((a + b) / 2 for a, b in (chances, joint_logits, weights, energy)))._replace(
            logits=((chances[0] + chances[1]) / 2).clamp(min=1e-12).log()
        )

    def step(self, features: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One tick: features (N, V, C), state (N, S) -> logits (N, K), joint weights (N, V), e (N,), next state (N, S)."""
        return self.embedded_step(features, state)[:4]

    @property
    def embedding_size(self) -> int:
        """E: channels of what `embedded_step` gives beside the rest."""
        return self._moment

    def embedded_step(self, features: Tensor, state: Tensor) -> tuple[Tensor, ...]:
        """As `step`, and the moment's vector (N, E) that pose-attention weighs: what taught actions are told by. It says
        more of actions that the network never learnt than the layer before the classes does (docs/teaching.md)."""
        if not self.config.mirrored:
            logits, *rest = self._step(features, state)
            return self._of_classes(logits), *rest
        views = self._step(torch.cat([features, self.mirror(features)]), torch.cat(state.chunk(2, -1)))
        people = features.shape[0]
        output = self._merged(PanOutput(views[0], views[0], views[1], views[2]), people)
        after = torch.cat([views[3][:people], views[3][people:]], -1)
        return output.logits, output.joint_attention, output.frame_energy, after, views[4][:people]

    def _step(self, features: Tensor, state: Tensor) -> tuple[Tensor, ...]:
        config = self.config
        sizes = self._memory_sizes
        kept = iter(state.split([size for size in sizes if size], -1))  # a runtime pays for empty ones too
        memory, total, mass, highest, *held = (next(kept) if size else state[:, :0] for size in sizes)
        moment, weights = self.read_frame(features)
        if config.streams:
            moment, held = self.streams.step(features, moment, held)
        if config.hidden:
            memory = moment = gru_step(self.gru, moment, memory)
        seen, energy = moment, torch.zeros_like(mass)
        if config.running_max:
            seen = torch.maximum(highest, moment)
            highest, energy = seen, rise_energy(seen - highest)[:, None]
        if config.pose_attention:
            attended, energy, total, mass = self.pose_attention.step(moment, total, mass)
            seen = torch.cat([attended, seen], -1) if config.running_max else attended
        if config.head:
            seen, _ = self.head.step(seen, [])
        parts = [memory, total, mass, highest, *held]
        after = torch.cat([part for part, size in zip(parts, sizes) if size], -1)
        return self.classify(seen), weights, energy.squeeze(-1), after, moment


def running_maximum(values: Tensor) -> Tensor:
    """(N, T, W) -> (N, T, W), of each channel the highest value up to each tick, at least 0."""
    values = values.relu()
    if not torch.compiler.is_exporting():
        return values.cummax(1).values
    ticks = torch.arange(values.shape[1], device=values.device)  # ONNX has no such operator
    for power in range(_LONGEST.bit_length()):
        values = torch.maximum(values, values[:, (ticks - 2**power).clamp(min=0)])
    return values


def rise_energy(rise: Tensor) -> Tensor:
    """What a moment's score is where maxima are classified: the logarithm of how much it raised them. (..., W) -> (...)."""
    return (rise.sum(-1) + _LEAST_RISE).log()


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
