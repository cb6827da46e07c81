"""ONNX's operators in NumPy, for what is known before a network runs: its constant parts, and the shape of everything else.

The meanings of attributes are those of the ONNX specification, opset 18. NotKnown is raised for what is not covered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from pose_attention_ros.inference.conversion.onnx_reading import Graph, Node
from pose_attention_ros.inference.network_types import Shape

Array = np.ndarray


class NotKnown(Exception):
    """An operator, or a use of one, that is not covered."""


def folded(graph: Graph) -> Graph:
    """The network with everything computed that depends on no input."""
    constants, rest = dict(graph.constants), []
    for node in graph.nodes:
        if all(name in constants or not name for name in node.inputs):
            constants |= zip(node.outputs, _computed(node, constants))
        else:
            rest.append(node)
    used = {name for node in rest for name in node.inputs} | set(graph.outputs)
    return Graph(tuple(rest), {name: constants[name] for name in constants if name in used}, graph.inputs, graph.outputs)


def shapes_of(graph: Graph, inputs: Mapping[str, Shape]) -> dict[str, Shape]:
    """The shape of every value, constants too, for inputs of these shapes. Raises ValueError where they do not fit."""
    values = dict(graph.constants) | {name: np.zeros(shape, np.float32) for name, shape in inputs.items()}
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            values |= zip(node.outputs, _computed(node, values))
    return {name: value.shape for name, value in values.items()}


def _computed(node: Node, values: Mapping[str, Array]) -> list[Array]:
    if node.operator not in _FUNCTIONS:
        raise NotKnown(node.operator)
    found = _FUNCTIONS[node.operator](node, *(values[name] if name else None for name in node.inputs))
    return found if isinstance(found, list) else [found]


def axes_of(node: Node, x: Array, axes: Array | None) -> tuple[int, ...]:
    """The axes that a reduction runs over."""
    if axes is not None and axes.size:
        return tuple(int(axis) % x.ndim for axis in axes)
    return () if node.attributes.get("noop_with_empty_axes", 0) else tuple(range(x.ndim))


def slices_of(x: Array, starts: Array, ends: Array, axes: Array | None, steps: Array | None) -> tuple[slice, ...]:
    """What a Slice takes of each axis: its first index, its last one and one more, step 1."""
    if steps is not None and np.any(steps != 1):
        raise NotKnown("Slice with steps")
    at = [slice(0, size) for size in x.shape]
    for number, (start, end) in enumerate(zip(starts.tolist(), ends.tolist())):
        axis = number if axes is None else int(axes[number])
        at[axis] = slice(*slice(start, end).indices(x.shape[axis])[:2])
    return tuple(at)


def parts_of(node: Node, x: Array, sizes: Array | None) -> list[int]:
    """The sizes of a Split's parts."""
    if sizes is not None:
        return sizes.tolist()
    whole, count = x.shape[node.attributes.get("axis", 0)], len(node.outputs)
    return [min(-(-whole // count), whole - at) for at in range(0, whole, -(-whole // count))]


def _of(function: Callable[..., Array]) -> Callable[..., Array]:
    return lambda node, *inputs: function(*inputs)


def _reduce(node: Node, x: Array, axes: Array | None = None, *, function: Callable[..., Array]) -> Array:
    return function(x, axis=axes_of(node, x, axes), keepdims=bool(node.attributes.get("keepdims", 1)))


def _gemm(node: Node, a: Array, b: Array, c: Array | None = None) -> Array:
    given = node.attributes
    out = (a.T if given.get("transA", 0) else a) @ (b.T if given.get("transB", 0) else b)
    out = out * np.float32(given.get("alpha", 1.0))
    return out if c is None else out + np.float32(given.get("beta", 1.0)) * c


def _softmax(node: Node, x: Array) -> Array:
    axis = node.attributes.get("axis", -1)
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def _reshape(node: Node, x: Array, shape: Array) -> Array:
    keep = not node.attributes.get("allowzero", 0)
    return x.reshape([x.shape[at] if size == 0 and keep else size for at, size in enumerate(shape.tolist())])


def _split(node: Node, x: Array, sizes: Array | None = None) -> list[Array]:
    return np.split(x, np.cumsum(parts_of(node, x, sizes))[:-1].tolist(), node.attributes.get("axis", 0))


def _clip(node: Node, x: Array, low: Array | None = None, high: Array | None = None) -> Array:
    x = x if low is None else np.maximum(x, low)
    return x if high is None else np.minimum(x, high)


_FUNCTIONS: dict[str, Callable[..., Array | list[Array]]] = {
    "Add": _of(np.add),
    "Clip": _clip,
    "Concat": lambda node, *parts: np.concatenate(parts, node.attributes["axis"]),
    "Div": _of(np.divide),
    "Exp": _of(np.exp),
    "Gather": lambda node, x, at: np.take(x, at, node.attributes.get("axis", 0)),
    "Gemm": _gemm,
    "LeakyRelu": lambda node, x: np.where(x < 0, np.float32(node.attributes.get("alpha", 0.01)) * x, x),
    "Log": _of(np.log),
    "MatMul": _of(np.matmul),
    "Max": _of(np.maximum),
    "Mul": _of(np.multiply),
    "Neg": _of(np.negative),
    "ReduceL2": partial(_reduce, function=lambda x, **over: np.sqrt(np.square(x).sum(**over))),
    "ReduceMean": partial(_reduce, function=np.mean),
    "ReduceSum": partial(_reduce, function=np.sum),
    "Relu": lambda node, x: np.maximum(x, 0),
    "Reshape": _reshape,
    "Sigmoid": lambda node, x: 1 / (1 + np.exp(-x)),
    "Sign": _of(np.sign),
    "Slice": lambda node, x, starts, ends, axes=None, steps=None: x[slices_of(x, starts, ends, axes, steps)],
    "Softmax": _softmax,
    "Split": _split,
    "Sqrt": _of(np.sqrt),
    "Squeeze": lambda node, x, axes=None: np.squeeze(x, None if axes is None else tuple(axes.tolist())),
    "Sub": _of(np.subtract),
    "Tanh": _of(np.tanh),
    "Transpose": lambda node, x: np.transpose(x, node.attributes.get("perm")),
    "Unsqueeze": lambda node, x, axes: np.expand_dims(x, tuple(axes.tolist())),
}
