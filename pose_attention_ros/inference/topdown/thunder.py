"""The preset of a top-down estimator: MoveNet Thunder, from its fetched TensorFlow.js form, on MultiPose's boxes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.core.errors import ModelError, UserError
from pose_attention_ros.core.types import Frame
from pose_attention_ros.inference import weights
from pose_attention_ros.inference.derived_files import derived_file, derived_path, int8_path, store_file, stored_file
from pose_attention_ros.inference.movenet import create_movenet
from pose_attention_ros.inference.network_types import NetworkFile
from pose_attention_ros.inference.pose import STRIDE, PoseConfig
from pose_attention_ros.inference.topdown.crops import crop_boxes, cut
from pose_attention_ros.inference.topdown.spec import Fed, TopDownSpec

WEIGHTS = "movenet_thunder"
SIZE = (192, 224)  # width and height of a crop; the network takes multiples of 32, and was made for 256
MARGIN = 1.15
_VERSION = 1  # of what is written here
_IMAGE = "StatefulPartitionedCall/stack"
_OUTPUTS = {
    "StatefulPartitionedCall/Sigmoid_1": "centre",
    "StatefulPartitionedCall/Sigmoid": "heat",
    "StatefulPartitionedCall/kpt_offset_0/conv2d_7/BiasAdd": "joint_offset",
    "StatefulPartitionedCall/kpt_regress_0/conv2d_6/BiasAdd": "regression",
}


def thunder_file(precision: str = "fp32", tensorrt: bool = False) -> NetworkFile:
    """Thunder up to its heads: image (N, 3, H, W) float32 RGB in [0, 1] -> centre, heat, joint_offset and regression, each
    (N, C, H / 4, W / 4).

    :param precision: int8 for the form that `write_int8` wrote
    :param tensorrt: of int8, the form whose ranges TensorRT reads
    :raises ModelError: the weights are not fetched, or there is no int8 form
    """
    source = weights.load(WEIGHTS)
    if precision == "int8":
        content = stored_file(_int8_path(tensorrt), _made_of())
        if content is None:
            raise ModelError(
                f"{WEIGHTS} has no int8 file on this machine ({_int8_path(tensorrt)}); run: pose-attention export onnx "
                f"--model {WEIGHTS} --precision int8 --calibration FOLDER_OF_PHOTOS"
            )
        return NetworkFile(WEIGHTS, content, hashlib.sha256(content).hexdigest(), "int8")

    def make() -> bytes:
        from pose_attention_ros.inference.conversion.onnx_writing import write_onnx
        from pose_attention_ros.inference.conversion.tfjs_file import read_tfjs

        graph, values = weights.members_of(source)
        return write_onnx(read_tfjs(graph, values, _IMAGE, tuple(_OUTPUTS)), _IMAGE, _OUTPUTS, WEIGHTS)

    content = derived_file(_path("fp32.onnx"), _made_of(), make)
    return NetworkFile(WEIGHTS, content, hashlib.sha256(content).hexdigest())


def has_int8() -> bool:
    """Whether `write_int8` has been called on this machine."""
    return _int8_path(tensorrt=False).is_file()


def write_int8(images_bgr: Iterable[np.ndarray]) -> None:
    """Write both int8 forms, calibrated on one person of each image (H, W, 3) uint8 where MoveNet MultiPose sees one.
    Raises UserError where there is nobody."""
    from pose_attention_ros.models.pose_int8 import quantised_movenet

    detector, crops = create_movenet(PoseConfig()), []
    for image in images_bgr:
        boxes = detector(Frame(image, 0)).boxes_xyxy[:1]
        for crop in crop_boxes(boxes, MARGIN, SIZE[0] / SIZE[1]):
            planes = cut(image, crop, SIZE)[..., ::-1].transpose(2, 0, 1)
            crops.append(np.ascontiguousarray(planes, np.float32)[None] / 255)
    detector.close()
    if not crops:
        raise UserError("MoveNet MultiPose sees nobody in the photos of --calibration; give photos of people")
    content = thunder_file().content
    for tensorrt in (False, True):
        store_file(_int8_path(tensorrt), _made_of(), quantised_movenet(content, crops, STRIDE, tensorrt))


def thunder_spec(precision: str = "fp32", tensorrt: bool = False) -> TopDownSpec:
    """Crops of SIZE, found by MoveNet MultiPose. Raises as `thunder_file` does."""
    file = thunder_file(precision, tensorrt)
    fed = Fed(file, "movenet", "image", tuple(_OUTPUTS.values()), SIZE, (0, 0, 0), (255, 255, 255), "rgb", "as_is")
    return TopDownSpec(WEIGHTS, LAYOUTS["coco17"], fed, MARGIN, None)


def _int8_path(tensorrt: bool) -> Path:
    return int8_path(WEIGHTS, _VERSION, tensorrt)


def _path(kind: str) -> Path:
    return derived_path(WEIGHTS, _VERSION, kind)


def _made_of() -> str:
    return weights.weight_file(WEIGHTS).sha256
