"""Cameras as robots have them: a 3D motion seen from somewhere, and what of a person the image holds.

Everything is measured in body units of UNIT_PX pixels, as the simulated estimator wants it (`augment.py`); how many pixels
of the network's input such a unit has says how well a person is seen. m frames, V joints.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.body.features import BodyFrame
from pose_attention_ros.core.body.layouts import Layout
from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.data.augment import UNIT_PX, Shot
from pose_attention_ros.data.streams import Example, Stream

LONGEST_S = 10.0
_INPUT_PX = (320.0, 240.0)  # the pose network's input, longer and shorter side
_NEAREST_M = 0.3  # a joint closer to the image plane than this is not seen
_EYE_LEVEL_M = 0.9  # what a camera looks at, above the floor
_SIDES, _SIDE_SHARES = (3, 0, 2, 1), (0.55, 0.15, 0.15, 0.15)  # which of x0, y0, x1, y1 cuts, and how often


@dataclass(frozen=True)
class ViewConfig(Settings):
    """Where cameras stand, and how often they hold only a part of a person."""

    lowest_m: float = setting(0.2, "lowest camera above the floor", unit="m", low=0)
    highest_m: float = setting(1.6, "highest camera on a robot", unit="m", low=0)
    overhead: float = setting(0.2, "share of cameras higher than that, on a wall or ceiling, up to 3 m", low=0, high=1)
    nearest_m: float = setting(1.2, "nearest camera", unit="m", low=0.3)
    farthest_m: float = setting(8.0, "farthest camera", unit="m", low=0.5)
    off_axis_deg: float = setting(10.0, "spread of the angle between the camera's axis and the person", unit="deg", low=0)
    cut: float = setting(0.4, "share of streams in which an edge of the image cuts the person", low=0, high=1)
    cut_low: float = setting(0.12, "least share of the person's extent that a cutting edge leaves out", low=0, high=1)
    cut_high: float = setting(0.75, "largest share", low=0, high=1)
    furniture: float = setting(0.12, "share of streams in which something stands before the lower body", low=0, high=1)
    smallest_px: float = setting(7.0, "body unit of the smallest person, in pixels of the network's input", unit="px", low=1)


def shot(stream: Stream, rng: np.random.Generator, layout: Layout, config: ViewConfig) -> Shot:
    """What a random camera shows of a stream (3D, or joints already in an image)."""
    if stream.keypoints.shape[-1] == 3:
        stream = projected(stream, rng, layout, config)
    seen = stream.keypoints[stream.mask]
    low, high = (np.quantile(seen, share, axis=0) for share in (0.02, 0.98)) if len(seen) else (np.zeros(2), np.ones(2))
    extent = np.maximum(high - low, UNIT_PX / 2)
    window = np.concatenate([low - extent * _margin(rng, 2), high + extent * _margin(rng, 2)])
    if rng.uniform() < config.cut:
        share = rng.uniform(config.cut_low, config.cut_high)
        side = int(rng.choice(_SIDES, p=_SIDE_SHARES))
        window[side] = np.concatenate([low + share * extent, high - share * extent])[side]
    hidden = np.zeros(4)
    if rng.uniform() < config.furniture:
        top = high[1] - rng.uniform(0.15, 0.6) * extent[1]
        begin = low[0] + rng.uniform(-0.5, 0.7) * extent[0]
        hidden = np.array([begin, top, begin + rng.uniform(0.6, 3) * extent[0], high[1] + 10 * UNIT_PX])
    size = np.maximum(window[2:] - window[:2], UNIT_PX / 2)
    largest_px = float(min(_INPUT_PX[0] / size.max(), _INPUT_PX[1] / size.min()) * UNIT_PX)
    farther = np.exp(-abs(rng.normal(0, 0.5))) if rng.uniform() < 0.7 else 1.0  # more image beyond what matters
    return Shot(stream, window, hidden, max(largest_px * farther, config.smallest_px))


def in_an_image(example: Example, rng: np.random.Generator, layout: Layout, config: ViewConfig) -> Example:
    """A clip with its joints in an image: a 3D one from a random side, at most LONGEST_S of it; others as they are."""
    if example.keypoints.shape[-1] == 2:
        return example
    rows = slice(0, max(int(LONGEST_S * example.fps), 2))
    nothing = np.zeros(len(example.keypoints[rows]), np.int64)
    whole = Stream(nothing / example.fps, example.keypoints[rows], example.mask[rows], nothing, nothing > 0)
    seen = projected(whole, rng, layout, config)
    return dataclasses.replace(example, keypoints=seen.keypoints, scores=example.scores[rows] * seen.mask)


def _margin(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.exp(rng.uniform(np.log(0.03), np.log(1.5), count))


def projected(stream: Stream, rng: np.random.Generator, layout: Layout, config: ViewConfig) -> Stream:
    """A 3D stream as a pinhole camera sees it from a random side, at UNIT_PX a body unit (as the middle of its frames has
    it). A joint at or behind the camera is missing."""
    height_m = (
        rng.uniform(config.highest_m, 3.0)
        if rng.uniform() < config.overhead
        else rng.uniform(config.lowest_m, config.highest_m)
    )
    distance_m = np.exp(rng.uniform(np.log(config.nearest_m), np.log(config.farthest_m)))
    yaw = rng.uniform(-np.pi, np.pi)
    pan, tilt = np.deg2rad(rng.normal(0, config.off_axis_deg, 2))
    middle = np.median(stream.keypoints.mean(1), 0) * np.array([1, 0, 1], np.float32)
    path = stream.keypoints - middle
    cos, sin = np.cos(yaw), np.sin(yaw)
    right, away = -cos * path[..., 0] - sin * path[..., 2], -sin * path[..., 0] + cos * path[..., 2] + distance_m
    up = path[..., 1] - height_m
    right, away = _turned(right, away, pan)
    up, away = _turned(up, away, np.arctan2(height_m - _EYE_LEVEL_M, distance_m) + tilt)
    mask = stream.mask & (away > _NEAREST_M)
    image = np.stack([right, -up], -1) / np.maximum(away, _NEAREST_M)[..., None]
    image = np.where(mask[..., None], image, 0).astype(np.float32)
    return dataclasses.replace(stream, keypoints=at_unit_size(image * 1000, mask, layout), mask=mask)


def at_unit_size(keypoints: np.ndarray, mask: np.ndarray, layout: Layout) -> np.ndarray:
    """(m, V, 2) brought to UNIT_PX a body unit, as the middle of the frames has it."""
    scale = BodyFrame(layout, (len(keypoints),)).scale_px(keypoints, mask, np.zeros(len(keypoints)))
    return (keypoints * np.float32(UNIT_PX / np.median(scale))).astype(np.float32)


def _turned(across: np.ndarray, away: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    cos, sin = np.cos(angle), np.sin(angle)
    return cos * across + sin * away, cos * away - sin * across
