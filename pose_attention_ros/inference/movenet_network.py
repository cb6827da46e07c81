"""MoveNet MultiPose up to its heads, as TensorFlow Lite and as ONNX, from the fetched file.

The published graph ends in a choice of the six best centres, which is why it finds no seventh person, and which runtimes on
a GPU do not take. `movenet_decoding` does that part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pose_attention_ros.core.errors import ModelError
from pose_attention_ros.inference import weights
from pose_attention_ros.inference.derived_files import derived_file, derived_path, int8_path, store_file, stored_file
from pose_attention_ros.inference.movenet_decoding import HEADS
from pose_attention_ros.inference.network_types import NetworkFile

if TYPE_CHECKING:
    from pose_attention_ros.inference.conversion.tflite_file import TfliteFile

WEIGHTS = "movenet_multipose"
# The tensors of the published file at which it is cut; its sha256 is held by `weights`.
_TENSORS = {"centre": 300, "size": 291, "offset": 288, "heat": 373, "joint_offset": 404, "regression": 408}
_IMAGE_TENSOR = 0
_STRIDE = 32
_VERSION = 2  # of what this module writes


def cut_tflite() -> bytes:
    """The TensorFlow Lite file up to the heads: (1, H, W, 3) uint8 RGB -> HEADS, each (1, H / 4, W / 4, C) float32, in their
    order. Raises ModelError where the weights are missing, UserError where a package is."""
    source = weights.load(WEIGHTS)
    return derived_file(_path("heads.tflite"), _made_of(), lambda: _read(source).cut(list(_TENSORS.values())))


def onnx_file(precision: str) -> NetworkFile:
    """The network as ONNX: image (N, 3, H, W) float32 RGB in [0, 1] -> HEADS, each (N, C, H / 4, W / 4) float32.

    :param precision: fp32, or fp16: weights and layers in half precision, image and heads in float32 all the same
    :raises ModelError: the weights are missing; UserError: a package is
    """
    source = weights.load(WEIGHTS)

    def make() -> bytes:
        from pose_attention_ros.inference.conversion.onnx_writing import write_onnx

        outputs = {str(tensor): name for name, tensor in _TENSORS.items()}
        return write_onnx(
            _read(source).network(list(_TENSORS.values())), str(_IMAGE_TENSOR), outputs, WEIGHTS, half=precision == "fp16"
        )

    return _network_file(derived_file(_path(f"{precision}.onnx"), _made_of(), make), precision)


def is_written(precision: str) -> bool:
    """Whether `onnx_file` has written this one already."""
    return _path(f"{precision}.onnx").is_file()


def int8_file(tensorrt: bool = False) -> NetworkFile:
    """The int8 form that `write_int8` wrote.

    :param tensorrt: the one whose ranges TensorRT reads
    :raises ModelError: it has not been written
    """
    path = _int8_path(tensorrt)
    content = stored_file(path, _made_of())
    if content is None:
        raise ModelError(
            f"MoveNet has no int8 file on this machine ({path}); run: pose-attention export onnx --model "
            f"{WEIGHTS} --precision int8 --calibration FOLDER_OF_PHOTOS"
        )
    return _network_file(content, "int8")


def write_int8(images: Sequence[np.ndarray]) -> list[Path]:
    """Write both int8 forms, calibrated on `images`, each (1, 3, H, W) float32 RGB in [0, 1], sides multiples of 32.
    Returns their paths."""
    from pose_attention_ros.models.pose_int8 import quantised_movenet

    content, paths = onnx_file("fp32").content, []
    for tensorrt in (False, True):
        store_file(_int8_path(tensorrt), _made_of(), quantised_movenet(content, images, _STRIDE, tensorrt))
        paths.append(_int8_path(tensorrt))
    return paths


def _int8_path(tensorrt: bool) -> Path:
    return int8_path(WEIGHTS, _VERSION, tensorrt)


def _path(kind: str) -> Path:
    return derived_path(WEIGHTS, _VERSION, kind)


def _made_of() -> str:
    return weights.weight_file(WEIGHTS).sha256


def _network_file(content: bytes, precision: str) -> NetworkFile:
    return NetworkFile(WEIGHTS, content, hashlib.sha256(content).hexdigest(), precision)


def _read(content: bytes) -> TfliteFile:
    """The published file, looked over. Raises ModelError for another one."""
    from pose_attention_ros.inference.conversion.tflite_file import TfliteFile

    file = TfliteFile(content)
    found = {name: file.channels(tensor) for name, tensor in _TENSORS.items()}
    if found != HEADS:
        raise ModelError(f"the TensorFlow Lite model is not MoveNet MultiPose: its heads have {found} channels, not {HEADS}")
    return file
