"""What the training of every compared recogniser has."""

from __future__ import annotations

from dataclasses import dataclass

from pose_attention_ros.core.config import Settings, setting


@dataclass(frozen=True)
class ComparatorTraining(Settings):
    """The settings that the steps of any training need; the rest is each paper's own."""

    batch: int = setting(16, "clips a step", low=1)
    clip_norm: float = setting(0.0, "longest gradient; 0 for any, as the papers", low=0)
    threads: int = setting(1, "CPU threads", low=1)
