"""What falling bodies meet: floor, furniture and walls, with friction. Arrays are (joint, axis, body), B bodies."""

from __future__ import annotations

import numpy as np

from pose_attention_ros.data.simulated.body import INDEX

_FEET = [INDEX[name] for name in ("left_ankle", "left_foot", "right_ankle", "right_foot")]


def _rub(p: np.ndarray, before: np.ndarray, depth: np.ndarray, friction: np.ndarray) -> None:
    """Joints that were pushed out of the ground by `depth` (20, B) are held back along it, as far as friction goes."""
    dx, dz = p[:, 0] - before[:, 0], p[:, 2] - before[:, 2]
    moved = np.sqrt(dx * dx + dz * dz) + 1e-9
    hold = np.minimum(1, friction * depth / moved)
    p[:, 0] -= hold * dx
    p[:, 2] -= hold * dz


class World:
    """Floor, furniture and walls as the bodies' joints meet them."""

    def __init__(self, radii_m: np.ndarray, slip: np.ndarray, box: np.ndarray, wall: np.ndarray) -> None:
        """See ragdoll.Tumbles for the arguments."""
        self.radii = radii_m.T.astype(np.float32)
        self.friction = np.full(self.radii.shape, 0.7, np.float32)
        self.friction[_FEET] = slip
        self.box = box.T.astype(np.float32)
        self.wall = wall.T.astype(np.float32)
        self.boxes, self.walls = bool((self.box[5] > 0).any()), bool((self.wall[2] > -50).any())

    def push_out(self, p: np.ndarray, before: np.ndarray) -> np.ndarray:
        """Moves joints out of what is solid; returns which bear (20, B)."""
        depth = np.maximum(0, self.radii - p[:, 1])
        p[:, 1] += depth
        _rub(p, before, depth, self.friction)
        if self.boxes:
            depth = depth + self._furniture(p, before)
        if self.walls:
            nx, nz, offset = self.wall
            short = np.maximum(0, self.radii + offset - (p[:, 0] * nx + p[:, 2] * nz))
            p[:, 0] += short * nx
            p[:, 2] += short * nz
            p[:, 1] -= np.clip(p[:, 1] - before[:, 1], -0.3 * short, 0.3 * short)
        return depth > 0

    def _furniture(self, p: np.ndarray, before: np.ndarray) -> np.ndarray:
        cx, cz, half_d, half_w, front, height = self.box
        c, s = np.cos(front), np.sin(front)
        x, z = p[:, 0] - cx, p[:, 2] - cz
        d, w = c * x + s * z, -s * x + c * z
        top = np.where(height > 0, height + self.radii - p[:, 1], 0)
        ahead, aside = half_d - np.abs(d) + 0.4 * self.radii, half_w - np.abs(w)
        inside = (top > 0) & (ahead > 0) & (aside > 0)
        up = inside & (top <= np.minimum(ahead, 0.12) + 0.02)
        out = inside & ~up
        lift = np.where(up, top, 0)
        p[:, 1] += lift
        _rub(p, before, lift, np.float32(0.35))
        push = np.where(out, np.minimum(ahead, 0.02) * np.sign(d), 0)
        p[:, 0] += push * c
        p[:, 2] += push * s
        return lift
