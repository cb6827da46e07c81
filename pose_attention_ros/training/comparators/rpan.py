"""How RPAN is trained (Du et al. 2017, 4.1): SGD whose rate falls once, action and pose loss, eight frames a clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pose_attention_ros.core.config import setting
from pose_attention_ros.models.rpan import Rpan, pose_targets, rpan_loss
from pose_attention_ros.training.comparators.phases import Phase, every_part
from pose_attention_ros.training.comparators.settings import ComparatorTraining
from pose_attention_ros.training.comparators.views import TickBatch


@dataclass(frozen=True)
class RpanTraining(ComparatorTraining):
    """The defaults are the paper's for PennAction."""

    epochs: int = setting(100, "passes over the training clips", low=1)
    learning_rate: float = setting(0.1, "at first", low=0)
    later_rate: float = setting(0.01, "from epoch `falls_at` on", low=0)
    falls_at: int = setting(50, "epochs before the learning rate falls; the paper has 40 for Sub-JHMDB", low=0)
    momentum: float = setting(0.9, "of SGD", low=0, high=1)
    weight_decay: float = setting(5e-4, "l_theta of (11)", low=0)
    action: float = setting(1.0, "l_action of (11)", low=0)
    pose: float = setting(1.0, "l_pose of (11)", low=0)
    std_px: float = setting(5.0, "spread of the Gaussian at a joint, in pixels of the image", unit="px", low=0.1)


class _Objective:
    """(11) of a batch, and the last frame's prediction."""

    def __init__(self, config: RpanTraining, image_size: tuple[int, int]) -> None:
        self._config, self._image_size = config, image_size

    def __call__(self, network: Rpan, batch: TickBatch) -> tuple[Tensor, Tensor, Tensor]:
        output, maps = network(batch.pixels), None
        if network.guided:
            maps = pose_targets(batch.keypoints_px, batch.there, self._image_size, network.grid, self._config.std_px)
        loss = rpan_loss(output, batch.targets, maps, action=self._config.action, pose=self._config.pose)
        return loss, output.logits[:, -1], batch.targets


def rpan_phases(network: Rpan, config: RpanTraining, image_size: tuple[int, int]) -> Sequence[Phase]:
    """One phase, in which everything learns.

    :param image_size: width and height of the images that the joints are in, in pixels
    """

    def optimiser(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, config.learning_rate, momentum=config.momentum, weight_decay=config.weight_decay)

    return [
        Phase(
            "end to end",
            config.epochs,
            every_part(network),
            _Objective(config, image_size),
            optimiser,
            rates=lambda epoch: config.learning_rate if epoch < config.falls_at else config.later_rate,
        )
    ]
