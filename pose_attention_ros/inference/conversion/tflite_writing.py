"""Writes TensorFlow Lite files: tensors of fixed shapes, and operators on them.

The numbers of kinds and fields are those of the format's schema, so that a robot needs no package with all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pose_attention_ros.inference.network_types import Shape

_VERSION = 3  # of the schema
_TENSOR_TYPES = {np.dtype(np.float32): 0, np.dtype(np.int32): 2}
# Kind of an operator -> its number, and that of its options, 0 for none.
# fmt: off
KINDS = {
    "ADD": (0, 11), "BATCH_MATMUL": (126, 101), "CONCATENATION": (2, 10), "DIV": (42, 29), "EXP": (47, 33),
    "FULLY_CONNECTED": (9, 8), "GATHER": (36, 23), "LEAKY_RELU": (98, 75), "LOG": (73, 0), "LOGISTIC": (14, 0),
    "MAXIMUM": (55, 39), "MEAN": (40, 27), "MINIMUM": (57, 39), "MUL": (18, 21), "NEG": (59, 42), "RELU": (19, 0),
    "RESHAPE": (22, 17), "SIGN": (158, 0), "SLICE": (65, 48), "SOFTMAX": (25, 9), "SQRT": (75, 0), "SUB": (41, 28),
    "SUM": (74, 27), "TANH": (28, 0), "TRANSPOSE": (39, 26),
}
# fmt: on
# Kind -> its one option that is set here: its place in the table, and how the builder writes it.
_OPTIONS = {
    "FULLY_CONNECTED": (2, "PrependBoolSlot"),  # whether all axes but the last are kept
    "LEAKY_RELU": (0, "PrependFloat32Slot"),  # alpha
    "SOFTMAX": (0, "PrependFloat32Slot"),  # beta
    "SUM": (0, "PrependBoolSlot"),  # whether axes are kept, with length 1
    "MEAN": (0, "PrependBoolSlot"),
    "CONCATENATION": (0, "PrependInt32Slot"),  # axis
    "GATHER": (0, "PrependInt32Slot"),  # axis
}


class TfliteWriter:
    """Tensors and operators as they come, by name; `finished` makes the file.

    :param shapes: of every tensor that is not a constant
    :raises ImportError: the package flatbuffers, which LiteRT brings, is not installed
    """

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        import flatbuffers

        self._new_builder = flatbuffers.Builder
        self.shapes: dict[str, Shape] = dict(shapes)
        self._constants: dict[str, np.ndarray] = {}
        self._numbers: dict[str, int] = {}
        self._operators: list[tuple[str, list[int], list[int], Any]] = []

    def constant(self, value: Any, dtype: Any) -> str:
        """The name of a new constant, float32 or int32."""
        name = f"constant {len(self._constants)}"
        self._constants[name] = np.ascontiguousarray(value, dtype)
        self.shapes[name] = self._constants[name].shape
        return name

    def between(self, name: str, shape: Shape) -> str:
        """The name of one more tensor."""
        self.shapes[name] = tuple(shape)
        return name

    def add(self, kind: str, inputs: Sequence[str], output: str, option: Any = None) -> None:
        """One more operator.

        :param option: the value of the option that _OPTIONS names
        """
        numbers = [self._number(name) for name in inputs], [self._number(output)]
        self._operators.append((kind, *numbers, option))

    def _number(self, name: str) -> int:
        return self._numbers.setdefault(name, len(self._numbers))

    def finished(self, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
        """The file."""
        ends = [[self._number(name) for name in names] for names in (inputs, outputs)]
        size = sum(value.nbytes + 64 for value in self._constants.values()) + 256 * (
            len(self._numbers) + len(self._operators)
        )
        b = self._new_builder(size)
        kinds = sorted({kind for kind, *_ in self._operators})
        buffers = [_table(b, 1, {})] + [_buffer(b, value) for value in self._constants.values()]
        place = {name: at for at, name in enumerate(self._constants, 1)}
        tensors = [self._tensor(b, name, place.get(name, 0)) for name in self._numbers]
        operators = [_operator(b, kinds.index(each[0]), *each) for each in self._operators]
        parts = {0: _tables(b, tensors), 1: _ints(b, ends[0]), 2: _ints(b, ends[1]), 3: _tables(b, operators)}
        graphs = _tables(b, [_table(b, 5, parts)])
        codes = _tables(b, [_code(b, KINDS[kind][0]) for kind in kinds])
        kept = _tables(b, buffers)
        b.StartObject(5)
        b.PrependUint32Slot(0, _VERSION, 0)
        for slot, offset in ((1, codes), (2, graphs), (4, kept)):
            b.PrependUOffsetTRelativeSlot(slot, offset, 0)
        b.Finish(b.EndObject(), b"TFL3")
        return bytes(b.Output())

    def _tensor(self, b: Any, name: str, buffer: int) -> int:
        value = self._constants.get(name)
        text, shape = b.CreateString(name), _ints(b, self.shapes[name])
        b.StartObject(4)
        b.PrependUOffsetTRelativeSlot(0, shape, 0)
        b.PrependInt8Slot(1, 0 if value is None else _TENSOR_TYPES[value.dtype], 0)
        b.PrependUint32Slot(2, buffer, 0)
        b.PrependUOffsetTRelativeSlot(3, text, 0)
        return b.EndObject()


def _code(b: Any, number: int) -> int:
    b.StartObject(4)
    b.PrependInt8Slot(0, min(number, 127), 0)  # where readers before 2020 look
    b.PrependInt32Slot(2, 1, 1)
    b.PrependInt32Slot(3, number, 0)
    return b.EndObject()


def _operator(b: Any, code: int, kind: str, inputs: list[int], outputs: list[int], option: Any) -> int:
    options = KINDS[kind][1]
    if options:
        b.StartObject(4)
        if option is not None:
            slot, write = _OPTIONS[kind]
            getattr(b, write)(slot, option, 0)
        table = b.EndObject()
    reads, writes = _ints(b, inputs), _ints(b, outputs)
    b.StartObject(5)
    b.PrependUint32Slot(0, code, 0)
    b.PrependUOffsetTRelativeSlot(1, reads, 0)
    b.PrependUOffsetTRelativeSlot(2, writes, 0)
    if options:
        b.PrependUint8Slot(3, options, 0)
        b.PrependUOffsetTRelativeSlot(4, table, 0)
    return b.EndObject()


def _buffer(b: Any, value: np.ndarray) -> int:
    content = value.tobytes()
    b.StartVector(1, len(content), 16)
    b.head -= len(content)
    b.Bytes[b.head : b.head + len(content)] = content
    return _table(b, 1, {0: b.EndVector()})


def _table(b: Any, slots: int, offsets: Mapping[int, int]) -> int:
    b.StartObject(slots)
    for slot, offset in offsets.items():
        b.PrependUOffsetTRelativeSlot(slot, offset, 0)
    return b.EndObject()


def _ints(b: Any, values: Sequence[int]) -> int:
    return b.CreateNumpyVector(np.asarray(values, np.int32))


def _tables(b: Any, offsets: Sequence[int]) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return b.EndVector()
