"""Clips with their pixels: an ordinary skeleton data set, and the images that belong to it.

F frames of a clip, V joints, images H x W. Models that read pixels take any PixelSource; importers of the original layouts
(`data/layouts_*.py`) and the rendered data set give one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from pose_attention_ros.core.errors import UserError, reading
from pose_attention_ros.data.dataset import SkeletonDataset, file_sha256

SKELETONS_FILE, IMAGES_FILE = "skeletons.npz", "images.npy"


@dataclass(frozen=True, eq=False)
class PixelClip:
    """One clip: images_bgr (F, H, W, 3) uint8; keypoints_px (F, V, 2) float32, y down; scores (F, V) float32 in [0, 1], 0
    for a missing joint; joints the V names; fps 0 where it is not known; split and group as in data.dataset."""

    images_bgr: np.ndarray
    keypoints_px: np.ndarray
    scores: np.ndarray
    joints: tuple[str, ...]
    label: str
    fps: float = 0.0
    split: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        frames, joints = len(self.images_bgr), len(self.joints)
        for name, expected in (("keypoints_px", (frames, joints, 2)), ("scores", (frames, joints))):
            if getattr(self, name).shape != expected:
                raise ValueError(f"PixelClip.{name} has shape {getattr(self, name).shape}, expected {expected}")
        if self.images_bgr.dtype != np.uint8 or self.images_bgr.ndim != 4 or self.images_bgr.shape[3] != 3:
            raise ValueError(
                f"PixelClip.images_bgr is {self.images_bgr.dtype} {self.images_bgr.shape}, expected uint8 "
                "(frames, height, width, 3)"
            )


class PixelSource(Protocol):
    """A data set with pixels. `skeletons` holds everything but the images; `sha256` changes when any of it does."""

    skeletons: SkeletonDataset
    sha256: str

    def __len__(self) -> int:
        """Number of clips."""
        ...

    def images(self, clip: int, frames: Sequence[int] | None = None) -> np.ndarray:
        """(n, H, W, 3) uint8 BGR: the frames of that number within the clip, or all of them."""
        ...

    def __getitem__(self, clip: int) -> PixelClip:
        """The whole clip. Raises IndexError."""
        ...


class _Source:
    """What every source shares; subclasses have `skeletons` and `images`."""

    skeletons: SkeletonDataset

    def __len__(self) -> int:
        return len(self.skeletons)

    def __getitem__(self, clip: int) -> PixelClip:
        known = self.skeletons[clip]
        return PixelClip(
            self.images(clip),
            known.keypoints,
            known.scores,
            self.skeletons.joints,
            known.label,
            known.fps,
            known.split,
            known.group,
        )


class StoredPixels(_Source):
    """A folder with a skeleton data set file and one array of all frames, read where it is asked for."""

    def __init__(self, folder: Path) -> None:
        """:raises UserError: a file is missing, damaged, or does not belong to the other"""
        self._folder = folder
        self.skeletons = SkeletonDataset.load(folder / SKELETONS_FILE)
        with reading(folder / IMAGES_FILE, "an array of images as `pose-attention data render` makes it"):
            self._images = np.load(folder / IMAGES_FILE, mmap_mode="r", allow_pickle=False)
        frames, shape = len(self.skeletons.keypoints), self._images.shape
        if len(shape) != 4 or shape[0] != frames or shape[3] != 3 or self._images.dtype != np.uint8:
            raise UserError(
                f"{folder / IMAGES_FILE} is {self._images.dtype} {shape}, expected uint8 "
                f"({frames}, height, width, 3) as {SKELETONS_FILE} beside it has {frames} frames"
            )

    @cached_property
    def sha256(self) -> str:
        """Of both files."""
        return combined_sha256(file_sha256(self._folder / name) for name in (SKELETONS_FILE, IMAGES_FILE))

    def images(self, clip: int, frames: Sequence[int] | None = None) -> np.ndarray:
        """See PixelSource."""
        begin, end = self.skeletons.offsets[clip : clip + 2]
        rows = self._images[begin:end]
        return np.array(rows if frames is None else rows[np.asarray(frames, np.int64)])


class DecodedPixels(_Source):
    """Images in files of their own, as the original data sets have them, decoded when they are asked for.

    :param read: (clip, frame numbers within the clip) -> (n, H, W, 3) uint8 BGR
    :param signature: what identifies the files without reading them all, for example names, sizes and times
    """

    def __init__(self, skeletons: SkeletonDataset, read: Callable[[int, Sequence[int]], np.ndarray], signature: str) -> None:
        self.skeletons, self._read, self._signature = skeletons, read, signature

    @cached_property
    def sha256(self) -> str:
        """Of the joints and of the images' names and sizes."""
        return combined_sha256((self._signature, skeletons_sha256(self.skeletons)))

    def images(self, clip: int, frames: Sequence[int] | None = None) -> np.ndarray:
        """See PixelSource."""
        begin, end = self.skeletons.offsets[clip : clip + 2]
        return self._read(clip, range(end - begin) if frames is None else frames)


def open_pixels(folder: Path) -> PixelSource:
    """The data set with pixels in `folder`, as `data render` leaves it. Raises UserError."""
    if not folder.is_dir():
        raise UserError(f"no folder {folder}; make one with `pose-attention data render {folder}`")
    return StoredPixels(folder)


def combined_sha256(parts: Iterable[str]) -> str:
    """One hash of several texts."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def skeletons_sha256(data: SkeletonDataset) -> str:
    """Hash of joints, labels and order of a data set, however it was stored."""
    digest = hashlib.sha256("\n".join((*data.joints, *data.labels.tolist())).encode())
    for name in ("keypoints", "scores", "offsets"):
        digest.update(np.ascontiguousarray(getattr(data, name)).tobytes())
    return digest.hexdigest()


def mirrored_label(label: str) -> str:
    """The label of the same clip seen in a mirror: wave_left_hand becomes wave_right_hand."""
    other = {"left": "right", "right": "left"}
    return re.sub("left|right", lambda found: other[found.group()], label)
