"""Many bodies that lose their balance at once: particles at the joints, bones of fixed length, joints that bend only so far,
floor, furniture and walls with friction, and muscles that grow weak.

Position-based dynamics with small steps (Macklin et al., "Small Steps in Physics Simulation", 2019): in every step of
1/360 s particles move freely, then each constraint is put right once, and velocities are what the particles really moved.
Arrays are (joint, axis, body), so that every operation runs along the bodies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_attention_ros.data.simulated.body import BONES, INDEX, JOINTS, MASSES, ROOT
from pose_attention_ros.data.simulated.contact import World
from pose_attention_ros.data.simulated.track import FPS

STEPS = 12  # a frame
_DT_S = 1 / (FPS * STEPS)
_GRAVITY = 9.81
_GIVE_M = 0.008  # most that a joint bent too far is put right in one step
_TONE_LEFT = 0.05  # of the muscles of who has fallen
_STILL_M = 0.03  # who moves less in half a second will not fall further
_EASE_S = 0.2  # in which muscles and joints' limits come to their full strength
_LEGS = [INDEX[f"{side}_{name}"] for side in ("left", "right") for name in ("knee", "ankle", "foot")]
_ARMS = [INDEX[f"{side}_{name}"] for side in ("left", "right") for name in ("elbow", "wrist", "hand")]
_TRUNK = [i for i in range(len(JOINTS)) if i not in _LEGS + _ARMS]
_UPPER = [INDEX[name] for name in ("neck", "head", "left_shoulder", "right_shoulder", "spine")]

# Pairs besides the bones: lowest and highest distance as shares of that in the straight body; equal ends make a rigid pair.
# fmt: off
_PAIRS = (("left_hip", "right_hip", 1, 1), ("left_hip", "spine", 1, 1), ("right_hip", "spine", 1, 1),
          ("left_shoulder", "right_shoulder", 1, 1), ("left_shoulder", "spine", 1, 1), ("right_shoulder", "spine", 1, 1),
          ("neck", "hip_center", 0.84, 1.0), ("left_shoulder", "left_hip", 0.74, 1.1),
          ("right_shoulder", "right_hip", 0.74, 1.1),
          ("left_shoulder", "right_hip", 0.74, 1.1), ("right_shoulder", "left_hip", 0.74, 1.1),
          ("head", "spine", 0.84, 1.03), ("head", "left_shoulder", 0.7, 1.3), ("head", "right_shoulder", 0.7, 1.3))
# fmt: on
_SIDE_PAIRS = (
    ("hip", "ankle", 0.34, 0.998),
    ("shoulder", "wrist", 0.3, 0.998),
    ("elbow", "hand", 0.95, 1.0),
    ("knee", "foot", 0.86, 1.17),
)
# Pairs that may not come closer than this share of the body's height.
# fmt: off
_APART = (("left_knee", "right_knee", 0.05), ("left_ankle", "right_ankle", 0.05), ("left_wrist", "spine", 0.09),
          ("right_wrist", "spine", 0.09), ("left_elbow", "spine", 0.09), ("right_elbow", "spine", 0.09),
          ("left_knee", "neck", 0.13), ("right_knee", "neck", 0.13), ("left_wrist", "hip_center", 0.08),
          ("right_wrist", "hip_center", 0.08), ("left_knee", "head", 0.12), ("right_knee", "head", 0.12),
          ("left_ankle", "hip_center", 0.1), ("right_ankle", "hip_center", 0.1))
# fmt: on


@dataclass(eq=False)
class Tumbles:
    """How B bodies fall. Joints are metres (B, 20, 3); goals are seen from the root in the pelvis' frame.

    :param joints, speeds: where the bodies are and how they move (m/s)
    :param rest: the straight body's joints, seen from the root
    :param radii_m: (B, 20)
    :param goals: (B, 20, 3) the pose that muscles strive for while falling
    :param relaxed: (B, 20, 3) the pose that what is left of them leads to afterwards
    :param tones: (B, 3) strength of the muscles of trunk, legs, arms at the start, 0 to 1
    :param fading_s: (B,) time in which muscles weaken to a third
    :param pushes: (B, 20, 3) m/s2 on each joint while the balance is lost
    :param push_s: (B,) how long
    :param gravity: (B,) share of gravity that muscles do not bear: 1 for a free fall, 0.2 for a slow slump
    :param slip: (B,) friction of the feet, of the floor elsewhere 0.7
    :param box: (B, 6) furniture: centre x, z, half depth, half width, direction of its front edge (radians),
    height; 0 for none
    :param wall: (B, 3) a wall: its normal x, z and its offset; offset -100 for none
    """

    joints: np.ndarray
    speeds: np.ndarray
    rest: np.ndarray
    radii_m: np.ndarray
    heights_m: np.ndarray
    goals: np.ndarray
    relaxed: np.ndarray
    tones: np.ndarray
    fading_s: np.ndarray
    pushes: np.ndarray
    push_s: np.ndarray
    gravity: np.ndarray
    slip: np.ndarray
    box: np.ndarray
    wall: np.ndarray


def _pairs() -> list[tuple[int, int, float, float, float]]:
    """(joint, joint, lowest, highest, lowest share of the height) of bones and limits."""
    sides = ("left", "right")
    rigid = [(JOINTS[a], JOINTS[b], 1.0, 1.0) for a, b in BONES]
    limits = [*_PAIRS, *((f"{s}_{a}", f"{s}_{b}", low, high) for a, b, low, high in _SIDE_PAIRS for s in sides)]
    return [(INDEX[a], INDEX[b], low, high, 0.0) for a, b, low, high in (*limits, *rigid)]


def _groups(pairs: list[tuple[int, int, float, float, float]]) -> list[list[tuple[int, int, float, float, float]]]:
    """The pairs in groups whose members share no joint, so that a group is put right at once."""
    groups: list[list] = []
    for pair in pairs:
        for group in groups:
            if all(not {pair[0], pair[1]} & {other[0], other[1]} for other in group):
                group.append(pair)
                break
        else:
            groups.append([pair])
    return groups


class _Pairs:
    """One group of pairs with its limits for every body."""

    def __init__(self, group: list[tuple[int, int, float, float, float]], tumbles: Tumbles) -> None:
        self.first, self.second = (np.array([pair[k] for pair in group]) for k in (0, 1))
        far = np.linalg.norm(tumbles.rest[:, self.first] - tumbles.rest[:, self.second], axis=-1).T
        low, high, share = (np.array([pair[k] for pair in group])[:, None] for k in (2, 3, 4))
        self.give = np.where(low == high, 1.0, 0.3).astype(np.float32)  # joints' limits are soft
        now = np.linalg.norm(tumbles.joints[:, self.first] - tumbles.joints[:, self.second], axis=-1).T
        bends = low < high  # what is bent further at the start may stay so
        self.low = np.where(bends, np.minimum(now, np.maximum(far * low, share * tumbles.heights_m)), far).astype(np.float32)
        self.high = np.where(bends, np.maximum(now, far * high), far).astype(np.float32)
        weight = 1 / MASSES
        total = weight[self.first] + weight[self.second]
        self.a = (weight[self.first] / total)[:, None, None].astype(np.float32) * self.give[..., None]
        self.b = (weight[self.second] / total)[:, None, None].astype(np.float32) * self.give[..., None]

    def put_right(self, p: np.ndarray) -> None:
        d = p[self.first] - p[self.second]
        length = np.sqrt(d[:, 0] ** 2 + d[:, 1] ** 2 + d[:, 2] ** 2) + 1e-6
        d *= ((np.clip(length, self.low, self.high) - length) / length)[:, None]
        p[self.first] += self.a * d
        p[self.second] -= self.b * d


def _unit(v: np.ndarray) -> np.ndarray:
    return v / (np.sqrt((v * v).sum(0)) + 1e-6)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def _frame(p: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Left, up and forward (3, B) of the pelvis."""
    up = _unit(p[INDEX["spine"]] - p[ROOT])
    left = p[INDEX["left_hip"]] - p[INDEX["right_hip"]]
    left = _unit(left - up * (left * up).sum(0))
    return left, up, _cross(left, up)


def _keep(p: np.ndarray, joint: str, parent: str, axis: np.ndarray, low_m: np.ndarray, give_m: np.float32) -> None:
    """`joint` lies at least `low_m` beyond `parent` along `axis` (3, B)."""
    j, q = INDEX[joint], INDEX[parent]
    short = np.clip(low_m - ((p[j] - p[q]) * axis).sum(0), 0, give_m) * 0.3
    share = MASSES[q] / (MASSES[j] + MASSES[q])
    p[j] += share * short * axis
    p[q] -= (1 - share) * short * axis


def _bend_as_joints_do(p: np.ndarray, height: np.ndarray, give_m: np.float32) -> None:
    """Knees bend backwards only, hips and shoulders turn only so far, backs and necks hardly bend back."""
    left, _, forward = _frame(p)
    chest_left = _unit(p[INDEX["left_shoulder"]] - p[INDEX["right_shoulder"]])
    chest_forward = _unit(_cross(chest_left, p[INDEX["neck"]] - p[INDEX["spine"]]))
    _keep(p, "neck", "spine", forward, -0.06 * height, give_m)
    _keep(p, "head", "neck", chest_forward, -0.01 * height, give_m)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        _keep(p, f"{side}_knee", f"{side}_hip", forward, -0.08 * height, give_m)
        _keep(p, f"{side}_knee", f"{side}_hip", sign * left, -0.09 * height, give_m)
        _keep(p, f"{side}_knee", f"{side}_hip", -sign * left, -0.19 * height, give_m)
        _keep(p, f"{side}_elbow", f"{side}_shoulder", chest_forward, -0.12 * height, give_m)
        _keep(p, f"{side}_elbow", f"{side}_shoulder", sign * chest_left, -0.08 * height, give_m)
        hip, knee, ankle = (p[INDEX[f"{side}_{name}"]] for name in ("hip", "knee", "ankle"))
        along = _unit(ankle - hip)
        front = _unit(_cross(along, left))
        short = np.clip(-((knee - hip) * front).sum(0), 0, give_m) * 0.5
        knee += 0.5 * short * front
        ankle -= 0.5 * short * front
        foot = p[INDEX[f"{side}_foot"]]
        shank_front = _unit(_cross(_unit(ankle - knee), left))
        short = np.clip(0.015 * height - ((foot - ankle) * shank_front).sum(0), 0, give_m) * 0.5
        foot += short * shank_front


class _Rigid:
    """The motion of the body as a whole: what muscles can not change and inner friction does not slow down."""

    def __init__(self, p: np.ndarray) -> None:
        self.m = MASSES[:, None, None].astype(np.float32)
        self.total = float(MASSES.sum())
        self.r = p - self.mean(p)
        x, y, z = self.r[:, 0], self.r[:, 1], self.r[:, 2]
        m = self.m[:, 0]
        xx, yy, zz = (m * x * x).sum(0), (m * y * y).sum(0), (m * z * z).sum(0)
        xy, xz, yz = (m * x * y).sum(0), (m * x * z).sum(0), (m * y * z).sum(0)
        a, b, c = yy + zz + 0.05, xx + zz + 0.05, xx + yy + 0.05
        d, e, f = -xy, -xz, -yz
        det = a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e)
        self.inverse = (
            np.array(
                [
                    [b * c - f * f, e * f - d * c, d * f - e * b],
                    [e * f - d * c, a * c - e * e, d * e - a * f],
                    [d * f - e * b, d * e - a * f, a * b - d * d],
                ]
            )
            / det
        )

    def mean(self, v: np.ndarray) -> np.ndarray:
        return (self.m * v).sum(0) / self.total

    def part(self, v: np.ndarray) -> np.ndarray:
        """The rigid part of a field of velocities or accelerations (20, 3, B)."""
        mean = self.mean(v)
        turn = np.stack(np.cross(self.r, self.m * (v - mean), axis=1).sum(0))
        spin = (self.inverse * turn[None]).sum(1)
        return mean + np.cross(np.broadcast_to(spin, self.r.shape), self.r, axis=1)


def _energy(v: np.ndarray) -> np.ndarray:
    """Twice the kinetic energy (B,)."""
    return (MASSES[:, None].astype(np.float32) * (v * v).sum(1)).sum(0)


def tumble(tumbles: Tumbles, frames: int) -> np.ndarray:
    """The joints (B, frames, 20, 3) in metres; the first frame is where they are now."""
    p = np.ascontiguousarray(tumbles.joints.transpose(1, 2, 0), np.float32)
    v = np.ascontiguousarray(tumbles.speeds.transpose(1, 2, 0), np.float32)
    height = tumbles.heights_m.astype(np.float32)
    goals, relaxed = (goal.transpose(1, 2, 0).astype(np.float32) for goal in (tumbles.goals, tumbles.relaxed))
    pushes = tumbles.pushes.transpose(1, 2, 0).astype(np.float32)
    apart = [(INDEX[a], INDEX[b], 0.0, 100.0, share) for a, b, share in _APART]
    pairs, apart = ([_Pairs(group, tumbles) for group in _groups(rows)] for rows in (_pairs(), apart))
    world = World(tumbles.radii_m, tumbles.slip, tumbles.box, tumbles.wall)
    tones = np.zeros((len(JOINTS), p.shape[2]), np.float32)
    for column, group in enumerate((_TRUNK, _LEGS, _ARMS)):
        tones[group] = tumbles.tones[:, column]
    gravity = _GRAVITY * tumbles.gravity.astype(np.float32)
    brake = np.sqrt(np.maximum(0, 1 - tumbles.gravity)).astype(np.float32)
    out = np.empty((frames, *p.shape), np.float32)
    bearing = np.zeros(p.shape[::2], bool)
    for _ in range(30):  # so that no speed comes of a pose that is not quite the rigid body's
        for group in pairs:
            group.put_right(p)
    out[0] = p
    for frame in range(1, frames):
        for step in range(STEPS):
            now_s = (frame - 1 + step / STEPS) / FPS
            ease = np.float32(min(1.0, now_s / _EASE_S))
            if step % 4 == 0:
                rigid = _Rigid(p)
                fade = np.exp(-now_s / tumbles.fading_s).astype(np.float32)
                strength = (tones * fade + _TONE_LEFT * (1 - fade)) * ease
                goal = relaxed + fade * (goals - relaxed)
                left, up, forward = _frame(p)
                wanted = p[ROOT] + goal[:, :1] * left + goal[:, 1:2] * up + goal[:, 2:] * forward
                pull = (220 * strength)[:, None] * (wanted - p)
                far = np.sqrt((pull * pull).sum(1))
                pull *= (np.minimum(1, 30 / (far + 1e-6)))[:, None]
                pull -= rigid.part(pull)
                inner = 4 * _DT_S * (3 + 6 * tones * fade)[:, None]
                v -= inner * (v - rigid.part(v))
                low = rigid.mean(p)[1] < 0.14 * height
                v *= 1 - 4 * _DT_S * (0.2 + 0.8 * brake + np.where(low, 6.0, 0) + 3 * bearing[:, None] * low)
                pull[:, 1] -= gravity
                ramp = np.clip(1 - now_s / tumbles.push_s, 0, 1).astype(np.float32)
                pull += pushes * np.minimum(1, 2 * ramp)
            v += _DT_S * pull
            before = p.copy()
            p += _DT_S * v
            free = _energy(v)
            for group in pairs:
                group.put_right(p)
            if step % 2:
                for group in apart:
                    group.put_right(p)
                _bend_as_joints_do(p, height, ease * _GIVE_M)
            bearing = world.push_out(p, before)
            v = (p - before) / np.float32(_DT_S)
            v *= np.sqrt(np.minimum(1, free / (_energy(v) + 1e-9)))  # joints and contacts never add energy
        out[frame] = p
        if frame % 15 == 0 and frame > 45 and np.abs(out[frame] - out[frame - 15]).max() < _STILL_M:
            out[frame + 1 :] = p
            break
    return out.transpose(3, 0, 1, 2)
