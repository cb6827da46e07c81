"""People who walk across a picture and past each other, as a pose estimator would see them, with the truth of who is who.

Whoever is mostly behind somebody nearer is seen badly or not at all; joints tremble, some are missing, boxes follow joints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.types import Skeletons

LAYOUT = layout("coco17")
SIZE = (1280, 720)
# Somebody standing, in body units around the middle of the hips; x right, y down; COCO's order.
# fmt: off
_STANDING = np.array([(0, -1.55), (.06, -1.6), (-.06, -1.6), (.14, -1.55), (-.14, -1.55), (.38, -1), (-.38, -1), (.46, -.4),
                      (-.46, -.4), (.48, .1), (-.48, .1), (.2, 0), (-.2, 0), (.2, .85), (-.2, .85), (.2, 1.7), (-.2, 1.7)])
# fmt: on
# How far each joint swings sideways in a step, in body units, and whose turn it is.
_SWING = np.array([0, 0, 0, 0, 0, 0.03, -0.03, -0.12, 0.12, -0.3, 0.3, 0, 0, 0.15, -0.15, 0.35, -0.35])
_STEPS_HZ = 0.9


@dataclass(frozen=True)
class CrowdConfig:
    """What is simulated. Speeds are in body units a second; a share of 0.35 hidden is seen badly, of 0.7 not at all."""

    people: int = 4
    seconds: float = 10.0
    fps: float = 10.0
    seed: int = 0
    slowest: float = 0.6
    fastest: float = 2.0
    trembling: float = 0.04  # body units, one standard deviation
    missed: float = 0.03  # chance that somebody in full view is not found
    seen_badly: float = 0.35
    unseen: float = 0.7


def crowd(config: CrowdConfig) -> list[tuple[Skeletons, np.ndarray]]:
    """What is seen in each image, in an order that means nothing, and who it is (N,)."""
    rng = np.random.default_rng(config.seed)
    people, (width, height) = config.people, SIZE
    scale = rng.uniform(35, 75, people)  # pixels a body unit: the larger the nearer
    feet = 200 + (scale - 35) / 40 * (height - 220)
    to_right = np.where(np.arange(people) % 2 == 0, 1, -1)
    velocity = to_right * rng.uniform(config.slowest, config.fastest, people) * scale
    middle = rng.uniform(0.25, 0.75, people) * width  # where each is half-way through: near one another
    phase = rng.uniform(0, 2 * np.pi, people)
    frames = []
    for number in range(round(config.seconds * config.fps)):
        time_s = number / config.fps
        x = middle + velocity * (time_s - config.seconds / 2)
        swing = np.sin(2 * np.pi * _STEPS_HZ * time_s + phase)[:, None] * _SWING
        joints = np.repeat(_STANDING[None], people, 0)
        joints[..., 0] += swing
        joints += rng.normal(0, config.trembling, joints.shape)
        joints_px = joints * scale[:, None, None] + np.stack([x, feet - 1.7 * scale], -1)[:, None]
        boxes = np.concatenate([joints_px.min(1) - 0.15 * scale[:, None], joints_px.max(1) + 0.1 * scale[:, None]], 1)
        hidden = _hidden(boxes, scale)
        scores = np.clip(rng.normal(0.75, 0.1, (people, 17)), 0.05, 1) * (1 - 0.8 * np.maximum(hidden - 0.2, 0))[:, None]
        scores[rng.uniform(size=scores.shape) < 0.03] = 0.05
        person_scores = np.clip(0.75 - 0.8 * hidden + rng.normal(0, 0.05, people), 0.02, 1)
        person_scores[hidden > config.seen_badly] = np.minimum(person_scores[hidden > config.seen_badly], 0.3)
        inside = (boxes[:, 2] > 0) & (boxes[:, 0] < width)
        seen = inside & (hidden < config.unseen) & (rng.uniform(size=people) > config.missed)
        who = rng.permutation(np.flatnonzero(seen))
        frames.append(
            (
                Skeletons(
                    round(time_s * 1e9), "crowd", LAYOUT, SIZE, joints_px[who], scores[who], boxes[who], person_scores[who]
                ),
                who,
            )
        )
    return frames


def _hidden(boxes: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The share of each person's box that lies behind the box of somebody nearer; the largest such (N,)."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    common = np.maximum(high - low, 0).prod(-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    nearer = scale[None] > scale[:, None]
    return np.where(nearer, common / area[:, None], 0).max(1)
