"""The preset of a top-down estimator: MoveNet Thunder, from its fetched TensorFlow.js form, on MultiPose's boxes."""

from __future__ import annotations

import hashlib

from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.inference import weights
from pose_attention_ros.inference.derived_files import derived_dir, derived_file
from pose_attention_ros.inference.network_types import NetworkFile
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


def thunder_file() -> NetworkFile:
    """Thunder up to its heads: image (N, 3, H, W) float32 RGB in [0, 1] -> centre, heat, joint_offset and regression, each
    (N, C, H / 4, W / 4). Raises ModelError where the weights are not fetched."""
    source = weights.load(WEIGHTS)

    def make() -> bytes:
        from pose_attention_ros.inference.conversion.onnx_writing import write_onnx
        from pose_attention_ros.inference.conversion.tfjs_file import read_tfjs

        graph, values = weights.members_of(source)
        return write_onnx(read_tfjs(graph, values, _IMAGE, tuple(_OUTPUTS)), _IMAGE, _OUTPUTS, WEIGHTS)

    path = derived_dir() / f"{WEIGHTS}_{_VERSION}_fp32.onnx"
    content = derived_file(path, weights.weight_file(WEIGHTS).sha256, make)
    return NetworkFile(WEIGHTS, content, hashlib.sha256(content).hexdigest())


def thunder_spec() -> TopDownSpec:
    """Crops of SIZE, found by MoveNet MultiPose."""
    fed = Fed(thunder_file(), "movenet", "image", tuple(_OUTPUTS.values()), SIZE, (0, 0, 0), (255, 255, 255), "rgb", "as_is")
    return TopDownSpec(WEIGHTS, LAYOUTS["coco17"], fed, MARGIN, None)
