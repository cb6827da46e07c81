"""What runs MoveNet's network up to its heads: LiteRT, or whatever runs ONNX. One protocol for both."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.inference import movenet_network
from pose_attention_ros.inference.letterbox import Letterbox
from pose_attention_ros.inference.litert import LiteRtNetwork
from pose_attention_ros.inference.movenet_decoding import HEADS
from pose_attention_ros.inference.network_types import Network, NetworkFile, ShapeRange
from pose_attention_ros.inference.networks import open_network
from pose_attention_ros.inference.pose import STRIDE, PoseConfig
from pose_attention_ros.inference.pose_cnn import fill_input, input_range

_log = logging.getLogger(__name__)


class View(Protocol):
    """The network at one size of its input."""

    def write(self, image_bgr: np.ndarray, letterbox: Letterbox) -> None:
        """Fit an image into the input, black around it."""
        ...

    def __call__(self) -> Mapping[str, np.ndarray]:
        """Compute. Returns HEADS, each (h, w, C) float32, valid until the next call."""
        ...


class HeadsNetwork(Protocol):
    """`backend` says what computes; `resizable` whether any size can be viewed without building anything."""

    backend: str
    resizable: bool

    def view(self, size: tuple[int, int]) -> View:
        """The network for inputs of (width, height), multiples of STRIDE."""
        ...

    def close(self) -> None: ...


def open_heads(config: PoseConfig) -> HeadsNetwork:
    """The network on the runtime that `config` names.

    :raises ModelError: weights or runtime are missing, and no other may be used
    :raises UserError: the runtime does not do this precision
    """
    from pose_attention_ros.inference.trt.library import TensorRtUnavailable

    runtime = "litert" if config.runtime == "auto" else config.runtime
    if runtime in ("tensorrt", "tensorrt_only"):
        try:
            return _tensorrt(config)
        except TensorRtUnavailable as error:
            if runtime == "tensorrt_only":
                raise
            _log.warning("TensorRT is not used (%s); LiteRT computes MoveNet instead", error)
            return LiteRtHeads(config.threads)
    if runtime == "litert":
        _refuse(
            config.precision != "fp32",
            config,
            "LiteRT computes MoveNet in fp32; set runtime to onnx (int8), cuda or tensorrt",
        )
        return LiteRtHeads(config.threads)
    _refuse(
        config.precision == "fp16" and runtime == "onnx",
        config,
        "ONNX Runtime on a CPU computes MoveNet in fp32 or int8; fp16 is for runtime cuda or tensorrt",
    )
    return OnnxHeads(_file(config), config)


def _refuse(wrong: bool, config: PoseConfig, why: str) -> None:
    if wrong:
        raise UserError(f"precision is {config.precision!r}, but runtime is {config.runtime!r}: {why}")


def _tensorrt(config: PoseConfig) -> OnnxHeads:
    """Raises TensorRtUnavailable before anything is written."""
    from pose_attention_ros.inference.trt.cuda import Cuda
    from pose_attention_ros.inference.trt.library import find_library

    find_library()
    _ = Cuda().device
    return OnnxHeads(_file(config, tensorrt=True), config)


def _file(config: PoseConfig, tensorrt: bool = False) -> NetworkFile:
    if config.precision != "int8":
        return movenet_network.onnx_file(config.precision)
    return movenet_network.int8_file(tensorrt)


class LiteRtHeads:
    """LiteRT on the CPU."""

    backend = "litert-cpu"
    resizable = True

    def __init__(self, threads: int) -> None:
        self._content, self._threads = movenet_network.cut_tflite(), threads
        LiteRtNetwork(self._content, threads).close()  # says now what is missing

    def view(self, size: tuple[int, int]) -> LiteRtView:
        """See HeadsNetwork. A view holds memory of its own."""
        return LiteRtView(LiteRtNetwork(self._content, self._threads), size)

    def close(self) -> None:
        """See HeadsNetwork."""


class LiteRtView:
    """See View."""

    def __init__(self, network: LiteRtNetwork, size: tuple[int, int]) -> None:
        self._network = network
        self._input = np.zeros((1, *size[::-1], 3), np.uint8)
        self._letterbox: Letterbox | None = None

    def write(self, image_bgr: np.ndarray, letterbox: Letterbox) -> None:
        """See View."""
        import cv2

        if self._letterbox != letterbox:
            self._letterbox, self._small = letterbox, np.empty((*letterbox.content_size[::-1], 3), np.uint8)
            self._input[...] = 0
        # Area averaging finds no more people than linear interpolation and takes ten times as long.
        cv2.resize(image_bgr, letterbox.content_size, dst=self._small, interpolation=cv2.INTER_LINEAR)
        cv2.cvtColor(self._small, cv2.COLOR_BGR2RGB, dst=self._input[0][letterbox.slices])

    def __call__(self) -> Mapping[str, np.ndarray]:
        """See View."""
        return dict(zip(HEADS, (array[0] for array in self._network(self._input))))


class OnnxHeads:
    """ONNX Runtime or TensorRT, as `networks.open_network` opens them.

    :param file: image -> HEADS
    """

    def __init__(self, file: NetworkFile, config: PoseConfig) -> None:
        self._file, self._config = file, config
        self._runtime = "tensorrt_only" if config.runtime == "tensorrt" else config.runtime
        self.resizable = config.engine_shapes == "dynamic" or not self._runtime.startswith("tensorrt")
        self._networks: dict[ShapeRange, Network] = {}
        self._views: dict[tuple[int, int], OnnxView] = {}
        self.backend = f"{config.runtime}, not loaded yet"
        if self.resizable:
            self._open(input_range(config.input_size, STRIDE))

    def view(self, size: tuple[int, int]) -> OnnxView:
        """See HeadsNetwork. A fixed engine is one a size."""
        if size not in self._views:
            shape = (1, 3, *size[::-1])
            shapes = next(iter(self._networks)) if self.resizable else ShapeRange.fixed(shape)
            self._views[size] = OnnxView(self._networks.get(shapes) or self._open(shapes), shape)
        return self._views[size]

    def close(self) -> None:
        """See HeadsNetwork."""
        self._views.clear()
        for network in self._networks.values():
            network.close()
        self._networks.clear()

    def _open(self, shapes: ShapeRange) -> Network:
        network = open_network(self._file, self._runtime, {"image": shapes}, self._config.threads)
        self._networks[shapes], self.backend = network, network.backend
        return network


class OnnxView:
    """See View."""

    def __init__(self, network: Network, shape: tuple[int, int, int, int]) -> None:
        self._binding = network.bind({"image": shape})
        self._letterbox: Letterbox | None = None

    def write(self, image_bgr: np.ndarray, letterbox: Letterbox) -> None:
        """See View."""
        if self._letterbox != letterbox:
            self._letterbox, self._small = letterbox, np.empty((*letterbox.content_size[::-1], 3), np.uint8)
            self._binding.inputs["image"][...] = 0
        fill_input(image_bgr, letterbox, self._small, self._binding.inputs["image"][0])

    def __call__(self) -> Mapping[str, np.ndarray]:
        """See View."""
        self._binding()
        return {name: self._binding.outputs[name][0].transpose(1, 2, 0) for name in HEADS}
