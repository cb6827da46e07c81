"""Reads the convolutional part of a TensorFlow.js graph model: its JSON and its weights."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np

from pose_attention_ros.core.errors import ModelError
from pose_attention_ros.inference.conversion import layers as of
from pose_attention_ros.inference.conversion.layers import Layer, LayeredNetwork

_CONVOLUTIONS = {
    "_FusedConv2D": of.CONV,
    "Conv2D": of.CONV,
    "FusedDepthwiseConv2dNative": of.DEPTHWISE,
    "DepthwiseConv2dNative": of.DEPTHWISE,
}
_OTHERS = {"AddV2": of.ADD, "Sub": of.SUB, "Mul": of.MUL, "Sigmoid": of.SIGMOID, "ResizeBilinear": of.RESIZE}
_ACTIVATIONS = {"Relu": "relu", "Relu6": "relu6"}


def read_tfjs(graph: bytes, weights: bytes, source: str, outputs: tuple[str, ...]) -> LayeredNetwork:
    """The layers from the tensor `source` to `outputs`. Raises ModelError for a file or a layer that we do not know."""
    try:
        model = json.loads(graph)
        nodes = {node["name"]: node for node in model["modelTopology"]["node"]}
        constants = _constants(model["weightsManifest"], weights)
        layers: list[Layer] = []
        _follow(list(outputs), source, nodes, constants, layers)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ModelError(f"the file is no readable TensorFlow.js graph model: {type(error).__name__} {error}") from None
    return LayeredNetwork(tuple(layers), constants).up_to(outputs)


def _follow(wanted: list[str], source: str, nodes: dict, constants: dict, layers: list[Layer]) -> None:
    """Append the layers that compute `wanted`, each after those that it reads."""
    done = {source, *constants}
    while wanted:
        name = wanted[-1]
        if name in done:
            wanted.pop()
            continue
        layer = _layer(nodes[name])
        missing = [tensor for tensor in layer.inputs if tensor not in done]
        if missing:
            wanted += missing
            continue
        done.add(wanted.pop())
        layers.append(layer)


def _layer(node: dict[str, Any]) -> Layer:
    kind, name, attributes = node["op"], node["name"], node.get("attr", {})
    inputs = tuple(node["input"])
    if kind in _OTHERS:
        if kind == "ResizeBilinear" and not attributes["half_pixel_centers"].get("b"):
            raise ModelError(f"layer {name} scales without half pixels, which is not supported")
        return Layer(_OTHERS[kind], inputs[:1] if kind in ("ResizeBilinear", "Sigmoid") else inputs, name)
    if kind not in _CONVOLUTIONS:
        raise ModelError(f"the TensorFlow.js model has a layer {kind}, which is not supported; it is not the expected one")
    strides = {int(side) for side in attributes["strides"]["list"]["i"][1:3]}
    fused = [_text(entry) for entry in attributes.get("fused_ops", {}).get("list", {}).get("s", ())]
    unknown = set(fused) - {"BiasAdd", *_ACTIVATIONS}
    if len(strides) != 1 or unknown:
        raise ModelError(f"layer {name} has strides {strides} and {', '.join(unknown) or 'nothing'} after it, not supported")
    activation = next((_ACTIVATIONS[entry] for entry in fused if entry in _ACTIVATIONS), "")
    return Layer(_CONVOLUTIONS[kind], inputs, name, strides.pop(), activation)


def _constants(manifest: list[dict], weights: bytes) -> dict[str, np.ndarray]:
    found, offset = {}, 0
    for entry in (entry for group in manifest for entry in group["weights"]):
        kind = np.dtype(entry.get("quantization", entry)["dtype"])
        count = int(np.prod(entry["shape"], dtype=np.int64))
        found[entry["name"]] = np.frombuffer(weights, kind, count, offset).reshape(entry["shape"]).astype(np.float32)
        offset += count * kind.itemsize
    if offset != len(weights):
        raise ModelError(f"the TensorFlow.js model's weights are {len(weights)} bytes, expected {offset}")
    return found


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()
