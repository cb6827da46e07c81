"""`estimator: auto`: the most accurate pose estimator that this machine runs fast, and why it is that one."""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import os

from pose_attention_ros.core.errors import ModelError
from pose_attention_ros.inference import movenet_network, weights
from pose_attention_ros.inference.networks import has_cuda
from pose_attention_ros.inference.pose import PoseConfig, PoseEstimator, create_pose_estimator

_MOST_THREADS = 4  # MoveNet gains little from more
_log = logging.getLogger(__name__)


def create_auto(config: PoseConfig) -> PoseEstimator:
    """The estimator that `choose` names, with one log line that says why."""
    chosen, why = choose(config)
    try:
        estimator = create_pose_estimator(chosen)
    except ModelError as error:
        if chosen.runtime != "cuda" or config.runtime == "cuda":
            raise
        chosen, why = choose(config, str(error))  # the provider is installed and finds no GPU
        estimator = create_pose_estimator(chosen)
    _log.info("estimator auto takes %s: %s", described(chosen), why)
    return estimator


def choose(config: PoseConfig, no_cuda: str = "") -> tuple[PoseConfig, str]:
    """Settings of an estimator for this machine, and the reason in words. A runtime other than auto is kept.

    MoveNet wherever its weights are: on TensorRT, else on CUDA, else on the CPU with one core left for the rest.

    :param no_cuda: why CUDA was tried in vain
    """
    try:
        weights.load(movenet_network.WEIGHTS)
    except ModelError as error:
        return dataclasses.replace(config, estimator="pose_cnn"), str(error)
    movenet = dataclasses.replace(config, estimator="movenet")
    if config.runtime != "auto":
        return movenet, f"runtime is {config.runtime}"
    reasons = []
    no_cuda = no_cuda or ("" if has_cuda() else "ONNX Runtime is without it")
    for runtime, missing in (("tensorrt", _no_tensorrt()), ("cuda", no_cuda)):
        missing = missing or _no_onnx_file()
        if not missing:
            reasons.append("a GPU is there")
            precision = "fp16" if config.precision == "fp32" else config.precision
            return dataclasses.replace(movenet, runtime=runtime, precision=precision), "; ".join(reasons)
        reasons.append(f"no {runtime} ({missing})")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = max(config.threads, min(_MOST_THREADS, cores - 1))
    litert = any(importlib.util.find_spec(name) for name in ("ai_edge_litert", "tflite_runtime"))
    runtime = "litert" if litert and config.precision == "fp32" else "onnx"
    reasons.append(f"{cores} CPU core{'s' * (cores > 1)}")
    return dataclasses.replace(movenet, runtime=runtime, threads=threads), "; ".join(reasons)


def described(config: PoseConfig) -> str:
    """The chosen settings in words."""
    numbers = f" in {config.precision}" if config.precision != "fp32" else ""
    threads = f", {config.threads} thread{'s' * (config.threads > 1)}" if config.runtime in ("litert", "onnx") else ""
    return f"{config.estimator} on {config.runtime}{numbers}{threads}"


def _no_tensorrt() -> str:
    """Why TensorRT cannot run here; empty where it can."""
    from pose_attention_ros.inference.trt.cuda import Cuda
    from pose_attention_ros.inference.trt.library import TensorRtUnavailable, find_library

    try:
        find_library()
        _ = Cuda().device
    except TensorRtUnavailable as error:
        return str(error)
    return ""


def _no_onnx_file() -> str:
    """Why MoveNet cannot be had as ONNX; empty where it can."""
    if movenet_network.is_written("fp16"):
        return ""
    lacking = [name for name in ("tflite", "onnx") if importlib.util.find_spec(name) is None]
    return f"MoveNet is not written as ONNX yet; run: pip install {' '.join(lacking)}" if lacking else ""
