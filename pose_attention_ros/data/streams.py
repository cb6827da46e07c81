"""Clips joined to streams and seen by a camera: what one tracked person shows, with a target at every moment.

A stream is one or several clips after one another, in one place and at one size, sampled at a camera's irregular times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from pose_attention_ros.core.body.features import BodyFrame
from pose_attention_ros.core.body.layouts import Layout, joint_map
from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.graph_stage import GraphConfig
from pose_attention_ros.data.augment import UNIT_PX
from pose_attention_ros.data.dataset import Clip
from pose_attention_ros.data.motion3d.record import Motion, on_the_floor

DEFAULT_FPS = 30.0  # of clips whose frame rate nobody wrote down

UNTOLD = -1  # target of a frame that teaches nothing


@dataclass(frozen=True)
class StreamConfig(Settings):
    """The simulated camera and how clips are joined."""

    fps_low: float = setting(8.0, "slowest camera", unit="Hz", low=1)
    fps_high: float = setting(30.0, "fastest camera", unit="Hz", low=1)
    stamp_jitter: float = setting(0.15, "spread of the time between frames, as a share of it", low=0, high=0.5)
    drop: float = setting(0.1, "highest share of frames that a stream loses", low=0, high=0.9)
    lost: float = setting(
        0.0, "share of streams in which nobody is found for a while, most often where motion is fastest", low=0, high=1
    )
    lost_high_s: float = setting(0.6, "longest such while", unit="s", low=0)
    speed_low: float = setting(0.75, "slowest replay", low=0.1)
    speed_high: float = setting(1.35, "fastest replay", low=0.1)
    trim: float = setting(0.5, "share of clips of which only a part is shown", low=0, high=1)
    shortest_part: float = setting(0.5, "smallest part of a trimmed clip", low=0.05, high=1)
    join: float = setting(0.5, "share of streams made of several clips", low=0, high=1)
    longest_s: float = setting(6.0, "a stream is cut at this length", unit="s", low=0.5)
    pause_high_s: float = setting(0.5, "longest passage from one clip to the next", unit="s", low=0)
    ignore_s: float = setting(0.5, "no target for so long after a clip has followed another", unit="s", low=0)


@dataclass(frozen=True, eq=False)
class Example:
    """One clip in the model's layout: keypoints (n, V, 2) float32 at UNIT_PX a body unit or, of a 3D motion, (n, V, 3) in
    metres; scores (n, V), 0 for a missing joint; frames a second; and its target, or one a frame (n,)."""

    keypoints: np.ndarray
    scores: np.ndarray
    fps: float
    target: int | np.ndarray

    @property
    def mask(self) -> np.ndarray:
        """(n, V) bool, which joints are there."""
        return self.scores > 0


@dataclass(frozen=True, eq=False)
class Stream:
    """time_s (m,) increasing from 0; keypoints (m, V, 2 or 3); mask (m, V); targets (m,) int64, `ignored` (m,) bool."""

    time_s: np.ndarray
    keypoints: np.ndarray
    mask: np.ndarray
    targets: np.ndarray
    ignored: np.ndarray


def example_of(clip: Clip, joints: tuple[str, ...], layout: Layout, target: int) -> Example:
    """A clip's joints by name in `layout`, brought to UNIT_PX a body unit (as the middle of its frames has it). Joints that
    the robot would take for missing are missing."""
    keypoints, scores = joint_map(joints, layout.joints)(clip.keypoints, clip.scores)
    mask = scores >= max(GraphConfig().min_joint_score, 1e-6)
    body = BodyFrame(layout, (len(keypoints),))
    scale = float(np.median(body.scale_px(keypoints, mask, np.zeros(len(keypoints)))))
    return Example(keypoints * np.float32(UNIT_PX / scale), scores * mask, clip.fps or DEFAULT_FPS, target)


def examples_of_motions(motions: list[Motion], layout: Layout, target: int) -> Iterator[tuple[Motion, Example]]:
    """Each 3D motion with its joints by name in `layout`, standing on the floor; those of one sequence stay in one place."""

    def sequence(item: tuple[int, Motion]) -> tuple[str, int]:
        number = item[1].extra.get("sequence", "")
        return number, 0 if number else item[0]

    for _, group in groupby(enumerate(motions), sequence):
        together = [motion for _, motion in group]
        whole = np.concatenate([motion.annotated() for motion in together])
        xyz, scores = joint_map(together[0].joints, layout.joints)(whole, np.ones(whole.shape[:2], np.float32))
        ends = np.cumsum([len(motion.xyz) for motion in together])[:-1]
        for motion, joints, score in zip(together, np.split(on_the_floor(xyz, layout), ends), np.split(scores, ends)):
            yield motion, Example(joints, score, motion.fps, target)


def root_of(keypoints: np.ndarray, mask: np.ndarray, layout: Layout) -> np.ndarray:
    """The body's root in one frame: (2,) in an image; of a 3D motion (3,) on the floor below the hips."""
    if keypoints.shape[-1] == 2:
        return BodyFrame(layout).root_px(keypoints, mask, np.float32(UNIT_PX))
    hips = keypoints[[layout.index("left_hip"), layout.index("right_hip")]].mean(0)
    return hips * np.array([1, 0, 1], np.float32)


def turned_like(keypoints: np.ndarray, before: np.ndarray, layout: Layout) -> np.ndarray:
    """(n, V, 3) a 3D motion turned about the vertical so that its first frame faces as the frame `before` (V, 3) did."""
    left, right = layout.index("left_hip"), layout.index("right_hip")

    def facing(pose: np.ndarray) -> float:
        across = pose[left] - pose[right]
        return float(np.arctan2(across[2], across[0]))

    angle = facing(before) - facing(keypoints[0])
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]], np.float32)
    return keypoints @ turn.T


def join(examples: list[Example], rng: np.random.Generator, layout: Layout, config: StreamConfig) -> Stream:
    """The motion of `examples` one after another, not yet seen by a camera; the last frame of one and the first of the next
    have the same root."""
    times, keypoints, masks, targets, ignored = [], [], [], [], []
    clock_s = 0.0
    for i, example in enumerate(examples):
        step_s = 1 / (example.fps * rng.uniform(config.speed_low, config.speed_high))
        rows = _part(len(example.keypoints), rng, config, int((config.longest_s - clock_s) / step_s) + 2)
        xy, mask = example.keypoints[rows], example.mask[rows]
        if i:
            if xy.shape[-1] == 3:
                xy = turned_like(xy, keypoints[-1][-1], layout)
            xy = xy + (root_of(keypoints[-1][-1], masks[-1][-1], layout) - root_of(xy[0], mask[0], layout))
            clock_s += rng.uniform(step_s, max(config.pause_high_s, step_s))
        time_s = clock_s + np.arange(len(xy)) * step_s
        clock_s = time_s[-1]
        times.append(time_s)
        keypoints.append(xy)
        masks.append(mask)
        target = example.target if np.ndim(example.target) == 0 else example.target[rows]
        targets.append(np.broadcast_to(target, len(xy)))
        ignored.append(_just_changed(targets[-1], time_s, config.ignore_s, at_begin=i > 0))
        if clock_s > config.longest_s:
            break
    joined = (np.concatenate(parts) for parts in (times, keypoints, masks, targets, ignored))
    return Stream(*joined)


def _just_changed(targets: np.ndarray, time_s: np.ndarray, ignore_s: float, *, at_begin: bool) -> np.ndarray:
    """(n,) bool, frames within `ignore_s` after one target has followed another, or the clip another."""
    changed = (np.diff(targets, prepend=targets[0]) != 0) & (np.roll(targets, 1) != UNTOLD)
    changed[0] |= at_begin
    since = time_s - np.maximum.accumulate(np.where(changed, time_s, -np.inf))
    return since < ignore_s


def _part(frames: int, rng: np.random.Generator, config: StreamConfig, most: int) -> slice:
    """The frames to show: all or a part, and of a clip longer than the stream has room for (`most`) any stretch of it."""
    if (rng.uniform() >= config.trim and frames <= most) or frames < 4:
        return slice(0, frames)
    shown = max(int(min(frames, most) * rng.uniform(config.shortest_part, 1)), 3)
    begin = int(rng.integers(0, frames - shown + 1))
    return slice(begin, begin + shown)


def seen_by_camera(stream: Stream, rng: np.random.Generator, config: StreamConfig) -> Stream:
    """The stream at a camera's times: a random frame rate, jitter, and lost frames."""
    period_s = 1 / np.exp(rng.uniform(np.log(config.fps_low), np.log(config.fps_high)))
    end_s = min(stream.time_s[-1], config.longest_s)
    frames = max(int(end_s / period_s) + 1, 2)
    time_s = np.arange(frames) * period_s
    time_s[1:] += period_s * np.clip(rng.standard_normal(frames - 1) * config.stamp_jitter, -0.45, 0.45)
    kept = rng.uniform(size=frames) >= rng.uniform(0, config.drop)
    if rng.uniform() < config.lost:
        kept &= np.abs(time_s - _fast_moment_s(stream, rng)) > rng.uniform(0, config.lost_high_s) / 2
    kept[[0, -1]] = True
    return sampled(stream, time_s[kept])


def _fast_moment_s(stream: Stream, rng: np.random.Generator) -> float:
    """A random moment of the stream (seconds), the more likely the faster its joints move then."""
    step_s = np.maximum(np.diff(stream.time_s), 1e-3)
    both = (stream.mask[1:] & stream.mask[:-1])[..., None]
    moved = np.where(both, np.diff(stream.keypoints, axis=0), 0)
    speeds = np.linalg.norm(moved, axis=-1).mean(-1) / step_s
    chances = speeds**2 * step_s + 1e-12
    return float(stream.time_s[1 + rng.choice(len(speeds), p=chances / chances.sum())])


def sampled(stream: Stream, time_s: np.ndarray) -> Stream:
    """The stream at these times: joints between two frames are interpolated if both have them, else the nearer's count."""
    last = len(stream.time_s) - 1
    before = np.clip(np.searchsorted(stream.time_s, time_s, side="right") - 1, 0, max(last - 1, 0))
    after = np.minimum(before + 1, last)
    span = np.maximum(stream.time_s[after] - stream.time_s[before], 1e-9)
    weight = np.clip((time_s - stream.time_s[before]) / span, 0, 1).astype(np.float32)
    nearer = np.where(weight < 0.5, before, after)
    both = stream.mask[before] & stream.mask[after]
    mixed = (1 - weight)[:, None, None] * stream.keypoints[before] + weight[:, None, None] * stream.keypoints[after]
    keypoints = np.where(both[..., None], mixed, stream.keypoints[nearer])
    return Stream(time_s, keypoints, stream.mask[nearer], stream.targets[nearer], stream.ignored[nearer])
