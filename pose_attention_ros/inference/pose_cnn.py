"""The pose network of Li and Wang (2020), 2.1: confidence maps and affinity fields of any number of people in one pass.

The network is trained here (models/pose_cnn.py) and runs as ONNX, on ONNX Runtime or TensorRT.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator

import numpy as np

from pose_attention_ros.core.actions.pixels import ImageFeatures
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.types import Frame, Skeletons
from pose_attention_ros.inference.detections import coco_sigmas, keep_distinct
from pose_attention_ros.inference.letterbox import Letterbox
from pose_attention_ros.inference.network_types import Binding, Network, NetworkFile, Profile, ShapeRange
from pose_attention_ros.inference.networks import RUNTIMES, open_network
from pose_attention_ros.inference.paf_decoding import People, decode
from pose_attention_ros.inference.pose import PoseConfig
from pose_attention_ros.inference.pose_model import OUTPUTS, PoseSpec, read_pose_spec

_CONFIDENCE, _AFFINITY, _FEATURES = OUTPUTS
_BEST_ASPECT = (4, 3)  # of a camera's image; an engine for any shape is fastest at this one
_ONNX_RUNTIME = ("onnx", "cuda")  # these compute in the numbers of the file
_BOX_MARGIN = 0.1  # of the joints' extent: a body ends beyond its joints


def create_pose_cnn(config: PoseConfig) -> PoseCnn:
    """The network and the runtime that `config` names. Raises ModelError where either is missing."""
    spec = read_pose_spec(config.pose_model)
    if config.runtime == "litert":
        raise UserError(
            f"runtime is 'litert', expected auto or one of {', '.join(RUNTIMES)}: {spec.model_id} is no .tflite file"
        )
    if runtime_of(config) in _ONNX_RUNTIME and config.precision not in spec.files:
        have = ", ".join(spec.files)
        raise UserError(
            f"precision is {config.precision!r}, expected one of {have}, the files of {spec.model_id}: ONNX "
            f"Runtime computes in the numbers of the file; runtime tensorrt can do more"
        )
    return PoseCnn(spec, config)


def runtime_of(config: PoseConfig) -> str:
    """The one of RUNTIMES that is meant."""
    return "onnx" if config.runtime == "auto" else config.runtime


class PoseCnn:
    """Fits the image into the network's input, runs it, decodes its maps, and takes people to the image's pixels."""

    def __init__(self, spec: PoseSpec, config: PoseConfig) -> None:
        self.layout = spec.layout
        self._runtime = runtime_of(config)
        self.resizable = config.engine_shapes == "dynamic" or self._runtime in _ONNX_RUNTIME
        self._spec, self._config = spec, config
        self._sigmas = coco_sigmas(spec.layout.joints)
        self._network: Network | None = None
        self._bindings: dict[tuple[int, int], Binding] = {}
        self._letterbox: Letterbox | None = None
        self._binding: Binding | None = None
        self.network_s = 0.0
        if self.resizable:
            self._open(input_range(config.input_size, spec.stride))

    @property
    def backend(self) -> str:
        """What computes."""
        return self._network.backend if self._network else f"{self._runtime}, not loaded yet"

    def __call__(self, frame: Frame) -> Skeletons:
        """The people of `frame`, most certain first."""
        self._fit(frame.image_bgr)
        self._stamp_ns = frame.stamp_ns
        fill_input(frame.image_bgr, self._letterbox, self._small, self._binding.inputs["image"][0])
        began = time.perf_counter()
        self._binding()
        self.network_s = time.perf_counter() - began
        confidence, affinity = (self._binding.outputs[name][0] for name in (_CONFIDENCE, _AFFINITY))
        return self._skeletons(decode(confidence, affinity, self.layout, self._spec.decode), frame)

    def image_features(self) -> ImageFeatures | None:
        """See PoseEstimator. What the backbone saw in the newest frame; the next frame overwrites it."""
        if self._letterbox is None:
            return None
        cube = self._binding.fetch(_FEATURES)[0]
        scale = tuple(np.divide(self._letterbox.content_size, self._letterbox.image_size).tolist())
        return ImageFeatures(self._stamp_ns, self._sha256, self._spec.stride, scale, self._letterbox.offset, cube)

    def warm_up(self, image_size: tuple[int, int]) -> None:
        """Allocate, build where that is needed, and run once for images of (width, height) pixels."""
        width, height = image_size
        self(Frame(np.zeros((height, width, 3), np.uint8), 0))

    def resize(self, input_size: int) -> None:
        """Another longer side of the input, at most that which the network was opened with; warmed for images as they came
        last."""
        seen, self._letterbox = self._letterbox, None
        self._config = dataclasses.replace(self._config, input_size=input_size)
        if seen is not None:
            self.warm_up(seen.image_size)

    def configure(self, config: PoseConfig) -> None:
        """Other thresholds from the next frame on; size and network stay."""
        self._config = dataclasses.replace(config, input_size=self._config.input_size)

    def close(self) -> None:
        """Free the network."""
        self._bindings.clear()
        self._binding = None
        if self._network is not None:
            self._network.close()

    def _open(self, image: ShapeRange) -> None:
        config = self._config
        file = file_for(self._spec, config, {"image": image})
        self._sha256 = file.sha256
        self._network = open_network(file, self._runtime, {"image": image}, config.threads)

    def _fit(self, image_bgr: np.ndarray) -> None:
        """Letterbox and buffers for images of this size."""
        height, width = image_bgr.shape[:2]
        if self._letterbox is not None and self._letterbox.image_size == (width, height):
            return
        letterbox = Letterbox.fit((width, height), self._config.input_size, self._spec.stride)
        size = letterbox.input_size
        shape = (1, 3, *size[::-1])
        if size not in self._bindings:
            if self._network is None or not self.resizable:
                self.close()
                self._open(ShapeRange.fixed(shape))
            self._bindings[size] = self._network.bind({"image": shape}, (_CONFIDENCE, _AFFINITY))
        self._letterbox, self._binding = letterbox, self._bindings[size]
        self._binding.inputs["image"][...] = 0
        self._small = np.empty((*letterbox.content_size[::-1], 3), np.uint8)

    def _skeletons(self, people: People, frame: Frame) -> Skeletons:
        """What was decoded -> the record, weak people left out."""
        certain = people.person_scores >= self._config.min_person_score
        keypoints, scores, person_scores = people.keypoints[certain], people.scores[certain], people.person_scores[certain]
        size = self._letterbox.image_size
        keypoints_px = self._letterbox.to_image(keypoints)
        boxes = boxes_of(keypoints_px, scores > 0, size)
        rows = keep_distinct(keypoints_px, scores, boxes, person_scores, self._sigmas, self._config.same_person_oks, 1e-6)
        return Skeletons(
            frame.stamp_ns,
            frame.frame_id,
            self.layout,
            size,
            keypoints_px[rows],
            scores[rows],
            boxes[rows],
            person_scores[rows],
        )


def file_for(spec: PoseSpec, config: PoseConfig, profile: Profile) -> NetworkFile:
    """The ONNX file to run. For int8 on TensorRT: the fp32 one where the user has calibrated an engine of it (`export
    tensorrt --calibration`), else the one that brings its own ranges."""
    if config.precision != "int8" or runtime_of(config) in _ONNX_RUNTIME:
        return spec.network(config.precision)
    from pose_attention_ros.inference.trt.network import has_engine

    calibrated, ranged = spec.network("fp32", computes_in="int8"), spec.ranged_for_tensorrt()
    return calibrated if ranged is None or has_engine(calibrated, profile) else ranged


def input_range(input_size: int, stride: int) -> ShapeRange:
    """The inputs that images of any shape make where the longer side is at most `input_size`; fastest for 4:3."""
    longer, shorter = Letterbox.fit(_BEST_ASPECT, input_size, stride).input_size
    return ShapeRange((1, 3, stride, stride), (1, 3, shorter, longer), (1, 3, input_size, input_size))


def fill_input(image_bgr: np.ndarray, letterbox: Letterbox, small: np.ndarray, planes: np.ndarray) -> None:
    """Write the scaled image as RGB in [0, 1] into `planes` (3, H, W) float32; what lies around it stays as it is.

    :param small: (h, w, 3) uint8 scratch of the letterbox's content size
    """
    import cv2

    cv2.resize(image_bgr, letterbox.content_size, dst=small, interpolation=cv2.INTER_LINEAR)
    rows, columns = letterbox.slices
    for plane, channel in zip(planes, (2, 1, 0)):
        np.multiply(small[..., channel], np.float32(1 / 255), out=plane[rows, columns])


def boxes_of(keypoints_px: np.ndarray, seen: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """(N, 4) float32 boxes x1, y1, x2, y2 around the joints that are `seen` (N, V), a tenth wider and higher, inside the
    image. Everybody has a joint that is seen."""
    if not len(keypoints_px):
        return np.zeros((0, 4), np.float32)
    low = np.where(seen[..., None], keypoints_px, np.inf).min(1)
    high = np.where(seen[..., None], keypoints_px, -np.inf).max(1)
    margin = _BOX_MARGIN / 2 * (high - low)
    return np.clip(np.concatenate([low - margin, high + margin], 1), 0, (*image_size, *image_size)).astype(np.float32)


def calibration_inputs(images_bgr: Iterable[np.ndarray], input_size: tuple[int, int]) -> Iterator[np.ndarray]:
    """(1, 3, H, W) float32 inputs of width and height `input_size` from images of any size."""
    for image in images_bgr:
        letterbox = Letterbox.into(image.shape[1::-1], input_size)
        planes = np.zeros((3, *input_size[::-1]), np.float32)
        fill_input(image, letterbox, np.empty((*letterbox.content_size[::-1], 3), np.uint8), planes)
        yield planes[None]
