"""Where people stand before a camera of known calibration, guessed from their joints in the image alone.

One camera sees directions, not distances. A body part is seen at its full length or shorter, never longer, so that the part
which looks longest for its length tells the distance best, if the person's height is known. It is assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.types import SkeletonGraphs

# Lengths in heights of the body (Drillis and Contini 1966).
_TRUNK = 0.288
_PARTS = {
    ("shoulder", "elbow"): 0.186,
    ("elbow", "wrist"): 0.146,
    ("hip", "knee"): 0.245,
    ("knee", "ankle"): 0.246,
    ("shoulder", "hip"): _TRUNK,
}
_SHOULDERS = 0.259  # between the two
_FEWEST_PARTS = 3  # of which the second longest-looking counts: one wrong joint moves nobody
_HEAD = ("head", "nose", "left_eye", "right_eye", "left_ear", "right_ear")
_FACING, _AWAY = -1.0, 1.0  # along the camera's axis


@dataclass(frozen=True)
class Pinhole:
    """A camera: focal lengths and centre in pixels of an image of `size` (width, height); distortion is not regarded."""

    focal_px: tuple[float, float]
    centre_px: tuple[float, float]
    size: tuple[int, int]

    @classmethod
    def of(cls, matrix: list[float], size: tuple[int, int]) -> Pinhole | None:
        """From the nine numbers K of a CameraInfo; None where they are no calibration."""
        values = np.asarray(matrix, float)
        if values.shape != (9,) or not np.isfinite(values).all() or min(values[0], values[4], *size) <= 0:
            return None
        return cls((values[0], values[4]), (values[2], values[5]), size)

    def rays(self, points_px: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
        """Points (..., 2) of an image of any scale as (..., 2) x and y at one metre before the camera (right, down)."""
        scale = np.asarray(self.size, float) / np.maximum(image_size, 1)
        return (points_px * scale - self.centre_px) / self.focal_px


@dataclass(frozen=True)
class Place:
    """A body in the camera's optical frame (x right, y down, z forward), in metres.

    body (3,): the middle of the hips; axes (3, 3): columns are the body's x (forward), y (left) and z (to the head), within
    the plane of the image and facing the camera or turned away; head (3,): the middle of what is seen of it, or None.
    """

    body: np.ndarray
    axes: np.ndarray
    head: np.ndarray | None


def place(graphs: SkeletonGraphs, row: int, camera: Pinhole, height_m: float) -> Place | None:
    """Where person `row` is if `height_m` tall; None where too little of the body is seen to say."""
    seen = graphs.mask[row]
    rays = camera.rays(graphs.keypoints_px()[row].astype(float), graphs.image_size)
    joints = {name: rays[index] for index, name in enumerate(graphs.layout.joints) if seen[index]}
    shares = sorted(_shares(joints))
    shoulders, hips = _middle(joints, "left_shoulder", "right_shoulder"), _middle(joints, "left_hip", "right_hip")
    if len(shares) < _FEWEST_PARTS or (shoulders is None and hips is None):
        return None
    height = shares[-2]  # of the body as it is seen, at one metre
    up = shoulders - hips if shoulders is not None and hips is not None else np.array([0.0, -1.0])
    up = up / max(float(np.linalg.norm(up)), 1e-9)
    root = hips if hips is not None else np.asarray(shoulders) - up * _TRUNK * height
    distance_m = height_m / height
    head = [joints[name] for name in _HEAD if name in joints]
    return Place(
        _point(root, distance_m), _axes(up, _forward(joints)), _point(np.mean(head, axis=0), distance_m) if head else None
    )


def quaternion(axes: np.ndarray) -> tuple[float, float, float, float]:
    """x, y, z, w of a rotation matrix (3, 3)."""
    trace = np.array(
        [
            axes[0, 0] - axes[1, 1] - axes[2, 2],
            axes[1, 1] - axes[0, 0] - axes[2, 2],
            axes[2, 2] - axes[0, 0] - axes[1, 1],
            np.trace(axes),
        ]
    )
    largest = int(trace.argmax())
    four = 2 * np.sqrt(1 + trace[largest])  # four times that component
    twist = axes - axes.T
    if largest == 3:
        x, y, z, w = twist[2, 1] / four, twist[0, 2] / four, twist[1, 0] / four, four / 4
    else:
        i, j, k = largest, (largest + 1) % 3, (largest + 2) % 3
        parts = [0.0, 0.0, 0.0]
        parts[i], parts[j], parts[k] = four / 4, (axes[i, j] + axes[j, i]) / four, (axes[i, k] + axes[k, i]) / four
        (x, y, z), w = parts, twist[k, j] / four
    return float(x), float(y), float(z), float(w)


def _shares(joints: dict[str, np.ndarray]) -> list[float]:
    """How tall the whole body looks, at one metre, by each part that is seen."""
    pairs = [
        (f"{side}_{first}", f"{side}_{second}", share)
        for (first, second), share in _PARTS.items()
        for side in ("left", "right")
    ] + [("left_shoulder", "right_shoulder", _SHOULDERS)]
    lengths = [
        float(np.linalg.norm(joints[first] - joints[second])) / share
        for first, second, share in pairs
        if first in joints and second in joints
    ]
    return [length for length in lengths if length > 1e-6]


def _middle(joints: dict[str, np.ndarray], first: str, second: str) -> np.ndarray | None:
    return (joints[first] + joints[second]) / 2 if first in joints and second in joints else None


def _forward(joints: dict[str, np.ndarray]) -> float:
    """Somebody who faces the camera has the left shoulder, or hip, at the right of the image."""
    for part in ("shoulder", "hip"):
        left, right = joints.get(f"left_{part}"), joints.get(f"right_{part}")
        if left is not None and right is not None:
            return _FACING if left[0] >= right[0] else _AWAY
    return _FACING


def _axes(up: np.ndarray, forward: float) -> np.ndarray:
    x, z = np.array([0.0, 0.0, forward]), np.array([*up, 0.0])
    return np.stack([x, np.cross(z, x), z], axis=1)


def _point(ray: np.ndarray, distance_m: float) -> np.ndarray:
    return np.array([*ray, 1.0]) * distance_m
