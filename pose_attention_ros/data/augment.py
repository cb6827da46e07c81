"""Makes hand-annotated or Kinect joints look as a pose estimator would have seen them.

Everything runs on a padded batch: B streams, M frames, V joints; keypoints (B, M, V, 2) in pixels of a body unit of UNIT_PX,
mask (B, M, V) bool, dt_s (B, M) seconds since the frame before.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from pose_attention_ros.core.body.layouts import PARTS, Layout
from pose_attention_ros.core.config import Settings, setting

if TYPE_CHECKING:
    from pose_attention_ros.data.streams import Stream

UNIT_PX = 100.0
# Joints of the arms' and legs' ends are found worse than the trunk; the head and the hips lie elsewhere in each annotation.
_ROUGH = {"wrist": 1.6, "ankle": 1.5, "elbow": 1.2, "knee": 1.2}
_OFFSET = {"head": 2.5, "hip": 1.5}
_FEWEST_JOINTS = 3
# Mean scores that MoveNet MultiPose gives on people seen well.
_LYING_SCORE = {"head": 0.8, "shoulder": 0.72, "elbow": 0.55, "wrist": 0.6, "hip": 0.8, "knee": 0.77, "ankle": 0.6}
_GUESS_SCORE = {"ankle": 1.6, "knee": 1.2, "elbow": 0.85, "wrist": 0.75}  # beyond the edge, beside the others
_SIZE_POWER = 1.35  # how the wandering noise, in body units, grows as a person gets smaller
_SCORE = {"head": 0.55, "shoulder": 0.72, "elbow": 0.55, "wrist": 0.4, "hip": 0.75, "knee": 0.65, "ankle": 0.6}


@dataclass(frozen=True)
class AugmentConfig(Settings):
    """How rough the simulated estimator is. Noise is in body units (torso lengths)."""

    mirror: float = setting(0.5, "share of streams that are mirrored", low=0, high=1)
    rotation_deg: float = setting(8.0, "spread of the camera's roll", unit="deg", low=0)
    shear: float = setting(0.08, "spread of the sideways shear", low=0)
    narrowest: float = setting(0.7, "how much a stream's width may shrink (seen from more aside)", low=0.1, high=1)
    proportions: float = setting(0.0, "spread of the logarithm of limbs' lengths: other people", low=0, high=0.5)
    offset: float = setting(0.03, "spread of a joint's constant offset", unit="body units", low=0)
    noise: float = setting(0.04, "spread of the wandering noise", unit="body units", low=0)
    noise_time_s: float = setting(0.25, "how long the wandering noise remembers", unit="s", low=0.01)
    jitter: float = setting(0.015, "spread of the noise that is new in every frame", unit="body units", low=0)
    # MoveNet's frame-to-frame noise is 0.01 body units on a person of 600 px, 0.02 at 70 px, 0.08 at 40 px.
    level_low: float = setting(0.3, "noise of the steadiest streams, a factor", low=0.01)
    level_high: float = setting(2.5, "noise of the roughest streams (small people), a factor", low=0.01)
    score_low: float = setting(0.55, "lowest quality of a stream, a factor on the scores of people seen well", low=0, high=2)
    score_high: float = setting(1.15, "highest quality of a stream", low=0, high=2)
    score_spread: float = setting(0.1, "how much a joint's score wanders", low=0, high=1)
    min_score: float = setting(0.2, "a joint whose score falls below is missing", low=0, high=1)
    occlusion: float = setting(0.15, "share of streams of which one limb is hidden for a while", low=0, high=1)
    cut_legs: float = setting(0.06, "share of streams that show no knees and ankles", low=0, high=1)
    cut_hips: float = setting(0.06, "share of streams that show no hips, knees and ankles", low=0, high=1)
    # Edges, furniture and sizes: measured of MoveNet, see docs/pose_choice.md (benchmarks/pose_borders.py).
    guess_score: float = setting(0.52, "mean score of a joint just beyond the edge, as a share of one's seen", low=0, high=1)
    guess_least: float = setting(0.07, "what is left of that share, however far the joint is", low=0, high=1)
    guess_reach: float = setting(
        0.3, "how far beyond, or below furniture's top, it has fallen to 1/e", unit="body units", low=0.01
    )
    guess_waver: float = setting(0.9, "spread of the logarithm of that share, one a joint and stream", low=0, high=3)
    guess_in: float = setting(0.06, "mean distance of such a guess from the edge, inwards", unit="body units", low=0)
    guess_spread: float = setting(
        0.11, "its spread along the edge; twice that where it is far beyond", unit="body units", low=0
    )
    edge_score: float = setting(
        0.5, "score of a joint inside, at the edge, as a share of one's amid the image", low=0, high=1
    )
    edge_reach: float = setting(0.4, "how far inside the edge scores are lower", unit="body units", low=0.01)
    edge_error: float = setting(3.8, "error of a joint at the edge, as a multiple", low=1)
    edge_width: float = setting(0.12, "how far inside the edge that is felt", unit="body units", low=0.01)
    hidden_score: float = setting(
        0.65, "score of a joint just behind furniture, as a share of that of one seen", low=0, high=1
    )
    hidden_least: float = setting(0.14, "what is left of that share, however deep the joint is", low=0, high=1)
    hidden_error: float = setting(5.0, "its error, as a multiple of that of one seen", low=1)
    lying_error: float = setting(1.6, "error on a person who lies, as a multiple", low=1)
    size_px: float = setting(
        28.0,
        "body unit in the network's input at which noise is as stated; it grows as people get smaller",
        unit="px",
        low=1,
    )
    size_score: float = setting(0.55, "share of its score that the smallest person loses", low=0, high=1)
    size_score_px: float = setting(12.0, "body unit at which 1/e of that is lost", unit="px", low=1)
    swap: float = setting(0.02, "share of time in which left and right are taken for each other", low=0, high=1)
    strength: float = setting(1.0, "0 leaves the joints as they are, 1 is all of the above", low=0, high=2)


def correlated(rng: np.random.Generator, dt_s: np.ndarray, time_s: float, shape: tuple[int, ...]) -> np.ndarray:
    """Noise of unit variance (B, M, *shape) that forgets with time constant `time_s`, exact for any frame times."""
    white = rng.standard_normal((*dt_s.shape, *shape)).astype(np.float32)
    keep = np.exp(-dt_s / time_s).astype(np.float32).reshape(*dt_s.shape, *(1 for _ in shape))
    fresh = np.sqrt(1 - keep**2)
    for i in range(1, dt_s.shape[1]):
        white[:, i] = keep[:, i] * white[:, i - 1] + fresh[:, i] * white[:, i]
    return white


@dataclass(frozen=True, eq=False)
class Shot:
    """What a camera shows of a stream: the stream at UNIT_PX a body unit, the image's edges and a rectangle of furniture in
    the same pixels (4,) as x0, y0, x1, y1 (empty: none), and how many pixels of the network's input a body unit has."""

    stream: Stream
    window_xyxy: np.ndarray
    furniture_xyxy: np.ndarray
    unit_input_px: float


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The shots of a batch without their streams: window_xyxy and furniture_xyxy (B, 4), unit_input_px (B,)."""

    window_xyxy: np.ndarray
    furniture_xyxy: np.ndarray
    unit_input_px: np.ndarray

    @classmethod
    def of(cls, shots: list[Shot]) -> Surroundings:
        return cls(
            np.stack([shot.window_xyxy for shot in shots]),
            np.stack([shot.furniture_xyxy for shot in shots]),
            np.array([shot.unit_input_px for shot in shots]),
        )

    def beyond(self, keypoints: np.ndarray) -> np.ndarray:
        """(B, M, V) pixels that a joint lies outside the image, 0 inside."""
        low, high = self.window_xyxy[:, None, None, :2], self.window_xyxy[:, None, None, 2:]
        return np.linalg.norm(np.maximum(np.maximum(low - keypoints, keypoints - high), 0), axis=-1)

    def inside(self, keypoints: np.ndarray) -> np.ndarray:
        """(B, M, V) pixels from a joint in the image to its nearest edge; 0 outside."""
        low, high = self.window_xyxy[:, None, None, :2], self.window_xyxy[:, None, None, 2:]
        return np.maximum(np.minimum(keypoints - low, high - keypoints).min(-1), 0)

    def behind(self, keypoints: np.ndarray) -> np.ndarray:
        """(B, M, V) bool, whether furniture hides a joint."""
        low, high = self.furniture_xyxy[:, None, None, :2], self.furniture_xyxy[:, None, None, 2:]
        return ((keypoints > low) & (keypoints < high)).all(-1)

    def guessed(
        self, rng: np.random.Generator, keypoints: np.ndarray, dt_s: np.ndarray, config: AugmentConfig
    ) -> np.ndarray:
        """(B, M, V, 2): where an estimator puts joints that lie outside: at the nearest edge, a little inside."""
        low, high = self.window_xyxy[:, None, None, :2], self.window_xyxy[:, None, None, 2:]
        far = self.beyond(keypoints)[..., None] > 0.25 * UNIT_PX
        spread = correlated(rng, dt_s, 1.0, keypoints.shape[2:]) * config.guess_spread * UNIT_PX * np.where(far, 2, 1)
        inside = rng.gamma(2.0, config.guess_in / 2, (len(keypoints), 1, *keypoints.shape[2:])) * UNIT_PX
        out = (keypoints < low) | (keypoints > high)
        clamped = np.clip(keypoints, low + inside, np.maximum(high - inside, low + inside))
        return np.where(out, clamped, np.clip(keypoints + spread, low, high))

    def depth(self, keypoints: np.ndarray) -> np.ndarray:
        """(B, M, V) pixels that a joint lies below the top edge of furniture; negative above it."""
        return keypoints[..., 1] - self.furniture_xyxy[:, None, None, 1]


def estimate(
    rng: np.random.Generator,
    keypoints: np.ndarray,
    mask: np.ndarray,
    dt_s: np.ndarray,
    layout: Layout,
    config: AugmentConfig,
    around: Surroundings | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """What an estimator would say: keypoints (B, M, V, 2), and scores (B, M, V) that are 0 where a joint is missing.

    :param around: edges, furniture and sizes; None: everybody is whole, and sizes are drawn
    """
    if config.strength == 0:
        return keypoints, mask.astype(np.float32)
    if around is None:
        keypoints = viewed(rng, keypoints, config)
    scores = _scores(rng, mask, dt_s, layout, config)
    level = np.exp(rng.uniform(*np.log((config.level_low, config.level_high)), (len(keypoints), 1, 1)))
    tremble = level
    error = np.ones_like(scores)
    beyond = np.zeros_like(scores)
    lying = _lies(keypoints, layout)[..., None]
    scores = scores * np.where(lying, _by_joint(layout, _LYING_SCORE, 1.0), 1)
    if around is not None:
        beyond = around.beyond(keypoints) / UNIT_PX
        share, error = _borders(rng, keypoints, layout, config, around)
        smaller, rough_px = config.size_px / around.unit_input_px[:, None, None], np.exp(rng.normal(0, 0.35, level.shape))
        level, tremble = (
            np.clip(smaller**power, config.level_low, 3 * config.level_high) * rough_px for power in (_SIZE_POWER, 1.0)
        )
        faint = 1 - config.size_score * np.exp(-around.unit_input_px / config.size_score_px)
        scores = np.where(mask, np.clip(scores * share * faint[:, None, None], 0, 1), 0)
    error = error * np.where(lying, config.lying_error, 1.0)
    rough = _by_joint(layout, _ROUGH, 1.0)
    doubt = 0.5 + 1.5 * (1 - scores)
    wander = correlated(rng, dt_s, config.noise_time_s, (len(rough), 2)) * (rough * doubt * error)[..., None]
    jitter = rng.standard_normal(keypoints.shape).astype(np.float32) * (rough * doubt)[..., None]
    noise = (
        config.strength * UNIT_PX * (level[..., None] * config.noise * wander + tremble[..., None] * config.jitter * jitter)
    )
    moved = keypoints + _offsets(rng, keypoints, layout, config) + noise
    if around is not None:
        moved = np.where((beyond > 0)[..., None], around.guessed(rng, keypoints, dt_s, config) + noise / 2, moved)
    keypoints, scores = _swapped(rng, moved, scores, dt_s, layout, config)
    scores = np.where(scores >= config.min_score, scores, 0)
    return keypoints.astype(np.float32), np.where(_found(scores), scores, 0).astype(np.float32)


def _borders(
    rng: np.random.Generator, keypoints: np.ndarray, layout: Layout, config: AugmentConfig, around: Surroundings
) -> tuple[np.ndarray, np.ndarray]:
    """What edges and furniture leave of a joint's score, and the multiple of its error, (B, M, V) each."""
    each = (len(keypoints), 1, keypoints.shape[2])
    beyond, inside = around.beyond(keypoints) / UNIT_PX, around.inside(keypoints) / UNIT_PX
    behind, depth = around.behind(keypoints), np.maximum(around.depth(keypoints) / UNIT_PX, 0)
    waver = np.exp(config.guess_waver * rng.standard_normal(each) - config.guess_waver**2 / 2)
    guessed = (
        (config.guess_least + (config.guess_score - config.guess_least) * np.exp(-beyond / config.guess_reach))
        * waver
        * _by_joint(layout, _GUESS_SCORE, 1.0)
    )
    near = (1 - config.edge_score) * np.exp(-inside / config.edge_reach)
    seen = 1 - near * np.clip(1 + 0.6 * rng.standard_normal(each), 0, 2)
    hidden = (
        config.hidden_least + (config.hidden_score - config.hidden_least) * np.exp(-depth / config.guess_reach)
    ) * np.clip(1 + 0.4 * rng.standard_normal(each), 0, 2)
    error = 1 + (config.edge_error - 1) * np.exp(-inside / config.edge_width)
    error = np.where(beyond > 0, 1, np.where(behind, config.hidden_error, error))
    return np.where(beyond > 0, guessed, np.where(behind, hidden, seen)), error


def _lies(keypoints: np.ndarray, layout: Layout) -> np.ndarray:
    """(B, M) bool, whether the trunk is nearer to level than to upright."""
    trunk = sum(
        keypoints[..., layout.index(f"{side}_shoulder"), :] - keypoints[..., layout.index(f"{side}_hip"), :]
        for side in ("left", "right")
    )
    return np.abs(trunk[..., 0]) > np.abs(trunk[..., 1])


def _found(scores: np.ndarray) -> np.ndarray:
    """(B, M, 1) bool, whether there are joints enough for a person to be found at all."""
    return (scores > 0).sum(-1, keepdims=True) >= _FEWEST_JOINTS


def _by_joint(layout: Layout, table: dict[str, float], otherwise: float) -> np.ndarray:
    """(V,) the table's value for each joint, by the end of its name."""
    return np.array(
        [next((value for end, value in table.items() if joint.endswith(end)), otherwise) for joint in layout.joints],
        np.float32,
    )


def viewed(rng: np.random.Generator, keypoints: np.ndarray, config: AugmentConfig) -> np.ndarray:
    """Each stream (B, M, V, 2) from a slightly other viewpoint: an affine map of the image."""
    streams = len(keypoints)
    angle = np.deg2rad(config.rotation_deg) * rng.standard_normal(streams) * config.strength
    shear = config.shear * rng.standard_normal(streams) * config.strength
    width = 1 - (1 - config.narrowest) * rng.uniform(0, 1, streams) * min(config.strength, 1)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    squeeze = np.stack([np.stack([width, shear], -1), np.stack([0 * width, 1 + 0 * width], -1)], -2)
    return np.einsum("bij,bjk,bmvk->bmvi", turn, squeeze, keypoints).astype(np.float32)


def _offsets(rng: np.random.Generator, keypoints: np.ndarray, layout: Layout, config: AugmentConfig) -> np.ndarray:
    """(B, 1, V, 2): where this estimator's joints lie beside this annotation's, the same through a stream."""
    wide = _by_joint(layout, _OFFSET, 1.0)
    spread = config.offset * config.strength * UNIT_PX * wide[:, None]
    return rng.standard_normal((len(keypoints), 1, len(wide), 2)) * spread


def _scores(
    rng: np.random.Generator, mask: np.ndarray, dt_s: np.ndarray, layout: Layout, config: AugmentConfig
) -> np.ndarray:
    """Scores (B, M, V) that wander, with hidden limbs and cut-off legs; low ones later become missing joints."""
    streams, frames, joints = mask.shape
    mean = rng.uniform(config.score_low, config.score_high, (streams, 1, 1)) * _by_joint(layout, _SCORE, 0.5)
    joint_mean = rng.standard_normal((streams, 1, joints)) * config.score_spread / 2
    scores = mean + joint_mean + config.score_spread * correlated(rng, dt_s, 0.4, (joints,))
    limbs = [np.flatnonzero(layout.part_indices == PARTS.index(part)) for part in PARTS[2:]]
    time_s = np.cumsum(dt_s, 1)
    for b in np.flatnonzero(rng.uniform(size=streams) < config.occlusion * config.strength):
        limb = limbs[rng.integers(len(limbs))]
        begin = rng.uniform(0, time_s[b, -1])
        hidden = (time_s[b] >= begin) & (time_s[b] < begin + rng.uniform(0.3, 2.0))
        scores[b][np.ix_(hidden, limb)] -= rng.uniform(0.2, 0.8)
    legs = np.concatenate(limbs[2:])
    hips = np.array([layout.index("left_hip"), layout.index("right_hip")])
    for share, joints_cut in ((config.cut_legs, legs), (config.cut_hips, np.concatenate([hips, legs]))):
        cut = np.flatnonzero(rng.uniform(size=streams) < share * config.strength)
        scores[np.ix_(cut, np.arange(frames), joints_cut)] = 0
    return np.where(mask, np.clip(scores, 0, 1), 0)


def _swapped(
    rng: np.random.Generator,
    keypoints: np.ndarray,
    scores: np.ndarray,
    dt_s: np.ndarray,
    layout: Layout,
    config: AugmentConfig,
) -> tuple[np.ndarray, np.ndarray]:
    """Arms or legs, or both, exchanged left and right for moments."""
    if not 0 < config.swap < 1:
        return keypoints, scores
    level = NormalDist().inv_cdf(1 - config.swap)
    lower = np.isin(layout.part_indices, [PARTS.index(part) for part in ("left_leg", "right_leg")])
    confused = correlated(rng, dt_s, 0.15, (2,)) > level  # upper body, lower body
    exchanged = np.where(lower, confused[..., 1:], confused[..., :1])
    keypoints = np.where(exchanged[..., None], keypoints[..., layout.mirror, :], keypoints)
    return keypoints, np.where(exchanged, scores[..., layout.mirror], scores)


def mirrored(keypoints: np.ndarray, scores: np.ndarray, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """The same motion in a mirror: keypoints (..., V, 2 or 3) with x negated, scores (..., V), left and right exchanged."""
    flip = np.array([-1, 1, 1], np.float32)[: keypoints.shape[-1]]
    return keypoints[..., layout.mirror, :] * flip, scores[..., layout.mirror]
