"""A track: the poses of one body over time, put together motion by motion, and at last placed on the ground.

What a track holds is free of lengths and places: the pelvis' orientation and the directions of bones in its frame. Mixing
two poses turns directions into each other, so that bones keep their lengths. Where the body is follows from its contacts:
the lowest joint rests on what bears it, and joints that bear the body stay where they are, so a step of the legs moves
the body forward.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pose_attention_ros.data.simulated.body import BONE, BONES, INDEX, JOINTS, Body, directions_of, frames_of, from_root
from pose_attention_ros.data.simulated.poses import tilt_and_directions, turned_about_y

FPS = 30
_GRIP_M = 0.008  # a joint this much above what bears it moves rather than bears
LEVEL = 0.75  # a trunk whose upward share is less lies
_HIPS = [INDEX[name] for name in ("hip_center", "left_hip", "right_hip")]
_TRUNK = [INDEX[name] for name in ("spine", "neck", "head", "left_shoulder", "right_shoulder")]
_LIMBS = [i for i in range(len(JOINTS)) if i not in _HIPS + _TRUNK]


@dataclass(frozen=True)
class Support:
    """Height in metres of what is below the hips, the rest of the trunk, and the limbs: (0.45, 0, 0) on a chair."""

    hips_m: float = 0.0
    trunk_m: float = 0.0
    limbs_m: float = 0.0

    def array(self) -> np.ndarray:
        return np.array([self.hips_m, self.trunk_m, self.limbs_m])


FLOOR = Support()


def frames_in(seconds: float) -> int:
    return max(2, round(seconds * FPS))


def eased(n: int) -> np.ndarray:
    """(n,) from above 0 to 1, starting and ending at rest."""
    t = np.arange(1, n + 1) / n
    return t * t * t * (10 - 15 * t + 6 * t * t)


def mixed(first: np.ndarray, second: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Unit vectors (..., 3) turned from `first` to `second` by `weight` (..., 1). Opposite ones pass through the front."""
    cosine = (first * second).sum(-1, keepdims=True)
    angle = np.arccos(np.clip(cosine, -1, 1))
    side = second - first * cosine
    fallback = np.array([0.05, 0.1, 1.0]) - first * (first @ np.array([0.05, 0.1, 1.0]))[..., None]
    side = np.where(cosine < -0.97, side + 0.5 * fallback, side)
    side = side / np.maximum(np.linalg.norm(side, axis=-1, keepdims=True), 1e-9)
    return first * np.cos(angle * weight) + side * np.sin(angle * weight)


def rotated_by(axis_angle: np.ndarray) -> np.ndarray:
    """Rotation vectors (..., 3) in radians -> (..., 3, 3)."""
    angle = np.linalg.norm(axis_angle, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(axis_angle, -1, 0)
    cross = np.stack([np.stack([0 * x, -z, y], -1), np.stack([z, 0 * x, -x], -1), np.stack([-y, x, 0 * x], -1)], -2)
    a = np.maximum(angle, 1e-8)
    return np.eye(3) + cross * (np.sin(a) / a) + cross @ cross * ((1 - np.cos(a)) / a**2)


def turn_between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The rotation vector that turns frame `first` (3, 3) into `second`."""
    turn = second @ first.T
    angle = np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))
    if angle > np.pi - 1e-3:  # half a turn: its axis is the column of turn + 1 that is longest
        columns = turn + np.eye(3)
        axis = columns[:, np.argmax(np.linalg.norm(columns, axis=0))]
    else:
        axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    norm = np.linalg.norm(axis)
    return axis / norm * angle if norm > 1e-9 else np.zeros(3)


def facing(tilt: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """`tilt` (3, 3) turned about the vertical so that it differs least from `frame`; who lies in both keeps where the head
    points, and so turns over rather than rising through a handstand."""
    if max(frame[1, 1], tilt[1, 1]) < LEVEL:
        angle = np.arctan2(-frame[2, 1], frame[0, 1]) - np.arctan2(-tilt[2, 1], tilt[0, 1])
        return turned_about_y(np.rad2deg(angle)) @ tilt
    m = tilt @ frame.T
    return turned_about_y(np.rad2deg(np.arctan2(m[2, 0] - m[0, 2], m[0, 0] + m[2, 2]))) @ tilt


def smoothed(values: np.ndarray, frames: float) -> np.ndarray:
    """Values (n, ...) with a Gaussian of this spread over time; the ends keep their values."""
    reach = int(3 * frames) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / frames) ** 2)
    flat = values.reshape(len(values), -1)
    padded = np.concatenate(
        [
            2 * flat[:1] - flat[reach:0:-1] if len(flat) > reach else np.repeat(flat[:1], reach, 0),
            flat,
            2 * flat[-1:] - flat[-2 : -reach - 2 : -1] if len(flat) > reach + 1 else np.repeat(flat[-1:], reach, 0),
        ]
    )
    out = sum(weight * padded[k : k + len(flat)] for k, weight in enumerate(kernel / kernel.sum()))
    return out.reshape(values.shape)


def drifting(rng: np.random.Generator, n: int, shape: tuple[int, ...], seconds: float) -> np.ndarray:
    """(n, *shape) noise of spread 1 that changes within about `seconds`."""
    knots = rng.normal(0, 1, (int(n / FPS / seconds) + 4, *shape))
    at = np.arange(n) / FPS / seconds + rng.uniform(0, 1)
    low = at.astype(int)
    part = (at - low).reshape(-1, *(1,) * len(shape))
    part = part * part * (3 - 2 * part)
    return knots[low] * (1 - part) + knots[low + 1] * part


@dataclass(eq=False)
class Track:
    """Poses so far: pelvis (n, 3, 3), bones (n, 19, 3) in its frame, what bears the body (n, 3), labels, unrest (n,)."""

    rng: np.random.Generator
    body: Body
    frames: list[np.ndarray] = field(default_factory=list)
    bones: list[np.ndarray] = field(default_factory=list)
    supports: list[np.ndarray] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    sways_deg: list[np.ndarray] = field(default_factory=list)
    start: np.ndarray | None = None  # (20, 3) where the body is, if it goes on from somewhere

    def begin(self, angles: np.ndarray, support: Support, yaw_deg: float, label: str) -> None:
        """The first frame: this pose, facing `yaw_deg`."""
        tilt, bones = tilt_and_directions(angles[None])
        self._add(turned_about_y(yaw_deg) @ tilt, bones, support.array()[None], label, 0.5)

    @staticmethod
    def going_on(rng: np.random.Generator, body: Body, joints: np.ndarray, support: Support = FLOOR) -> Track:
        """From the joints (20, 3) of a body that lies or sits on `support`; the first frame repeats them."""
        track = Track(rng, body, start=joints)
        frame = frames_of(joints)
        track._add(frame[None], (directions_of(joints) @ frame)[None], support.array()[None], "lie", 0.0)
        return track

    def _add(self, frames: np.ndarray, bones: np.ndarray, supports: np.ndarray, label: str, sway_deg: float) -> None:
        self.frames.append(frames)
        self.bones.append(bones)
        self.supports.append(supports)
        self.labels += [label] * len(frames)
        self.sways_deg.append(np.full(len(frames), sway_deg))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def seconds(self) -> float:
        return len(self) / FPS

    def to(
        self,
        angles: np.ndarray,
        seconds: float,
        label: str,
        support: Support | None = None,
        turn_deg: float = 0.0,
        sway_deg: float = 1.0,
    ) -> None:
        """Move to a pose; the body turns about the vertical by `turn_deg` beyond what the pose needs."""
        n = frames_in(seconds)
        tilt, bones = tilt_and_directions(angles[None])
        frame = turned_about_y(turn_deg) @ facing(tilt[0], self.frames[-1][-1])
        weight = eased(n)
        rotation = rotated_by(weight[:, None] * turn_between(self.frames[-1][-1], frame))
        ends = self.supports[-1][-1], self.supports[-1][-1] if support is None else support.array()
        part = weight[:, None] ** np.where(ends[1] > ends[0], (1, 1, 3), 1)
        rest = 1 - (1 - weight[:, None]) ** np.where(ends[1] < ends[0], (1, 1, 3), 1)
        part = np.where(ends[1] < ends[0], rest, part)
        self._add(
            rotation @ self.frames[-1][-1],
            mixed(self.bones[-1][-1], bones, weight[:, None, None]),
            ends[0] * (1 - part) + ends[1] * part,
            label,
            sway_deg,
        )

    def hold(self, seconds: float, label: str, sway_deg: float = 1.5) -> None:
        n = frames_in(seconds)
        self._add(
            np.repeat(self.frames[-1][-1:], n, 0),
            np.repeat(self.bones[-1][-1:], n, 0),
            np.repeat(self.supports[-1][-1:], n, 0),
            label,
            sway_deg,
        )

    def follow(
        self, angles: np.ndarray, label: str, turns_deg: np.ndarray, blend_s: float = 0.5, sway_deg: float = 1.5
    ) -> None:
        """Take these poses (n, 25), one a frame, while the body turns by `turns_deg` (n,) from where it faces; the first
        `blend_s` seconds lead over from the last pose."""
        tilts, bones = tilt_and_directions(angles)
        first = facing(tilts[0], self.frames[-1][-1])
        yaw = turned_about_y(turns_deg) @ first @ tilts[0].T
        frames = yaw @ tilts
        n = min(frames_in(blend_s), len(angles))
        weight = np.ones(len(angles))
        weight[:n] = eased(n)
        self_bones = mixed(np.broadcast_to(self.bones[-1][-1], bones.shape), bones, weight[:, None, None])
        lead = turn_between(first, self.frames[-1][-1])
        self._add(
            rotated_by((1 - weight)[:, None] * lead) @ frames,
            self_bones,
            np.repeat(self.supports[-1][-1:], len(angles), 0),
            label,
            sway_deg,
        )

    def cut(self, n: int) -> None:
        """Forget what comes after the first `n` frames."""
        for parts in (self.frames, self.bones, self.supports, self.sways_deg):
            parts[:] = [np.concatenate(parts)[:n]]
        del self.labels[n:]

    def placed(self) -> np.ndarray:
        """The joints (n, 20, 3) in metres."""
        frames, bones = np.concatenate(self.frames), np.concatenate(self.bones)
        bones = smoothed(bones, 2.0)
        unrest = np.deg2rad(smoothed(np.concatenate(self.sways_deg), 6.0))
        if self.start is not None:
            unrest = unrest * np.minimum(1, np.arange(len(frames)) / 15)
        wobble = drifting(self.rng, len(frames), (len(BONE), 3), 0.7) * unrest[:, None, None] * 1.2
        wobble = wobble + self._breath(len(frames))
        for name in ("left_shoulder", "right_shoulder"):
            wobble[:, BONE[name]] = wobble[:, BONE["neck"]]
        bones = bones + np.cross(wobble, bones)
        bones /= np.linalg.norm(bones, axis=-1, keepdims=True)
        bones[:, BONE["spine"]] = (0, 1, 0)
        for name in ("left_hip", "right_hip"):
            bones[:, BONE[name]] = np.concatenate(self.bones)[:, BONE[name]]
        frames = smoothed(frames, 2.0)
        frames = rotated_by(drifting(self.rng, len(frames), (3,), 1.0) * unrest[:, None] * 0.5) @ frames
        up = frames[..., 1] / np.linalg.norm(frames[..., 1], axis=-1, keepdims=True)
        left = frames[..., 0] - up * (frames[..., 0] * up).sum(-1, keepdims=True)
        left /= np.linalg.norm(left, axis=-1, keepdims=True)
        frames = np.stack([left, up, np.cross(left, up)], -1)
        joints = from_root(bones @ frames.transpose(0, 2, 1), self.body.lengths_m)
        places, floor = self._places(joints)
        laid = self._laid(joints + places[:, None], floor)
        limbs, lies = directions_of(laid), self._lies()[:, None, None]
        limbs = limbs * (1 - lies) + smoothed(limbs, 2.0) * lies  # a limb that swings round on the floor takes its time
        limbs /= np.maximum(np.linalg.norm(limbs, axis=-1, keepdims=True), 1e-6)
        return self._laid(from_root(limbs, self.body.lengths_m) + laid[:, :1], floor)

    def _laid(self, joints: np.ndarray, floor: np.ndarray) -> np.ndarray:
        """The joints with limbs that would reach below `floor` (n, 20) laid onto it, each bone turned about its end."""
        laid = joints.copy()
        for b, (child, parent) in enumerate(BONES):
            bone = joints[:, child] - joints[:, parent]
            if child in _LIMBS:
                length = self.body.lengths_m[b]
                down = np.clip(np.maximum(bone[:, 1], floor[:, child] - laid[:, parent, 1]), -length, length)
                flat = np.linalg.norm(bone[:, (0, 2)], axis=1)
                bone[:, (0, 2)] *= (np.sqrt(np.maximum(0, length**2 - down**2)) / np.maximum(flat, 1e-6))[:, None]
                bone[:, 1] = down
            laid[:, child] = laid[:, parent] + bone
        return laid

    def _lies(self) -> np.ndarray:
        """(n,) how far each frame's label is `lie`, blending over."""
        return np.clip(smoothed((np.array(self.labels) == "lie").astype(float), 4.0), 0, 1)

    def _breath(self, n: int) -> np.ndarray:
        """(n, 19, 3) small turns of the chest and what hangs on it."""
        turns = np.zeros((n, len(BONE), 3))
        rate = self.rng.uniform(0.2, 0.4)
        wave = np.deg2rad(self.rng.uniform(0.5, 1.5)) * np.sin(2 * np.pi * rate * np.arange(n) / FPS)
        for name in ("neck", "left_elbow", "right_elbow"):
            turns[:, BONE[name], 0] = -wave
        return turns

    def _places(self, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the root is (n, 3), from contacts, and how low each joint may be (n, 20). Who lies is borne by the trunk."""
        supports = smoothed(np.concatenate(self.supports), 1.0)
        bearing = np.zeros((len(joints), len(JOINTS)))
        for column, group in enumerate((_HIPS, _TRUNK, _LIMBS)):
            bearing[:, group] = supports[:, column : column + 1]
        need = bearing + self.body.radii_m - joints[..., 1]
        lies = self._lies()
        height = smoothed(need.max(1) * (1 - lies) + need[:, _HIPS + _TRUNK].max(1) * lies, 1.5)
        if self.start is not None:
            height = height + (self.start[0, 1] - height[0]) * (1 - np.minimum(1, np.arange(len(joints)) / 20)) ** 2
        clear = height[:, None] - need
        grip = np.exp(-np.maximum(clear, 0) / _GRIP_M) + 1e-6
        grip = grip[1:] + grip[:-1]
        steps = -(np.diff(joints[..., (0, 2)], axis=0) * grip[..., None]).sum(1) / grip.sum(1)[:, None]
        ground = np.concatenate([np.zeros((1, 2)), np.cumsum(smoothed(steps, 1.5) if len(steps) > 8 else steps, axis=0)])
        if self.start is not None:
            ground = ground + self.start[0, (0, 2)]
        floor = bearing + 0.01
        return np.stack([ground[:, 0], height, ground[:, 1]], -1), floor
