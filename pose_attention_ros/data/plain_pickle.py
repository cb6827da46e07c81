"""Reads pickles of arrays, numbers, texts and containers without running or trusting anything that they say.

Whatever a pickle names is replaced by a stand-in of ours that checks what it is given: NumPy's own way to restore an array
from a pickle crashes the process on damaged numbers, and the compiled unpickler takes a damaged number for the size of a
table and fills the memory with it.
"""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

_NUMBERS = re.compile(r"[fiub][1248]")
_ORDERS = {"C": "C", "F": "F"}


def load_plain(file: BinaryIO) -> Any:
    """The content of the pickle. Raises UnpicklingError, or what Python's unpickler raises on damaged bytes."""
    return _resolved(_PlainUnpickler(file).load())


class _PlainUnpickler(pickle._Unpickler):
    """Python's own unpickler, which keeps its tables in dicts."""

    def find_class(self, module: str, name: str) -> Any:
        known = _STAND_INS.get((module.replace("numpy._core", "numpy.core"), name))
        if known is None:
            raise pickle.UnpicklingError(f"it would run {module}.{name}, which no skeleton file needs")
        return known


class _Kind:
    """numpy.dtype: a number of 1 to 8 bytes, in either byte order."""

    def __init__(self, code: str, *_flags: Any) -> None:
        if not isinstance(code, str) or not _NUMBERS.fullmatch(code):
            raise pickle.UnpicklingError(f"it holds an array of {code!r}, expected numbers")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        if state[1] == ">":
            self.dtype = self.dtype.newbyteorder(">")


class _Array:
    """numpy.ndarray, restored when everything has been read."""

    def __init__(self, *_how: Any) -> None:
        self.values = np.zeros(0)

    def __setstate__(self, state: tuple) -> None:
        _version, shape, kind, fortran, content = state
        self.values = _values(content, kind, shape, "F" if fortran else "C")


def _values(content: Any, kind: Any, shape: Any, order: str) -> np.ndarray:
    """An array from its bytes. Raises UnpicklingError where they are not that many."""
    if not isinstance(kind, _Kind) or not isinstance(content, (bytes, bytearray)):
        raise pickle.UnpicklingError("it holds an array of something else than numbers")
    if not isinstance(shape, tuple) or not all(type(length) is int and length >= 0 for length in shape):
        raise pickle.UnpicklingError(f"it holds an array of shape {shape!r}")
    if math.prod(shape) * kind.dtype.itemsize != len(content):
        raise pickle.UnpicklingError(f"an array of shape {shape} has {len(content)} bytes")
    return np.frombuffer(content, kind.dtype).reshape(shape, order=_ORDERS[order])


def _buffer(content: Any, kind: Any, shape: Any, order: str) -> np.ndarray:
    return _values(
        bytes(content) if isinstance(content, (bytes, bytearray, pickle.PickleBuffer)) else content, kind, shape, order
    )


def _scalar(kind: Any, content: Any) -> Any:
    return _values(content, kind, (), "C")[()]


def _encode(text: str, encoding: str) -> bytes:
    """How old pickles write bytes."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it encodes a text as {encoding!r}, expected latin1")
    return text.encode("latin1")


_STAND_INS: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Kind,
    ("_codecs", "encode"): _encode,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _buffer,
}


def _resolved(content: Any) -> Any:
    """The content with arrays in the place of their stand-ins; containers that hold themselves raise RecursionError."""
    if isinstance(content, _Array):
        return content.values
    if isinstance(content, dict):
        return {key: _resolved(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return type(content)(_resolved(value) for value in content)
    return content
