"""Runs a network on TensorRT: its engine out of the cache or built, pinned buffers, one stream, no allocation a frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pose_attention_ros.core.errors import ModelError
from pose_attention_ros.inference.network_types import NetworkFile, Profile, Shape, check_shapes
from pose_attention_ros.inference.trt.build import build_engine
from pose_attention_ros.inference.trt.cache import EngineKey, cached_engine, load_engine
from pose_attention_ros.inference.trt.cuda import Buffer, Cuda, Stream
from pose_attention_ros.inference.trt.library import Library, TensorRtUnavailable, find_library


def has_engine(file: NetworkFile, profile: Profile) -> bool:
    """Whether this machine's cache holds an engine that fits, so that none need be built."""
    try:
        key = EngineKey.of(file, profile, find_library(), Cuda().device)
    except TensorRtUnavailable:
        return False
    return load_engine(key)[0] is not None


class TensorRtNetwork:
    """See networks.Network.

    :param profile: the shapes that the inputs may have; the engine is made for them
    :raises TensorRtUnavailable: no TensorRT, CUDA or GPU, or the engine cannot be built
    """

    def __init__(self, file: NetworkFile, profile: Profile) -> None:
        self._name, self._profile = file.name, profile
        library = find_library()
        self._cuda = Cuda()
        key = EngineKey.of(file, profile, library, self._cuda.device)
        self._runtime = library.module.Runtime(library.logger)
        self._engine = cached_engine(
            key, lambda: build_engine(library, file, profile), self._runtime.deserialize_cuda_engine
        )
        if self._engine is None:
            raise TensorRtUnavailable(
                f"TensorRT {library.version} cannot load the engine of {file.name} that it built: "
                f"{library.logger.newest_error or 'it does not say why'}"
            )
        tensors = _tensors(library, self._engine)
        self.inputs, self.outputs = tensors.inputs, tensors.outputs
        self.backend = f"tensorrt-{file.precision}"
        # Before 8.6 two contexts cannot share the engine's one range of shapes, so all bindings take turns on one.
        self._turns = _Turns(self._engine.create_execution_context(), tensors, Stream(self._cuda))
        self._bindings: list[TensorRtBinding] = []

    def bind(self, shapes: Mapping[str, Shape], outputs: Sequence[str] = ()) -> TensorRtBinding:
        """See networks.Network."""
        check_shapes(shapes, self.inputs)
        for name, allowed in self._profile.items():
            if not allowed.holds(tuple(shapes[name])):
                raise ModelError(
                    f"input {name!r} of {self._name} has shape {tuple(shapes[name])}, its engine takes {allowed}"
                )
        binding = TensorRtBinding(self._cuda, self._turns, dict(shapes), tuple(outputs) or tuple(self.outputs))
        self._bindings.append(binding)
        return binding

    def close(self) -> None:
        """Free the engine and all buffers."""
        for binding in self._bindings:
            binding.close()
        self._bindings.clear()
        self._turns.stream.close()
        self._engine = self._runtime = self._turns = None


class TensorRtBinding:
    """See networks.Binding: fixed shapes, and their buffers in pinned and device memory."""

    def __init__(self, cuda: Cuda, turns: _Turns, shapes: dict[str, Shape], wanted: tuple[str, ...]) -> None:
        self._turns, self.shapes = turns, shapes
        found = turns.output_shapes(shapes)
        self._buffers = {name: Buffer(cuda, shape) for name, shape in {**shapes, **found}.items()}
        self.addresses = {name: buffer.address for name, buffer in self._buffers.items()}
        self.inputs: dict[str, np.ndarray] = {name: self._buffers[name].host for name in shapes}
        self.outputs: dict[str, np.ndarray] = {name: self._buffers[name].host for name in wanted}
        self._placed: dict[str, np.ndarray] = {}  # outputs that are copied there

    def __call__(self) -> None:
        """Copy the inputs over, compute, copy the wanted outputs back, wait."""
        stream = self._turns.stream
        for name in self.inputs:
            self._buffers[name].to_device(stream)
        if not self._turns.run(self):
            raise ModelError("TensorRT refused to run the network; restart the node, and see its log at level debug")
        for name in self.outputs:
            self._buffers[name].to_host(stream)
        stream.wait()
        for name, array in self._placed.items():
            array[:] = self._buffers[name].host

    def place(self, name: str, array: np.ndarray) -> None:
        """See networks.Binding; copied, because the device reads and writes memory of its own."""
        if name in self.inputs:
            self.inputs[name][:] = array
        else:
            self._placed[name] = self.outputs[name] = array

    def fetch(self, name: str) -> np.ndarray:
        """See networks.Binding: copied back now."""
        self._buffers[name].to_host(self._turns.stream)
        self._turns.stream.wait()
        return self._buffers[name].host

    def close(self) -> None:
        """Free the buffers."""
        for buffer in self._buffers.values():
            buffer.close()
        self._buffers.clear()


class _Turns:
    """One execution context and one stream for all bindings of a network; shapes and addresses are set when another binding
    comes to its turn."""

    def __init__(self, context: Any, tensors: NamedTensors | NumberedTensors, stream: Stream) -> None:
        self._context, self._tensors, self.stream = context, tensors, stream
        self._current: TensorRtBinding | None = None
        self._execute: Callable[[int], bool] | None = None

    def output_shapes(self, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
        """What the outputs measure for inputs of `shapes`."""
        self._current = None
        return self._tensors.set_shapes(self._context, shapes)

    def run(self, binding: TensorRtBinding) -> bool:
        """Queue the network; False where TensorRT refuses."""
        if self._current is not binding:
            self._tensors.set_shapes(self._context, binding.shapes)
            self._execute = self._tensors.prepare(self._context, binding.addresses)
            self._current = binding
        return self._execute(self.stream.handle)


class NamedTensors:
    """TensorRT from 8.5 on: everything goes by the tensor's name."""

    def __init__(self, module: Any, engine: Any) -> None:
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        shapes = {name: tuple(engine.get_tensor_shape(name)) for name in names}
        reads = {name for name in names if engine.get_tensor_mode(name) == module.TensorIOMode.INPUT}
        _check_types({name: engine.get_tensor_dtype(name) for name in names}, module)
        self.inputs = {name: shapes[name] for name in names if name in reads}
        self.outputs = {name: shapes[name] for name in names if name not in reads}

    def set_shapes(self, context: Any, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
        """Fix the inputs' shapes; returns those of the outputs."""
        for name, shape in shapes.items():
            if not context.set_input_shape(name, shape):
                raise ModelError(f"TensorRT does not take {tuple(shape)} as shape of {name!r}")
        return {name: tuple(context.get_tensor_shape(name)) for name in self.outputs}

    def prepare(self, context: Any, addresses: Mapping[str, int]) -> Callable[[int], bool]:
        """Tell the context where the tensors are; returns what runs it on a stream's handle."""
        for name, address in addresses.items():
            context.set_tensor_address(name, address)
        return context.execute_async_v3


class NumberedTensors:
    """TensorRT before 8.5 (JetPack 4): bindings by number."""

    def __init__(self, module: Any, engine: Any) -> None:
        self._names = [engine.get_binding_name(i) for i in range(engine.num_bindings)]
        shapes = {name: tuple(engine.get_binding_shape(i)) for i, name in enumerate(self._names)}
        reads = [name for i, name in enumerate(self._names) if engine.binding_is_input(i)]
        _check_types({name: engine.get_binding_dtype(i) for i, name in enumerate(self._names)}, module)
        self.inputs = {name: shapes[name] for name in reads}
        self.outputs = {name: shapes[name] for name in self._names if name not in reads}

    def set_shapes(self, context: Any, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
        """See NamedTensors."""
        for name, shape in shapes.items():
            if not context.set_binding_shape(self._names.index(name), shape):
                raise ModelError(f"TensorRT does not take {tuple(shape)} as shape of {name!r}")
        return {name: tuple(context.get_binding_shape(self._names.index(name))) for name in self.outputs}

    def prepare(self, context: Any, addresses: Mapping[str, int]) -> Callable[[int], bool]:
        """See NamedTensors."""
        bindings = [addresses[name] for name in self._names]
        return lambda stream: context.execute_async_v2(bindings, stream)


def _tensors(library: Library, engine: Any) -> NamedTensors | NumberedTensors:
    return (NamedTensors if library.named_tensors else NumberedTensors)(library.module, engine)


def _check_types(types: Mapping[str, Any], module: Any) -> None:
    """Inputs and outputs stay float32, whatever the layers compute in."""
    other = [name for name, found in types.items() if found != module.float32]
    if other:
        raise ModelError(
            f"the engine's {', '.join(other)} are not float32; export the network with float32 inputs and outputs"
        )
