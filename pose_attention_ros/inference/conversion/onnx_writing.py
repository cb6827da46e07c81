"""Writes a network of layers as ONNX: images as (N, 3, H, W), any batch and any size that is a multiple of its stride."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pose_attention_ros.core.errors import ModelError, UserError
from pose_attention_ros.inference.conversion import layers as of
from pose_attention_ros.inference.conversion.layers import Layer, LayeredNetwork

OPSET = 13  # TensorRT 8 (JetPack 5) and ONNX Runtime 1.17 read it
_IR_VERSION = 8
INPUT = "image"  # (N, 3, H, W) float32, RGB in [0, 1]
_LEVELS = 255.0  # what the networks that are read here call full brightness


def write_onnx(network: LayeredNetwork, source: str, outputs: Mapping[str, str], name: str, half: bool = False) -> bytes:
    """The ONNX file.

    :param source: the tensor that takes the image, as (N, H, W, 3) RGB from 0 to 255
    :param outputs: tensor -> name of the output, (N, C, h, w) float32
    :param half: weights and layers in half precision; image and outputs are float32 all the same
    :raises UserError: the package `onnx` is not installed
    :raises ModelError: a layer cannot be written
    """
    try:
        import onnx
    except ImportError:
        raise UserError("writing an ONNX file needs the package onnx; run: pip install onnx") from None
    graph = _Writer(onnx, network, half).graph(source, outputs, name)
    opset = onnx.helper.make_opsetid("", OPSET)
    model = onnx.helper.make_model(graph, opset_imports=[opset], producer_name="pose_attention_ros")
    model.ir_version = _IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


class _Writer:
    """Collects nodes and constants of one graph."""

    def __init__(self, onnx: Any, network: LayeredNetwork, half: bool) -> None:
        self._onnx, self._network = onnx, network
        self._kind = np.float16 if half else np.float32
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._names: dict[str, str] = {}  # tensor -> its name in the file
        self._scaled: dict[str, tuple[float, float]] = {}  # tensor -> factor and shift that make it of the image

    def graph(self, source: str, outputs: Mapping[str, str], name: str) -> Any:
        """The whole graph."""
        helper, kinds = self._onnx.helper, self._onnx.TensorProto
        self._scaled[source] = (_LEVELS, 0.0)
        half = self._kind is np.float16
        self._names.update({tensor: f"{title}_half" if half else title for tensor, title in outputs.items()})
        for layer in self._network.layers:
            self._layer(layer)
        for tensor, title in outputs.items() if half else ():
            self._node("Cast", [self._names[tensor]], title, to=kinds.FLOAT)
        channels = {tensor: self._channels(tensor) for tensor in outputs}
        return helper.make_graph(
            self._nodes,
            name,
            [helper.make_tensor_value_info(INPUT, kinds.FLOAT, ["batch", 3, "height", "width"])],
            [
                helper.make_tensor_value_info(title, kinds.FLOAT, ["batch", channels[tensor], f"h_{title}", f"w_{title}"])
                for tensor, title in outputs.items()
            ],
            list(self._constants.values()),
        )

    def _layer(self, layer: Layer) -> None:
        if self._only_scales(layer):
            return
        result = self._names.setdefault(layer.output, f"t{layer.output}")
        before = f"{result}_raw" if layer.activation else result
        if layer.kind in (of.CONV, of.DEPTHWISE):
            self._convolution(layer, before)
        elif layer.kind in (of.ADD, of.SUB, of.MUL):
            self._node(layer.kind.capitalize(), [self._operand(name) for name in layer.inputs], before)
        elif layer.kind == of.RESIZE:
            if "twice" not in self._constants:
                self._constants["twice"] = self._onnx.numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "twice")
            self._node(
                "Resize",
                [self._operand(layer.inputs[0]), "", "twice"],
                before,
                mode="linear",
                coordinate_transformation_mode="half_pixel",
            )
        elif layer.kind == of.SIGMOID:
            self._node("Sigmoid", [self._operand(layer.inputs[0])], before)
        else:
            raise ModelError(f"a layer of kind {layer.kind!r} cannot be written as ONNX")
        if layer.activation == "relu6":
            self._node("Clip", [before, self._constant("zero", np.zeros(())), self._constant("six", np.full((), 6))], result)
        elif layer.activation:
            self._node("Relu", [before], result)

    def _only_scales(self, layer: Layer) -> bool:
        """Whether a layer multiplies the image or adds to it, as before the first convolution; they become two in all."""
        if layer.kind not in (of.CAST, of.ADD, of.SUB, of.MUL) or layer.inputs[0] not in self._scaled:
            return False
        factor, shift = self._scaled[layer.inputs[0]]
        if layer.kind != of.CAST:
            constant = self._network.constants.get(layer.inputs[1])
            if constant is None or np.ptp(constant):
                return False
            value = float(constant.flat[0])
            if layer.kind == of.MUL:
                factor, shift = factor * value, shift * value
            else:
                shift += value if layer.kind == of.ADD else -value
        self._scaled[layer.output] = factor, shift
        return True

    def _convolution(self, layer: Layer, result: str) -> None:
        image, kernel_name, *bias = layer.inputs
        kernel = self._network.constants[kernel_name]
        sides = kernel.shape[:2]
        # TensorFlow pads an even size for stride 2 after it alone; a multiple of the network's stride is even all the way.
        padding = [max(0, side - layer.stride) for side in sides]
        begin = [size // 2 for size in padding]
        end = [size - first for size, first in zip(padding, begin)]
        depthwise = layer.kind == of.DEPTHWISE
        weights = kernel.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
        inputs = [self._operand(image), self._constant(f"w{kernel_name}", weights)]
        inputs += [self._constant(f"b{name}", self._network.constants[name]) for name in bias]
        self._node(
            "Conv",
            inputs,
            result,
            kernel_shape=list(sides),
            strides=[layer.stride] * 2,
            pads=[*begin, *end],
            group=kernel.shape[2] if depthwise else 1,
        )

    def _operand(self, tensor: str) -> str:
        """A computed tensor, or a constant that applies to all pixels of a channel."""
        if tensor in self._scaled and tensor not in self._names:
            self._names[tensor] = self._image(*self._scaled[tensor])
        if tensor not in self._network.constants:
            return self._names[tensor]
        array = self._network.constants[tensor]
        if array.size != array.shape[-1] if array.ndim else False:
            raise ModelError(f"constant {tensor} of shape {array.shape} cannot be written as ONNX")
        return self._constant(f"c{tensor}", array.reshape(1, -1, 1, 1))

    def _image(self, factor: float, shift: float) -> str:
        """The image as the first convolution wants it. This much is done in float32, for 255 levels are more than half
        precision tells apart after it."""
        for name, value in (("factor", factor), ("shift", shift)):
            self._constants[name] = self._onnx.numpy_helper.from_array(np.float32(value).reshape(1, 1, 1, 1), name)
        self._node("Mul", [INPUT, "factor"], "brightness")
        self._node("Add", ["brightness", "shift"], "pixels")
        if self._kind is np.float32:
            return "pixels"
        self._node("Cast", ["pixels"], "pixels_half", to=self._onnx.TensorProto.FLOAT16)
        return "pixels_half"

    def _constant(self, name: str, array: np.ndarray) -> str:
        if name not in self._constants:
            self._constants[name] = self._onnx.numpy_helper.from_array(np.ascontiguousarray(array).astype(self._kind), name)
        return name

    def _channels(self, tensor: str) -> int:
        layer = next(layer for layer in self._network.layers if layer.output == tensor)
        if layer.kind in (of.CONV, of.DEPTHWISE):
            return self._network.constants[layer.inputs[1]].shape[2 if layer.kind == of.DEPTHWISE else 3]
        return self._channels(layer.inputs[0])

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: object) -> None:
        self._nodes.append(self._onnx.helper.make_node(kind, inputs, [output], name=output, **attributes))
