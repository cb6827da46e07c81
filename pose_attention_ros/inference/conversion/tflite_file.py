"""Reads the convolutional part of a TensorFlow Lite file, and cuts such a file at inner tensors.

The format's schema is in the package `tflite`. A tensor goes by its number in the file's one graph.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from pose_attention_ros.core.errors import ModelError, UserError
from pose_attention_ros.inference.conversion import layers as of
from pose_attention_ros.inference.conversion.layers import Layer, LayeredNetwork

_OPERATORS_SLOT, _OUTPUTS_SLOT = 10, 8  # of a graph's table, see SubGraph in the schema
_TYPES = {0: np.float32, 1: np.float16, 2: np.int32}
_ACTIVATIONS = {0: "", 1: "relu", 3: "relu6"}
_SAME = 0
# How a kernel's axes come to be height, width, in, out; of a depthwise one height, width, channels, 1.
_KERNEL_AXES = {"CONV_2D": (1, 2, 3, 0), "DEPTHWISE_CONV_2D": (1, 2, 3, 0)}


class TfliteFile:
    """A file with one graph.

    :raises UserError: the package `tflite` is not installed
    :raises ModelError: the bytes are no such file
    """

    def __init__(self, content: bytes) -> None:
        try:
            import tflite
        except ImportError:
            raise UserError("reading a .tflite file needs the package tflite; run: pip install tflite") from None
        self._schema, self._content = tflite, content
        if content[4:8] != b"TFL3":
            raise ModelError("the file is no TensorFlow Lite model")
        try:
            model = tflite.Model.GetRootAsModel(content, 0)
            self._model, self._graph = model, model.Subgraphs(0)
            self._operators = [self._graph.Operators(i) for i in range(self._graph.OperatorsLength())]
            self._kinds = [self._kind(operator) for operator in self._operators]
            self._tensors = self._graph.TensorsLength()
        except (struct.error, AttributeError, IndexError, TypeError, ValueError) as error:
            raise ModelError(f"the file is a damaged TensorFlow Lite model: {error}") from None

    def channels(self, tensor: int) -> int:
        """Size of a tensor's last axis. Raises ModelError where the file has no such tensor."""
        if tensor >= self._tensors or not self._graph.Tensors(tensor).ShapeLength():
            raise ModelError(f"the TensorFlow Lite model has no tensor {tensor} with channels; it is not the expected one")
        return int(self._graph.Tensors(tensor).ShapeAsNumpy()[-1])

    def cut(self, outputs: Sequence[int]) -> bytes:
        """The same file whose graph ends at the tensors `outputs`: operators that these do not need are left out.

        Nothing moves: the table of operators gets shorter, and the new list of outputs lies behind the file's end.
        """
        wanted, kept = set(outputs), []
        for row in range(len(self._operators) - 1, -1, -1):
            if wanted & set(self._operators[row].OutputsAsNumpy().tolist()):
                kept.append(row)
                wanted.update(self._operators[row].InputsAsNumpy().tolist())
        content = bytearray(self._content + bytes(-len(self._content) % 4))
        table = self._graph._tab
        vector = table.Vector(table.Offset(_OPERATORS_SLOT))
        entries = range(vector, vector + 4 * len(self._operators), 4)
        places = [entry + struct.unpack_from("<I", content, entry)[0] for entry in entries]
        struct.pack_into("<I", content, vector - 4, len(kept))
        for row, place in enumerate(places[row] for row in reversed(kept)):
            struct.pack_into("<I", content, vector + 4 * row, place - (vector + 4 * row))
        field = table.Pos + table.Offset(_OUTPUTS_SLOT)
        struct.pack_into("<I", content, field, len(content) - field)
        return bytes(content + struct.pack(f"<I{len(outputs)}i", len(outputs), *outputs))

    def network(self, outputs: Sequence[int]) -> LayeredNetwork:
        """The layers that the tensors `outputs` are computed from. Raises ModelError for a layer that we do not know."""
        constants = {str(i): array for i in range(self._tensors) if (array := self._constant(i)) is not None}
        rows = list(zip(self._operators, self._kinds))
        for operator, kind in rows:
            if kind == "DEQUANTIZE" and str(operator.Inputs(0)) in constants:  # half-precision weights
                constants[str(operator.Outputs(0))] = constants[str(operator.Inputs(0))]
        wanted, layers = set(outputs), []
        for operator, kind in reversed(rows):
            output = operator.Outputs(0)
            if output not in wanted or str(output) in constants:
                continue
            inputs = operator.InputsAsNumpy().tolist()
            if kind == "RESIZE_BILINEAR":  # its second input is a size, worked out from the first one's
                inputs = inputs[:1]
            wanted.update(inputs)
            layers.append(self._layer(operator, kind, inputs, output))
            if kind in _KERNEL_AXES:
                kernel = str(inputs[1])
                constants[kernel] = constants[kernel].transpose(_KERNEL_AXES[kind])
        return LayeredNetwork(tuple(reversed(layers)), constants).up_to(map(str, outputs))

    def _layer(self, operator: Any, kind: str, inputs: list[int], output: int) -> Layer:
        names, schema = tuple(map(str, inputs)), self._schema
        if kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            options = self._options(operator, schema.Conv2DOptions if kind == "CONV_2D" else schema.DepthwiseConv2DOptions)
            kernel = self._graph.Tensors(inputs[1]).ShapeAsNumpy().tolist()
            padded = options.Padding() == _SAME or kernel[1:3] == [1, 1]
            if not padded or options.StrideH() != options.StrideW() or options.DilationHFactor() != 1:
                raise ModelError(
                    f"the TensorFlow Lite model has a {kind} with padding, strides or dilation that are not "
                    f"supported; it is not the expected one"
                )
            return Layer(
                of.CONV if kind == "CONV_2D" else of.DEPTHWISE,
                names,
                str(output),
                options.StrideH(),
                self._activation(options),
            )
        if kind in ("ADD", "SUB", "MUL"):
            options = self._options(operator, schema.AddOptions)  # the three kinds' options begin alike
            return Layer(kind.lower(), names, str(output), activation=self._activation(options))
        if kind == "RESIZE_BILINEAR" and self._options(operator, schema.ResizeBilinearOptions).HalfPixelCenters():
            return Layer(of.RESIZE, names, str(output))
        if kind in ("LOGISTIC", "CAST"):
            return Layer(of.SIGMOID if kind == "LOGISTIC" else of.CAST, names, str(output))
        raise ModelError(f"the TensorFlow Lite model has a layer {kind}, which is not supported; it is not the expected one")

    def _kind(self, operator: Any) -> str:
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        return self._schema.opcode2name(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()))

    def _options(self, operator: Any, kind: type) -> Any:
        found, options = operator.BuiltinOptions(), kind()
        if found is None:
            return options
        options.Init(found.Bytes, found.Pos)
        return options

    def _activation(self, options: Any) -> str:
        number = options.FusedActivationFunction() if options._tab else 0
        if number not in _ACTIVATIONS:
            raise ModelError(f"the TensorFlow Lite model has an activation of number {number}, which is not supported")
        return _ACTIVATIONS[number]

    def _constant(self, tensor: int) -> np.ndarray | None:
        """A constant as the layers want it; None for a tensor that is computed."""
        table = self._graph.Tensors(tensor)
        raw = self._model.Buffers(table.Buffer()).DataAsNumpy()
        if isinstance(raw, int) or table.Type() not in _TYPES:
            return None
        shape = table.ShapeAsNumpy().tolist() if table.ShapeLength() else []
        return raw.view(_TYPES[table.Type()]).reshape(shape).astype(np.float32)
