"""Temporal attention (Liu, Tian, Wang 2017): an LSTM that reads a whole stretch of frames again and again, and each time
weighs the frames anew. Equation numbers are the paper's.

N people or clips, W frames of a sample, D features of a frame, H width of the LSTM, R refinement steps, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.config import setting
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.types import FEATURE_NAMES
from pose_attention_ros.models.comparator import (
    SCORE,
    Comparator,
    ComparatorConfig,
    Ring,
    Scaled,
    StepResult,
    even_joints,
    filled,
    log_chances,
    loss_of_all_steps,
)
from pose_attention_ros.models.temporal import Motion, WholeFrame

SKELETON, FRAME = "skeleton", "frame"
STREAMS = ("appearance", "motion")
_NOTHING = -1e4  # score of a frame that is not there: its weight is 0, and no softmax is NaN


@dataclass(frozen=True)
class TemporalAttentionConfig(ComparatorConfig):
    """Shape of the network. The defaults are the paper's, but for what is read of a frame."""

    reads: str = setting(
        SKELETON, "per-frame features: of the joints, or of the extractor's cube, averaged", choices=(SKELETON, FRAME)
    )
    streams: tuple[str, ...] = setting(STREAMS, "one network each, fused")
    stream_weights: tuple[float, ...] = setting((1 / 3, 2 / 3), "of the streams in the fusion")
    channels: int = setting(384, "channels of the extractor, where `reads` is frame", low=1)
    width: int = setting(192, "features D of a frame, made of the joints", low=1)
    motion_lags: tuple[int, ...] = setting((1, 2, 4, 8), "distances in ticks over which the motion of a joint is read")
    window: int = setting(30, "frames W of a sample", low=2)
    hidden: int = setting(512, "width H of the LSTM", low=1)
    layers: int = setting(2, "LSTM layers on top of each other", low=1)
    steps: int = setting(30, "refinement steps R", low=1)
    averaged: int = setting(10, "last refinement steps whose predictions are averaged", low=1)
    attention: bool = setting(True, "weigh the frames; else their mean, the paper's baseline")
    dropout: float = setting(0.0, "drop-out on the features of a frame; the paper names none", low=0, high=0.9)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.streams or len(self.streams) != len(self.stream_weights) or set(self.streams) - set(STREAMS):
            raise UserError(
                f"streams is {self.streams} with stream_weights {self.stream_weights}, expected some of "
                f"{STREAMS} and as many weights"
            )
        if self.averaged > self.steps:
            raise UserError(f"averaged is {self.averaged}, expected at most steps, {self.steps}")


class Refinement(nn.Module):
    """(3)-(7): R steps over one sequence, each of which sees all of it."""

    def __init__(self, inputs: int, classes: int, *, hidden: int, layers: int, attention: bool) -> None:
        super().__init__()
        self.hidden, self.attention = hidden, attention
        self.cells = nn.ModuleList(nn.LSTMCell(hidden if layer else inputs, hidden) for layer in range(layers))
        if attention:
            self.of_memory = nn.Linear(hidden, 1, bias=False)  # w_a
            self.of_frame = nn.Linear(inputs, 1)  # u_a and b_a
        self.classify = nn.Linear(hidden, classes)  # W_y, b_y

    def forward(self, frames: Tensor, there: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """frames v_i (N, W, D), there (N, W) bool -> logits after every step (N, R, K), a_i^t (N, R, W), rows sum to 1."""
        state = [(frames.new_zeros(frames.shape[0], self.hidden),) * 2 for _ in self.cells]
        missing = torch.where(there, 0.0, _NOTHING).to(frames.dtype)
        even = missing.softmax(-1)
        frame_score = self.of_frame(frames).squeeze(-1) if self.attention else None
        logits, weights = [], []
        for _ in range(steps):
            attended = even
            if self.attention:
                score = torch.tanh(self.of_memory(state[-1][0]) + frame_score)  # (5)
                attended = (score + missing).softmax(-1)  # (6)
            value = (attended[:, None] @ frames).squeeze(1)  # (4)
            for layer, cell in enumerate(self.cells):
                state[layer] = cell(value, state[layer])  # (3)
                value = state[layer][0]
            logits.append(self.classify(value))  # (7), before its softmax
            weights.append(attended)
        return torch.stack(logits, 1), torch.stack(weights, 1)


class SkeletonFrames(Scaled):
    """Per-frame features of the joints, v_i: where they are (appearance), or how they move (motion)."""

    def __init__(self, stream: str, config: TemporalAttentionConfig) -> None:
        joints = len(layout(config.layout).joints)
        channels = 3 if stream == "appearance" else 3 + 2 * len(config.motion_lags)
        super().__init__(channels)
        self.stream = stream
        self.motion = Motion(config.motion_lags)
        if stream == "appearance":
            self.read = WholeFrame(joints, channels, config.width)
        else:
            self.read, self.norm = nn.Linear(joints * channels, config.width), nn.LayerNorm(config.width)

    def channels(self, window: Tensor) -> Tensor:
        """window (N, W, V, C) -> (N, W, V, channels) of this stream."""
        score = window[..., SCORE:]
        if self.stream == "appearance":
            return torch.cat([window[..., :2], score], -1)
        mask = (score > 0).to(window.dtype)
        moved = [self.motion(window[..., :2], mask.squeeze(-1))] if self.motion.lags else []
        return torch.cat([window[..., 2:4], score, *moved], -1)

    def forward(self, window: Tensor) -> Tensor:
        """window (N, W, V, C) -> (N, W, D)."""
        scaled = self.channels(window) / self.scale
        if self.stream == "motion":
            return self.norm(self.read(scaled.flatten(2))).relu()
        mask = (window[..., SCORE] > 0).to(window.dtype)
        return self.read(scaled.flatten(0, 1), mask.flatten(0, 1)).unflatten(0, window.shape[:2])


class PixelFrames(Scaled):
    """v_i of an extractor's features: as they are (appearance), or their change since the frame before (motion)."""

    def __init__(self, stream: str, config: TemporalAttentionConfig) -> None:
        super().__init__(config.channels)
        self.stream = stream

    def channels(self, window: Tensor) -> Tensor:
        """window (N, W, D) -> (N, W, D) of this stream."""
        if self.stream == "appearance":
            return window
        before = torch.cat([window[:, :1], window[:, :-1]], 1)
        return (window - before) * before.abs().amax(-1, keepdim=True).gt(0)  # nothing came before the first

    def forward(self, window: Tensor) -> Tensor:
        return self.channels(window) / self.scale


class TemporalAttention(Comparator):
    """See the module's text. A person's state is the last W ticks and the predictions of the samples before them."""

    kind = "temporal_attention"

    def __init__(self, config: TemporalAttentionConfig, classes: int) -> None:
        super().__init__()
        self.config, self.classes = config, classes
        self.frame_window = config.window
        if config.reads == FRAME:
            self.pixels, self.pixels_shape = FRAME, (config.channels,)
            width, frames = config.channels, PixelFrames
        else:
            width, frames = config.width, SkeletonFrames
        self.frames = nn.ModuleDict({stream: frames(stream, config) for stream in config.streams})
        self.refine = nn.ModuleDict(
            {
                stream: Refinement(width, classes, hidden=config.hidden, layers=config.layers, attention=config.attention)
                for stream in config.streams
            }
        )
        self.dropout = nn.Dropout(config.dropout)
        joints = len(layout(config.layout).joints)
        self._row = self.pixels_shape or (joints, len(FEATURE_NAMES))
        self._ring = Ring(config.window, int(torch.tensor(self._row).prod()))

    @property
    def state_size(self) -> int:
        return self._ring.size + self.classes

    def fit_scales(self, features: Tensor, pixels: Tensor | None = None) -> None:
        for frames in self.frames.values():
            frames.fit_scale(frames.channels(features if pixels is None else pixels))

    def refined(self, window: Tensor, there: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """window (N, W, *row), there (N, W) -> of each stream the logits (N, R, K) and weights (N, R, W)."""
        window = filled(window, there)
        return {
            stream: self.refine[stream](self.dropout(self.frames[stream](window)), there, self.config.steps)
            for stream in self.config.streams
        }

    def fused(self, refined: dict[str, tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """Mean over the last steps and the streams' weighted mean of `refined`: chances (N, K), weights (N, W)."""
        shares = [weight / sum(self.config.stream_weights) for weight in self.config.stream_weights]
        last = [
            (logits[:, -self.config.averaged :].softmax(-1).mean(1), weights[:, -self.config.averaged :].mean(1))
            for logits, weights in (refined[stream] for stream in self.config.streams)
        ]
        return (
            sum(share * chances for share, (chances, _) in zip(shares, last)),
            sum(share * weights for share, (_, weights) in zip(shares, last)),
        )

    def step(self, features: Tensor, state: Tensor, pixels: Tensor | None = None) -> StepResult:
        memory, total = state.split([self._ring.size, self.classes], -1)
        window, pushed, memory = self._ring.push((features if pixels is None else pixels).flatten(1), memory)
        there = self._ring.there(pushed)
        chances, weights = self.fused(self.refined(window.unflatten(-1, self._row), there))
        samples = torch.floor((pushed - 1) / self.config.window)  # whole ones before this one
        mean = (total + chances) / (samples + 1)
        ended = (torch.remainder(pushed, self.config.window) == 0).to(total.dtype)
        energy = torch.where(there, log_chances(weights), torch.full_like(weights, _NOTHING))
        return StepResult(log_chances(mean), even_joints(features), energy, torch.cat([memory, total + ended * chances], -1))

    def after(self, features: Tensor, at: Tensor, pixels: Tensor | None = None) -> Tensor:
        rows, size = (features if pixels is None else pixels), self.config.window
        whole = int(at.max()) // size  # samples that may lie before the one that ends at `at`
        ends = torch.cat([at, (torch.arange(1, whole + 1) * size - 1).expand(len(at), -1)], 1)
        window, pushed = self._ring.windows(rows, ends.clamp(max=rows.shape[1] - 1))
        chances, _ = self.fused(self.refined(window, self._ring.there(pushed)))
        chances = chances.unflatten(0, ends.shape)
        now, before = chances.split([at.shape[1], whole], 1)
        counts = (ends[:, None, at.shape[1] :] < at[..., None]).to(chances.dtype)  # (N, F, whole)
        return log_chances((now + counts @ before) / (counts.sum(-1, keepdim=True) + 1))


def temporal_attention_loss(refined: dict[str, tuple[Tensor, Tensor]], targets: Tensor) -> Tensor:
    """(8) of each stream, added up, without the weight decay, which is the optimiser's: the sum over the refinement steps of
    the cross entropy, mean over the clips. targets (N,)."""
    return sum(loss_of_all_steps(logits, targets) for logits, _ in refined.values())
