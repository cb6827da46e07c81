"""What the action stage asks of a recogniser: a specification, and one step for a batch of people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from pose_attention_ros.core.layouts import Layout
from pose_attention_ros.core.smoothing import SmoothingConfig
from pose_attention_ros.core.types import FEATURE_NAMES


@dataclass(frozen=True)
class ModelSpec:
    """What a recogniser was trained for; read from the model directory's model.json.

    :param model_id: name of the model
    :param sha256: hash of the weights file, hexadecimal
    :param classes: the K action classes, in the order of the logits
    :param layout: joint layout of the input
    :param features: the C input channels, in order
    :param rate_hz: ticks a second; the action stage resamples what it gets to this rate
    :param state_size: S, floats of recurrent state a person
    :param decay_per_s: how fast old moments lose attention: the score of a moment falls by this much a second (0: never)
    :param attention_window_s: span of the published frame attention
    :param temperature: divides the logits before softmax; fitted on validation data
    :param threshold: calibrated confidence below which a label is unknown
    :param smoothing: of the joints it was trained on; the graph stage's own settings hold on a robot
    """

    model_id: str
    sha256: str
    classes: tuple[str, ...]
    layout: Layout
    features: tuple[str, ...]
    rate_hz: float
    state_size: int
    decay_per_s: float
    attention_window_s: float
    temperature: float
    threshold: float
    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)

    def __post_init__(self) -> None:
        if self.features != FEATURE_NAMES:
            raise ValueError(f"model {self.model_id!r} reads features {self.features}; this version makes {FEATURE_NAMES}")
        for name in ("rate_hz", "attention_window_s", "temperature"):
            if not getattr(self, name) > 0:
                raise ValueError(f"model {self.model_id!r}: {name} is {getattr(self, name)}, expected a positive number")


@dataclass(frozen=True)
class StepOutput:
    """logits (N, K); joint_attention (N, V), rows sum to 1; frame_energy (N,) the moment's attention score e before
    the softmax over moments; state (N, S) for the next step. All float32."""

    logits: np.ndarray
    joint_attention: np.ndarray
    frame_energy: np.ndarray
    state: np.ndarray


class Recogniser(Protocol):
    """A streaming recogniser. A new person's state is zeros; one call advances N people by one tick of 1 / rate_hz."""

    spec: ModelSpec

    def step(self, features: np.ndarray, state: np.ndarray) -> StepOutput:
        """features (N, V, C) float32, a missing joint all 0; state (N, S) float32."""
        ...
