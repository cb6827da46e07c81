"""Static int8 of a pose network stored as ONNX: weights per output channel, activations by calibration on real images.

Weights use seven bits: without VNNI an x86 processor adds two products of eight bits in sixteen, which overflows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.machine.library_output import quiet_exporters
from pose_attention_ros.core.messages.images import read_image

INPUT = "image"
_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


def calibration_images(folder: Path, most: int, input_size: int) -> list[np.ndarray]:
    """Up to `most` photos of a folder, evenly chosen by name, each (1, 3, S, S) float32 RGB in [0, 1], fitted as a robot's
    pose stage fits them into a square of S = `input_size` pixels. Raises UserError where the folder has none."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES) if folder.is_dir() else []
    if not files:
        raise UserError(
            f"--calibration {folder} holds no photos ({', '.join(_SUFFIXES)}); int8 needs some hundred of what "
            "the robot will see"
        )
    step = max(1, len(files) / most)
    return [
        image
        for image in (fitted(files[int(i * step)], input_size) for i in range(min(most, len(files))))
        if image is not None
    ]


def fitted(path: Path, size: int) -> np.ndarray | None:
    """One photo as `calibration_images` gives it; None where it cannot be decoded."""
    import cv2

    image = read_image(path)
    if image is None:
        return None
    scale = size / max(image.shape[:2])
    width, height = (max(1, round(side * scale)) for side in image.shape[1::-1])
    canvas = np.zeros((size, size, 3), np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    canvas[top : top + height, left : left + width] = cv2.cvtColor(cv2.resize(image, (width, height)), cv2.COLOR_BGR2RGB)
    return canvas.transpose(2, 0, 1)[None].astype(np.float32) / 255


def quantise(
    float_file: Path,
    path: Path,
    images: Iterable[np.ndarray],
    *,
    symmetric: bool = False,
    stride: int = 8,
    in_float: Sequence[str] = (),
) -> None:
    """Write the int8 form of `float_file`, calibrated on `images`, each (1, 3, H, W) float32 with sides in multiples of
    `stride`.

    :param symmetric: ranges symmetric around 0 and signed activations, which TensorRT wants; ONNX Runtime is faster with
        unsigned ones
    :param in_float: names of nodes that stay as they are
    :raises UserError: no image, or a side that is not a multiple of `stride`
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    images = list(images)
    if not images or any(side % stride for image in images for side in image.shape[2:]):
        raise UserError(f"int8 needs at least one image with sides in multiples of {stride}, got {len(images)}")
    with tempfile.TemporaryDirectory() as scratch:
        partial = Path(scratch) / "int8.onnx"
        with quiet_exporters():
            quantize_static(
                str(float_file),
                str(partial),
                _Reader(images),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=True,
                nodes_to_exclude=list(in_float),
                weight_type=QuantType.QInt8,
                activation_type=QuantType.QInt8 if symmetric else QuantType.QUInt8,
                calibrate_method=CalibrationMethod.MinMax,
                extra_options={
                    "CalibMovingAverage": True,
                    "CalibMovingAverageConstant": 0.05,
                    "ActivationSymmetric": symmetric,
                    "QuantizeBias": not symmetric,
                },
            )  # TensorRT reads no int32 biases
        model = onnx.load(str(partial))
    model.producer_name = "pose_attention_ros"
    model.producer_version = ""
    model.ClearField("metadata_props")
    del model.graph.value_info[:]
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


class _Reader:
    """What ONNX Runtime's calibration asks for inputs."""

    def __init__(self, images: list[np.ndarray]) -> None:
        self._images: Iterator[np.ndarray] = iter(images)

    def get_next(self) -> dict[str, np.ndarray] | None:
        image = next(self._images, None)
        return None if image is None else {INPUT: image}
