"""Clips as the compared recognisers learn from them: ticks of features, and the image's features where pixels are read.

N clips, T ticks of a clip, V joints, C channels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pose_attention_ros.core.body.crops import CropConfig
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.clip_views import mirrored_features
from pose_attention_ros.data.feature_cache import FeatureConfig, FeatureTable, cached_features
from pose_attention_ros.data.pixel_clips import SKELETONS_FILE, PixelSource, mirrored_label, open_pixels
from pose_attention_ros.evaluation import metrics
from pose_attention_ros.inference.extractors import create_extractor
from pose_attention_ros.models.comparator import Comparator
from pose_attention_ros.training.clip_batches import clip_features
from pose_attention_ros.training.corpus import Corpus, Entry
from pose_attention_ros.training.recipe import PixelConfig, Recipe
from pose_attention_ros.training.validate import ClipScores

FEATURES_DIR = Path("out/features")
_AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class TickClip:
    """features (T, V, C) float32; target; pixels (T, *shape) float16, or None; keypoints_px (T, V, 2) and there (T, V), the
    joints in the image that the pixels are of; mirrored: the same clip in a mirror, where pixels are read."""

    features: np.ndarray
    target: int
    pixels: np.ndarray | None = None
    keypoints_px: np.ndarray | None = None
    there: np.ndarray | None = None
    mirrored: TickClip | None = None


@dataclass(frozen=True, eq=False)
class Pixels:
    """A data set's images: their features as the camera saw them and in a mirror, and what made them."""

    source: PixelSource
    seen: FeatureTable
    mirrored: FeatureTable
    fitted: bool = False  # into a square, black beside the image
    extractor: dict = field(default_factory=dict)

    @cached_property
    def canvas(self) -> tuple[int, int, int, int]:
        """What the extractor was shown, in pixels of the images: width and height, and how far right and down the image lies
        in it (a square with the image in its middle where the frames are fitted to a size)."""
        height, width = self.source.images(0, [0]).shape[1:3]
        if not self.fitted:
            return width, height, 0, 0
        side = max(width, height)
        return side, side, (side - width) // 2, (side - height) // 2


def pixel_files(folders: dict[str, Path]) -> dict[str, Path]:
    """The skeleton data set file of each folder with pixels."""
    return {name: folder / SKELETONS_FILE if folder.is_dir() else folder for name, folder in folders.items()}


def load_pixels(
    folder: Path,
    kind: str,
    wanted: tuple[int, ...],
    recipe: Recipe,
    cache: Path = FEATURES_DIR,
    advance: Callable[[int], object] = lambda clips: None,
) -> Pixels:
    """Features of one of the kinds of feature_cache, computed where `cache` lacks them.

    :param wanted: shape that the recipe's model reads
    :raises UserError: the folder has no clips with pixels, or their features have another shape
    """
    source, config = open_pixels(folder), recipe.pixels
    extractor = create_extractor(config)
    tables = [
        cached_features(
            source, extractor, kind, _part(config, FeatureConfig, mirror=mirror), cache, _part(config, CropConfig), advance
        )
        for mirror in (False, True)
    ]
    if wanted != tables[0].shape:
        raise UserError(
            f"{extractor.name} makes {kind} features of shape {tables[0].shape}, the recipe's model reads "
            f"{wanted}: set channels, rows and columns of the recipe's model"
        )
    side = config.image_size or max(source.images(0, [0]).shape[1:3])  # on a robot, people are shown at this size
    origin = {
        "name": extractor.name,
        "sha256": extractor.sha256,
        "image_size": side,
        **dataclasses.asdict(_part(config, CropConfig)),
    }
    return Pixels(source, *tables, bool(config.image_size), origin)


def _part(config: PixelConfig, kind: type, **changes: Any) -> Any:
    """Those settings of `config` that `kind` has."""
    return kind(**{f.name: getattr(config, f.name) for f in dataclasses.fields(kind)} | changes)


def tick_clips(entries: list[Entry], corpus: Corpus, recipe: Recipe, pixels: dict[str, Pixels]) -> list[TickClip]:
    """Clips of the corpus at the model's ticks; those with pixels at the frames that the extractor was shown."""
    examples = [entry.example for entry in entries]
    if not pixels:
        made = clip_features(examples, corpus.layout, recipe.model.rate_hz, recipe.smoothing)
        return [TickClip(features, example.target) for features, example in zip(made, examples)]
    return [_pixel_clip(entry, corpus, recipe, pixels[entry.data]) for entry in entries]


def _pixel_clip(entry: Entry, corpus: Corpus, recipe: Recipe, pixels: Pixels) -> TickClip:
    fps = entry.example.fps
    every = clip_features([entry.example], corpus.layout, fps, recipe.smoothing)[0]
    rows = np.minimum(pixels.seen.frames[entry.clip], len(every) - 1)
    clip = pixels.source.skeletons[entry.clip]
    names = pixels.source.skeletons.joints
    order = [names.index(joint) for joint in corpus.layout.joints]
    width, _, right, down = pixels.canvas
    joints, there = clip.keypoints[rows][:, order] + np.float32([right, down]), clip.scores[rows][:, order] > 0
    mirrored = joints[:, corpus.layout.mirror] * np.float32([-1, 1]) + np.float32([width, 0])
    label = mirrored_label(entry.label)
    target = corpus.classes.index(label) if label in corpus.classes else entry.example.target
    features = every[rows]
    other = TickClip(
        mirrored_features(features, corpus.layout),
        target,
        pixels.mirrored[entry.clip],
        mirrored,
        there[:, corpus.layout.mirror],
    )
    return TickClip(features, entry.example.target, pixels.seen[entry.clip], joints, there, other)


@torch.inference_mode()
def prepared(clip: TickClip, network: Comparator) -> TickClip:
    """The clip with what `network` makes of its pixels before all training."""
    pixels = network.prepare(torch.from_numpy(clip.pixels.astype(np.float32))).numpy()
    return dataclasses.replace(clip, pixels=pixels, mirrored=clip.mirrored and prepared(clip.mirrored, network))


@torch.inference_mode()
def score_ticks(network: Comparator, clips: list[TickClip], entries: list[Entry], classes: int) -> ClipScores:
    """Logits after each of metrics.OBSERVED_FRACTIONS of each clip, as training.validate scores the others."""
    network.eval()
    order = sorted(range(len(clips)), key=lambda i: len(clips[i].features))
    parts = [np.zeros((0, len(metrics.OBSERVED_FRACTIONS), classes), np.float32)]
    for begin in range(0, len(order), _AT_ONCE):
        chosen = [clips[i] for i in order[begin : begin + _AT_ONCE]]
        ticks = np.array([len(clip.features) for clip in chosen])
        at = np.ceil(np.array(metrics.OBSERVED_FRACTIONS) * ticks[:, None] - 1e-9).astype(int) - 1
        features, pixels = padded(chosen)
        parts.append(network.after(features, torch.from_numpy(np.maximum(at, 0)), pixels).numpy())
    return ClipScores(
        np.concatenate(parts),
        np.array([clips[i].target for i in order], np.int64),
        np.array([entries[i].data for i in order], dtype=str),
    )


def padded(clips: list[TickClip]) -> tuple[Tensor, Tensor | None]:
    """features (N, T, V, C) and pixels (N, T, *shape) of clips of any lengths, 0 behind the shorter ones."""
    features = _padded([clip.features for clip in clips])
    return features, None if clips[0].pixels is None else _padded([clip.pixels for clip in clips])


def _padded(parts: list[np.ndarray]) -> Tensor:
    together = np.zeros((len(parts), max(map(len, parts)), *parts[0].shape[1:]), np.float32)
    for row, part in zip(together, parts):
        row[: len(part)] = part
    return torch.from_numpy(together)
