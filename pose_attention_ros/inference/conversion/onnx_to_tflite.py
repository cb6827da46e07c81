"""A small network that is stored as ONNX, written as TensorFlow Lite for inputs of fixed shapes.

The meanings of attributes are those of the ONNX specification, opset 18.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from pose_attention_ros.inference.conversion.onnx_reading import Graph, Node
from pose_attention_ros.inference.conversion.onnx_values import NotKnown, axes_of, parts_of, shapes_of, slices_of
from pose_attention_ros.inference.conversion.tflite_writing import TfliteWriter
from pose_attention_ros.inference.network_types import Shape


def tflite_of(graph: Graph, inputs: Mapping[str, Shape]) -> bytes:
    """The network of `graph`, which onnx_values.folded has seen, for inputs of these shapes; it keeps their names, and those
    of the outputs.

    :raises NotKnown: it has an operator, or a use of one, that is not covered
    :raises ImportError: the package flatbuffers, which LiteRT brings, is not installed
    """
    writer = _Converter(graph, inputs)
    for node in graph.nodes:
        if node.operator not in _OPERATORS:
            raise NotKnown(node.operator)
        _OPERATORS[node.operator](writer, node)
    return writer.finished(list(graph.inputs), list(graph.outputs))


class _Converter(TfliteWriter):
    """:param graph: whose constants are written when an operator reads them"""

    def __init__(self, graph: Graph, inputs: Mapping[str, Shape]) -> None:
        super().__init__(shapes_of(graph, inputs))
        self.known = graph.constants
        self._written: dict[str, str] = {}

    def value(self, name: str) -> np.ndarray | None:
        """A constant that decides what is written; None for an input that is left out."""
        if name and name not in self.known:
            raise NotKnown("an attribute that is computed")
        return self.known[name] if name else None

    def placeholder(self, name: str) -> np.ndarray:
        """An array of the shape of a value."""
        return np.broadcast_to(np.float32(0), self.shapes[name])

    def named(self, name: str) -> str:
        """What the file calls a value of the graph."""
        if name not in self.known:
            return name
        if name not in self._written:
            value = self.known[name]
            self._written[name] = self.constant(value, np.float32 if value.dtype.kind == "f" else np.int32)
        return self._written[name]

    def write(self, kind: str, node: Node) -> None:
        """The operator that does just what ONNX's does."""
        self.add(kind, list(map(self.named, node.inputs)), node.outputs[0])


def _one(kind: str) -> Callable[[_Converter, Node], None]:
    return lambda writer, node: writer.write(kind, node)


def _leaky(writer: _Converter, node: Node) -> None:
    writer.add("LEAKY_RELU", [writer.named(node.inputs[0])], node.outputs[0], node.attributes.get("alpha", 0.01))


def _softmax(writer: _Converter, node: Node) -> None:
    name, out = node.inputs[0], node.outputs[0]
    shape = writer.shapes[name]
    axis = node.attributes.get("axis", -1) % len(shape)
    if axis == len(shape) - 1:
        writer.add("SOFTMAX", [name], out, 1.0)
        return
    order = [*range(len(shape))]
    order[axis], order[-1] = order[-1], order[axis]
    turned = [shape[at] for at in order]
    before, after = (writer.between(f"{out} {step}", tuple(turned)) for step in ("turned", "chances"))
    writer.add("TRANSPOSE", [name, writer.constant(order, np.int32)], before)
    writer.add("SOFTMAX", [before], after, 1.0)
    writer.add("TRANSPOSE", [after, writer.constant(order, np.int32)], out)


def _clip(writer: _Converter, node: Node) -> None:
    name = node.inputs[0]
    bounds = [(kind, bound) for kind, bound in zip(("MAXIMUM", "MINIMUM"), node.inputs[1:]) if bound]
    if not bounds:
        raise NotKnown("Clip without bounds")
    for at, (kind, bound) in enumerate(bounds, 1):
        last = at == len(bounds)
        out = node.outputs[0] if last else writer.between(f"{node.outputs[0]} {kind}", writer.shapes[name])
        writer.add(kind, [name, writer.named(bound)], out)
        name = out


def _reduce(kind: str) -> Callable[[_Converter, Node], None]:
    def write(writer: _Converter, node: Node) -> None:
        name, given = (*node.inputs, "")[:2]
        axes = writer.constant(axes_of(node, writer.placeholder(name), writer.value(given)), np.int32)
        writer.add(kind, [name, axes], node.outputs[0], bool(node.attributes.get("keepdims", 1)))

    return write


def _length(writer: _Converter, node: Node) -> None:
    """The root of the sum of squares."""
    name, out = node.inputs[0], node.outputs[0]
    squares = writer.between(f"{out} squares", writer.shapes[name])
    total = writer.between(f"{out} sum", writer.shapes[out])
    writer.add("MUL", [name, name], squares)
    _reduce("SUM")(writer, Node("ReduceSum", (squares, *node.inputs[1:]), (total,), node.attributes))
    writer.add("SQRT", [total], out)


def _matmul(writer: _Converter, node: Node) -> None:
    a, b = node.inputs
    if b in writer.known and writer.known[b].ndim == 2:
        _product(writer, a, writer.known[b].T, None, node.outputs[0])
        return
    shapes = [writer.shapes[name] for name in (a, b)]
    batch = np.broadcast_shapes(*(shape[:-2] for shape in shapes))
    names = []
    for name, shape in zip((a, b), shapes):
        whole = (*batch, *shape[-2:])
        spread = name in writer.known and shape != whole
        names.append(
            writer.constant(np.broadcast_to(writer.known[name], whole), np.float32) if spread else writer.named(name)
        )
    writer.add("BATCH_MATMUL", names, node.outputs[0])


def _gemm(writer: _Converter, node: Node) -> None:
    given, (a, b, c) = node.attributes, (*node.inputs, "")[:3]
    if given.get("transA", 0) or b not in writer.known:
        raise NotKnown("Gemm whose second factor is not fixed")
    weights = (writer.known[b] if given.get("transB", 0) else writer.known[b].T) * np.float32(given.get("alpha", 1.0))
    beta, out = np.float32(given.get("beta", 1.0)), node.outputs[0]
    if not c:
        _product(writer, a, weights, None, out)
    elif c in writer.known and writer.known[c].size in (1, len(weights)) and writer.known[c].shape[-1:] != (1,):
        _product(writer, a, weights, beta * writer.known[c].reshape(-1), out)
    else:
        product = writer.between(f"{out} product", writer.shapes[out])
        scaled = writer.between(f"{out} scaled", writer.shapes[c])
        _product(writer, a, weights, None, product)
        writer.add("MUL", [writer.named(c), writer.constant(beta, np.float32)], scaled)
        writer.add("ADD", [product, scaled], out)


def _product(writer: _Converter, a: str, weights: np.ndarray, bias: np.ndarray | None, out: str) -> None:
    """a (..., I) by weights (O, I), and bias (O,) or (1,)."""
    names = [a, writer.constant(weights, np.float32)]
    if bias is not None:
        names.append(writer.constant(np.broadcast_to(bias, len(weights)), np.float32))
    writer.add("FULLY_CONNECTED", names, out, True)


def _reshape(writer: _Converter, node: Node) -> None:
    shape = writer.constant(writer.shapes[node.outputs[0]], np.int32)
    writer.add("RESHAPE", [node.inputs[0], shape], node.outputs[0])


def _part(writer: _Converter, name: str, begin: Sequence[int], out: str) -> None:
    writer.add("SLICE", [name, writer.constant(begin, np.int32), writer.constant(writer.shapes[out], np.int32)], out)


def _slice(writer: _Converter, node: Node) -> None:
    name, *given = (*node.inputs, "", "", "")[:5]
    at = slices_of(writer.placeholder(name), *map(writer.value, given))
    _part(writer, name, [each.start for each in at], node.outputs[0])


def _split(writer: _Converter, node: Node) -> None:
    name, given = (*node.inputs, "")[:2]
    shape = writer.shapes[name]
    axis = node.attributes.get("axis", 0) % len(shape)
    sizes = parts_of(node, writer.placeholder(name), writer.value(given))
    for begin, out in zip(np.cumsum([0, *sizes]).tolist(), node.outputs):
        _part(writer, name, [begin if each == axis else 0 for each in range(len(shape))], out)


def _concat(writer: _Converter, node: Node) -> None:
    out = node.outputs[0]
    writer.add("CONCATENATION", list(map(writer.named, node.inputs)), out, node.attributes["axis"] % len(writer.shapes[out]))


def _transpose(writer: _Converter, node: Node) -> None:
    order = node.attributes.get("perm") or range(len(writer.shapes[node.inputs[0]]))[::-1]
    writer.add("TRANSPOSE", [node.inputs[0], writer.constant(order, np.int32)], node.outputs[0])


def _gather(writer: _Converter, node: Node) -> None:
    name, at = node.inputs
    shape, indices = writer.shapes[name], writer.value(at)
    axis = node.attributes.get("axis", 0) % len(shape)
    places = writer.constant(np.where(indices < 0, indices + shape[axis], indices), np.int32)
    writer.add("GATHER", [name, places], node.outputs[0], axis)


# Operator of ONNX -> what writes it.
_OPERATORS: dict[str, Callable[[_Converter, Node], None]] = {
    "Add": _one("ADD"),
    "Clip": _clip,
    "Concat": _concat,
    "Div": _one("DIV"),
    "Exp": _one("EXP"),
    "Gather": _gather,
    "Gemm": _gemm,
    "LeakyRelu": _leaky,
    "Log": _one("LOG"),
    "MatMul": _matmul,
    "Max": _one("MAXIMUM"),
    "Mul": _one("MUL"),
    "Neg": _one("NEG"),
    "ReduceL2": _length,
    "ReduceMean": _reduce("MEAN"),
    "ReduceSum": _reduce("SUM"),
    "Relu": _one("RELU"),
    "Reshape": _reshape,
    "Sigmoid": _one("LOGISTIC"),
    "Sign": _one("SIGN"),
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": _split,
    "Sqrt": _one("SQRT"),
    "Squeeze": _reshape,
    "Sub": _one("SUB"),
    "Tanh": _one("TANH"),
    "Transpose": _transpose,
    "Unsqueeze": _reshape,
}
