"""What runs a network that is stored as ONNX: ONNX Runtime, and the choice of the runtime; protocol: `network_types.py`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pose_attention_ros.core.errors import ModelError
from pose_attention_ros.inference.network_types import Network, NetworkFile, Profile, Shape, check_shapes

# What a `runtime` setting may say; the first is the default.
RUNTIMES = ("onnx", "cuda", "tensorrt", "tensorrt_only")
# The same for a recogniser, and in core.config.setting's words.
SMALL_RUNTIMES = ("auto", *RUNTIMES)
SMALL_RUNTIME_DOC = (
    "what computes: auto (LiteRT on the CPU, or ONNX Runtime for what LiteRT does not take); onnx (ONNX Runtime); cuda (the "
    "same, on an NVIDIA GPU only); tensorrt, with ONNX Runtime where it is missing; or tensorrt_only"
)
PRECISIONS = ("fp32", "fp16", "int8")
_GPU_PROVIDER, _CPU_PROVIDER = "CUDAExecutionProvider", "CPUExecutionProvider"
_log = logging.getLogger(__name__)


class OnnxNetwork:
    """ONNX Runtime, on an NVIDIA GPU where its CUDA provider is installed and wanted, else on the CPU.

    :param threads: CPU threads of one run; they do not spin between runs
    :param small: a network of small operations, which is faster without a GPU
    :raises ModelError: the file is no ONNX network that this version of ONNX Runtime reads
    """

    def __init__(self, file: NetworkFile, threads: int = 1, small: bool = True) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        wanted = [_CPU_PROVIDER] if small else [_GPU_PROVIDER, _CPU_PROVIDER]
        providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
        try:
            self._session = onnxruntime.InferenceSession(file.content, options, providers=providers)
        except Exception as error:  # onnxruntime raises its own kinds, without a common public base
            raise ModelError(f"model {file.name!r} cannot be loaded: {str(error).splitlines()[0]}") from None
        # A provider that is installed but finds no device steps back without an error.
        self.backend = "onnx-cuda" if self._session.get_providers()[0] == _GPU_PROVIDER else "onnx-cpu"
        self.inputs = {node.name: _shape(node.shape) for node in self._session.get_inputs()}
        self.outputs = {node.name: _shape(node.shape) for node in self._session.get_outputs()}

    def bind(self, shapes: Mapping[str, Shape], outputs: Sequence[str] = ()) -> OnnxBinding:
        """See Network."""
        check_shapes(shapes, self.inputs)
        ordered = {name: shapes[name] for name in self.inputs}
        return OnnxBinding(self._session, ordered, tuple(outputs) or tuple(self.outputs))

    def close(self) -> None:
        """Free the network's memory."""
        self._session = None


class OnnxBinding:
    """See Binding. ONNX Runtime computes every output of the graph, so that fetching one costs nothing."""

    def __init__(self, session: Any, shapes: dict[str, Shape], outputs: tuple[str, ...]) -> None:
        from onnxruntime import OrtValue

        self._session, self._binding, self._value_of = session, session.io_binding(), OrtValue.ortvalue_from_numpy
        self.inputs = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        names = [node.name for node in session.get_outputs()]
        # The first run tells the outputs' shapes.
        self._all = dict(zip(names, map(np.ascontiguousarray, session.run(names, dict(self.inputs)))))
        self.outputs = {name: self._all[name] for name in outputs}
        # The binding holds the arrays' memory, not the arrays: they live as long as this object.
        for name, array in (*self.inputs.items(), *self._all.items()):
            self.place(name, array)

    def place(self, name: str, array: np.ndarray) -> None:
        """See Binding."""
        if name in self.inputs:
            self.inputs[name] = array
            self._binding.bind_ortvalue_input(name, self._value_of(array))
            return
        self._all[name] = array
        if name in self.outputs:
            self.outputs[name] = array
        self._binding.bind_ortvalue_output(name, self._value_of(array))

    def __call__(self) -> None:
        """See Binding."""
        self._session.run_with_iobinding(self._binding)

    def fetch(self, name: str) -> np.ndarray:
        """See Binding."""
        return self._all[name]


def open_network(file: NetworkFile, runtime: str, profile: Profile, threads: int = 1, small: bool = False) -> Network:
    """The network on the runtime that a setting names (RUNTIMES).

    :param profile: the shapes that each input may have; only TensorRT needs to know them beforehand
    :param runtime: one of RUNTIMES; of SMALL_RUNTIMES for a `small` network
    :param small: see OnnxNetwork
    :raises ModelError: the runtime is cuda or tensorrt_only and cannot be had, or the file cannot be loaded
    """
    if runtime == "cuda":
        return _on_cuda(file, threads)
    if runtime == "auto" and small:
        return _of_small(file, threads)
    if runtime != "onnx":
        from pose_attention_ros.inference.trt.library import TensorRtUnavailable
        from pose_attention_ros.inference.trt.network import TensorRtNetwork

        try:
            return TensorRtNetwork(file, profile)
        except TensorRtUnavailable as error:
            if runtime == "tensorrt_only":
                raise
            _log.warning("TensorRT is not used (%s); ONNX Runtime computes %s instead", error, file.name)
    return OnnxNetwork(file, threads, small)


def _of_small(file: NetworkFile, threads: int) -> Network:
    from pose_attention_ros.inference.conversion.onnx_values import NotKnown
    from pose_attention_ros.inference.small_network import SmallNetwork

    try:
        return SmallNetwork(file, threads)
    except NotKnown as why:
        _log.debug("LiteRT does not take %s (%s); ONNX Runtime computes it", file.name, why)
        return OnnxNetwork(file, threads, small=True)


def has_cuda() -> bool:
    """Whether the ONNX Runtime that is installed has its CUDA provider; it may lack a GPU all the same."""
    import onnxruntime

    return _GPU_PROVIDER in onnxruntime.get_available_providers()


def _on_cuda(file: NetworkFile, threads: int) -> OnnxNetwork:
    if not has_cuda():
        raise ModelError(
            "runtime is 'cuda', which the installed ONNX Runtime lacks; run: pip install onnxruntime-gpu, or "
            "set runtime to onnx"
        )
    network = OnnxNetwork(file, threads, small=False)
    if network.backend != "onnx-cuda":
        raise ModelError(
            "runtime is 'cuda', but ONNX Runtime finds no NVIDIA GPU that it can use; look at `nvidia-smi` and "
            "the CUDA version that onnxruntime-gpu wants, or set runtime to onnx"
        )
    return network


def _shape(shape: Sequence[int | str | None]) -> Shape:
    return tuple(size if isinstance(size, int) else -1 for size in shape)
