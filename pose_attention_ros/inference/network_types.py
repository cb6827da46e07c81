"""What a runtime must fulfil, and the records it is given: `networks.py` (ONNX Runtime) and `trt/` (TensorRT) both do.

A network is bound to the shapes of its inputs once. The binding owns the buffers, so that a frame allocates nothing: fill
`inputs`, call, read `outputs`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pose_attention_ros.core.errors import ModelError

Shape = tuple[int, ...]


class Binding(Protocol):
    """A network at one set of input shapes. Its arrays are the same in every call, but for those that are placed."""

    @property
    def inputs(self) -> Mapping[str, np.ndarray]:
        """Name -> contiguous array, to be filled before a call."""
        ...

    @property
    def outputs(self) -> Mapping[str, np.ndarray]:
        """Name -> contiguous array; they hold what the newest call computed."""
        ...

    def __call__(self) -> None:
        """Compute the outputs from what `inputs` hold."""
        ...

    def place(self, name: str, array: np.ndarray) -> None:
        """From the next call on `array` (contiguous, float32, of the same shape) is this input or output, which spares a
        copy of what is large. An input is to be placed before every call."""
        ...

    def fetch(self, name: str) -> np.ndarray:
        """An output that was not asked for when binding, of the newest call."""
        ...


class Network(Protocol):
    """A network that is loaded. `backend` says what computes, for example "onnx-cpu"."""

    backend: str

    @property
    def inputs(self) -> Mapping[str, Shape]:
        """Name -> shape, -1 where it may vary."""
        ...

    @property
    def outputs(self) -> Mapping[str, Shape]:
        """Name -> shape, -1 where it may vary."""
        ...

    def bind(self, shapes: Mapping[str, Shape], outputs: Sequence[str] = ()) -> Binding:
        """Make buffers for inputs of these shapes.

        :param outputs: those that every call hands out, empty for all; the others cost nothing until they are fetched
        :raises ModelError: the network does not take these shapes
        """
        ...

    def close(self) -> None:
        """Free memory and devices; neither the network nor its bindings are used afterwards."""
        ...


@dataclass(frozen=True)
class NetworkFile:
    """A verified ONNX file: its name for people, its bytes and their hash, and the numbers that it computes in."""

    name: str
    content: bytes
    sha256: str
    precision: str = "fp32"


@dataclass(frozen=True)
class ShapeRange:
    """What an input may be: from `least` to `most`, fastest at `best`. All three alike make a fixed engine."""

    least: Shape
    best: Shape
    most: Shape

    @classmethod
    def fixed(cls, shape: Shape) -> ShapeRange:
        """This shape and no other."""
        return cls(shape, shape, shape)

    def holds(self, shape: Shape) -> bool:
        """Whether `shape` lies in the range."""
        return len(shape) == len(self.least) and all(
            low <= size <= high for low, size, high in zip(self.least, shape, self.most)
        )

    def __str__(self) -> str:
        least, best, most = ("x".join(map(str, shape)) for shape in (self.least, self.best, self.most))
        return best if least == most else f"{least}..{best}..{most}"


Profile = Mapping[str, ShapeRange]  # by input


def check_shapes(shapes: Mapping[str, Shape], inputs: Mapping[str, Shape]) -> None:
    """Raises ModelError unless `shapes` name every input and fit its fixed sizes."""
    for name, wanted in inputs.items():
        found = tuple(shapes.get(name, ()))
        if len(found) != len(wanted) or any(size not in (have, -1) for have, size in zip(found, wanted)):
            raise ModelError(f"input {name!r} has shape {found}, expected {tuple(n if n > 0 else '*' for n in wanted)}")
