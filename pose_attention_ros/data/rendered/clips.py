"""Rendered clips: the settings, one clip, and the data set of many. Clip i of a seed is the same whatever else is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.data.dataset import Clip, SkeletonDataset
from pose_attention_ros.data.pixel_clips import IMAGES_FILE, SKELETONS_FILE, PixelClip
from pose_attention_ros.data.rendered import drawing
from pose_attention_ros.data.rendered.figure import LAYOUT, Body, View, joints_in_space
from pose_attention_ros.data.rendered.motions import ACTIONS, acted
from pose_attention_ros.data.rendered.scene import MARGIN, Drifting, StrayLimb, background, shake

# Part of every block of clips, one of each action in a block: 12 blocks in 20 train, 3 validate, 5 test.
_PARTS = ("train",) * 12 + ("val",) * 3 + ("test",) * 5


@dataclass(frozen=True)
class RenderConfig(Settings):
    """What is drawn, and how hard it is to see."""

    clips: int = setting(1000, "clips, the same number of each action", low=1, high=1_000_000)
    frames: int = setting(16, "frames a clip", low=2, high=1000)
    fps: float = setting(8.0, "frames a second", unit="Hz", low=1, high=120)
    size: int = setting(112, "width and height of a frame", unit="px", low=48, high=1024)
    seed: int = setting(0, "everything random follows from it", low=0)
    smallest: float = setting(0.7, "smallest person, as a share of the frame's height", low=0.1, high=1)
    largest: float = setting(0.95, "largest person", low=0.1, high=1)
    yaw_deg: float = setting(25.0, "how far a person may be turned away from the camera", unit="deg", low=0, high=180)
    elevation_deg: float = setting(10.0, "how far the camera may look down", unit="deg", low=0, high=60)
    body_spread: float = setting(0.15, "how much bodies differ", low=0, high=0.5)
    stray_limbs: int = setting(3, "most arms and legs in a clip that belong to nobody", low=0, high=50)
    drifting: int = setting(4, "most shapes that drift behind the person", low=0, high=50)
    occluded: float = setting(0.2, "share of clips in which something is in front of the person", low=0, high=1)
    camera_shake: float = setting(0.02, "how far the camera shakes, as a share of the frame's size", low=0, high=MARGIN)
    noise: float = setting(4.0, "spread of the sensor's noise, of 255", low=0, high=50)


def render_clip(config: RenderConfig, number: int) -> PixelClip:
    """Clip `number` of the data set that `config` describes."""
    rng = np.random.default_rng([config.seed, number])
    action = list(ACTIONS)[number % len(ACTIONS)]
    part = _PARTS[number // len(ACTIONS) % len(_PARTS)]
    times_s = np.arange(config.frames) / config.fps
    body, clothes = Body.drawn(rng, config.body_spread), drawing.Clothes.drawn(rng)
    height_px = config.size * rng.uniform(config.smallest, max(config.smallest, config.largest))
    view = View(
        rng.uniform(-1, 1) * config.yaw_deg,
        rng.uniform() * config.elevation_deg,
        height_px,
        tuple((config.size * (0.5 + rng.uniform(-0.15, 0.15, 2))).tolist()),
    )
    joints_px, depths = view(joints_in_space(body, acted(action, times_s, rng)))
    off_px = shake(rng, times_s, config.size, config.camera_shake)
    joints_px += off_px[:, None]
    things = [Drifting.drawn(rng, config.frames, config.size, 0.12) for _ in range(rng.integers(config.drifting + 1))]
    limbs = [
        StrayLimb.drawn(rng, times_s, config.size, height_px, clothes if rng.uniform() < 0.5 else drawing.Clothes.drawn(rng))
        for _ in range(rng.integers(config.stray_limbs // 2, config.stray_limbs + 1))
    ]
    through_px = np.median(joints_px, axis=(0, 1)) + rng.uniform(-0.3, 0.3, 2) * height_px
    fronts = [Drifting.drawn(rng, config.frames, config.size, 0.14, through_px)] if rng.uniform() < config.occluded else []
    ground = background(rng, config.size)
    images, hidden = [], np.zeros(joints_px.shape[:2], bool)
    for frame in range(config.frames):
        image = _seen_from(ground, off_px[frame], config.size)
        for behind in (*things, *limbs):
            behind.paint(image, frame)
        drawing.figure(image, joints_px[frame], depths[frame], body, clothes, height_px, view.yaw_deg)
        hidden[frame] = _covered(fronts, frame, joints_px[frame], config.size)
        for front in fronts:
            front.paint(image, frame)
        images.append(image)
    # OpenCV draws at the middles of pixels, keypoints count from the outer corner of the first one.
    return PixelClip(
        _as_taken(np.stack(images), rng, config.noise),
        (joints_px + 0.5).astype(np.float32),
        (~hidden).astype(np.float32),
        LAYOUT.joints,
        action,
        config.fps,
        part,
        f"rendered/{number:06d}",
    )


def render_dataset(config: RenderConfig, out: Path, advance: Callable[[int], object] = lambda clips: None) -> None:
    """Write OUT/skeletons.npz, a skeleton data set file, and OUT/images.npy, (all frames, size, size, 3) uint8, which
    data.pixel_clips reads. `advance` is told of each clip that is done."""
    out.mkdir(parents=True, exist_ok=True)
    shape = (config.clips * config.frames, config.size, config.size, 3)
    images = np.lib.format.open_memmap(out / IMAGES_FILE, "w+", np.uint8, shape)

    def clips() -> Iterator[Clip]:
        for number in range(config.clips):
            clip = render_clip(config, number)
            images[number * config.frames : (number + 1) * config.frames] = clip.images_bgr
            yield Clip(
                clip.keypoints_px, clip.scores, clip.label, clip.fps, clip.split, clip.group, (config.size, config.size)
            )
            advance(1)

    data = SkeletonDataset.from_clips(clips(), LAYOUT.joints)
    images.flush()
    data.save(out / SKELETONS_FILE)


def _seen_from(ground: np.ndarray, off_px: np.ndarray, size: int) -> np.ndarray:
    """The part of the wide background that a camera sees which is off by off_px (2,)."""
    left, top = (ground.shape[0] - size) // 2 - off_px
    return np.ascontiguousarray(ground[top : top + size, left : left + size])


def _covered(fronts: list[Drifting], frame: int, joints_px: np.ndarray, size: int) -> np.ndarray:
    """(V,) bool: the joint is outside the image, or something is in front of it."""
    inside = ((joints_px >= 0) & (joints_px < size)).all(-1)
    mask = np.zeros((size, size), np.uint8)
    for front in fronts:
        drawing.polygon(mask, front.corners_px[frame], (255, 255, 255))
    at = np.where(inside[:, None], joints_px, 0).astype(int)
    return ~inside | (mask[at[:, 1], at[:, 0]] > 127)


def _as_taken(images: np.ndarray, rng: np.random.Generator, noise: float) -> np.ndarray:
    """images (T, H, W, 3) as a camera has them: a little blurred, of another brightness, noisy."""
    width = rng.choice((0, 3))
    if width:
        images = np.stack([cv2.blur(image, (width, width)) for image in images])
    light = rng.uniform(0.7, 1.15)
    grain = rng.standard_normal(images.shape, np.float32) * np.float32(noise * rng.uniform())
    return np.clip(images * np.float32(light) + grain, 0, 255).astype(np.uint8)
