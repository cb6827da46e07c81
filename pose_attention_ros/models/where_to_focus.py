"""Where to Focus (Das, Chaudhary, Bremond, Thonnat, WACV 2019): one network a body part, weighed by what an LSTM over the
pose finds relevant in the whole clip. Equation numbers are the paper's.

N people or clips, W ticks of a window, T frames of a sub-sequence, V joints, C channels, K = 3 body parts, D features of a
part, H width of the LSTM.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.config import setting
from pose_attention_ros.core.types import FEATURE_NAMES
from pose_attention_ros.models.comparator import (
    SCORE,
    Comparator,
    ComparatorConfig,
    Ring,
    Scaled,
    StepResult,
    filled,
    joint_rows,
    memberships,
)
from pose_attention_ros.models.temporal import Motion

PARTS = ("left_hand", "right_hand", "full_body")
SKELETON, CROPS = "skeleton", "crops"
ATTENTION, SUM, CONCAT = "attention", "sum", "concat"
_TAPS = 3
_GAUSSIAN = 0.01  # spread of the attention layers' first weights


@dataclass(frozen=True)
class WhereToFocusConfig(ComparatorConfig):
    """Shape of the network. The defaults are the paper's for NTU, but for what is read of a part."""

    reads: str = setting(
        SKELETON,
        "what a part's network reads: the part's joints, or the extractor's features of its crop",
        choices=(SKELETON, CROPS),
    )
    aggregate: str = setting(
        ATTENTION,
        "how the parts' features become one; the name of a part takes that one alone",
        choices=(ATTENTION, SUM, CONCAT, *PARTS),
    )
    channels: int = setting(384, "channels of the extractor, where `reads` is crops", low=1)
    part_width: int = setting(128, "features D of a part", low=1)
    hidden: int = setting(512, "width H of each of the three LSTM layers; the paper has 128 for N-UCLA", low=1)
    attention_width: int = setting(64, "width of the fully connected layer of (2); the paper names none", low=1)
    frames: int = setting(20, "frames T of a sub-sequence; the paper has 5 for N-UCLA", low=2)
    sub_sequences: int = setting(5, "sub-sequences whose logits are averaged", low=1)
    window: int = setting(48, "newest ticks W that the sub-sequences are taken from", low=2)
    motion_lags: tuple[int, ...] = setting((), "distances in ticks over which the motion of each joint is read as well")
    distances: bool = setting(False, "a part's network that reads joints reads their distances from each other as well")
    dropout: float = setting(0.5, "drop-out", low=0, high=0.9)


class PartNetwork(Scaled):
    """f_g of (1) on a part's frames: two temporal convolutions and the mean over time. In the place of the paper's I3D,
    whose spatial half is the extractor; where the extractor is an I3D itself, this is what is trained on top of it."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(inputs)
        self.read = nn.Linear(inputs, width)
        self.convolutions = nn.ModuleList(nn.Conv1d(width, width, _TAPS, padding=_TAPS // 2) for _ in range(2))

    def forward(self, frames: Tensor) -> Tensor:
        """frames (N, T, inputs) -> g (N, D)."""
        values = self.read(frames / self.scale).relu().transpose(1, 2)
        for convolution in self.convolutions:
            values = values + convolution(values).relu()
        return values.mean(-1)


class PoseLstm(Scaled):
    """Three stacked LSTMs over the joints, and the layer with which they are pre-trained."""

    def __init__(self, inputs: int, hidden: int, dropout: float) -> None:
        super().__init__(inputs)
        self.lstm = nn.LSTM(inputs, hidden, num_layers=3, batch_first=True, dropout=dropout)

    def forward(self, poses: Tensor) -> Tensor:
        """poses (N, T, V * C) -> hidden states of the last layer (N, T, H)."""
        return self.lstm(poses / self.scale)[0]


class PartAttention(nn.Module):
    """(2) and (3): the weights of the parts, from the hidden states of all time steps."""

    def __init__(self, inputs: int, width: int, parts: int) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, width)  # W_h, b_s
        self.score = nn.Linear(width, parts)  # W_s, b_us
        self.start_evenly()

    def start_evenly(self) -> None:
        """Step 4 of algorithm 1: equal scores, everything else Gaussian."""
        nn.init.normal_(self.dense.weight, std=_GAUSSIAN)
        for zero in (self.dense.bias, self.score.weight, self.score.bias):
            nn.init.zeros_(zero)

    def forward(self, states: Tensor) -> Tensor:
        """h^s (N, T * H) -> a (N, K), rows sum to 1."""
        return self.score(torch.tanh(self.dense(states))).softmax(-1)


class FocusOutput(NamedTuple):
    """logits (N, classes) from F; part_weights a_k (N, K); part_logits (N, K, classes) of each part alone; pose_logits (N,
    classes) of the pose LSTM alone: the last two are what pre-training teaches."""

    logits: Tensor
    part_weights: Tensor
    part_logits: Tensor
    pose_logits: Tensor


class WhereToFocus(Comparator):
    """See the module's text. A person's state is the last W ticks."""

    kind = "where_to_focus"

    def __init__(self, config: WhereToFocusConfig, classes: int) -> None:
        super().__init__()
        self.config = config
        self.frame_window = config.window
        table = layout(config.layout)
        self._motion = Motion(config.motion_lags)
        joints, channels = len(table.joints), len(FEATURE_NAMES) + 2 * len(config.motion_lags)
        self._part_rows = part_rows(config.layout)
        pairs = [len(rows) * (len(rows) - 1) // 2 * config.distances for rows in self._part_rows]
        sizes = [len(rows) * channels + count for rows, count in zip(self._part_rows, pairs)]
        if config.reads == CROPS:
            self.pixels, self.pixels_shape, sizes = CROPS, (len(PARTS), config.channels), [config.channels] * len(PARTS)
        self.parts = nn.ModuleDict({part: PartNetwork(size, config.part_width) for part, size in zip(PARTS, sizes)})
        self.part_classify = nn.ModuleDict({part: nn.Linear(config.part_width, classes) for part in PARTS})
        self.pose = PoseLstm(joints * channels, config.hidden, config.dropout)
        self.pose_classify = nn.Linear(config.frames * config.hidden, classes)
        self.attention = PartAttention(config.frames * config.hidden, config.attention_width, len(PARTS))
        joined = len(PARTS) if config.aggregate == CONCAT else 1
        self.classify = nn.Linear(joined * config.part_width, classes)
        self.dropout = nn.Dropout(config.dropout)
        belongs = memberships(self._part_rows, joints)
        self.register_buffer("shares", belongs / belongs.sum(1, keepdim=True), persistent=False)  # of a part's weight
        self._pixel_floats = int(torch.tensor(self.pixels_shape).prod()) if self.pixels else 0
        self._ring = Ring(config.window, joints * len(FEATURE_NAMES) + self._pixel_floats)

    @property
    def state_size(self) -> int:
        return self._ring.size

    def fit_scales(self, features: Tensor, pixels: Tensor | None = None) -> None:
        poses = self.with_motion(features)
        self.pose.fit_scale(poses.flatten(2))
        for part, frames in zip(PARTS, self._part_inputs(poses, pixels)):
            self.parts[part].fit_scale(frames)

    def _part_inputs(self, poses: Tensor, crops: Tensor | None) -> list[Tensor]:
        """What each part's network reads (N, T, inputs)."""
        if crops is not None:
            return list(crops.unbind(2))
        parts = [poses[:, :, rows] for rows in self._part_rows]
        if not self.config.distances:
            return [part.flatten(2) for part in parts]
        return [torch.cat([part.flatten(2), distances(part)], -1) for part in parts]

    def with_motion(self, features: Tensor) -> Tensor:
        """features (N, T, V, C) of successive ticks -> (N, T, V, C + 2 L)."""
        if not self.config.motion_lags:
            return features
        there = (features[..., SCORE] > 0).to(features.dtype)
        return torch.cat([features, self._motion(features[..., :2], there)], -1)

    def forward(self, poses: Tensor, crops: Tensor | None = None) -> FocusOutput:
        """One sub-sequence: poses (N, T, V, C + 2 L), see `with_motion`, and, where the parts' networks read them, crops
        (N, T, K, channels)."""
        features = self._features(poses, crops)
        states = self._states(poses)
        weights = self.attention(states)
        return FocusOutput(
            self.classify(self._aggregated(torch.stack([features[part] for part in PARTS], 1), weights)),
            weights,
            torch.stack([self.part_classify[part](features[part]) for part in PARTS], 1),
            self.pose_classify(states),
        )

    def part_alone(self, part: str, poses: Tensor, crops: Tensor | None = None) -> Tensor:
        """part_logits (N, classes) of one part, nothing else computed."""
        return self.part_classify[part](self._features(poses, crops, (part,))[part])

    def pose_alone(self, poses: Tensor) -> Tensor:
        """pose_logits (N, classes), nothing else computed."""
        return self.pose_classify(self._states(poses))

    def together(self, poses: Tensor, crops: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """logits (N, classes) and a_k (N, K), or None where the parts are not weighed; nothing else computed."""
        kind = self.config.aggregate
        if kind in PARTS:
            return self.classify(self._features(poses, crops, (kind,))[kind]), None
        features = torch.stack(list(self._features(poses, crops).values()), 1)
        weights = self.attention(self._states(poses)) if kind == ATTENTION else None
        return self.classify(self._aggregated(features, weights)), weights

    def _features(self, poses: Tensor, crops: Tensor | None, parts: tuple[str, ...] = PARTS) -> dict[str, Tensor]:
        """g_k (N, D) of (1) of these parts."""
        inputs = dict(zip(PARTS, self._part_inputs(poses, crops)))
        return {part: self.dropout(self.parts[part](inputs[part])) for part in parts}

    def _states(self, poses: Tensor) -> Tensor:
        """h^s (N, T * H)."""
        return self.dropout(self.pose(poses.flatten(2)).flatten(1))

    def _aggregated(self, features: Tensor, weights: Tensor | None) -> Tensor:
        """g (N, K, D), a (N, K) -> F (N, D), or (N, K * D) where concatenated."""
        kind = self.config.aggregate
        if kind == CONCAT:
            return features.flatten(1)
        if kind in PARTS:
            return features[:, PARTS.index(kind)]
        return features.sum(1) if kind == SUM else (weights[:, None] @ features).squeeze(1)  # (4)

    def answer(self, window: Tensor, pushed: Tensor) -> tuple[Tensor, Tensor]:
        """window (N, W, ring's width), of which the last `pushed` (N, 1) are there -> mean logits of the sub-sequences (N,
        classes), mean a (N, K)."""
        people = window.shape[0]
        window, joints = self._moving(window, pushed), self.shares.shape[1]
        width = window.shape[-1]
        rows = self.sub_sequences(pushed).flatten(1)  # (N, S * T)
        chosen = window.gather(1, rows[..., None].expand(-1, -1, width))
        chosen = chosen.reshape(people * self.config.sub_sequences, self.config.frames, width)
        poses, crops = chosen.split([width - self._pixel_floats, self._pixel_floats], -1)
        output = self(poses.unflatten(-1, (joints, -1)), crops.unflatten(-1, self.pixels_shape) if self.pixels else None)
        return (output.logits.unflatten(0, (people, -1)).mean(1), output.part_weights.unflatten(0, (people, -1)).mean(1))

    def _moving(self, window: Tensor, pushed: Tensor) -> Tensor:
        """The window's rows with the joints' motion, where it is read."""
        if not self.config.motion_lags:
            return window
        poses, crops = window.split([window.shape[-1] - self._pixel_floats, self._pixel_floats], -1)
        poses = filled(poses.unflatten(-1, (-1, len(FEATURE_NAMES))), self._ring.there(pushed))
        return torch.cat([self.with_motion(poses).flatten(2), crops], -1)

    def sub_sequences(self, pushed: Tensor) -> Tensor:
        """pushed (N, 1) -> (N, S, T) rows of the window: S times one frame out of each of T equal stretches, each time at
        another place of the stretch."""
        frames, count, ticks = self.config.frames, self.config.sub_sequences, self.config.window
        place = (torch.arange(count, device=pushed.device) + 0.5) / count
        share = (torch.arange(frames, device=pushed.device) + place[:, None]) / frames  # (S, T)
        seen = pushed.clamp(max=ticks)[..., None]  # (N, 1, 1)
        return (ticks - seen + torch.floor(share * seen + 1e-4)).long().clamp(max=ticks - 1)

    def step(self, features: Tensor, state: Tensor, pixels: Tensor | None = None) -> StepResult:
        window, pushed, state = self._ring.push(self._rows(features.flatten(1), pixels, 1), state)
        logits, weights = self.answer(window, pushed)
        energy = torch.where(self._ring.there(pushed), 0.0, -1e4)  # the hidden states of all frames count alike
        return StepResult(logits, weights @ self.shares, energy, state)

    def after(self, features: Tensor, at: Tensor, pixels: Tensor | None = None) -> Tensor:
        window, pushed = self._ring.windows(self._rows(features.flatten(2), pixels, 2), at)
        return self.answer(window, pushed)[0].unflatten(0, at.shape)

    def _rows(self, flat: Tensor, pixels: Tensor | None, lead: int) -> Tensor:
        return flat if not self.pixels else torch.cat([flat, pixels.flatten(lead)], -1)


def distances(poses: Tensor) -> Tensor:
    """poses (N, T, V, C) -> (N, T, V (V - 1) / 2): how far each two joints are apart; 0 where one is missing."""
    first, second = torch.triu_indices(poses.shape[2], poses.shape[2], 1, device=poses.device)
    apart = poses[:, :, first, :2] - poses[:, :, second, :2]
    there = (poses[:, :, first, SCORE] > 0) & (poses[:, :, second, SCORE] > 0)
    return (apart.square().sum(-1) + 1e-4).sqrt() * there


def part_rows(name: str) -> tuple[list[int], ...]:
    """Joints of the layout called `name` that belong to each of PARTS."""
    table = layout(name)
    hands = [joint_rows(table, (f"{side}_elbow", f"{side}_wrist", f"{side}_hand")) for side in ("left", "right")]
    return (*hands, list(range(len(table.joints))))


def focus_loss(logits: Tensor, targets: Tensor, part_weights: Tensor | None, even: float) -> Tensor:
    """(5) without the weight decay, which is the optimiser's: cross entropy + l1 sum_k (1 - a_k)^2, mean over the clips.

    :param logits: (N, classes); :param targets: (N,); :param part_weights: a (N, K), or None where nothing is weighed
    :param even: l1; the paper has 1e-5 for NTU, 1e-4 for N-UCLA
    """
    loss = functional.cross_entropy(logits, targets)
    if part_weights is not None:
        loss = loss + even * (1 - part_weights).square().sum(-1).mean()
    return loss
