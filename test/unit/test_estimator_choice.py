"""`estimator: auto` takes what the machine has, and says so in one line."""

from __future__ import annotations

import logging
import os

import numpy as np
import pytest

from pose_attention_ros.core.types import Frame
from pose_attention_ros.inference import estimator_choice, weights
from pose_attention_ros.inference.estimator_choice import choose, described
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator

AUTO = PoseConfig(estimator="auto", input_size=64)


@pytest.fixture
def no_gpu(monkeypatch):
    """A machine without TensorRT and CUDA."""
    monkeypatch.setattr(estimator_choice, "_no_tensorrt", lambda: "TensorRT is not installed")
    monkeypatch.setattr(estimator_choice, "has_cuda", lambda: False)


@pytest.fixture
def fetched(movenet_weights, tmp_path, monkeypatch):
    """MoveNet's weights where the fixture `trt` has an empty cache."""
    monkeypatch.setattr(weights, "load", lambda name: movenet_weights.read_bytes())


@pytest.mark.usefixtures("with_litert")
def test_a_processor_runs_litert_and_keeps_a_core(movenet_weights, no_gpu, monkeypatch):
    for cores, threads in ((1, 1), (2, 1), (4, 3), (16, 4)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: set(range(cores)), raising=False)
        chosen, why = choose(AUTO)
        assert (chosen.estimator, chosen.runtime, chosen.threads, chosen.input_size) == ("movenet", "litert", threads, 64)
        assert f"{cores} CPU core" in why and "no tensorrt (TensorRT is not installed)" in why
    assert choose(PoseConfig(estimator="auto", threads=8))[0].threads == 8


def test_tensorrt_comes_first(trt, fetched, monkeypatch):
    chosen, why = choose(AUTO)
    assert (chosen.runtime, chosen.precision, why) == ("tensorrt", "fp16", "a GPU is there")
    assert described(chosen) == "movenet on tensorrt in fp16"
    monkeypatch.setattr(estimator_choice, "_no_onnx_file", lambda: "run: pip install onnx")
    assert choose(AUTO)[0].runtime == "litert"


def test_a_runtime_that_is_asked_for_is_kept(movenet_weights):
    chosen, why = choose(PoseConfig(estimator="auto", runtime="onnx"))
    assert (chosen.estimator, chosen.runtime, why) == ("movenet", "onnx", "runtime is onnx")


def test_without_weights_the_shipped_network(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path))
    with caplog.at_level(logging.INFO):
        estimator = create_pose_estimator(AUTO)
    assert estimator.backend.startswith("onnx-")
    (line,) = caplog.messages
    assert line.startswith("estimator auto takes pose_cnn") and "run: pose-attention models fetch" in line


def test_it_says_why_in_one_line_and_works(movenet_weights, no_gpu, caplog):
    with caplog.at_level(logging.INFO):
        estimator = create_pose_estimator(AUTO)
    assert estimator.backend == "litert-cpu" and len(estimator(Frame(np.zeros((48, 64, 3), np.uint8), 0))) == 0
    (line,) = caplog.messages
    assert line.startswith("estimator auto takes movenet on litert") and "\n" not in line


def test_cuda_without_a_gpu_is_no_end(movenet_weights, no_gpu, monkeypatch, caplog):
    """onnxruntime-gpu on a machine whose GPU is gone."""
    monkeypatch.setattr(estimator_choice, "has_cuda", lambda: True)
    with caplog.at_level(logging.INFO):
        assert create_pose_estimator(AUTO).backend == "litert-cpu"
    assert "no cuda (runtime is 'cuda'" in caplog.messages[-1]
