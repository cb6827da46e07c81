"""A clip with pixels seen otherwise: fewer frames, another size, a mirror; and a whole data set stored that way."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pose_attention_ros.core.body.crops import SteadySquare, square_crop
from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.dataset import Clip, SkeletonDataset
from pose_attention_ros.data.pixel_clips import IMAGES_FILE, SKELETONS_FILE, PixelClip, PixelSource, mirrored_label


@dataclass(frozen=True)
class StoreConfig(Settings):
    """How a data set with pixels is stored."""

    image_size: int = setting(
        224, "every frame is fitted into a square of this side, black beside it", unit="px", low=32, high=1024
    )
    frames: int = setting(0, "frames of a clip that are kept, at equal intervals; 0: all", low=0, high=10_000)
    around: bool = setting(False, "keep the square around the person that a robot's models are shown, not the whole frame")


def chosen_frames(count: int, wanted: int) -> np.ndarray:
    """Numbers of `wanted` frames of `count` at equal intervals, the middle of each of `wanted` equal parts; all for 0. A
    clip with fewer frames repeats some."""
    if not wanted:
        return np.arange(count)
    return ((np.arange(wanted) + 0.5) * count / wanted).astype(np.int64)


def mirrored_clip(clip: PixelClip) -> PixelClip:
    """The same clip in a mirror. Raises UserError where the joints are not those of a known layout."""
    layout = next((table for table in LAYOUTS.values() if table.joints == clip.joints), None)
    if layout is None:
        raise UserError(f"cannot mirror joints {', '.join(clip.joints)}: they are of no known layout")
    width = clip.images_bgr.shape[2]
    keypoints = clip.keypoints_px[:, layout.mirror] * np.array([-1, 1], np.float32) + np.array([width, 0], np.float32)
    return dataclasses.replace(
        clip,
        images_bgr=np.ascontiguousarray(clip.images_bgr[:, :, ::-1]),
        keypoints_px=keypoints,
        scores=clip.scores[:, layout.mirror],
        label=mirrored_label(clip.label),
    )


def fitted(clip: PixelClip, size: int) -> PixelClip:
    """The clip scaled into the middle of a square of `size` pixels, black beside it; 0 leaves it as it is."""
    height, width = clip.images_bgr.shape[1:3]
    if not size or (height, width) == (size, size):
        return clip
    scale = size / max(height, width)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    left, top = (size - inner[0]) // 2, (size - inner[1]) // 2
    images = np.zeros((len(clip.images_bgr), size, size, 3), np.uint8)
    for image, source in zip(images, clip.images_bgr):
        image[top : top + inner[1], left : left + inner[0]] = cv2.resize(
            source, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        )
    factors = np.array([inner[0] / width, inner[1] / height], np.float32)
    return dataclasses.replace(
        clip, images_bgr=images, keypoints_px=clip.keypoints_px * factors + np.array([left, top], np.float32)
    )


def around_person(clip: PixelClip, size: int) -> PixelClip:
    """The clip as a robot shows it to a model: the square around the joints, scaled to `size` pixels, black outside of the
    image. Where no joint is there the square stays, and before the first one it is the whole image."""
    height, width = clip.images_bgr.shape[1:3]
    squares, square = SteadySquare(), np.array([width / 2, height / 2, max(width, height)])
    images, keypoints = np.zeros((len(clip.images_bgr), size, size, 3), np.uint8), np.zeros_like(clip.keypoints_px)
    for frame, (image, joints, scores) in enumerate(zip(clip.images_bgr, clip.keypoints_px, clip.scores)):
        there = joints[scores > 0]
        if len(there):
            square = squares(np.concatenate([there.min(0), there.max(0)]).astype(np.float64))
        images[frame] = square_crop(image, square, size)
        keypoints[frame] = (joints - square[:2] + square[2] / 2) * (size / square[2])
    return dataclasses.replace(clip, images_bgr=images, keypoints_px=keypoints)


def store_pixels(
    source: PixelSource, config: StoreConfig, out: Path, advance: Callable[[int], object] = lambda clips: None
) -> SkeletonDataset:
    """Write OUT/skeletons.npz and OUT/images.npy, which data.pixel_clips.open_pixels reads; joints follow the images. Where
    frames are left out, a clip's frame rate falls with them. `advance` is told of each clip that is done."""
    data = source.skeletons
    chosen = [chosen_frames(int(count), config.frames) for count in np.diff(data.offsets)]
    out.mkdir(parents=True, exist_ok=True)
    shape = (sum(map(len, chosen)), config.image_size, config.image_size, 3)
    images = np.lib.format.open_memmap(out / IMAGES_FILE, "w+", np.uint8, shape)

    def clips() -> Iterator[Clip]:
        at = 0
        for number, frames in enumerate(chosen):
            known = data[number]
            taken = PixelClip(
                source.images(number, frames), known.keypoints[frames], known.scores[frames], data.joints, known.label
            )
            clip = (around_person if config.around else fitted)(taken, config.image_size)
            images[at : at + len(frames)] = clip.images_bgr
            at += len(frames)
            yield dataclasses.replace(
                known,
                keypoints=clip.keypoints_px,
                scores=clip.scores,
                fps=known.fps * len(frames) / len(known.keypoints),
                image_size=(config.image_size, config.image_size),
            )
            advance(1)

    stored = SkeletonDataset.from_clips(clips(), data.joints)
    images.flush()
    stored.save(out / SKELETONS_FILE)
    return stored
