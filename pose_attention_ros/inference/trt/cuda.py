"""The dozen functions of the CUDA runtime that running an engine takes, through ctypes.

Not cuda-python: its wheels follow CUDA's newest versions, and the JetPacks of the boards (CUDA 10.2 to 12) have none that
fits, while libcudart is there wherever TensorRT is, with these functions unchanged since CUDA 10.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose_attention_ros.inference.trt.library import TensorRtUnavailable

LIBRARY_VARIABLE = "POSE_ATTENTION_CUDART"
_SONAMES = ("libcudart.so", "libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0", "libcudart.so.10.2")
_TO_DEVICE, _TO_HOST = 1, 2  # cudaMemcpyKind
_MAJOR, _MINOR = 75, 76  # cudaDevAttrComputeCapabilityMajor, ...Minor
# The structure grows with every CUDA; the name is its first member in all of them.
_PROPERTIES_BYTES, _NAME_BYTES = 8192, 256

_pointer, _size, _int = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
_SIGNATURES = {
    "cudaGetDevice": (ctypes.POINTER(_int),),
    "cudaGetDeviceProperties": (_pointer, _int),
    "cudaDeviceGetAttribute": (ctypes.POINTER(_int), _int, _int),
    "cudaMalloc": (ctypes.POINTER(_pointer), _size),
    "cudaFree": (_pointer,),
    "cudaHostAlloc": (ctypes.POINTER(_pointer), _size, ctypes.c_uint),
    "cudaFreeHost": (_pointer,),
    "cudaMemcpyAsync": (_pointer, _pointer, _size, _int, _pointer),
    "cudaStreamCreate": (ctypes.POINTER(_pointer),),
    "cudaStreamSynchronize": (_pointer,),
    "cudaStreamDestroy": (_pointer,),
}


@dataclass(frozen=True)
class Device:
    """A GPU: its name, and its compute capability such as "8.7"."""

    name: str
    compute_capability: str


class Cuda:
    """The current device of the CUDA runtime. Raises TensorRtUnavailable where there is no runtime, driver or GPU."""

    def __init__(self) -> None:
        self._library = _load()
        for name, arguments in _SIGNATURES.items():
            function = getattr(self._library, name)
            function.argtypes, function.restype = arguments, _int
        self._library.cudaGetErrorString.argtypes = (_int,)
        self._library.cudaGetErrorString.restype = ctypes.c_char_p
        self.device = self._device()

    def _device(self) -> Device:
        number, major, minor = _int(), _int(), _int()
        self.call("cudaGetDevice", ctypes.byref(number))
        self.call("cudaDeviceGetAttribute", ctypes.byref(major), _MAJOR, number)
        self.call("cudaDeviceGetAttribute", ctypes.byref(minor), _MINOR, number)
        properties = ctypes.create_string_buffer(_PROPERTIES_BYTES)
        self.call("cudaGetDeviceProperties", properties, number)
        name = properties.raw[:_NAME_BYTES].split(b"\0")[0].decode(errors="replace")
        return Device(name, f"{major.value}.{minor.value}")

    def call(self, name: str, *arguments: object) -> None:
        """Call a function of the runtime. Raises TensorRtUnavailable with CUDA's own words."""
        code = getattr(self._library, name)(*arguments)
        if code:
            reason = self._library.cudaGetErrorString(code) or b"unknown error"
            raise TensorRtUnavailable(f"CUDA: {reason.decode(errors='replace')} ({name}, error {code})")


class Stream:
    """Work of the GPU in order; everything that one binding does goes through one of these."""

    def __init__(self, cuda: Cuda) -> None:
        self._cuda = cuda
        handle = _pointer()
        cuda.call("cudaStreamCreate", ctypes.byref(handle))
        self.handle: int = handle.value or 0

    def wait(self) -> None:
        """Until all that was asked of it is done."""
        self._cuda.call("cudaStreamSynchronize", self.handle)

    def close(self) -> None:
        """Free it."""
        if self.handle:
            self._cuda.call("cudaStreamDestroy", self.handle)
            self.handle = 0


class Buffer:
    """One array twice: `host`, in memory that the GPU reads directly (pinned), and at `address` on the device."""

    def __init__(self, cuda: Cuda, shape: tuple[int, ...], dtype: type = np.float32) -> None:
        self._cuda = cuda
        self._bytes = max(int(np.prod(shape)) * np.dtype(dtype).itemsize, 1)
        device, host = _pointer(), _pointer()
        cuda.call("cudaMalloc", ctypes.byref(device), self._bytes)
        self.address: int = device.value
        try:
            cuda.call("cudaHostAlloc", ctypes.byref(host), self._bytes, 0)
        except TensorRtUnavailable:
            cuda.call("cudaFree", self.address)
            raise
        self._host_address: int = host.value
        memory = (ctypes.c_byte * self._bytes).from_address(self._host_address)
        self.host: np.ndarray = np.frombuffer(memoryview(memory), dtype, int(np.prod(shape))).reshape(shape)
        self.host[...] = 0

    def to_device(self, stream: Stream) -> None:
        """Queue the copy of `host`."""
        self._cuda.call("cudaMemcpyAsync", self.address, self._host_address, self._bytes, _TO_DEVICE, stream.handle)

    def to_host(self, stream: Stream) -> None:
        """Queue the copy into `host`."""
        self._cuda.call("cudaMemcpyAsync", self._host_address, self.address, self._bytes, _TO_HOST, stream.handle)

    def close(self) -> None:
        """Free both; `host` must not be touched afterwards."""
        if self.address:
            self._cuda.call("cudaFree", self.address)
            self._cuda.call("cudaFreeHost", self._host_address)
            self.address = 0


def _load() -> ctypes.CDLL:
    for name in _candidates():
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise TensorRtUnavailable(f"the CUDA runtime (libcudart) is not found; set {LIBRARY_VARIABLE} to its path")


def _candidates() -> Iterator[str]:
    """Names and paths under which libcudart may lie: the one the user names, the system's, those of pip's packages."""
    chosen = os.environ.get(LIBRARY_VARIABLE)
    if chosen:
        yield chosen
        return
    yield from _SONAMES
    found = ctypes.util.find_library("cudart")
    if found:
        yield found
    package = importlib.util.find_spec("nvidia")
    for folder in package.submodule_search_locations or () if package else ():
        yield from map(str, sorted(Path(folder).glob("*/lib/libcudart.so.*"), reverse=True))
