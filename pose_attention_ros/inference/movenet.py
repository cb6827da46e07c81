"""MoveNet MultiPose: 17 COCO joints of any number of people in one pass.

Model: Google, "MoveNet.MultiPose Lightning" (https://www.kaggle.com/models/google/movenet). Inputs are RGB images whose
sides are multiples of 32. The network is run up to its heads (movenet_network.py, movenet_runtimes.py), people are decoded
from these (movenet_decoding.py).
"""

from __future__ import annotations

import dataclasses
import time

import numpy as np

from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.core.types import Frame, Skeletons
from pose_attention_ros.inference.detections import coco_sigmas, keep_distinct
from pose_attention_ros.inference.letterbox import Letterbox
from pose_attention_ros.inference.movenet_decoding import RawPeople, decode
from pose_attention_ros.inference.movenet_runtimes import HeadsNetwork, View, open_heads
from pose_attention_ros.inference.pose import STRIDE, PoseConfig, PoseEstimator

# Joints below this certainty are guesses; they count neither as a match nor as a mismatch of two skeletons.
_COMPARED_JOINT_SCORE = 0.1


def create_movenet(config: PoseConfig) -> PoseEstimator:
    """MoveNet with the fetched weights on the runtime that `config` names, with a second look where `zoom` asks for it.

    :raises ModelError: weights or runtime are missing
    :raises UserError: the input is too small for a second look
    """
    if config.zoom == "off":
        return MoveNet(open_heads(config), config)
    from pose_attention_ros.inference.zoom import Zoom, refuse_small

    refuse_small(config)
    network = open_heads(config)
    return Zoom(MoveNet(network, config), MoveNet(network, config), config)


class MoveNet:
    """Fits the image into the network's input, runs it, and takes people back to the image's pixels."""

    layout = LAYOUTS["coco17"]

    def __init__(self, network: HeadsNetwork, config: PoseConfig) -> None:
        self.resizable = network.resizable
        self._network = network
        self._config = config
        self._sigmas = coco_sigmas(self.layout.joints)
        self._letterbox: Letterbox | None = None
        self._view: View | None = None
        self._beside: tuple[tuple[int, int], View] | None = None
        self.network_s = 0.0

    @property
    def backend(self) -> str:
        """What computes."""
        return self._network.backend

    def __call__(self, frame: Frame) -> Skeletons:
        """The people of `frame`, most certain first."""
        self._fit(frame.image_bgr)
        return self._people(self._view, frame, self._letterbox)

    @property
    def input_size(self) -> tuple[int, int]:
        """Width and height of the network's input for images as the newest."""
        return self._letterbox.input_size

    def look(self, image_bgr: np.ndarray) -> Skeletons:
        """See zoom.TwoViews."""
        height, width = image_bgr.shape[:2]
        if self._beside is None or self._beside[0] != (width, height):
            self._beside = None  # its memory is free before the next one's is taken
            self._beside = (width, height), self._network.view((width, height))
        return self._people(self._beside[1], Frame(image_bgr, 0), Letterbox.into((width, height), (width, height)))

    def image_features(self) -> None:
        """See PoseEstimator."""

    def warm_up(self, image_size: tuple[int, int]) -> None:
        """Allocate, build where that is needed, and run once for images of (width, height) pixels."""
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
        self._view = self._beside = None
        self._network.close()

    def _fit(self, image_bgr: np.ndarray) -> None:
        """Letterbox and view for images of this size."""
        size = image_bgr.shape[1::-1]
        if self._letterbox is not None and self._letterbox.image_size == size:
            return
        self._letterbox, before = Letterbox.fit(size, self._config.input_size, STRIDE), self._letterbox
        if self._view is None or before is None or before.input_size != self._letterbox.input_size:
            self._view = None  # its memory is free before the next one's is taken
            self._view = self._network.view(self._letterbox.input_size)

    def _people(self, view: View, frame: Frame, letterbox: Letterbox) -> Skeletons:
        """The people whom the network sees."""
        view.write(frame.image_bgr, letterbox)
        began = time.perf_counter()
        maps = view()
        self.network_s = time.perf_counter() - began
        return self._skeletons(decode(maps, self._config.min_person_score), frame, letterbox)

    def _skeletons(self, people: RawPeople, frame: Frame, letterbox: Letterbox) -> Skeletons:
        """What was decoded -> the record, weak and duplicate people left out."""
        width, height = letterbox.image_size
        sure = (people.person_scores >= self._config.min_person_score) & np.isfinite(people.keypoints).all((1, 2))
        keypoints_px, corners = (letterbox.to_image(points[sure]) for points in (people.keypoints, people.boxes))
        boxes = np.clip(corners, 0, (width, height)).reshape(-1, 4).astype(np.float32)
        scores, person_scores = people.scores[sure], people.person_scores[sure]
        rows = keep_distinct(
            keypoints_px, scores, boxes, person_scores, self._sigmas, self._config.same_person_oks, _COMPARED_JOINT_SCORE
        )
        return Skeletons(
            frame.stamp_ns,
            frame.frame_id,
            self.layout,
            (width, height),
            keypoints_px[rows],
            scores[rows],
            boxes[rows],
            person_scores[rows],
        )
