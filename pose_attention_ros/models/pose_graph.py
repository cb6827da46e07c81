"""The pose network as an ONNX graph made for speed: batch norm folded, branches side by side, maps padded to whole vectors.

The graph is written operator by operator, since what makes it fast is its shape: an exporter would give asymmetric paddings
an operator of their own, and leave the two branches apart.

fold: batch norm disappears into weight and bias.
fuse: from their second separable convolution on, branches S and L are one convolution in two groups, and their maps come out
of one 1x1.
pad: the maps are padded with empty channels, S to 24 and L to 40, so that what the next stage reads (384 + 64 channels)
fills whole vectors; a runtime with blocked layouts (ONNX Runtime) falls back to a slow path for 384 + 57.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.models.pose_cnn import Branch, ConvUnit, PoseCnn

VECTOR = 8
INPUT, OUTPUTS = "image", ("confidence", "affinity", "features")


@dataclass(frozen=True)
class GraphConfig(Settings):
    fold: bool = setting(True, "fold batch norm into the convolutions")
    fuse: bool = setting(True, "run the two branches as one")
    pad: bool = setting(True, "pad the maps to whole vectors")


@dataclass(frozen=True)
class Kernel:
    """A convolution and what follows it. weight (out, in / groups, k, k), bias (out,); limit: of the activation, 0 for none
    above, None for no activation. norm: scale, bias, mean, variance, each (out,), where it is not folded."""

    weight: np.ndarray
    bias: np.ndarray | None
    groups: int = 1
    stride: int = 1
    dilation: int = 1
    padding: tuple[int, int] = (0, 0)
    limit: float | None = None
    norm: tuple[np.ndarray, ...] | None = None
    epsilon: float = 1e-5


def kernel_of(unit: ConvUnit | nn.Conv2d, fold: bool) -> Kernel:
    """A layer of the network as a kernel."""
    if isinstance(unit, nn.Conv2d):
        return Kernel(_array(unit.weight), _array(unit.bias))
    conv, norm = unit.conv, unit.norm
    shape = {
        "groups": conv.groups,
        "stride": conv.stride[0],
        "dilation": conv.dilation[0],
        "padding": unit.padding,
        "limit": unit.activation.limit,
        "epsilon": norm.eps,
    }
    if not fold:
        statistics = tuple(_array(value) for value in (norm.weight, norm.bias, norm.running_mean, norm.running_var))
        return Kernel(_array(conv.weight), None, norm=statistics, **shape)
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    bias = norm.bias.double() - norm.running_mean.double() * scale
    return Kernel(_array(conv.weight.double() * scale[:, None, None, None]), _array(bias), **shape)


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy().astype(np.float32)


def side_by_side(first: Kernel, second: Kernel) -> Kernel:
    """Two kernels of one shape as one in groups: it reads both inputs concatenated and gives both outputs."""
    join = lambda a, b: None if a is None else np.concatenate((a, b))  # noqa: E731
    norm = None if first.norm is None else tuple(join(a, b) for a, b in zip(first.norm, second.norm))
    return Kernel(
        join(first.weight, second.weight),
        join(first.bias, second.bias),
        2 * first.groups,
        first.stride,
        first.dilation,
        first.padding,
        first.limit,
        norm,
        first.epsilon,
    )


def stacked(kernels: list[Kernel], sizes: list[int]) -> Kernel:
    """1x1 kernels, each with its own part of the input, as one; the output of kernel i is padded to sizes[i] channels."""
    width = sum(kernel.weight.shape[1] for kernel in kernels)
    weight, bias = np.zeros((sum(sizes), width, 1, 1), np.float32), np.zeros(sum(sizes), np.float32)
    row = column = 0
    for kernel, size in zip(kernels, sizes):
        out, inputs = kernel.weight.shape[:2]
        weight[row : row + out, column : column + inputs] = kernel.weight
        bias[row : row + out] = kernel.bias
        row, column = row + size, column + inputs
    return Kernel(weight, bias)


class _Graph:
    """Nodes and weights as they are added."""

    def __init__(self) -> None:
        self.nodes: list = []
        self.weights: list = []

    def weight(self, name: str, values: np.ndarray) -> str:
        from onnx import numpy_helper

        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, operator: str, inputs: list[str], output: str, **attributes) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def conv(self, x: str, kernel: Kernel, name: str) -> str:
        """Convolution, norm where it is not folded, activation."""
        before, after = kernel.padding
        size = kernel.weight.shape[-1]
        inputs = [x, self.weight(f"{name}.weight", kernel.weight)]
        if kernel.bias is not None:
            inputs.append(self.weight(f"{name}.bias", kernel.bias))
        x = self.add(
            "Conv",
            inputs,
            f"{name}.conv",
            group=kernel.groups,
            kernel_shape=[size, size],
            strides=2 * [kernel.stride],
            dilations=2 * [kernel.dilation],
            pads=[before, before, after, after],
        )
        if kernel.norm is not None:
            statistics = [self.weight(f"{name}.norm{i}", values) for i, values in enumerate(kernel.norm)]
            x = self.add("BatchNormalization", [x, *statistics], f"{name}.norm", epsilon=kernel.epsilon)
        if kernel.limit is None:
            return x
        if not kernel.limit:
            return self.add("Relu", [x], f"{name}.relu")
        bounds = [self.weight(f"{name}.low", np.float32(0)), self.weight(f"{name}.high", np.float32(kernel.limit))]
        return self.add("Clip", [x, *bounds], f"{name}.clip")

    def cut(self, x: str, begin: int, end: int, name: str) -> str:
        """Channels begin to end."""
        bounds = [
            self.weight(f"{name}.{key}", np.array([value], np.int64))
            for key, value in (("begin", begin), ("end", end), ("axis", 1))
        ]
        return self.add("Slice", [x, *bounds], name)


def pose_graph(network: PoseCnn, stages: int, config: GraphConfig):
    """onnx.GraphProto of the first `stages` stages: INPUT (N, 3, H, W) -> OUTPUTS, for any N, H and W."""
    from onnx import TensorProto, helper

    graph = _Graph()
    units = [unit for layer in network.backbone for unit in ([layer] if isinstance(layer, ConvUnit) else layer)]
    x = INPUT
    for number, unit in enumerate(units):
        x = graph.conv(x, kernel_of(unit, config.fold), f"backbone.{number}")
    features = x
    joints, limbs = len(network.layout.joints) + 1, 2 * len(network.layout.limbs)
    sizes = [-(-maps // VECTOR) * VECTOR for maps in (joints, limbs)] if config.pad else [joints, limbs]
    write = _fused_stage if config.fuse else _stage
    for number, stage in enumerate(list(network.stages)[:stages]):
        branches = [_branch_kernels(branch, config.fold) for branch in (stage.confidence, stage.affinity)]
        if number:
            branches = [_reading_padded(kernels, (joints, limbs), sizes) for kernels in branches]
        maps = write(graph, x, branches, sizes, f"stage{number + 1}")
        if number + 1 < stages:
            x = graph.add("Concat", [features, maps], f"stage{number + 1}.inputs", axis=1)
    graph.add("Identity", [features], OUTPUTS[2])
    graph.cut(maps, 0, joints, OUTPUTS[0])
    graph.cut(maps, sizes[0], sizes[0] + limbs, OUTPUTS[1])
    channels = (joints, limbs, units[-1].conv.out_channels)
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["images", count, f"{side}height", f"{side}width"])
        for name, count, side in zip((INPUT, *OUTPUTS), (3, *channels), ("", *3 * ["map_"]))
    ]
    return helper.make_graph(graph.nodes, "pose_cnn", values[:1], values[1:], graph.weights)


def _branch_kernels(branch: Branch, fold: bool) -> list[Kernel]:
    units = [unit for layer in branch for unit in (layer if isinstance(layer, nn.Sequential) else [layer])]
    return [kernel_of(unit, fold) for unit in units]


def _reading_padded(kernels: list[Kernel], counts: tuple[int, int], sizes: list[int]) -> list[Kernel]:
    """A branch of a later stage that reads features and padded maps: nothing is made of the empty channels."""
    depthwise, pointwise = kernels[:2]
    channels = len(depthwise.weight) - sum(counts)
    rows = [
        *range(channels),
        *range(channels, channels + counts[0]),
        *range(channels + sizes[0], channels + sizes[0] + counts[1]),
    ]
    width = channels + sum(sizes)
    spread = lambda values, fill=0.0: _spread(values, rows, width, fill)  # noqa: E731
    norm = depthwise.norm and tuple(spread(values, fill) for values, fill in zip(depthwise.norm, (0.0, 0.0, 0.0, 1.0)))
    bias = None if depthwise.bias is None else spread(depthwise.bias)
    wide = replace(depthwise, weight=spread(depthwise.weight), bias=bias, norm=norm, groups=width)
    weight = spread(pointwise.weight.swapaxes(0, 1)).swapaxes(0, 1)
    return [wide, replace(pointwise, weight=weight), *kernels[2:]]


def _spread(values: np.ndarray, rows: list[int], length: int, fill: float) -> np.ndarray:
    """`values` at `rows` of an array that is `length` long, `fill` elsewhere."""
    wide = np.full((length, *values.shape[1:]), fill, np.float32)
    wide[rows] = values
    return wide


def _stage(graph: _Graph, x: str, branches: list[list[Kernel]], sizes: list[int], name: str) -> str:
    """Branch after branch; returns the maps, S then L, each padded to its size."""
    maps = []
    for kernels, size, key in zip(branches, sizes, ("s", "l")):
        y = x
        for number, kernel in enumerate([*kernels[:-1], stacked(kernels[-1:], [size])]):
            y = graph.conv(y, kernel, f"{name}.{key}{number}")
        maps.append(y)
    return graph.add("Concat", maps, f"{name}.maps", axis=1)


def _fused_stage(graph: _Graph, x: str, branches: list[list[Kernel]], sizes: list[int], name: str) -> str:
    """The first separable convolution of each branch, then both as one."""
    first = [
        graph.conv(graph.conv(x, kernels[0], f"{name}.{key}0"), kernels[1], f"{name}.{key}1")
        for kernels, key in zip(branches, ("s", "l"))
    ]
    y = graph.add("Concat", first, f"{name}.both", axis=1)
    for number, (one, other) in enumerate(zip(*(kernels[2:-1] for kernels in branches)), 2):
        y = graph.conv(y, side_by_side(one, other), f"{name}.{number}")
    return graph.conv(y, stacked([kernels[-1] for kernels in branches], sizes), f"{name}.maps")
