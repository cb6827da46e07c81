"""How temporal attention is trained (Liu et al. 2017, 3.2): Adadelta, one sample of 30 frames a clip and step, a prediction
taught at every refinement step. The streams share nothing, so that training them side by side is training each alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.models.comparator import Ring
from pose_attention_ros.models.temporal_attention import TemporalAttention, temporal_attention_loss
from pose_attention_ros.training.comparators.phases import Phase
from pose_attention_ros.training.comparators.views import TickBatch, random_ends


@dataclass(frozen=True)
class TemporalAttentionTraining(Settings):
    """The paper names the optimiser alone."""

    epochs: int = setting(60, "passes over the training clips", low=1)
    batch: int = setting(32, "clips a step", low=1)
    learning_rate: float = setting(1.0, "of Adadelta", low=0)
    weight_decay: float = setting(1e-5, "gamma of (8)", low=0)
    clip_norm: float = setting(10.0, "longest gradient; 0 for any", low=0)
    threads: int = setting(1, "CPU threads", low=1)


def objective(network: TemporalAttention, batch: TickBatch) -> tuple[Tensor, Tensor, Tensor]:
    """(8) of one sample of each clip, and the averaged prediction."""
    size = network.config.window
    ring = Ring(size, 0)
    values = batch.features if batch.pixels is None else batch.pixels
    window, pushed = ring.windows(values, random_ends(batch.ticks, size, network.training))
    refined = network.refined(window, ring.there(pushed))
    return temporal_attention_loss(refined, batch.targets), network.fused(refined)[0], batch.targets


def temporal_attention_phases(network: TemporalAttention, config: TemporalAttentionTraining) -> Sequence[Phase]:
    """One phase, in which everything learns."""
    def optimiser(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adadelta(parameters, config.learning_rate, weight_decay=2 * config.weight_decay)

    return [Phase("refinement", config.epochs, tuple(name for name, _ in network.named_children()), objective, optimiser,
                  rates=lambda epoch: config.learning_rate)]
