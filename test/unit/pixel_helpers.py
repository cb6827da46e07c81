"""A feature extractor small enough to work out by hand, as an ONNX file like a pose network's; and where a pixel of an image
lies in a network's input."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from pose_attention_ros.inference.letterbox import Letterbox

STRIDE = 8


def write_backbone(path: Path, channels: int = 4, seed: int = 0) -> np.ndarray:
    """`image` (N, 3, H, W) -> `features` (N, channels, H/8, W/8): each cell is a weighted sum of the mean RGB of its pixels.
    Also `confidence`, as a head has. Returns the weights (channels, 3)."""
    onnx = pytest.importorskip("onnx", reason="writes a small ONNX file: pip install onnx")
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(seed).standard_normal((channels, 3)).astype(np.float32)
    kernel = np.repeat(np.repeat(weights[:, :, None, None], STRIDE, 2), STRIDE, 3) / STRIDE**2
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", channels, "i", "j"])
        for name in ("features", "confidence")
    ]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "kernel"], ["features"], strides=[STRIDE, STRIDE]),
            helper.make_node("Neg", ["features"], ["confidence"]),
        ],
        "backbone",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        outputs,
        [numpy_helper.from_array(kernel.astype(np.float32), "kernel")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    path.write_bytes(onnx.ModelProto.SerializeToString(model))
    return weights


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def features_by_hand(images_bgr: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What write_backbone's network says of (n, H, W, 3) uint8."""
    n, height, width, _ = images_bgr.shape
    means = images_bgr[..., ::-1].reshape(n, height // STRIDE, STRIDE, width // STRIDE, STRIDE, 3).mean((2, 4)) / 255
    return np.einsum("dc,nhwc->ndhw", weights, means)


def into_input(box: Letterbox, xy_px: np.ndarray) -> np.ndarray:
    """(..., 2) pixels of the image -> (..., 2) x, y as fractions of the input."""
    scale = np.divide(box.content_size, box.image_size)
    return (xy_px * scale + box.offset) / np.array(box.input_size)
