"""How a figure and what stands around it are painted: OpenCV's shapes at sixteenths of a pixel.

Colours are BGR, 0 to 255.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pose_attention_ros.data.rendered.figure import LAYOUT, Body

_BITS = 4  # fractional bits of OpenCV's coordinates
_SKINS = ((200, 220, 245), (170, 195, 230), (120, 155, 200), (80, 110, 160), (45, 65, 105))
_HAIRS = ((25, 30, 40), (40, 60, 95), (90, 150, 200), (150, 150, 155))
_ROW = {joint: row for row, joint in enumerate(LAYOUT.joints)}
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Clothes:
    """What one person wears."""

    skin: Colour
    hair: Colour
    shirt: Colour
    trousers: Colour
    shoes: Colour
    long_sleeves: bool
    long_legs: bool

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Clothes:
        """Any colours of cloth, on one of a few skins and hairs."""
        shirt, trousers, shoes = (any_colour(rng) for _ in range(3))
        skin = tuple(np.clip(np.array(_SKINS[rng.integers(len(_SKINS))]) + rng.uniform(-12, 12, 3), 0, 255).tolist())
        return cls(
            skin,
            _HAIRS[rng.integers(len(_HAIRS))],
            shirt,
            trousers,
            shoes,
            bool(rng.uniform() < 0.5),
            bool(rng.uniform() < 0.7),
        )


def any_colour(rng: np.random.Generator) -> Colour:
    """A colour as cloth, walls and things have them: seldom a strong one."""
    strength = rng.uniform(5, 90)
    return tuple(np.clip(rng.uniform(30, 220) + strength * rng.uniform(-1, 1, 3), 5, 250).tolist())


def fixed_point(points_px: np.ndarray) -> np.ndarray:
    """Pixels as OpenCV's integers; drawing calls take shift=_BITS with them."""
    return np.rint(np.clip(points_px, -4000, 4000) * (1 << _BITS)).astype(np.int32)


def polygon(image: np.ndarray, points_px: np.ndarray, colour: Colour) -> None:
    """Fill a convex polygon (n, 2)."""
    cv2.fillConvexPoly(image, fixed_point(points_px), colour, cv2.LINE_AA, _BITS)


def disc(image: np.ndarray, centre_px: np.ndarray, radius_px: float, colour: Colour) -> None:
    """Fill a circle."""
    x, y = fixed_point(centre_px).tolist()
    cv2.circle(image, (x, y), max(1, round(radius_px * (1 << _BITS))), colour, -1, cv2.LINE_AA, _BITS)


def limb(image: np.ndarray, ends_px: np.ndarray, radii_px: tuple[float, float], colour: Colour) -> None:
    """A capsule from ends_px[0] to ends_px[1], each end with its own radius."""
    along = ends_px[1] - ends_px[0]
    across = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-6)
    sides = np.outer(radii_px, across)
    polygon(image, np.concatenate([ends_px + sides, (ends_px - sides)[::-1]]), colour)
    for end, radius in zip(ends_px, radii_px):
        disc(image, end, radius, colour)


def figure(
    image: np.ndarray,
    joints_px: np.ndarray,
    depths: np.ndarray,
    body: Body,
    clothes: Clothes,
    height_px: float,
    yaw_deg: float,
) -> None:
    """Paint one frame of a person, the farther parts first. joints_px (V, 2); depths (V,) as View gives them."""
    at = {joint: joints_px[row] for joint, row in _ROW.items()}
    arm_px, leg_px = body.arm_radius * height_px, body.leg_radius * height_px
    parts = []
    for side in ("left", "right"):
        shoulder, elbow, wrist, hip, knee, ankle = (
            f"{side}_{name}" for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        )
        sleeve = clothes.shirt if clothes.long_sleeves else clothes.skin
        shank = clothes.trousers if clothes.long_legs else clothes.skin
        parts += [
            ((shoulder, elbow), (arm_px * 1.15, arm_px), clothes.shirt),
            ((elbow, wrist), (arm_px, arm_px * 0.8), sleeve),
            ((hip, knee), (leg_px * 1.2, leg_px), clothes.trousers),
            ((knee, ankle), (leg_px, leg_px * 0.7), shank),
        ]
    trunk_depth = np.mean([depths[_ROW[joint]] for joint in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")])
    order = [
        (trunk_depth, lambda: _trunk(image, at, clothes, arm_px, leg_px)),
        (depths[_ROW["head"]] + 1e-3, lambda: _head(image, at, body.head_radius * height_px, clothes, yaw_deg)),
    ]
    for joints, radii_px, colour in parts:
        ends_px = np.stack([at[joint] for joint in joints])
        order.append(
            (
                np.mean([depths[_ROW[joint]] for joint in joints]) + 1e-3,
                lambda ends=ends_px, radii=radii_px, colour=colour: limb(image, ends, radii, colour),
            )
        )
        if joints[1].endswith("wrist"):
            order.append((order[-1][0] + 1e-3, lambda ends=ends_px: hand(image, ends, arm_px, clothes.skin)))
        if joints[1].endswith("ankle"):
            order.append((order[-1][0] + 1e-3, lambda end=ends_px[1]: disc(image, end, leg_px * 1.1, clothes.shoes)))
    for _, paint in sorted(order, key=lambda entry: entry[0]):
        paint()


def hand(image: np.ndarray, forearm_px: np.ndarray, arm_px: float, skin: Colour) -> None:
    """A hand at the end of a forearm (2, 2)."""
    along = forearm_px[1] - forearm_px[0]
    disc(image, forearm_px[1] + along / max(float(np.hypot(*along)), 1e-6) * arm_px, arm_px * 1.25, skin)


def _trunk(image: np.ndarray, at: dict[str, np.ndarray], clothes: Clothes, arm_px: float, leg_px: float) -> None:
    limb(image, np.stack([at["left_hip"], at["right_hip"]]), (leg_px * 1.2, leg_px * 1.2), clothes.trousers)
    corners = np.stack([at[joint] for joint in ("left_shoulder", "right_shoulder", "right_hip", "left_hip")])
    limb(image, np.stack([at["left_shoulder"], at["right_shoulder"]]), (arm_px * 1.2, arm_px * 1.2), clothes.shirt)
    outwards = corners - corners.mean(0)
    hull = cv2.convexHull((corners + outwards * 0.06).astype(np.float32))[:, 0]
    polygon(image, hull, clothes.shirt)


def _head(image: np.ndarray, at: dict[str, np.ndarray], radius_px: float, clothes: Clothes, yaw_deg: float) -> None:
    neck = (at["left_shoulder"] + at["right_shoulder"]) / 2
    limb(image, np.stack([neck, at["head"]]), (radius_px * 0.5, radius_px * 0.5), clothes.skin)
    disc(image, at["head"] - (0, radius_px * 0.18), radius_px * 1.05, clothes.hair)
    turned = -np.sin(np.deg2rad(yaw_deg))
    face = at["head"] + np.array([turned * radius_px * 0.35, radius_px * 0.15])
    disc(image, face, radius_px * 0.85, clothes.skin)
    for eye in (-0.33, 0.33):
        disc(image, face + np.array([eye + turned * 0.3, -0.1]) * radius_px, radius_px * 0.12, (30, 25, 20))
