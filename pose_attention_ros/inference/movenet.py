"""MoveNet MultiPose: 17 COCO joints of up to six people in one pass.

Model: Google, "MoveNet.MultiPose Lightning" (https://www.kaggle.com/models/google/movenet). Input (1, H, W, 3) uint8 RGB,
H and W multiples of 32. Output (1, 6, 56) float32, each person 17 x (y, x, score), then ymin, xmin, ymax, xmax, score;
coordinates are fractions of the input.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Protocol

import numpy as np

from pose_attention_ros.core.layouts import LAYOUTS
from pose_attention_ros.core.types import Frame, Skeletons
from pose_attention_ros.inference import weights
from pose_attention_ros.inference.detections import coco_sigmas, keep_distinct
from pose_attention_ros.inference.letterbox import Letterbox
from pose_attention_ros.inference.litert import LiteRtNetwork
from pose_attention_ros.inference.pose import STRIDE, PoseConfig

_JOINTS = 17
# Joints below this certainty are guesses; they count neither as a match nor as a mismatch of two skeletons.
_COMPARED_JOINT_SCORE = 0.1


class Network(Protocol):
    """What runs the network: (1, H, W, 3) uint8 RGB -> (1, 6, 56) float32."""

    backend: str

    def __call__(self, batch: np.ndarray) -> np.ndarray: ...

    def close(self) -> None: ...


def create_movenet(config: PoseConfig) -> MoveNet:
    """MoveNet on LiteRT with the fetched weights. Raises ModelError where either is missing."""
    return MoveNet(LiteRtNetwork(weights.load("movenet_multipose"), config.threads), config)


class MoveNet:
    """Fits the image into the network's input, runs it, and takes people back to the image's pixels."""

    layout = LAYOUTS["coco17"]
    resizable = True

    def __init__(self, network: Network, config: PoseConfig) -> None:
        self._network = network
        self._config = config
        self._sigmas = coco_sigmas(self.layout.joints)
        self._letterbox: Letterbox | None = None
        self.network_s = 0.0
        self._input = np.zeros((1, 0, 0, 3), np.uint8)

    @property
    def backend(self) -> str:
        """What computes."""
        return self._network.backend

    def __call__(self, frame: Frame) -> Skeletons:
        """The people of `frame`, most certain first."""
        self._fill_input(frame.image_bgr)
        began = time.perf_counter()
        people = self._network(self._input)[0].astype(np.float32)
        self.network_s = time.perf_counter() - began
        return self._skeletons(people, frame)

    def image_features(self) -> None:
        """See PoseEstimator."""

    def warm_up(self, image_size: tuple[int, int]) -> None:
        """Allocate and run once for images of (width, height) pixels."""
        width, height = image_size
        self(Frame(np.zeros((height, width, 3), np.uint8), 0))

    def configure(self, config: PoseConfig) -> None:
        """Other live settings from the next frame on; the input keeps its size."""
        self._config = dataclasses.replace(config, input_size=self._config.input_size)

    def resize(self, input_size: int) -> None:
        """Another longer side of the input, warmed for images as they came last."""
        seen, self._letterbox = self._letterbox, None
        self._config = dataclasses.replace(self._config, input_size=input_size)
        if seen is not None:
            self.warm_up(seen.image_size)

    def close(self) -> None:
        """Free the network."""
        self._network.close()

    def _fill_input(self, image_bgr: np.ndarray) -> None:
        """Write the scaled image as RGB into the input; the padding around it stays black."""
        import cv2

        height, width = image_bgr.shape[:2]
        if self._letterbox is None or self._letterbox.image_size != (width, height):
            self._letterbox = Letterbox.fit((width, height), self._config.input_size, STRIDE)
            input_w, input_h = self._letterbox.input_size
            self._input = np.zeros((1, input_h, input_w, 3), np.uint8)
            self._small = np.empty((*self._letterbox.content_size[::-1], 3), np.uint8)
        # Area averaging finds no more people than linear interpolation and takes ten times as long.
        cv2.resize(image_bgr, self._letterbox.content_size, dst=self._small, interpolation=cv2.INTER_LINEAR)
        cv2.cvtColor(self._small, cv2.COLOR_BGR2RGB, dst=self._input[0][self._letterbox.slices])

    def _skeletons(self, people: np.ndarray, frame: Frame) -> Skeletons:
        """people (6, 56) as the network gives them -> the record, weak and duplicate people left out."""
        people = people[np.isfinite(people).all(1) & (people[:, 55] >= self._config.min_person_score)]
        joints = people[:, :51].reshape(-1, _JOINTS, 3)
        keypoints_px = self._letterbox.to_image(joints[..., 1::-1])
        corners = people[:, 51:55].reshape(-1, 2, 2)[..., ::-1]
        width, height = self._letterbox.image_size
        boxes = np.clip(self._letterbox.to_image(corners), 0, (width, height)).reshape(-1, 4)
        scores, person_scores = np.clip(joints[..., 2], 0, 1), np.clip(people[:, 55], 0, 1)
        rows = keep_distinct(keypoints_px, scores, boxes, person_scores, self._sigmas, self._config.same_person_oks,
                             _COMPARED_JOINT_SCORE)
        return Skeletons(frame.stamp_ns, frame.frame_id, self.layout, (width, height), keypoints_px[rows], scores[rows],
                         boxes[rows], person_scores[rows])
