"""Static int8 of a pose network stored as ONNX: weights per output channel, activations by calibration on real images.

Weights use seven bits: without VNNI an x86 processor adds two products of eight bits in sixteen, which overflows. What their
rounding adds to a channel on average is taken out of its bias (Nagel et al. 2019, 4.2).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.machine.library_output import quiet_exporters
from pose_attention_ros.core.messages.images import read_image

if TYPE_CHECKING:
    from onnx import ModelProto

INPUT = "image"
_WITHOUT_SUMS = ("Conv", "Clip")  # kinds of nodes that compute in int8 where the sums of residual blocks do not
_FIRST_BLOCK = 3  # convolutions
_LEVELS = 64  # of a weight of seven bits, on either side of 0
_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


def calibration_files(folder: Path, most: int) -> list[Path]:
    """Up to `most` photos of a folder, evenly chosen by name. Raises UserError where it has none."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES) if folder.is_dir() else []
    if not files:
        raise UserError(
            f"--calibration {folder} holds no photos ({', '.join(_SUFFIXES)}); int8 needs some hundred of what "
            "the robot will see"
        )
    step = max(1, len(files) / most)
    return [files[int(i * step)] for i in range(min(most, len(files)))]


def calibration_images(folder: Path, most: int, input_size: int) -> list[np.ndarray]:
    """Up to `most` photos of a folder, each (1, 3, S, S) float32 RGB in [0, 1], fitted as a robot's pose stage fits them
    into a square of S = `input_size` pixels. Raises UserError where the folder has none."""
    images = (fitted(path, input_size) for path in calibration_files(folder, most))
    return [image for image in images if image is not None]


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
    operators: Sequence[str] = (),
) -> None:
    """Write the int8 form of `float_file`, calibrated on `images`, each (1, 3, H, W) float32 with sides in multiples of
    `stride`.

    :param symmetric: ranges symmetric around 0 and signed activations, which TensorRT wants; ONNX Runtime is faster with
        unsigned ones
    :param in_float: names of nodes that stay as they are
    :param operators: kinds of nodes that compute in int8; none for all that can
    :raises UserError: no image, or a side that is not a multiple of `stride`
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    images = list(images)
    if not images or any(side % stride for image in images for side in image.shape[2:]):
        raise UserError(f"int8 needs at least one image with sides in multiples of {stride}, got {len(images)}")
    with tempfile.TemporaryDirectory() as scratch:
        corrected, partial = Path(scratch) / "corrected.onnx", Path(scratch) / "int8.onnx"
        onnx.save(with_corrected_biases(onnx.load(str(float_file)), images, in_float), str(corrected))
        with quiet_exporters():
            quantize_static(
                str(corrected),
                str(partial),
                _Reader(images),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=True,
                nodes_to_exclude=list(in_float),
                op_types_to_quantize=list(operators) or None,
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


def quantised_movenet(content: bytes, images: Sequence[np.ndarray], stride: int, tensorrt: bool) -> bytes:
    """The int8 form of one of the MoveNets as ONNX; `images` and `stride` as for `quantise`.

    :param tensorrt: the form whose ranges TensorRT reads
    """
    import onnx

    with tempfile.TemporaryDirectory() as scratch:
        whole, part = Path(scratch) / "fp32.onnx", Path(scratch) / "int8.onnx"
        whole.write_bytes(content)
        in_float = spoilt_by_int8(onnx.load(str(whole)))
        quantise(whole, part, images, symmetric=tensorrt, stride=stride, in_float=in_float, operators=_WITHOUT_SUMS)
        return part.read_bytes()


def spoilt_by_int8(model: ModelProto) -> list[str]:
    """Names of the nodes of a MobileNet v2 with a feature pyramid that int8 would spoil, a sixth of the work: the first
    block, whose channels differ most, the ways from the backbone into the pyramid, and all that is behind."""
    behind: set[str] = set()  # tensors of the pyramid and the heads, from the first enlarged one on
    into: set[str] = set()
    for node in model.graph.node:
        if node.op_type == "Resize" or behind & set(node.input):
            behind.update(node.output)
        if node.op_type == "Resize" or (node.op_type == "Add" and behind & set(node.input)):
            into.update(node.input)
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    spared = [
        node
        for number, node in enumerate(convolutions)
        if number < _FIRST_BLOCK or node.input[0] in behind or node.output[0] in into
    ]
    made = {node.output[0] for node in spared}
    limits = [node.name for node in model.graph.node if node.op_type in ("Clip", "Relu") and node.input[0] in made]
    return [node.name for node in spared] + limits


def with_corrected_biases(model: ModelProto, images: Sequence[np.ndarray], in_float: Sequence[str] = ()) -> ModelProto:
    """`model`, changed in place: the bias of each convolution that `in_float` does not name, less what rounding its weights
    adds to each output channel on average over `images`, as `quantise` takes them."""
    import onnx

    weights = {constant.name: constant for constant in model.graph.initializer}
    nodes = [
        node
        for node in model.graph.node
        if node.op_type == "Conv" and node.name not in in_float and node.input[1] in weights
    ]
    means = _channel_means(model, {node.input[0] for node in nodes}, images)
    for node in nodes:
        weight = onnx.numpy_helper.to_array(weights[node.input[1]])
        means_in = means[node.input[0]]
        groups = len(means_in) // weight.shape[1]
        added = _rounding(weight).sum((2, 3)).reshape(groups, -1, weight.shape[1])  # (groups, out, in)
        shift = np.einsum("goi,gi->go", added, means_in.reshape(groups, -1)).reshape(-1)
        name = f"{node.output[0]}_corrected_bias"
        before = onnx.numpy_helper.to_array(weights[node.input[2]]) if len(node.input) > 2 else 0
        model.graph.initializer.append(onnx.numpy_helper.from_array((before - shift).astype(np.float32), name))
        node.input[:] = [*node.input[:2], name]
    used = {name for node in model.graph.node for name in node.input}
    for constant in [constant for constant in model.graph.initializer if constant.name not in used]:
        model.graph.initializer.remove(constant)
    return model


def _rounding(weight: np.ndarray) -> np.ndarray:
    """What seven bits for each output channel add to a kernel (out, in, h, w)."""
    step = np.maximum(np.abs(weight).max((1, 2, 3), keepdims=True), 1e-12) / _LEVELS
    return np.round(weight / step) * step - weight


def _channel_means(model: ModelProto, tensors: set[str], images: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Mean of each channel of tensors (1, C, H, W) over the images."""
    import onnx
    import onnxruntime

    computed = sorted(tensors - {INPUT})
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    present = {output.name for output in model.graph.output}
    kind = onnx.TensorProto.FLOAT
    wide.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, kind, None) for name in computed if name not in present
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(wide.SerializeToString(), options, providers=["CPUExecutionProvider"])
    sums = {name: np.zeros(1) for name in tensors}
    for image in images:
        for name, values in zip([INPUT, *computed], [image, *session.run(computed, {INPUT: image})]):
            if name in sums:
                sums[name] = sums[name] + values.mean((0, 2, 3), dtype=np.float64)
    return {name: total / len(images) for name, total in sums.items()}


class _Reader:
    """What ONNX Runtime's calibration asks for inputs."""

    def __init__(self, images: list[np.ndarray]) -> None:
        self._images: Iterator[np.ndarray] = iter(images)

    def get_next(self) -> dict[str, np.ndarray] | None:
        image = next(self._images, None)
        return None if image is None else {INPUT: image}
