"""Feature extractors by name: the pose network's own backbone, which a robot runs anyway, and well-known ones out of
installed libraries."""

from __future__ import annotations

import hashlib
import importlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose_attention_ros.core.actions.pixels import FeatureExtractor
from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.errors import ModelError, UserError
from pose_attention_ros.inference.pose_model import read_pose_spec

# name -> "module:factory"; factory(ExtractorConfig) -> FeatureExtractor. A module is imported when it is asked for.
EXTRACTORS: dict[str, str] = {
    "pose_cnn": "pose_attention_ros.inference.extractors:create_pose_cnn_features",
    **dict.fromkeys(
        ("vgg16", "vgg16_fc6", "bn_inception", "i3d"), "pose_attention_ros.inference.torch_backend:create_torch_extractor"
    ),
}
_MOST_AT_ONCE = 32  # images of one run: more only takes more memory


@dataclass(frozen=True)
class ExtractorWeights(Settings):
    """Where an extractor's weights are, and how it runs."""

    extractor_weights: str = setting(
        "",
        "file or model directory of the feature extractor's weights; empty: the shipped "
        "pose network's, or the library's pretrained ones, which it may download",
    )
    extractor_threads: int = setting(1, "CPU threads of the feature extractor", low=1, high=64)


@dataclass(frozen=True)
class ExtractorConfig(ExtractorWeights):
    """Which extractor."""

    extractor: str = setting("pose_cnn", "feature extractor", choices=tuple(EXTRACTORS))


def create_extractor(config: ExtractorConfig) -> FeatureExtractor:
    """The extractor that `config` names. Raises ModelError where its weights or its library are missing."""
    module, _, factory = EXTRACTORS[config.extractor].partition(":")
    return getattr(importlib.import_module(module), factory)(config)


def create_pose_cnn_features(config: ExtractorConfig) -> PoseCnnFeatures:
    """The `features` of a pose network: of an ONNX file, or of a model directory (default: the shipped one)."""
    weights = Path(config.extractor_weights or "pose_cnn").expanduser()
    if weights.is_file():
        return PoseCnnFeatures(weights.read_bytes(), config.extractor_threads)
    return PoseCnnFeatures(read_pose_spec(str(weights)).network("fp32").content, config.extractor_threads)


class PoseCnnFeatures:
    """See core.actions.pixels.FeatureExtractor; runs the backbone alone."""

    name = "pose_cnn"
    stride = 8
    frames_per_cell = 1

    def __init__(self, content: bytes, threads: int = 1) -> None:
        """
        :param content: an ONNX file, `image` (N, 3, H, W), RGB in [0, 1] -> `features` (N, D, H/8, W/8)
        :raises ModelError: it is none
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            shapes = {node.name: node.shape for node in (*self._session.get_inputs(), *self._session.get_outputs())}
            self.channels = int(shapes["features"][1])
            assert len(shapes["image"]) == 4
        except Exception as error:  # onnxruntime raises its own kinds, without a common public base
            raise ModelError(
                "feature extractor pose_cnn: the file is no pose network with input image and output features: "
                f"{str(error).splitlines()[0] if str(error) else type(error).__name__}"
            ) from None
        self.sha256 = hashlib.sha256(content).hexdigest()
        self._only_features = onnxruntime.RunOptions()
        self._only_features.only_execute_path_to_fetches = True  # not the head

    def __call__(self, images_bgr: np.ndarray) -> np.ndarray:
        """See core.actions.pixels.FeatureExtractor."""
        count, height, width = images_bgr.shape[:3]
        if height % self.stride or width % self.stride:
            raise UserError(f"images are {width}x{height} px, expected multiples of {self.stride} for extractor pose_cnn")
        cubes = np.empty((count, self.channels, height // self.stride, width // self.stride), np.float32)
        for begin in range(0, count, _MOST_AT_ONCE):
            rows = slice(begin, begin + _MOST_AT_ONCE)
            image = np.ascontiguousarray(images_bgr[rows, :, :, ::-1].transpose(0, 3, 1, 2)) * np.float32(1 / 255)
            cubes[rows] = self._session.run(["features"], {"image": image}, self._only_features)[0]
        return cubes
