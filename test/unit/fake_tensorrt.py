"""TensorRT's Python API as far as the package calls it, on ONNX Runtime and test/unit/fake_cudart.c.

As the real one: an engine is bytes that fit one version and one GPU; a context reads and writes device memory at addresses,
in a stream; shapes outside the profile are refused. The API before 8.5 has numbered bindings, that from 8.5 on named
tensors, and neither has the other's calls, so that a wrong one shows. Before 8.6 a second context gets no shapes.
"""

from __future__ import annotations

import ctypes
import json
from enum import Enum
from types import ModuleType, SimpleNamespace

import numpy as np

NAMED, NUMBERED = "10.3.0", "8.2.1"


def make_tensorrt(version: str, cudart: ctypes.CDLL, *, gpu: str = "here") -> ModuleType:
    """A module to stand as `tensorrt` in sys.modules. `built` (list) keeps what each build was asked for; `refuses` (set of
    bytes) engines that deserialising refuses."""
    import onnx
    import onnxruntime

    trt = ModuleType("tensorrt")
    trt.__version__, trt.float32, trt.built, trt.refuses = version, "float32", [], set()
    named = int(version.split(".")[0]) > 8 or version >= "8.5"
    shares_profiles = int(version.split(".")[0]) > 8 or version >= "8.6"
    flags = Enum("BuilderFlag", ["FP16", "INT8"])
    trt.BuilderFlag = flags
    trt.LayerType = SimpleNamespace(QUANTIZE="quantize")
    trt.MemoryPoolType = SimpleNamespace(WORKSPACE="workspace")
    trt.TensorIOMode = SimpleNamespace(INPUT="input", OUTPUT="output")
    trt.NetworkDefinitionCreationFlag = SimpleNamespace(EXPLICIT_BATCH=0)

    class ILogger:
        INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)

    class IInt8EntropyCalibrator2:
        pass

    class Network:
        def __init__(self, explicit: int) -> None:
            assert explicit == 1  # EXPLICIT_BATCH

        def fill(self, content: bytes) -> None:
            self.content = content
            session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
            self._inputs = [
                SimpleNamespace(name=node.name, shape=tuple(n if isinstance(n, int) else -1 for n in node.shape))
                for node in session.get_inputs()
            ]
            self.num_inputs = len(self._inputs)
            kinds = [node.op_type for node in onnx.load_from_string(content).graph.node]
            self._layers = [
                SimpleNamespace(type=trt.LayerType.QUANTIZE if kind == "QuantizeLinear" else kind) for kind in kinds
            ]
            self.num_layers = len(kinds)

        def get_input(self, i: int):
            return self._inputs[i]

        def get_layer(self, i: int):
            return self._layers[i]

    class OnnxParser:
        def __init__(self, network: Network, logger: ILogger) -> None:
            self._network, self._logger, self.num_errors = network, logger, 0

        def parse(self, content: bytes) -> bool:
            try:
                self._network.fill(content)
            except Exception as error:
                self._said, self.num_errors = str(error).splitlines()[0], 1
                return False
            return True

        def get_error(self, i: int):
            return SimpleNamespace(desc=lambda: self._said)

    class Profile(dict):
        def set_shape(self, name: str, least, best, most) -> None:
            self[name] = [list(least), list(best), list(most)]

    class Config:
        def __init__(self) -> None:
            self.flags, self.profile, self.int8_calibrator, self.calibration_profile = set(), None, None, None
            if named:
                self.set_memory_pool_limit = lambda pool, size: setattr(self, "workspace", size)

        def set_flag(self, flag) -> None:
            self.flags.add(flags(flag).name)

        def add_optimization_profile(self, profile: Profile) -> int:
            self.profile = profile
            return 0

        def set_calibration_profile(self, profile: Profile) -> bool:
            self.calibration_profile = profile
            return True

    class Builder:
        def __init__(self, logger: ILogger) -> None:
            self._logger = logger

        def create_network(self, explicit: int) -> Network:
            return Network(explicit)

        def create_builder_config(self) -> Config:
            return Config()

        def create_optimization_profile(self) -> Profile:
            return Profile()

        def build_serialized_network(self, network: Network, config: Config):
            assert getattr(config, "workspace", 0) or config.max_workspace_size
            dynamic = [network.get_input(i).name for i in range(network.num_inputs) if -1 in network.get_input(i).shape]
            if set(dynamic) - set(config.profile or ()):
                self._logger.log(ILogger.ERROR, "a dynamic input has no optimization profile")
                return None
            samples = _calibrate(config, cudart) if config.int8_calibrator else []
            trt.built.append(SimpleNamespace(flags=config.flags, samples=samples, profile=config.profile))
            header = {"version": version, "gpu": gpu, "profile": config.profile or {}}
            return json.dumps(header).encode() + b"\n" + network.content

    class Runtime:
        def __init__(self, logger: ILogger) -> None:
            self._logger = logger

        def deserialize_cuda_engine(self, content: bytes):
            header, _, onnx_content = content.partition(b"\n")
            header = json.loads(header)
            if content in trt.refuses or (header["version"], header["gpu"]) != (version, gpu):
                self._logger.log(ILogger.ERROR, "the engine plan file is not compatible with this version of TensorRT")
                return None
            return ICudaEngine(onnx_content, header["profile"])

    class Engine:
        def __init__(self, content: bytes, profile: dict) -> None:
            self._session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
            self._profile, self.contexts = profile, 0
            nodes = (*self._session.get_inputs(), *self._session.get_outputs())
            self._shapes = {node.name: tuple(n if isinstance(n, int) else -1 for n in node.shape) for node in nodes}
            self._inputs, self._names = {node.name for node in self._session.get_inputs()}, [node.name for node in nodes]

        def create_execution_context(self):
            self.contexts += 1
            return (NamedContext if named else NumberedContext)(self)

    class NamedEngine(Engine):
        @property
        def num_io_tensors(self) -> int:
            return len(self._names)

        def get_tensor_name(self, i: int) -> str:
            return self._names[i]

        def get_tensor_shape(self, name: str):
            return self._shapes[name]

        def get_tensor_mode(self, name: str):
            return trt.TensorIOMode.INPUT if name in self._inputs else trt.TensorIOMode.OUTPUT

        def get_tensor_dtype(self, name: str):
            return trt.float32

    class NumberedEngine(Engine):
        @property
        def num_bindings(self) -> int:
            return len(self._names)

        def get_binding_name(self, i: int) -> str:
            return self._names[i]

        def get_binding_shape(self, i: int):
            return self._shapes[self._names[i]]

        def binding_is_input(self, i: int) -> bool:
            return self._names[i] in self._inputs

        def get_binding_dtype(self, i: int):
            return trt.float32

    class Context:
        def __init__(self, engine: Engine) -> None:
            self._engine, self._shapes, self._callbacks = engine, {}, []

        def _set_shape(self, name: str, shape) -> bool:
            if self._engine.contexts > 1 and not shares_profiles:
                return False
            least, _, most = self._engine._profile.get(name, [self._engine._shapes[name]] * 3)
            if len(shape) != len(least) or not all(a <= n <= b for a, n, b in zip(least, shape, most)):
                return False
            self._shapes[name] = tuple(shape)
            return True

        def _shape(self, name: str):
            if name in self._engine._inputs:
                return self._shapes[name]
            session = self._engine._session
            zeros = {each: np.zeros(self._shapes[each], np.float32) for each in self._engine._inputs}
            return session.run([name], zeros)[0].shape

        def _enqueue(self, addresses: dict[str, int], stream: int) -> bool:
            shapes = {name: self._shape(name) for name in self._engine._names}

            def memory(name: str) -> np.ndarray:
                count = int(np.prod(shapes[name]))
                assert cudart.fake_is_device(ctypes.c_void_p(addresses[name]), ctypes.c_size_t(4 * count)), name
                floats = (ctypes.c_float * count).from_address(addresses[name])
                return np.frombuffer(floats, np.float32).reshape(shapes[name])

            def run() -> None:
                names = [name for name in self._engine._names if name not in self._engine._inputs]
                found = self._engine._session.run(names, {name: memory(name) for name in self._engine._inputs})
                for name, value in zip(names, found):
                    memory(name)[...] = value

            if set(addresses) != set(self._engine._names):
                return False
            callback = ctypes.CFUNCTYPE(None)(run)
            self._callbacks = [*self._callbacks[-8:], callback]  # alive until the stream has called it
            cudart.fake_enqueue(ctypes.c_void_p(stream), callback)
            return True

    class NamedContext(Context):
        def __init__(self, engine: Engine) -> None:
            super().__init__(engine)
            self._addresses: dict[str, int] = {}

        def set_input_shape(self, name: str, shape) -> bool:
            return self._set_shape(name, shape)

        def get_tensor_shape(self, name: str):
            return self._shape(name)

        def set_tensor_address(self, name: str, address: int) -> bool:
            self._addresses[name] = address
            return True

        def execute_async_v3(self, stream: int) -> bool:
            return self._enqueue(self._addresses, stream)

    class NumberedContext(Context):
        def set_binding_shape(self, i: int, shape) -> bool:
            return self._set_shape(self._engine._names[i], shape)

        def get_binding_shape(self, i: int):
            return self._shape(self._engine._names[i])

        def execute_async_v2(self, bindings: list[int], stream: int) -> bool:
            return self._enqueue(dict(zip(self._engine._names, bindings)), stream)

    class IBuilderConfig:
        pass

    ICudaEngine = NamedEngine if named else NumberedEngine
    for kind in (ILogger, IInt8EntropyCalibrator2, OnnxParser, Builder, Runtime, IBuilderConfig):
        setattr(trt, kind.__name__, kind)
    trt.ICudaEngine = ICudaEngine
    return trt


def _calibrate(config, cudart: ctypes.CDLL) -> list[np.ndarray]:
    """The samples that the calibrator hands out, read from device memory as TensorRT does."""
    ((name, (_, best, _)),) = config.calibration_profile.items()
    calibrator, samples = config.int8_calibrator, []
    assert calibrator.get_batch_size() == 1 and calibrator.read_calibration_cache() is None
    while (addresses := calibrator.get_batch([name])) is not None:
        count = int(np.prod(best))
        assert cudart.fake_is_device(ctypes.c_void_p(addresses[0]), ctypes.c_size_t(4 * count))
        samples.append(np.frombuffer((ctypes.c_float * count).from_address(addresses[0]), np.float32).reshape(best).copy())
    calibrator.write_calibration_cache(b"")
    return samples
