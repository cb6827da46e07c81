"""The top-down pose estimator: people's boxes from a detector now and then and from their own joints between, a crop of
each, and one batched run of a network for a single person."""

from __future__ import annotations

import dataclasses
import time

import numpy as np

from pose_attention_ros.core.body.layouts import Layout
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.types import Frame, Skeletons
from pose_attention_ros.inference.detections import coco_sigmas, keep_distinct
from pose_attention_ros.inference.letterbox import Letterbox
from pose_attention_ros.inference.movenet import create_movenet
from pose_attention_ros.inference.pose import PoseConfig
from pose_attention_ros.inference.pose_cnn import boxes_of
from pose_attention_ros.inference.topdown.crops import crop_boxes, cut, to_image
from pose_attention_ros.inference.topdown.forms import FORMS
from pose_attention_ros.inference.topdown.networks import FedNetwork
from pose_attention_ros.inference.topdown.spec import Detector, TopDownSpec, read_top_down
from pose_attention_ros.inference.topdown.thunder import thunder_spec

_SEEN = 0.2  # joints above it make a person's box and score
_LEAST_SEEN = 4  # joints; with fewer there is nobody
_SAME_BOX = 0.3  # intersection over union of a detection and of a person who is followed


def create_top_down(config: PoseConfig) -> TopDown:
    """The folder that `pose_model` names. Raises ModelError where a file or a runtime is missing."""
    return TopDown(read_top_down(config.pose_model), config)


def create_thunder(config: PoseConfig) -> TopDown:
    """MoveNet MultiPose's boxes with MoveNet Thunder, in int8 where that is asked for and has been exported. Raises
    ModelError where weights are missing."""
    return TopDown(thunder_spec(config.precision, config.runtime.startswith("tensorrt")), config)


class TopDown:
    """See the module. It remembers the people of the frame before."""

    def __init__(self, spec: TopDownSpec, config: PoseConfig) -> None:
        if config.runtime == "litert" or (config.precision == "int8" and spec.person.file.precision != "int8"):
            raise UserError(
                f"runtime is {config.runtime!r} and precision {config.precision!r}, expected auto, onnx, cuda "
                f"or tensorrt, and fp32 or fp16: estimator {config.estimator} runs ONNX files"
            )
        runtime = "onnx" if config.runtime == "auto" else config.runtime
        self.layout: Layout = spec.layout
        self._spec, self._config = spec, config
        self._sigmas = coco_sigmas(spec.layout.joints)
        self._people = FedNetwork(_in_precision(spec.person, config), config, runtime)
        self._detector = _OnnxDetector(spec.detector, config, runtime) if spec.detector else _MoveNetDetector(config)
        self.resizable = self._detector.resizable
        self.network_s = 0.0
        self._last: Skeletons | None = None
        self._detected_ns: int | None = None
        self._seen_ns = 0
        self._certain = np.zeros(0, np.float32)  # the detector's score of each of the last

    @property
    def backend(self) -> str:
        """What computes."""
        return f"{self._people.backend}, detector {self._detector.backend}"

    def __call__(self, frame: Frame) -> Skeletons:
        """The people of `frame`, most certain first."""
        began = time.perf_counter()
        found = self._joints(frame, *self._boxes(frame))
        self.network_s = time.perf_counter() - began
        self._last, self._seen_ns = found, frame.stamp_ns
        return found

    def image_features(self) -> None:
        """See PoseEstimator."""

    def warm_up(self, image_size: tuple[int, int]) -> None:
        """Load, build and run once, for one person and for none."""
        width, height = image_size
        frame = Frame(np.zeros((height, width, 3), np.uint8), 0)
        self._joints(frame, np.array([[0, 0, width, height]], np.float32), np.ones(1, np.float32))
        self(frame)
        self._forget()

    def configure(self, config: PoseConfig) -> None:
        """Other live settings from the next frame on."""
        self._config = dataclasses.replace(config, input_size=self._config.input_size)

    def resize(self, input_size: int) -> None:
        """Another longer side of the detector's input."""
        self._config = dataclasses.replace(self._config, input_size=input_size)
        self._detector.resize(input_size)

    def close(self) -> None:
        """Free the networks."""
        self._people.close()
        self._detector.close()

    def _forget(self) -> None:
        self._last, self._detected_ns, self._seen_ns = None, None, 0
        self._certain = np.zeros(0, np.float32)

    def _boxes(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """(N, 4) where people are looked for: around those of the frame before, and, when it is time, where the detector
        sees somebody else; and the detector's newest score of each (N,)."""
        last, size = self._last, frame.image_bgr.shape[1::-1]
        gap_s = (frame.stamp_ns - self._seen_ns) * 1e-9
        if last is None or last.image_size != size or not 0 < gap_s <= 2 * self._config.detect_every_s:
            last = None
        followed, certain = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
        if last is not None:
            followed, certain = last.boxes_xyxy, self._certain
        due = self._detected_ns is None or (frame.stamp_ns - self._detected_ns) * 1e-9 >= self._config.detect_every_s
        if last is not None and len(last) and not due:
            return followed, certain
        self._detected_ns = frame.stamp_ns
        detected, scores = self._detector(frame)
        overlaps = _overlaps(detected, followed)
        new = ~(overlaps >= _SAME_BOX).any(1)
        if len(detected) and len(followed):
            again = overlaps.argmax(0)
            certain = np.where(overlaps.max(0) >= _SAME_BOX, scores[again], certain)
        return np.concatenate([followed, detected[new]]), np.concatenate([certain, scores[new]])

    def _joints(self, frame: Frame, boxes: np.ndarray, certain: np.ndarray) -> Skeletons:
        """The person in each box (N, 4), of whom the detector is so `certain` (N,); a box without one gives nobody. A
        person's score is the geometric mean of the joints' mean and of the detector's score."""
        size, person = frame.image_bgr.shape[1::-1], self._spec.person
        joints = len(self.layout.joints)
        keypoints_px, scores = np.zeros((0, joints, 2), np.float32), np.zeros((0, joints), np.float32)
        if len(boxes):
            crops = crop_boxes(boxes, self._spec.margin, person.size[0] / person.size[1])
            outputs = self._people([cut(frame.image_bgr, crop, person.size) for crop in crops])
            places, scores = FORMS[person.form][0](outputs, person.size)
            keypoints_px, scores = to_image(places, crops), np.clip(np.nan_to_num(scores), 0, 1).astype(np.float32)
        seen = scores >= _SEEN
        person_scores = np.where(seen, scores, 0).sum(1) / np.maximum(seen.sum(1), 1)
        there = (seen.sum(1) >= _LEAST_SEEN) & (person_scores >= self._config.min_person_score)
        there &= np.isfinite(keypoints_px).all((1, 2))
        keypoints_px, scores, certain = keypoints_px[there], scores[there], certain[there]
        person_scores = np.sqrt(person_scores[there] * certain).astype(np.float32)
        around = boxes_of(keypoints_px, scores >= _SEEN, size)
        rows = keep_distinct(
            keypoints_px, scores, around, person_scores, self._sigmas, self._config.same_person_oks, _SEEN / 2
        )
        self._certain = certain[rows]
        return Skeletons(
            frame.stamp_ns,
            frame.frame_id,
            self.layout,
            size,
            keypoints_px[rows],
            scores[rows],
            around[rows],
            person_scores[rows],
        )


class _MoveNetDetector:
    """MoveNet MultiPose: boxes around the joints that it sees, and its scores. It runs seldom, so never in int8."""

    def __init__(self, config: PoseConfig) -> None:
        precision = "fp32" if config.precision == "int8" else config.precision
        self._estimator = create_movenet(dataclasses.replace(config, estimator="movenet", zoom="off", precision=precision))
        self.backend, self.resizable = self._estimator.backend, self._estimator.resizable
        self.resize = self._estimator.resize
        self.close = self._estimator.close

    def __call__(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        found = self._estimator(frame)
        return found.boxes_xyxy, found.person_scores


class _OnnxDetector:
    """A detector out of the folder, at its own size of input."""

    resizable = False

    def __init__(self, detector: Detector, config: PoseConfig, runtime: str) -> None:
        self._detector = detector
        self._network = FedNetwork(_in_precision(detector.fed, config), config, runtime, batched=False)
        self.backend, self.close = self._network.backend, self._network.close
        self._input = np.zeros((*detector.fed.size[::-1], 3), np.uint8)
        self._letterbox: Letterbox | None = None

    def __call__(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        import cv2

        size = frame.image_bgr.shape[1::-1]
        if self._letterbox is None or self._letterbox.image_size != size:
            self._letterbox = Letterbox.into(size, self._detector.fed.size)
            self._input[...] = 0
        self._input[self._letterbox.slices] = cv2.resize(frame.image_bgr, self._letterbox.content_size)
        rows, *labels = (output[0] for output in self._network([self._input]))
        sure = rows[:, 4] >= self._detector.min_score
        if labels:
            sure &= labels[0].reshape(len(rows)) == self._detector.label
        corners = rows[sure, :4].reshape(-1, 2, 2) / self._detector.fed.size
        boxes = np.clip(self._letterbox.to_image(corners), 0, size).reshape(-1, 4)
        large = (boxes[:, 2:] - boxes[:, :2]).min(1, initial=np.inf) >= 1
        return boxes[large].astype(np.float32), np.clip(rows[sure, 4][large], 0, 1).astype(np.float32)

    def resize(self, input_size: int) -> None:
        """Not for a network of one size."""


def _in_precision(fed, config: PoseConfig):
    """The network in the numbers that the settings ask for."""
    return dataclasses.replace(fed, file=dataclasses.replace(fed.file, precision=config.precision))


def _overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N, M) intersection over union of (N, 4) and (M, 4) x1, y1, x2, y2."""
    low, high = np.maximum(boxes[:, None, :2], others[:, :2]), np.minimum(boxes[:, None, 2:], others[:, 2:])
    common = np.clip(high - low, 0, None).prod(-1)
    areas = [(part[:, 2:] - part[:, :2]).prod(-1) for part in (boxes, others)]
    return common / np.maximum(areas[0][:, None] + areas[1] - common, 1e-6)
