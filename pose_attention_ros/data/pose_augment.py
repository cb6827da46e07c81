"""A labelled photo as the pose network may meet it: scaled, turned, mirrored, cropped, recoloured, partly covered."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pose_attention_ros.core.body.layouts import Layout
from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.messages.images import read_image
from pose_attention_ros.data.pose_images import Photo

_MOST_ENLARGED = 1.6  # input pixels a photo pixel, where a view is made around a person


@dataclass(frozen=True)
class PhotoAugmentConfig(Settings):
    scale_low: float = setting(0.6, "smallest size of the photo, 1 fills the input", low=0.1, high=4)
    scale_high: float = setting(1.5, "largest size; a crop around somebody", low=0.1, high=6)
    person_low: float = setting(
        0.3, "where person_high is not 0: smallest size of a person, of the input's side", low=0.05, high=2
    )
    person_high: float = setting(
        0.0,
        "largest size of a person; each view is around one of the photo's people; 0: scale_low and scale_high count",
        low=0,
        high=4,
    )
    turn_deg: float = setting(30.0, "largest rotation either way", unit="deg", low=0, high=180)
    any_turn: float = setting(0.0, "share of views turned by any angle", low=0, high=1)
    mirror: float = setting(0.5, "share of mirrored views", low=0, high=1)
    shift: float = setting(0.1, "largest shift, of the input's side", low=0, high=0.5)
    colour: float = setting(0.25, "strength of brightness, contrast and saturation changes", low=0, high=0.9)
    grey: float = setting(0.05, "share of grey views", low=0, high=1)
    cover: float = setting(0.3, "share of views with a covered patch", low=0, high=1)


@dataclass(frozen=True)
class View:
    """A photo in the network's input: image_rgb (S, S, 3) uint8, the people in its pixels, ignored regions as quadrilaterals
    ignore_px (K, 4, 2)."""

    image_rgb: np.ndarray
    keypoints_px: np.ndarray
    labelled: np.ndarray
    boxes_xyxy: np.ndarray
    ignore_px: np.ndarray

    def valid(self, stride: int) -> np.ndarray:
        """(S / stride, S / stride) float32: 0 where people are not labelled."""
        import cv2

        height, width = self.image_rgb.shape[0] // stride, self.image_rgb.shape[1] // stride
        valid = np.ones((height, width), np.float32)
        for quadrilateral in self.ignore_px:
            cv2.fillConvexPoly(valid, np.round(quadrilateral / stride - 0.5).astype(np.int32), 0.0)
        return valid


def plain_view(photo: Photo, size: int) -> View:
    """The whole photo, as large as it fits, in the middle of a black square of `size` pixels."""
    scale = size / max(photo.size)
    to_middle = (size - np.array(photo.size) * scale) / 2
    matrix = np.array([[scale, 0, to_middle[0]], [0, scale, to_middle[1]]])
    return _view(photo, matrix, size)


def random_view(photo: Photo, layout: Layout, size: int, rng: np.random.Generator, config: PhotoAugmentConfig) -> View:
    """A random view of `size` x `size` pixels; it shows somebody unless all are near the photo's edge."""
    import cv2

    factor, middle = _size_and_middle(photo, size, rng, config)
    turn_deg = 180.0 if config.any_turn and rng.random() < config.any_turn else config.turn_deg
    matrix = cv2.getRotationMatrix2D(tuple(map(float, middle)), rng.uniform(-1, 1) * turn_deg, factor)
    matrix[:, 2] += size / 2 - middle + rng.uniform(-1, 1, 2) * config.shift * size
    mirrored = rng.random() < config.mirror
    if mirrored:
        matrix = np.diag((-1.0, 1.0)) @ matrix + np.array([[0, 0, size], [0, 0, 0]])
    view = _view(photo, matrix, size)
    if mirrored:
        view = replace(view, keypoints_px=view.keypoints_px[:, layout.mirror], labelled=view.labelled[:, layout.mirror])
    image = _recolour(view.image_rgb, rng, config)
    if rng.random() < config.cover:
        _cover(image, rng)
    return replace(view, image_rgb=image)


def _size_and_middle(
    photo: Photo, size: int, rng: np.random.Generator, config: PhotoAugmentConfig
) -> tuple[float, np.ndarray]:
    """Input pixels a photo pixel, and the photo's point in the middle of the view."""
    if config.person_high:
        box = photo.boxes_xyxy[rng.integers(photo.people)]
        share = np.exp(rng.uniform(np.log(config.person_low), np.log(config.person_high)))
        return min(share * size / max(box[2:] - box[:2]), _MOST_ENLARGED), (box[:2] + box[2:]) / 2
    scale = np.exp(rng.uniform(np.log(config.scale_low), np.log(config.scale_high)))
    middle = np.array(photo.size) / 2
    if scale > 1:  # towards somebody, the more the closer
        box = photo.boxes_xyxy[rng.integers(photo.people)]
        middle += (1 - 1 / scale) * ((box[:2] + box[2:]) / 2 - middle) * rng.uniform(0.5, 1.5)
    return scale * size / max(photo.size), middle


def _view(photo: Photo, matrix: np.ndarray, size: int) -> View:
    """:param matrix: (2, 3), photo pixels to input pixels, both continuous"""
    import cv2

    image = read_image(photo.path)
    if image is None:
        raise OSError(f"{photo.path} cannot be decoded")
    scale = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    shifted = matrix.copy()  # OpenCV's pixel centres are at whole numbers
    shifted[:, 2] += matrix[:, :2].sum(1) * 0.5 - 0.5
    image = cv2.warpAffine(image, shifted, (size, size), flags=cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR)
    apply = lambda points: points @ matrix[:, :2].T.astype(np.float32) + matrix[:, 2].astype(np.float32)  # noqa: E731
    keypoints = apply(photo.keypoints_px)
    inside = ((keypoints >= 0) & (keypoints < size)).all(-1)
    corners = apply(_corners(photo.boxes_xyxy))
    boxes = np.concatenate((corners.min(1), corners.max(1)), 1).clip(0, size) if photo.people else photo.boxes_xyxy
    return View(
        cv2.cvtColor(image, cv2.COLOR_BGR2RGB), keypoints, photo.labelled & inside, boxes, apply(_corners(photo.ignore_xyxy))
    )


def _corners(boxes_xyxy: np.ndarray) -> np.ndarray:
    """(N, 4) -> (N, 4, 2), around the box."""
    return boxes_xyxy[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)


def _recolour(image_rgb: np.ndarray, rng: np.random.Generator, config: PhotoAugmentConfig) -> np.ndarray:
    """Contrast, brightness, a tint and saturation as one linear map of the channels."""
    import cv2

    strength = config.colour
    saturation = 0.0 if rng.random() < config.grey else rng.uniform(1 - 2 * strength, 1 + strength)
    grey = np.full((3, 3), 1 / 3)
    channels = rng.uniform(1 - strength, 1 + strength) * rng.uniform(1 - strength / 4, 1 + strength / 4, 3)
    matrix = np.diag(channels) @ (max(saturation, 0) * np.eye(3) + (1 - max(saturation, 0)) * grey)
    offset = rng.uniform(-strength, strength) * 100
    return cv2.transform(image_rgb, np.hstack((matrix, np.full((3, 1), offset))))


def _cover(image_rgb: np.ndarray, rng: np.random.Generator) -> None:
    """Paint a patch in one colour with noise; what is behind keeps its labels, the body around says where it is."""
    size = image_rgb.shape[0]
    height, width = rng.integers(size // 12, size // 4, 2)
    top, left = rng.integers(size - height), rng.integers(size - width)
    patch = rng.integers(0, 256, 3) + rng.normal(0, 20, (height, width, 3))
    image_rgb[top : top + height, left : left + width] = patch.clip(0, 255)
