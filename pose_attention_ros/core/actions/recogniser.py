"""What the action stage asks of a recogniser: a specification, and one step for a batch of people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from pose_attention_ros.core.body.layouts import Layout
from pose_attention_ros.core.body.smoothing import SmoothingConfig
from pose_attention_ros.core.types import FEATURE_NAMES

# What a recogniser may read of the image beside the joints' features, a person and tick (`ModelSpec.pixels`); all float32:
# cube (D, K1, K2), an extractor's features of the image; crops (3, D), its features of the left hand's, the right hand's and
# the whole body's crop, each averaged over the crop, 0 where that part is hidden; frame (D,), the cube averaged.
PIXELS = ("cube", "crops", "frame")


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
    :param thresholds: the same for each class, (K,) where the model has one for each
    :param smoothing: of the joints it was trained on; the graph stage's own settings hold on a robot
    :param kind: which system it is, as recipes call it in `model: {name: ...}`
    :param pixels: one of PIXELS, or empty where the joints are all that it reads
    :param pixels_shape: of these, a person and tick
    :param extractor: which feature extractor made the pixels in training: name, sha256, image_size, crop_size
    :param postures: classes that are states of a still body; coming to rest ends an action, not one of these
    :param network_sha256: hash of the trained weights, whatever form they are exported in
    :param frame_window: W, ticks that it scores anew with each step; 0 where a moment keeps its score
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
    kind: str = "pan"
    pixels: str = ""
    pixels_shape: tuple[int, ...] = ()
    extractor: Mapping[str, Any] = field(default_factory=dict)
    frame_window: int = 0
    postures: tuple[str, ...] = ()
    network_sha256: str = ""
    thresholds: tuple[float, ...] = ()

    def threshold_of_each(self) -> np.ndarray:
        """(K,) float32, the calibrated confidence of each class below which its label is unknown."""
        return np.array(self.thresholds or [self.threshold] * len(self.classes), np.float32)

    def __post_init__(self) -> None:
        if self.features != FEATURE_NAMES:
            raise ValueError(f"model {self.model_id!r} reads features {self.features}; this version makes {FEATURE_NAMES}")
        for name in ("rate_hz", "attention_window_s", "temperature"):
            if not getattr(self, name) > 0:
                raise ValueError(f"model {self.model_id!r}: {name} is {getattr(self, name)}, expected a positive number")
        if len(self.thresholds) not in (0, len(self.classes)) or not all(0 < each < 1 for each in self.thresholds):
            raise ValueError(
                f"model {self.model_id!r}: thresholds are {list(self.thresholds)}, expected none, or one "
                "between 0 and 1 for each class"
            )
        strangers = sorted(set(self.postures) - set(self.classes))
        if strangers:
            raise ValueError(f"model {self.model_id!r}: postures {', '.join(strangers)} are none of its classes")
        if bool(self.pixels) != bool(self.pixels_shape) or (self.pixels and self.pixels not in PIXELS):
            raise ValueError(
                f"model {self.model_id!r}: pixels is {self.pixels!r} of shape {self.pixels_shape}, expected "
                f"one of {', '.join(PIXELS)} and their shape, or neither"
            )


@dataclass(frozen=True)
class StepOutput:
    """logits (N, K); joint_attention (N, V), rows sum to 1; frame_energy (N,) the moment's attention score e before
    the softmax over moments, or (N, W) those of the last W ticks, newest last, in place of what was said of them before;
    state (N, S) for the next step; embedding (N, E) of this tick, None where the model gives none. All float32."""

    logits: np.ndarray
    joint_attention: np.ndarray
    frame_energy: np.ndarray
    state: np.ndarray
    embedding: np.ndarray | None = None


class Recogniser(Protocol):
    """A streaming recogniser. A new person's state is zeros; one call advances N people by one tick of 1 / rate_hz."""

    spec: ModelSpec

    def step(self, features: np.ndarray, state: np.ndarray, pixels: np.ndarray | None = None) -> StepOutput:
        """features (N, V, C) float32, a missing joint all 0; state (N, S) float32; pixels (N, *spec.pixels_shape) float32,
        None where the spec asks for none."""
        ...
