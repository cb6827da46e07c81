"""What a recogniser reads of the images of labelled clips: the features that the pixel feed makes on a robot."""

from __future__ import annotations

import numpy as np

from pose_attention_ros.core.actions.pixels import FeatureExtractor
from pose_attention_ros.core.actions.recogniser import ModelSpec
from pose_attention_ros.core.body.crops import CropConfig
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.feature_cache import KINDS, fitted
from pose_attention_ros.data.pixel_clips import PixelSource
from pose_attention_ros.data.streams import DEFAULT_FPS


class ClipPixels:
    """Call it with a clip's row and the times of its ticks."""

    def __init__(self, source: PixelSource, spec: ModelSpec, extractor: FeatureExtractor) -> None:
        """
        :param source: the clips with their images
        :param extractor: the one that made the model's features in training
        :raises UserError: it is another one
        """
        wanted = spec.extractor.get("sha256")
        if extractor.sha256 != wanted:
            raise UserError(
                f"model {spec.model_id!r} was trained on features of {spec.extractor.get('name')} with sha256 "
                f"{str(wanted)[:12]}, --extractor-weights has {extractor.sha256[:12]}"
            )
        self._source, self._spec, self._extractor = source, spec, extractor
        self._crops = CropConfig(
            **{name: value for name, value in spec.extractor.items() if name in CropConfig.__dataclass_fields__}
        )

    def __call__(self, row: int, ticks: int) -> np.ndarray:
        """(ticks, *spec.pixels_shape) float32: of the newest frame at each tick of clip `row`."""
        clip = self._source[row]
        frames = np.floor(np.arange(ticks) / self._spec.rate_hz * (clip.fps or DEFAULT_FPS) + 1e-6).astype(int)
        frames = np.minimum(frames, len(clip.images_bgr) - 1)
        clip = fitted(clip, int(self._spec.extractor.get("image_size", 0)))
        return KINDS[self._spec.pixels](clip, frames, self._extractor, self._crops).astype(np.float32)
