"""Training loss of the Pose-Attention Network: (16)-(18) of Li & Wang 2020, at every tick of a stream."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from pose_attention_ros.models.pan import PanOutput

IGNORE = -1  # target of a tick that teaches nothing: padding, and the moment after an action changes
OTHER = -2  # target of a tick of an action outside the classes: no class may be favoured


def tick_loss(logits: Tensor, targets: Tensor, weights: Tensor, smoothing: float = 0.0) -> Tensor:
    """Weighted mean of -log softmax(logits)[target], (17) and (18).

    logits (N, T, K); targets (N, T) int64 in [0, K), IGNORE or OTHER; weights (N, T), not negative. An OTHER tick is
    compared with the uniform distribution (outlier exposure, Hendrycks et al. 2019).
    """
    classes = logits.shape[-1]
    wanted = functional.one_hot(targets.clamp(min=0), classes).to(logits.dtype)
    share = torch.where(targets == OTHER, 1.0, smoothing)[..., None]
    wanted = wanted * (1 - share) + share / classes
    weights = weights * (targets != IGNORE)
    each = -(wanted * logits.log_softmax(-1)).sum(-1)
    return (each * weights).sum() / weights.sum().clamp(min=1e-6)


def pan_loss(output: PanOutput, targets: Tensor, weights: Tensor, *, joints_weight: float, smoothing: float = 0.0) -> Tensor:
    """(16) with l_pose = 1 and l_joints = joints_weight."""
    loss = tick_loss(output.logits, targets, weights, smoothing)
    if joints_weight:
        loss = loss + joints_weight * tick_loss(output.joint_logits, targets, weights, smoothing)
    return loss
