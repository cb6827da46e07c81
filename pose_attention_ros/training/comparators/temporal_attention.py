"""How temporal attention is trained (Liu et al. 2017, 3.2): Adadelta, one sample of 30 frames a clip and step, a prediction
taught at every refinement step. The streams share nothing, so that training them side by side is training each alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pose_attention_ros.core.config import setting
from pose_attention_ros.models.comparator import Ring
from pose_attention_ros.models.temporal_attention import TemporalAttention, temporal_attention_loss
from pose_attention_ros.training.comparators.phases import Phase, every_part, half_cosine
from pose_attention_ros.training.comparators.settings import ComparatorTraining
from pose_attention_ros.training.comparators.views import TickBatch, random_ends

ADADELTA, ADAMW = "adadelta", "adamw"


@dataclass(frozen=True)
class TemporalAttentionTraining(ComparatorTraining):
    """The paper names the optimiser alone, Adadelta; the defaults train as it does."""

    epochs: int = setting(60, "passes over the training clips", low=1)
    batch: int = setting(32, "clips a step", low=1)
    optimiser: str = setting(ADADELTA, "what moves the weights", choices=(ADADELTA, ADAMW))
    learning_rate: float = setting(1.0, "of the optimiser; for adamw about 3e-3", low=0)
    falls: bool = setting(False, "the learning rate falls to 0 along half a cosine")
    average: float = setting(0.0, "decay of the moving average of the weights, which is the model; 0: none", low=0, high=1)
    prefixes: float = setting(0.0, "share of the samples that end before a whole window is seen", low=0, high=1)
    weight_decay: float = setting(1e-5, "gamma of (8); for adamw its own", low=0)
    clip_norm: float = setting(10.0, "longest gradient; 0 for any", low=0)


class _Objective:
    """(8) of one sample of each clip, and the averaged prediction."""

    def __init__(self, prefixes: float) -> None:
        self._prefixes = prefixes

    def __call__(self, network: TemporalAttention, batch: TickBatch) -> tuple[Tensor, Tensor, Tensor]:
        size = network.config.window
        ring = Ring(size, 0)
        values = batch.features if batch.pixels is None else batch.pixels
        window, pushed = ring.windows(values, random_ends(batch.ticks, size, network.training, self._prefixes))
        refined = network.refined(window, ring.there(pushed))
        return temporal_attention_loss(refined, batch.targets), network.fused(refined)[0], batch.targets


def temporal_attention_phases(network: TemporalAttention, config: TemporalAttentionTraining) -> Sequence[Phase]:
    """One phase, in which everything learns."""

    def optimiser(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        if config.optimiser == ADAMW:
            return torch.optim.AdamW(parameters, config.learning_rate, weight_decay=config.weight_decay)
        return torch.optim.Adadelta(parameters, config.learning_rate, weight_decay=2 * config.weight_decay)

    rates = half_cosine(config.learning_rate, config.epochs) if config.falls else lambda epoch: config.learning_rate
    return [
        Phase(
            "refinement",
            config.epochs,
            every_part(network),
            _Objective(config.prefixes),
            optimiser,
            rates=rates,
            average=config.average,
        )
    ]
