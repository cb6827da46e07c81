"""An ONNX file becomes a TensorRT engine: parsing, precision, shapes, int8 calibration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from pose_attention_ros.inference.network_types import NetworkFile, Profile, Shape
from pose_attention_ros.inference.trt.cuda import Buffer, Cuda, Stream
from pose_attention_ros.inference.trt.library import Library, TensorRtUnavailable

# Memory that the engine's layers may use besides their tensors; a Nano has 4 GB for everything.
_WORKSPACE_BYTES = 256 << 20


def build_engine(
    library: Library,
    file: NetworkFile,
    profile: Profile,
    calibration: Iterable[np.ndarray] | None = None,
    compute_capability: str = "",
) -> bytes:
    """The serialised engine of `file`.

    :param file: its precision says in what numbers layers may compute. An int8 file brings its own ranges (quantise and
        dequantise nodes); where int8 is asked of a file without, `calibration` finds them.
    :param calibration: inputs of the network's one input, each of the profile's best shape
    :param compute_capability: such as "8.6", for a GPU that is not this machine's; "" for the one here
    :raises TensorRtUnavailable: this library cannot build it, with the reason
    """
    trt, logger = library.module, library.logger
    builder = trt.Builder(logger)
    network = builder.create_network(_network_flags(trt))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(file.content):
        reasons = "; ".join(parser.get_error(i).desc() for i in range(parser.num_errors))
        raise TensorRtUnavailable(f"TensorRT {library.version} cannot read {file.name}: {' '.join(reasons.split())}")
    config = builder.create_builder_config()
    if hasattr(config, "set_memory_pool_limit"):
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, _WORKSPACE_BYTES)
    else:
        config.max_workspace_size = _WORKSPACE_BYTES
    _choose_gpu(library, config, compute_capability)
    shapes = _profile(builder, network, profile)
    if shapes is not None:
        config.add_optimization_profile(shapes)
    calibrator = _choose_precision(library, config, network, file, profile, calibration, shapes)
    try:
        engine = builder.build_serialized_network(network, config)
    finally:
        if calibrator is not None:
            calibrator.close()
    if engine is None:
        raise TensorRtUnavailable(
            f"TensorRT {library.version} cannot build {file.name} in {file.precision}: "
            f"{logger.newest_error or 'it does not say why'}"
        )
    return bytes(engine)


def _network_flags(trt: Any) -> int:
    """Batch as an ordinary axis: a flag up to 9, the only way from 10 on."""
    explicit = getattr(trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH", None)
    return 0 if explicit is None else 1 << int(explicit)


def _choose_gpu(library: Library, config: Any, compute_capability: str) -> None:
    if not compute_capability:
        return
    name = "SM" + compute_capability.replace(".", "")
    known = getattr(library.module, "ComputeCapability", None)
    if not library.builds_without_gpu or not hasattr(known, name):
        raise TensorRtUnavailable(
            f"{library.name} {library.version} cannot build for compute capability "
            f"{compute_capability} on this machine; leave it out on the machine that has the GPU"
        )
    config.num_compute_capabilities = 1
    config.set_compute_capability(getattr(known, name), 0)


def _profile(builder: Any, network: Any, profile: Profile) -> Any | None:
    """The ranges of the inputs that vary; None where none does. Raises TensorRtUnavailable for shapes that do not fit."""
    shapes, varies = builder.create_optimization_profile(), False
    for tensor in (network.get_input(i) for i in range(network.num_inputs)):
        if tensor.name not in profile or len(profile[tensor.name].best) != len(tensor.shape):
            raise TensorRtUnavailable(f"input {tensor.name!r} of shape {tuple(tensor.shape)} wants a range of shapes")
        if any(size < 0 for size in tensor.shape):
            ranges = profile[tensor.name]
            shapes.set_shape(tensor.name, ranges.least, ranges.best, ranges.most)
            varies = True
    return shapes if varies else None


def _choose_precision(
    library: Library,
    config: Any,
    network: Any,
    file: NetworkFile,
    profile: Profile,
    calibration: Iterable[np.ndarray] | None,
    shapes: Any | None,
) -> Any | None:
    """Set the flags; returns the calibrator, which must outlive the build, where there is one."""
    trt, quantised = library.module, _is_quantised(trt=library.module, network=network)
    if file.precision == "fp32":
        return None
    if not library.chooses_precision:
        if quantised or (file.precision == "fp16" and _is_half(trt, network)):
            return None
        raise TensorRtUnavailable(
            f"{library.name} {library.version} computes in the numbers of the ONNX file, and "
            f"{file.name} is in fp32; {file.precision} wants a file in {file.precision}"
        )
    config.set_flag(trt.BuilderFlag.FP16)
    if file.precision == "fp16":
        return None
    config.set_flag(trt.BuilderFlag.INT8)
    if quantised:
        return None
    if calibration is None or not library.calibrates:
        raise TensorRtUnavailable(
            f"{file.name} brings no int8 ranges; run: pose-attention export tensorrt --model "
            f"{file.name} --precision int8 --calibration FOLDER_OF_IMAGES"
        )
    (only,) = profile.values()
    calibrator = make_calibrator(library, only.best, calibration)
    config.int8_calibrator = calibrator
    if shapes is not None:
        config.set_calibration_profile(shapes)
    return calibrator


def _is_quantised(trt: Any, network: Any) -> bool:
    """Whether the network brings its own int8 ranges."""
    quantise = getattr(trt.LayerType, "QUANTIZE", None)
    return quantise is not None and any(network.get_layer(i).type == quantise for i in range(network.num_layers))


def _is_half(trt: Any, network: Any) -> bool:
    """Whether the file itself computes in half precision."""
    return any(network.get_layer(i).get_output(0).dtype == trt.float16 for i in range(network.num_layers))


def make_calibrator(library: Library, shape: Shape, samples: Iterable[np.ndarray]) -> Any:
    """An entropy calibrator of this library over arrays of `shape`, the network's one input."""

    class Calibrator(library.module.IInt8EntropyCalibrator2):  # type: ignore[name-defined]  # known when it runs
        """Hands samples to TensorRT one by one, in device memory."""

        def __init__(self) -> None:
            library.module.IInt8EntropyCalibrator2.__init__(self)
            self._samples: Iterator[np.ndarray] = iter(samples)
            cuda = Cuda()
            self._stream, self._buffer = Stream(cuda), Buffer(cuda, shape)

        def get_batch_size(self) -> int:
            """Samples a batch."""
            return 1

        def get_batch(self, names: list[str]) -> list[int] | None:
            """Address of the next sample; None after the last."""
            sample = next(self._samples, None)
            if sample is None:
                return None
            self._buffer.host[...] = sample
            self._buffer.to_device(self._stream)
            self._stream.wait()
            return [self._buffer.address]

        def read_calibration_cache(self) -> None:
            """The engine is what is kept."""
            return None

        def write_calibration_cache(self, cache: Any) -> None:
            """Not kept."""

        def close(self) -> None:
            """Free the memory."""
            self._buffer.close()
            self._stream.close()

    return Calibrator()
