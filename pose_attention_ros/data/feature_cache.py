"""Image features of a data set's clips, computed once and kept on disk under the hashes of all that they rest on."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose_attention_ros.core.actions.pixels import FeatureExtractor, mean_over_cells
from pose_attention_ros.core.body.crops import CropConfig, crop_parts
from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.pixel_clips import PixelClip, PixelSource, combined_sha256, mirrored_label
from pose_attention_ros.data.pixel_views import chosen_frames, fitted, mirrored_clip

FORMAT = 1  # of what is computed; raised when the same inputs give other numbers


@dataclass(frozen=True)
class FeatureConfig(Settings):
    """Which frames of a clip, and how they are brought to the extractor."""

    frames: int = setting(8, "frames of a clip, at equal intervals; 0: all", low=0, high=10_000)
    image_size: int = setting(
        0, "a frame is fitted into a square of this side, black beside it; 0: as it is", unit="px", low=0, high=2048
    )
    mirror: bool = setting(False, "everything seen in a mirror: images flipped, joints and labels changed sides")


class FeatureTable:
    """Features by clip: `table[i]` is (n, *shape) float16, n its frames (or cells of time), memory-mapped; `labels` (N,)
    those of the clips as they were seen, `frames[i]` the n frame numbers within clip i."""

    def __init__(self, values: np.ndarray, offsets: np.ndarray, labels: tuple[str, ...], frames: list[np.ndarray]) -> None:
        self._values, self._offsets = values, offsets
        self.labels, self.frames = labels, frames
        self.shape = values.shape[1:]

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, clip: int) -> np.ndarray:
        return self._values[self._offsets[clip] : self._offsets[clip + 1]]


def _cube(clip: PixelClip, frames: np.ndarray, extractor: FeatureExtractor, crops: CropConfig) -> np.ndarray:
    return extractor(clip.images_bgr[frames])


def _frame(clip: PixelClip, frames: np.ndarray, extractor: FeatureExtractor, crops: CropConfig) -> np.ndarray:
    return mean_over_cells(extractor(clip.images_bgr[frames]))


def _crops(clip: PixelClip, frames: np.ndarray, extractor: FeatureExtractor, crops: CropConfig) -> np.ndarray:
    parts = crop_parts(clip.images_bgr, clip.keypoints_px, clip.scores, clip.joints, crops)[frames]
    return np.stack([mean_over_cells(extractor(parts[:, part])) for part in range(parts.shape[1])], 1)


# What features may be: (n, D, K1, K2) cubes, (n, D) their means, (n, 3, D) those of the crops (core.body.crops.CROPS).
KINDS: dict[str, Callable[[PixelClip, np.ndarray, FeatureExtractor, CropConfig], np.ndarray]] = {
    "cube": _cube,
    "frame": _frame,
    "crops": _crops,
}


def cached_features(
    source: PixelSource,
    extractor: FeatureExtractor,
    kind: str,
    config: FeatureConfig,
    folder: Path,
    crops: CropConfig | None = None,
    advance: Callable[[int], object] = lambda clips: None,
) -> FeatureTable:
    """Features of every clip of `source`, of one of KINDS; computed where the folder does not have them.

    :param advance: told of each clip that is done
    :raises UserError: the clips give features of different shapes (give an image_size)
    """
    if kind not in KINDS:
        raise UserError(f"kind of features is {kind!r}, expected one of {', '.join(KINDS)}")
    crops = crops or CropConfig()
    settings = dataclasses.asdict(config) | (dataclasses.asdict(crops) if kind == "crops" else {})
    key = combined_sha256(
        (str(FORMAT), kind, extractor.name, extractor.sha256, source.sha256, json.dumps(settings, sort_keys=True))
    )
    path = folder / f"{kind}-{key[:20]}.npy"
    frames = [chosen_frames(int(count), config.frames) for count in np.diff(source.skeletons.offsets)]
    cells = [len(chosen) // extractor.frames_per_cell for chosen in frames]
    offsets = np.cumsum([0, *cells])
    if not path.is_file():
        _compute(source, extractor, kind, config, crops, frames, offsets, path, advance)
    labels = tuple(mirrored_label(label) if config.mirror else label for label in source.skeletons.labels.tolist())
    return FeatureTable(np.load(path, mmap_mode="r", allow_pickle=False), offsets, labels, frames)


def _compute(
    source: PixelSource,
    extractor: FeatureExtractor,
    kind: str,
    config: FeatureConfig,
    crops: CropConfig,
    frames: list[np.ndarray],
    offsets: np.ndarray,
    path: Path,
    advance: Callable[[int], object],
) -> None:
    """Write the file; it appears under its name when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(suffix=".npy", prefix=path.stem, dir=path.parent)
    os.close(handle)
    values = None
    try:
        for number in range(len(source)):
            clip = fitted(source[number], config.image_size)
            clip = mirrored_clip(clip) if config.mirror else clip
            found = KINDS[kind](clip, frames[number], extractor, crops)
            if values is None:
                values = np.lib.format.open_memmap(part, "w+", np.float16, (int(offsets[-1]), *found.shape[1:]))
            if found.shape[1:] != values.shape[1:]:
                raise UserError(
                    f"clip {number} gives features {found.shape[1:]}, the ones before {values.shape[1:]}: set image_size"
                )
            values[offsets[number] : offsets[number + 1]] = found
            advance(1)
        values.flush()
        os.chmod(part, 0o644)
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise
