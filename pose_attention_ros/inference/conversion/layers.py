"""What every reader gives and the writer takes: a network as a list of layers on named tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from pose_attention_ros.core.errors import ModelError

# Kinds of layers that a writer must know.
CONV, DEPTHWISE, ADD, SUB, MUL, RESIZE, SIGMOID, CAST = "conv", "depthwise", "add", "sub", "mul", "resize", "sigmoid", "cast"


@dataclass(frozen=True)
class Layer:
    """One operation. Convolutions read an image, a kernel and a bias, and pad so that a size is only divided by the stride.

    :param kind: one of the kinds above
    :param inputs: names of tensors, computed or constant
    :param stride: of a convolution, along both sides
    :param activation: relu, relu6 or empty, applied to the result
    """

    kind: str
    inputs: tuple[str, ...]
    output: str
    stride: int = 1
    activation: str = ""


@dataclass(frozen=True)
class LayeredNetwork:
    """Layers in the order of their computation, and the constants that they read.

    :param constants: name -> float32; kernels as (height, width, in, out), of depthwise ones (height, width, channels, 1)
    """

    layers: tuple[Layer, ...]
    constants: Mapping[str, np.ndarray] = field(repr=False)

    def up_to(self, outputs: Iterable[str]) -> LayeredNetwork:
        """Only what these tensors are computed from. Raises ModelError where one is computed by no layer."""
        wanted = set(outputs)
        lacking = wanted - {layer.output for layer in self.layers}
        if lacking:
            raise ModelError(f"the network computes no {', '.join(sorted(lacking))}; it is not the expected one")
        kept = []
        for layer in reversed(self.layers):
            if layer.output in wanted:
                kept.append(layer)
                wanted.update(layer.inputs)
        used = {name: array for name, array in self.constants.items() if name in wanted}
        return LayeredNetwork(tuple(reversed(kept)), used)
