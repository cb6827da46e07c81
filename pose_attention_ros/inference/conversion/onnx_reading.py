"""Networks as ONNX files hold them, read without the package onnx, which a robot need not have.

An ONNX file is a protocol buffer: fields, each a number, a kind and a value. The numbers are those of onnx.proto (ONNX, the
specification's version 3); what is not named here is passed over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pose_attention_ros.core.errors import ModelError
from pose_attention_ros.inference.network_types import Shape

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # kinds of fields
_TYPES: dict[int, Any] = {1: np.dtype("<f4"), 6: np.dtype("<i4"), 7: np.dtype("<i8"), 9: np.dtype("?"), 11: np.dtype("<f8")}
_DATA = {4: "<f4", 7: "<i8"}  # fields of a tensor that hold its values one by one -> their type


@dataclass(frozen=True)
class Node:
    """One operator: what it reads and writes, by name; "" is an input that is left out."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """Operators in the order in which they run; constants by name; inputs and outputs, -1 where a length may vary."""

    nodes: tuple[Node, ...]
    constants: dict[str, np.ndarray]
    inputs: dict[str, Shape]
    outputs: dict[str, Shape]


def read_graph(content: bytes) -> Graph:
    """The network of an ONNX file. Raises ModelError where the file is none, or keeps what is not read here."""
    try:
        graph = _all(memoryview(content)).get(7, [])
        return _graph(graph[-1])
    except (ValueError, LookupError, TypeError, OverflowError, struct.error) as error:
        raise ModelError(f"this is no ONNX file that can be read: {error}") from None


def _graph(data: memoryview) -> Graph:
    parts = _all(data)
    constants = dict(_tensor(each) for each in parts.get(5, []))
    inputs = dict(_value(each) for each in parts.get(11, []))
    return Graph(
        tuple(_node(each) for each in parts.get(1, [])),
        constants,
        {name: shape for name, shape in inputs.items() if name not in constants},
        dict(_value(each) for each in parts.get(12, [])),
    )


def _node(data: memoryview) -> Node:
    parts = _all(data)
    domain = _text(parts.get(7, [b""])[-1])
    operator = _text(parts[4][-1])
    return Node(
        f"{domain}.{operator}" if domain else operator,
        tuple(map(_text, parts.get(1, []))),
        tuple(map(_text, parts.get(2, []))),
        dict(_attribute(each) for each in parts.get(5, [])),
    )


def _attribute(data: memoryview) -> tuple[str, Any]:
    parts = _all(data)
    for number, read in ((2, _float), (3, _signed), (4, bytes), (5, lambda value: _tensor(value)[1])):
        if number in parts:
            return _text(parts[1][-1]), read(parts[number][-1])
    floats = [value for each in parts.get(7, []) for value in np.frombuffer(each, "<f4").tolist()]
    return _text(parts[1][-1]), floats or _integers(parts.get(8, []))


def _tensor(data: memoryview) -> tuple[str, np.ndarray]:
    parts = _all(data)
    if parts.get(14, [0])[-1]:
        raise ValueError("its weights lie in another file")
    dtype, shape = _TYPES[parts[2][-1]], _integers(parts.get(1, []))
    name = _text(parts.get(8, [b""])[-1])
    if 9 in parts:
        return name, np.frombuffer(parts[9][-1], dtype).reshape(shape)
    for number, kind in _DATA.items():
        if number in parts and np.dtype(kind) == dtype:
            values = _integers(parts[number]) if number == 7 else np.concatenate([np.frombuffer(v, kind) for v in parts[4]])
            return name, np.array(values, dtype).reshape(shape)
    return name, np.zeros(shape, dtype).reshape(shape) if 0 in shape else _refuse(name)


def _refuse(name: str) -> np.ndarray:
    raise ValueError(f"the values of {name!r} are kept in a way that is not read here")


def _value(data: memoryview) -> tuple[str, Shape]:
    parts = _all(data)
    tensor = _all(_all(parts[2][-1])[1][-1])
    if tensor[1][-1] != 1:
        raise ValueError("an input or output is not float32")
    dims = [_all(each) for each in _all(tensor[2][-1]).get(1, [])]
    return _text(parts[1][-1]), tuple(_signed(dim[1][-1]) if 1 in dim else -1 for dim in dims)


def _integers(values: list[Any]) -> list[int]:
    """Of a repeated field, one by one or packed."""
    found: list[int] = []
    for value in values:
        if isinstance(value, int):
            found.append(_signed(value))
            continue
        at = 0
        while at < len(value):
            number, at = _varint(value, at)
            found.append(_signed(number))
    return found


def _all(data: memoryview) -> dict[int, list[Any]]:
    """Number of a field -> its values in the order of the file."""
    found: dict[int, list[Any]] = {}
    for number, value in _fields(data):
        found.setdefault(number, []).append(value)
    return found


def _fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = _varint(data, at)
        else:
            length = {_FIXED64: 8, _FIXED32: 4}[kind]
        if at + length > len(data):
            raise ValueError("it ends in the middle")
        yield number, data[at : at + length]
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Seven bits a byte, the lowest first; and where the next thing begins."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number is longer than ten bytes")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _float(value: memoryview) -> float:
    return struct.unpack("<f", value)[0]


def _text(value: Any) -> str:
    return bytes(value).decode()
