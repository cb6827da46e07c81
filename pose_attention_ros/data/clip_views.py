"""Clips as a benchmark has them, seen anew: what recipes for hand-annotated joints train on.

Everything runs on features, which the feature path has made once: turning, stretching, shearing and mirroring the image,
playing faster, slower or only a part are all exact there. B clips, T ticks, V joints, C channels FEATURE_NAMES.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.body.layouts import Layout
from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.types import FEATURE_NAMES

_XY, _VELOCITY, _SCORE = slice(0, 2), slice(2, 4), FEATURE_NAMES.index("score")
_SHORTEST = 3  # ticks of a trimmed clip, at least, where it has so many


@dataclass(frozen=True)
class ClipConfig(Settings):
    """How differently a clip is seen each time. Lengths are in body units (torso lengths)."""

    mirror: float = setting(0.5, "share of clips that are mirrored", low=0, high=1)
    rotation_deg: float = setting(12.0, "spread of the camera's roll", unit="deg", low=0)
    stretch: float = setting(0.15, "spread of the logarithm of width and of height", low=0)
    shear: float = setting(0.15, "spread of the sideways shear", low=0)
    offset: float = setting(0.05, "spread of a joint's constant offset", unit="body units", low=0)
    noise: float = setting(0.01, "spread of the noise that is new in every tick", unit="body units", low=0)
    joint_drop: float = setting(0.1, "highest share of joints that a clip lacks throughout", low=0, high=0.9)
    slowest: float = setting(0.75, "slowest replay", low=0.1)
    fastest: float = setting(1.35, "fastest replay", low=0.1)
    trim: float = setting(0.3, "highest share that half of the clips lose at their ends", low=0, high=0.9)
    alike: int = setting(8, "batches among which clips are sorted by length; 1 draws them at random", low=1)
    longest: int = setting(0, "ticks of a clip that are shown at most; 0 for all", low=0)
    early: float = setting(0.3, "ticks of a clip's beginning count less, rising over this share of it", low=0.01, high=1)


def seen_anew(
    clips: list[np.ndarray], rng: np.random.Generator, layout: Layout, config: ClipConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Clips (T_i, V, C) of features, each at another speed, from another side, of another body -> features (B, T, V, C), 0
    where padded, and ticks (B,)."""
    played = [_replayed(clip, rng, config) for clip in clips]
    ticks = np.array([len(clip) for clip in played])
    features = np.zeros((len(clips), ticks.max(), *clips[0].shape[1:]), np.float32)
    for b, clip in enumerate(played):
        features[b, : ticks[b]] = clip
    flipped = rng.uniform(size=len(clips)) < config.mirror
    features[flipped] = mirrored_features(features[flipped], layout)
    turn = _views(rng, len(clips), config)
    features[..., _XY] = np.einsum("bij,btvj->btvi", turn, features[..., _XY])
    features[..., _VELOCITY] = np.einsum("bij,btvj->btvi", turn, features[..., _VELOCITY])
    features[:, 0, :, _VELOCITY] = 0  # the first tick of a stream knows no motion
    joints = features.shape[2]
    features[..., _XY] += config.offset * rng.standard_normal((len(clips), 1, joints, 2)).astype(np.float32)
    features[..., _XY] += config.noise * rng.standard_normal(features[..., _XY].shape, np.float32)
    lost = rng.uniform(size=(len(clips), 1, joints)) < config.joint_drop * rng.uniform(size=(len(clips), 1, 1))
    return features * ((features[..., _SCORE] > 0) & ~lost)[..., None], ticks


def mirrored_features(features: np.ndarray, layout: Layout) -> np.ndarray:
    """features (..., V, C) of the same person in a mirror."""
    sign = np.array([-1 if name in ("x", "vx") else 1 for name in FEATURE_NAMES], np.float32)
    return features[..., layout.mirror, :] * sign


def _replayed(clip: np.ndarray, rng: np.random.Generator, config: ClipConfig) -> np.ndarray:
    """A part of `clip` at another speed; a joint missing in one of two ticks is taken from the nearer of them."""
    last = len(clip) - 1
    speed = np.exp(rng.uniform(np.log(config.slowest), np.log(config.fastest)))
    kept = 1 - config.trim * rng.uniform() if rng.uniform() < 0.5 else 1.0
    span = min(max(last * kept, _SHORTEST), last)
    if config.longest:
        span = min(span, (config.longest - 1) * speed)
    begin = rng.uniform() * (last - span)
    at = np.minimum(begin + speed * np.arange(int(span / speed) + 1), last)
    before = at.astype(int)
    after = np.minimum(before + 1, last)
    weight = (at - before).astype(np.float32)[:, None, None]
    early, late = clip[before], clip[after]
    both = (early[..., _SCORE:] > 0) & (late[..., _SCORE:] > 0)
    played = np.where(both, (1 - weight) * early + weight * late, np.where(weight < 0.5, early, late))
    played[..., _VELOCITY] *= speed
    return played


def _views(rng: np.random.Generator, clips: int, config: ClipConfig) -> np.ndarray:
    """(B, 2, 2) float32: each clip's affine map of the image."""
    angle = np.deg2rad(config.rotation_deg) * rng.standard_normal(clips)
    width, height = np.exp(config.stretch * rng.standard_normal((2, clips)))
    shear = config.shear * rng.standard_normal(clips)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]])
    squeeze = np.array([[width, width * shear], [0 * height, height]])
    return np.einsum("ijb,jkb->bik", turn, squeeze).astype(np.float32)
