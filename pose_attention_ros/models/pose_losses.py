"""The pose network's loss: L2 on both kinds of maps, summed over all stages, where people are labelled.

Source: Cao et al. (2017), (1), (2) and (5). `emphasis` 0 is the paper's loss. Maps are nearly empty: at 24x24 cells a
joint's peak covers some ten of 576, so plain L2 first learns to say nothing; with `emphasis` a, a cell's error counts
1 + a |target| times.
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from pose_attention_ros.models.pose_cnn import Maps


def pose_loss(stages: Iterable[Maps], target: Maps, weight: Maps, emphasis: float = 0.0) -> Tensor:
    """Mean over images and cells of the squared error summed over maps and stages.

    :param weight: of every cell of every map, in [0, 1]; 0 masks it
    :param emphasis: how much more a cell counts whose target is 1 than one whose target is 0
    """
    confidence_weight = weight.confidence
    affinity_weight = weight.affinity
    if emphasis:
        background = target.confidence.shape[1] - 1
        peak = target.confidence.clone()
        peak[:, background] = 1 - peak[:, background]  # empty cells say 1 there
        confidence_weight = confidence_weight * (1 + emphasis * peak)
        vectors = target.affinity.unflatten(1, (-1, 2))
        length = vectors.norm(dim=2, keepdim=True).expand_as(vectors).flatten(1, 2)
        affinity_weight = affinity_weight * (1 + emphasis * length)
    total = sum(
        ((maps.confidence - target.confidence).square() * confidence_weight).sum()
        + ((maps.affinity - target.affinity).square() * affinity_weight).sum()
        for maps in stages
    )
    images, _, height, width = target.confidence.shape
    return total / (images * height * width)
