"""Pose estimators behind one protocol: their settings, and the table of those that exist."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Protocol

from pose_attention_ros.core.actions.pixels import ImageFeatures
from pose_attention_ros.core.body.layouts import Layout
from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.types import Frame, Skeletons
from pose_attention_ros.inference.networks import PRECISIONS, RUNTIMES

# name -> "module:factory"; factory(PoseConfig) -> PoseEstimator. A module is imported when its estimator is asked for.
ESTIMATORS: dict[str, str] = {
    "movenet": "pose_attention_ros.inference.movenet:create_movenet",
    "pose_cnn": "pose_attention_ros.inference.pose_cnn:create_pose_cnn",
    "movenet_thunder": "pose_attention_ros.inference.topdown.estimator:create_thunder",
    "top_down": "pose_attention_ros.inference.topdown.estimator:create_top_down",
    "auto": "pose_attention_ros.inference.estimator_choice:create_auto",
}
STRIDE = 32
POSE_RUNTIMES = ("auto", "litert", *RUNTIMES)


class PoseEstimator(Protocol):
    """Finds the people of an image; what it remembers of the frames before saves time, and is dropped where time jumps.

    `backend` says what computes, for example "litert-cpu"; `layout` is that of every answer; `network_s` is the time that
    the network alone took for the newest one; `resizable` says whether `resize` may be called.
    """

    layout: Layout
    network_s: float
    resizable: bool

    @property
    def backend(self) -> str: ...

    def __call__(self, frame: Frame) -> Skeletons:
        """The people of `frame`, the most certain first; stamp and frame id are the frame's."""
        ...

    def image_features(self) -> ImageFeatures | None:
        """What the network saw in the newest image, for others to use; None where it has nothing to share."""
        ...

    def warm_up(self, image_size: tuple[int, int]) -> None:
        """Do what only the first frame pays for, for images of (width, height) pixels."""
        ...

    def configure(self, config: PoseConfig) -> None:
        """Other live settings (the thresholds) from the next frame on."""
        ...

    def resize(self, input_size: int) -> None:
        """Work at another longer side, a multiple of STRIDE, from the next frame on; does here what only its first frame
        pays for. Not for a network of one fixed size (`resizable` is False)."""
        ...

    def close(self) -> None:
        """Free memory and devices; the estimator is not used afterwards."""
        ...


@dataclass(frozen=True)
class PoseConfig(Settings):
    """Settings of the pose stage."""

    estimator: str = setting(
        "movenet", "pose estimator; auto: what suits this machine, and one log line says why", choices=tuple(ESTIMATORS)
    )
    input_size: int = setting(
        320,
        "longer side of the network's input, a multiple of 32; larger finds smaller people and costs more",
        unit="px",
        low=64,
        high=1280,
    )
    threads: int = setting(1, "CPU threads of the network", low=1, high=64)
    pose_model: str = setting(
        "pose_cnn", "network of estimators pose_cnn and top_down: a name under models/, or a directory's path"
    )
    runtime: str = setting(
        POSE_RUNTIMES[0],
        "what computes: auto (movenet: LiteRT, pose_cnn: ONNX Runtime); litert "
        "(movenet's); onnx (ONNX Runtime); cuda (the same, on an NVIDIA GPU only); tensorrt, with auto's "
        "where it is missing; tensorrt_only",
        choices=POSE_RUNTIMES,
    )
    precision: str = setting(
        PRECISIONS[0],
        "numbers that the network computes in; fp16 is for tensorrt and cuda; int8 of movenet and movenet_thunder must be "
        "exported first",
        choices=PRECISIONS,
    )
    engine_shapes: str = setting(
        "dynamic",
        "TensorRT: one engine for images of every shape, or one fixed to the shape at "
        "hand, which is faster and built anew for another",
        choices=("dynamic", "fixed"),
    )
    zoom: str = setting(
        "off", "movenet: auto takes a second, enlarged look for people who are small or newly lost", choices=("off", "auto")
    )
    zoom_share: float = setting(
        0.25, "time that both looks together may cost beyond that of one alone, as a share of it", low=0.02, high=1.0
    )
    detect_every_s: float = setting(
        0.5,
        "movenet_thunder, top_down: how often people are looked for in the whole image; "
        "between, each is followed by the joints found before",
        unit="s",
        low=0.0,
        high=10.0,
    )
    min_person_score: float = setting(0.15, "people with less certainty are left out", low=0.0, high=1.0, live=True)
    same_person_oks: float = setting(
        0.5, "two skeletons more similar than this are one person twice", low=0.0, high=1.0, live=True
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.input_size % STRIDE:
            near = max(STRIDE, round(self.input_size / STRIDE) * STRIDE)
            raise UserError(f"input_size is {self.input_size}, expected a multiple of {STRIDE} px, for example {near}")


def create_pose_estimator(config: PoseConfig) -> PoseEstimator:
    """The estimator that `config` names. Raises ModelError where its weights or its runtime are missing."""
    module, _, factory = ESTIMATORS[config.estimator].partition(":")
    return getattr(importlib.import_module(module), factory)(config)
