"""Runs a .tflite network on the CPU through LiteRT (XNNPACK)."""

from __future__ import annotations

import importlib

import numpy as np

from pose_attention_ros.core.errors import ModelError
from pose_attention_ros.core.machine.library_output import quiet_native_stderr

# Module names under which the same interpreter is shipped, newest first.
_RUNTIMES = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")


class LiteRtNetwork:
    """One input tensor in, every output tensor out; the input may change its shape from call to call.

    :param content: the verified bytes of a .tflite file
    :param threads: CPU threads of the XNNPACK delegate
    :raises ModelError: no LiteRT is installed, or it cannot read the file
    """

    backend = "litert-cpu"

    def __init__(self, content: bytes, threads: int) -> None:
        interpreter = interpreter_class()
        try:
            with quiet_native_stderr():
                self._interpreter = interpreter(model_content=content, num_threads=threads)
        except ValueError as error:
            raise ModelError(f"LiteRT cannot read the model: {error}") from None
        (source,) = self._interpreter.get_input_details()
        self._input, self._outputs = source["index"], [sink["index"] for sink in self._interpreter.get_output_details()]
        self._shape: tuple[int, ...] | None = None

    def __call__(self, batch: np.ndarray) -> list[np.ndarray]:
        """batch: the network's input, contiguous; the answers are copies, in the order of the file."""
        if batch.shape != self._shape:
            with quiet_native_stderr():
                self._interpreter.resize_tensor_input(self._input, batch.shape, strict=True)
                self._interpreter.allocate_tensors()
            self._shape = batch.shape
        self._interpreter.set_tensor(self._input, batch)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]

    def close(self) -> None:
        """Free the network's memory."""
        self._interpreter = None


def interpreter_class() -> type:
    """LiteRT's interpreter. Raises ModelError where none is installed."""
    broken = ""
    for name in _RUNTIMES:
        try:
            return importlib.import_module(name).Interpreter
        except ImportError as error:
            if not (isinstance(error, ModuleNotFoundError) and error.name and name.startswith(error.name)):
                broken = broken or f"{name} is installed but cannot be loaded: {error}"  # a library of its own is missing
    raise ModelError(
        f"MoveNet needs LiteRT: {broken}"
        if broken
        else "MoveNet needs LiteRT, which is not installed; run: pip install ai-edge-litert"
    )
