"""What the paper's frame vector lacks: the shape of the whole body and its motion, read over time by causal convolutions.

The inputs are DD-Net's (Yang et al. 2019): distances between joints, and motion over a few ticks; their convolutions look
back only, so that a stream can be read tick by tick. Every part has two forms with the same numbers: whole sequences, and
one tick with a memory. A new person's memory is zeros.

N people, T ticks, V joints, L motion lags, I inputs and W outputs of a layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn import functional

from pose_attention_ros.core.types import FEATURE_NAMES

_SCORE = FEATURE_NAMES.index("score")
_TAPS = 3
_TRUNK = ((2, 1), (2, 1), (4, 2), (4, 2))  # (multiple of the streams' width, dilation in ticks) of each layer
_MOMENTUM = 0.05  # of batch norm's statistics
_SLOPE = 0.2  # of the leaky ReLU


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


def of_ticks_inside(read: Callable[[Tensor], Tensor], values: Tensor, rows: Tensor | None) -> Tensor:
    """`read` (B, ...) -> (B, W) on the ticks (N, T, ...) that count.

    :param rows: their indices among N * T, the others are 0 in the answer (N, T, W); None: all
    """
    people, ticks = values.shape[:2]
    if rows is None:
        return read(values.flatten(0, 1)).unflatten(0, (people, ticks))
    out = read(values.flatten(0, 1)[rows])
    return out.new_zeros(people * ticks, out.shape[-1]).index_copy(0, rows, out).unflatten(0, (people, ticks))


class CausalConvolution(nn.Module):
    """Convolution over this tick and `taps` - 1 earlier ones, `dilation` ticks apart; batch norm; leaky ReLU.

    Before a stream's first tick there are zeros. Batch norm counts the ticks inside only; in use it is folded into the
    weights.
    """

    def __init__(self, inputs: int, width: int, taps: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.taps, self.dilation, self.inputs = taps, dilation, inputs
        self.mix = nn.Linear(taps * inputs, width, bias=False)
        self.norm = nn.BatchNorm1d(width, eps=1e-3)
        # The ticks it looks back on: those that this tick reads, the oldest first, then all that the next ones read.
        self.memory_sizes = [inputs] * (taps - 1) + [inputs * (taps - 1) * (dilation - 1)] * (taps > 1 and dilation > 1)

    def forward(self, values: Tensor, rows: Tensor | None) -> Tensor:
        """values (N, T, I), rows as of `of_ticks_inside` -> (N, T, W)."""
        if self.taps > 1:
            ticks = values.shape[1]
            padded = functional.pad(values, (0, 0, (self.taps - 1) * self.dilation, 0))
            values = torch.cat([padded[:, k * self.dilation : k * self.dilation + ticks] for k in range(self.taps)], -1)
        return of_ticks_inside(self._read, values, rows)

    def step(self, values: Tensor, memory: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """values (N, I), memory (N, size) for each of `memory_sizes` -> (N, W), memory after it."""
        read, others = memory[: self.taps - 1], memory[self.taps - 1 :]
        return self._read(torch.cat([*read, values], -1) if read else values), ([*others, *read[1:], values] if read else [])

    def _read(self, taps: Tensor) -> Tensor:
        if self.training:  # the first steps' statistics are a plain mean, so that a short training has sound ones
            self.norm.momentum = max(_MOMENTUM, 1 / (1 + int(self.norm.num_batches_tracked)))
            out = self.norm(self.mix(taps))
        else:
            out = functional.linear(taps, *self.folded())
        return functional.leaky_relu(out, _SLOPE)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weights (W, taps * I) and bias (W,) with batch norm in them."""
        gain = self.norm.weight * (self.norm.running_var + self.norm.eps).rsqrt()
        return self.mix.weight * gain[:, None], self.norm.bias - self.norm.running_mean * gain


class FrameInputs(nn.Module):
    """What the streams read of a tick: distances between all pairs of joints, how far each joint has moved in the image over
    the last `lags` ticks, from its velocity, and, if wanted, where it is on the body. 0 where a joint is missing.
    No weights."""

    def __init__(self, joints: int, lags: tuple[int, ...], rate_hz: float, positions: bool = False) -> None:
        super().__init__()
        first, second = torch.triu_indices(joints, joints, 1)
        names = torch.eye(joints)
        between = torch.zeros(len(first), 2, joints, len(FEATURE_NAMES))
        between[:, 0, :, 0] = between[:, 1, :, 1] = (names[first] - names[second]) / 2
        # Of all that is known of a tick, in one product: what a runtime does for everybody at once.
        self.register_buffer("between", between.flatten(2).flatten(0, 1), persistent=False)  # (2 pairs, V C)
        self.register_buffer("either", names[first] + names[second], persistent=False)  # (pairs, V)
        self.register_buffer("less", -torch.ones(len(first)), persistent=False)
        self.lags, self.rate_hz, self.positions = lags, rate_hz, positions
        self.widths = [len(first), *(2 * joints for _ in lags), *([2 * joints] if positions else [])]
        ticks, width = max(lags, default=1), 2 * joints
        # Velocities of the ticks before: the oldest, and those that the next tick reads too.
        self.memory_sizes = [width] * (ticks > 1) + [width * (ticks - 2)] * (ticks > 2)
        # For each lag, what a layer reads of the velocities of so many ticks: (ticks, L).
        self.register_buffer(
            "lagged",
            torch.tensor([[lag**-0.5 * (lag >= ticks - tick) for lag in lags] for tick in range(ticks)]) * (2 / rate_hz),
            persistent=False,
        )

    def forward(self, features: Tensor) -> list[Tensor]:
        """features (N, T, V, C) -> one (N, T, I) for each of `widths`."""
        motion = features[..., 2:4].flatten(-2) * (2 / self.rate_hz)
        moved = functional.pad(motion.cumsum(1), (0, 0, 1, 0))  # after k ticks, k = 0 ... T
        now = torch.arange(1, moved.shape[1], device=moved.device)
        motions = [(moved[:, now] - moved[:, (now - lag).clamp(min=0)]) / lag**0.5 for lag in self.lags]
        return [self.distances(features), *motions, *self.places(features)]

    def places(self, features: Tensor) -> list[Tensor]:
        """features (..., V, C) -> one (..., 2 V), if wanted."""
        return [features[..., :2].flatten(-2)] if self.positions else []

    def distances(self, features: Tensor) -> Tensor:
        """features (..., V, C) -> (..., pairs), half of the distance less 1."""
        there = features[..., _SCORE:].sign().squeeze(-1)
        both = functional.linear(there, self.either, self.less).relu()  # 1 where both joints are there, else 0
        between = functional.linear(features.flatten(-2), self.between).unflatten(-1, (-1, 2))  # (..., pairs, 2)
        return (torch.linalg.vector_norm(between, dim=-1) - 1) * both


class Streams(nn.Module):
    """Each input through convolutions over one, three and one ticks, then all together through four dilated ones.

    :param attended: width of one more input, the joints-attention's vector
    """

    def __init__(self, inputs: FrameInputs, attended: int, width: int, dropout: float) -> None:
        super().__init__()
        self.inputs = inputs
        self.readers = nn.ModuleList(
            nn.ModuleList(
                [
                    CausalConvolution(size, 2 * width),
                    CausalConvolution(2 * width, width, _TAPS),
                    CausalConvolution(width, width),
                ]
            )
            for size in [*inputs.widths, attended]
        )
        widths = [width * len(self.readers), *(multiple * width for multiple, _ in _TRUNK)]
        self.trunk = nn.ModuleList(
            CausalConvolution(before, after, _TAPS, dilation)
            for before, after, (_, dilation) in zip(widths, widths[1:], _TRUNK)
        )
        self.width = widths[-1]
        self.dropout = SteadyDropout(dropout)
        self.memory_sizes = [
            *inputs.memory_sizes,
            *([(2 * width + 1) * len(self.readers)] * (_TAPS - 1)),
            *(size for layer in self.trunk for size in layer.memory_sizes),
        ]

    def forward(self, features: Tensor, attended: Tensor, rows: Tensor | None) -> Tensor:
        """features (N, T, V, C), attended (N, T, I), rows as of `of_ticks_inside` -> (N, T, W)."""
        read = []
        for layers, values in zip(self.readers, [*self.inputs(features), attended]):
            for layer in layers:
                values = self.dropout(layer(values, rows))
            read.append(values)
        values = torch.cat(read, -1)
        for layer in self.trunk:
            values = self.dropout(layer(values, rows))
        return values

    def step(self, features: Tensor, attended: Tensor, memory: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """features (N, V, C), attended (N, I), memory (N, size) for each of `memory_sizes` -> (N, W), memory after it."""
        parts = iter(memory)
        velocities = [*islice(parts, len(self.inputs.memory_sizes)), features[..., 2:4].flatten(-2)]
        firsts = [*islice(parts, _TAPS - 1), self._first_layers(features, torch.cat(velocities, -1), attended)]
        after = [*velocities[1:], *firsts[1:]]
        values = self._later_layers(torch.cat(firsts, -1))
        for layer in self.trunk:
            values, kept = layer.step(values, [next(parts) for _ in layer.memory_sizes])
            after.extend(kept)
        return values, after

    def _first_layers(self, features: Tensor, velocities: Tensor, attended: Tensor) -> Tensor:
        """What the first layer of each reader says of a tick, and a 1, for the next layer's bias: (N, readers * (2 W + 1)),
        from features (N, V, C), velocities (N, 2 V of each of the last ticks) and attended (N, I). The lags' layers are one,
        because a runtime pays for each operator."""
        inputs, lags = self.inputs, len(self.inputs.lags)
        layers = [
            (functional.pad(weight, (0, 0, 0, 1)), functional.pad(bias, (0, 1), value=1.0))
            for weight, bias in (reader[0].folded() for reader in self.readers)
        ]
        values = [functional.linear(inputs.distances(features), *layers[0]), functional.linear(attended, *layers[-1])]
        if inputs.positions:  # read from all features, which lie side by side
            weight, bias = layers[-2]
            weight = functional.pad(weight.unflatten(-1, (-1, 2)), (0, features.shape[-1] - 2)).flatten(1)
            values.insert(1, functional.linear(features.flatten(1), weight, bias))
        if lags:
            weights = [
                (weight[:, None] * lagged[:, None]).flatten(1) for (weight, _), lagged in zip(layers[1:], inputs.lagged.T)
            ]
            biases = [bias for _, bias in layers[1 : 1 + lags]]
            values.insert(1, functional.linear(velocities, torch.cat(weights), torch.cat(biases)))
        return functional.leaky_relu(torch.cat(values, -1), _SLOPE)

    def _later_layers(self, firsts: Tensor) -> Tensor:
        """The other layers of all readers at once: firsts (N, taps * readers * (2 W + 1)), the oldest tick first -> (N,
        readers * W). A bias that were added to what lies by reader would cost more than the product."""
        (second, bias), (third, last_bias) = (
            map(torch.stack, zip(*(layer.folded() for layer in layers))) for layers in list(zip(*self.readers))[1:]
        )
        second = second.unflatten(-1, (_TAPS, -1))  # (readers, W, taps, 2 W)
        reads_one = functional.pad(bias[..., None, None], (0, 0, _TAPS - 1, 0))  # that of this tick
        weight = torch.cat([second, reads_one], -1).flatten(2)
        taps = firsts.unflatten(-1, (_TAPS, len(self.readers), -1)).permute(2, 0, 1, 3).flatten(2)  # by reader
        values = functional.leaky_relu(taps @ weight.transpose(1, 2), _SLOPE) @ third.transpose(1, 2)  # (readers, N, W)
        return functional.leaky_relu(values.transpose(0, 1).flatten(1) + last_bias.flatten(), _SLOPE)
