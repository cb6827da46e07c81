"""The fake TensorRT and CUDA runtime as fixtures, and a small network to run on them."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fake_tensorrt import NAMED, NUMBERED, make_tensorrt

from pose_attention_ros.inference import weights
from pose_attention_ros.inference.network_types import NetworkFile
from pose_attention_ros.inference.trt import cuda


@pytest.fixture(scope="session")
def cudart(tmp_path_factory) -> ctypes.CDLL:
    """The fake CUDA runtime, compiled."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        pytest.skip("no C compiler on this machine, with which the fake CUDA runtime is made")
    path = tmp_path_factory.mktemp("cuda") / "libcudart_fake.so"
    source = Path(__file__).with_name("fake_cudart.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", path, source], check=True, timeout=300)
    return ctypes.CDLL(str(path))


@pytest.fixture(params=[NAMED, NUMBERED])
def trt(request, cudart, monkeypatch, tmp_path):
    """A TensorRT of either API as `tensorrt`, one imaginary GPU, and an empty cache."""
    pytest.importorskip("onnx", reason="the fake reads ONNX files with it: pip install onnx")
    return install(monkeypatch, tmp_path, cudart, request.param)


def install(monkeypatch, tmp_path, cudart, version=NAMED, gpu=("Imaginary Orin", 8, 7)):
    module = make_tensorrt(version, cudart, gpu=gpu[0])
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    monkeypatch.setenv(cuda.LIBRARY_VARIABLE, cudart._name)
    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path))
    cudart.fake_gpu(1, gpu[0].encode(), *gpu[1:])
    return module


def conv_file(precision: str = "fp32", scale: float = 1.0, quantised: bool = False) -> NetworkFile:
    """A convolution of any size of image, as a pose network is; with quantise and dequantise nodes before it if asked."""
    from onnx import TensorProto, helper, numpy_helper

    weights_of = scale * np.random.default_rng(0).normal(size=(2, 3, 3, 3)).astype(np.float32)
    constants, nodes, source = [numpy_helper.from_array(weights_of, "weights")], [], "image"
    if quantised:
        constants += [numpy_helper.from_array(np.float32(0.01), "scale"), numpy_helper.from_array(np.int8(0), "zero")]
        nodes = [
            helper.make_node("QuantizeLinear", ["image", "scale", "zero"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        ]
        source = "d"
    nodes.append(helper.make_node("Conv", [source, "weights"], ["maps"], pads=[1, 1, 1, 1]))
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "conv",
        [value("image", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [value("maps", TensorProto.FLOAT, ["n", 2, "h", "w"])],
        constants,
    )
    content = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    return NetworkFile("conv", content, f"{scale}{quantised}", precision)
