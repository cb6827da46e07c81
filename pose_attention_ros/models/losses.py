"""Training loss of the Pose-Attention Network: (16)-(18) of Li & Wang 2020, at every tick of a stream."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from pose_attention_ros.models.pan import PanOutput

IGNORE = -1  # target of a tick that teaches nothing: padding, and the moment after an action changes
OTHER = -2  # target of a tick of an action outside the classes: no class may be favoured


def tick_loss(logits: Tensor, targets: Tensor, weights: Tensor, smoothing: float = 0.0, background: bool = False) -> Tensor:
    """Weighted mean of -log softmax(logits)[target], (17) and (18).

    logits (N, T, K); targets (N, T) int64 in [0, K), IGNORE or OTHER; weights (N, T), not negative. An OTHER tick is
    compared with the uniform distribution (outlier exposure, Hendrycks et al. 2019).

    :param background: the last of the K logits is that of no class, and what an OTHER tick is compared with
    """
    classes = logits.shape[-1]
    if background:
        targets = torch.where(targets == OTHER, classes - 1, targets)
    wanted = functional.one_hot(targets.clamp(min=0), classes).to(logits.dtype)
    share = torch.where(targets == OTHER, 1.0, smoothing)[..., None]
    wanted = wanted * (1 - share) + share / classes
    weights = weights * (targets != IGNORE)
    each = -(wanted * logits.log_softmax(-1)).sum(-1)
    return (each * weights).sum() / weights.sum().clamp(min=1e-6)


def pose_loss(
    logits: Tensor,
    targets: Tensor,
    weights: Tensor,
    smoothing: float = 0.0,
    last_tick: float = 0.0,
    background: bool = False,
) -> Tensor:
    """`tick_loss`, of which the share `last_tick` is that of each row's last tick with a target: what a clip says is then
    decided more by its whole than by how early it can be guessed."""
    loss = tick_loss(logits, targets, weights, smoothing, background)
    if not last_tick:
        return loss
    ticks = torch.arange(1, targets.shape[1] + 1, device=targets.device) * (targets != IGNORE)
    ends = (ticks == ticks.amax(1, keepdim=True)).to(weights.dtype)
    return (1 - last_tick) * loss + last_tick * tick_loss(logits, targets, ends, smoothing, background)


def pan_loss(
    output: PanOutput,
    targets: Tensor,
    weights: Tensor,
    *,
    joints_weight: float,
    smoothing: float = 0.0,
    last_tick: float = 0.0,
    background: bool = False,
) -> Tensor:
    """(16) with l_pose = 1 and l_joints = joints_weight; `last_tick` as of `pose_loss`, `background` of `tick_loss`."""
    loss = pose_loss(output.logits, targets, weights, smoothing, last_tick, background)
    if joints_weight:
        loss = loss + joints_weight * tick_loss(output.joint_logits, targets, weights, smoothing, background)
    return loss
