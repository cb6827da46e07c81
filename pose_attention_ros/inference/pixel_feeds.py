"""What a recogniser reads of the images beside the joints: squares around each person or their parts, through the extractor
that it was trained with. Where the pose network's own features are at hand, they serve.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pose_attention_ros.core.actions.pixels import FeatureExtractor, ImageFeatures, PixelFeed, mean_over_cells
from pose_attention_ros.core.actions.recogniser import ModelSpec
from pose_attention_ros.core.body.crops import CropConfig, PartSquares, SteadySquare, square_crop
from pose_attention_ros.core.config import setting
from pose_attention_ros.core.errors import ModelError
from pose_attention_ros.core.types import Frame, SkeletonGraphs
from pose_attention_ros.inference.extractors import ExtractorConfig, ExtractorWeights, create_extractor

# Shared features serve where a person is about as large in the network's input as in training.
_SMALLER, _LARGER = 0.7, 1.5


@dataclass(frozen=True)
class PixelFeedConfig(ExtractorWeights):
    """Settings of models that read the image."""

    share_features: bool = setting(
        True,
        "take features of the image around a person from the pose network, where it has "
        "them and sees the person about as large as in training; false computes all",
    )


class Squares(Protocol):
    """Where to look for one person, frame after frame."""

    def __call__(
        self, keypoints_px: np.ndarray, present: np.ndarray, box_xyxy: np.ndarray, image_size: tuple[int, int]
    ) -> np.ndarray:
        """(n, 3) centre x, centre y and side in pixels; n is always the same."""
        ...


class PersonLooks:
    """One square around the person, see core.body.crops.SteadySquare."""

    def __init__(self) -> None:
        self._square = SteadySquare()

    def __call__(
        self, keypoints_px: np.ndarray, present: np.ndarray, box_xyxy: np.ndarray, image_size: tuple[int, int]
    ) -> np.ndarray:
        """See Squares."""
        return self._square(box_xyxy)[None]


class PartLooks:
    """The three crops of core.body.crops."""

    def __init__(self, joints: tuple[str, ...], config: CropConfig) -> None:
        self._squares = PartSquares(joints, config)

    def __call__(
        self, keypoints_px: np.ndarray, present: np.ndarray, box_xyxy: np.ndarray, image_size: tuple[int, int]
    ) -> np.ndarray:
        """See Squares."""
        return self._squares(keypoints_px, present, image_size)


@dataclass(frozen=True)
class _Kind:
    """How one entry of core.actions.recogniser.PIXELS is made.

    :param squares: a new person's
    :param size: of the crops, from model.json's `extractor`
    :param shares: whether the pose network's features may serve: in crops as small as a hand most cells lie near the edge,
        and look different where the image goes on beyond it
    :param finish: cubes (people, squares, D, h, w) -> pixels (people, *shape)
    """

    squares: Callable[[ModelSpec], Squares]
    size: str
    shares: bool
    finish: Callable[[np.ndarray], np.ndarray]


_KINDS: dict[str, _Kind] = {
    "cube": _Kind(lambda spec: PersonLooks(), "image_size", True, lambda cubes: cubes[:, 0]),
    "frame": _Kind(lambda spec: PersonLooks(), "image_size", True, lambda cubes: mean_over_cells(cubes[:, 0])),
    "crops": _Kind(lambda spec: PartLooks(spec.layout.joints, _crop_config(spec)), "crop_size", False, mean_over_cells),
}


def _crop_config(spec: ModelSpec) -> CropConfig:
    known = CropConfig.__dataclass_fields__
    return CropConfig(**{name: value for name, value in spec.extractor.items() if name in known})


def create_pixel_feed(
    spec: ModelSpec, settings: PixelFeedConfig, shared: Callable[[], ImageFeatures | None] = lambda: None
) -> PixelFeed | None:
    """What feeds the model, None where it reads joints alone.

    :param shared: gives the pose estimator's features of the newest image, if it has any
    :raises ModelError: the extractor that the model was trained with is not here
    """
    if not spec.pixels:
        return None
    name, kind = str(spec.extractor.get("name", "")), _KINDS[spec.pixels]
    try:
        size = int(spec.extractor[kind.size])
        config = ExtractorConfig(settings.extractor_weights, settings.extractor_threads, name)
        extractor = create_extractor(config)
        if extractor.sha256 != spec.extractor["sha256"]:
            raise ModelError(
                f"model {spec.model_id!r} was trained on features of {name} {spec.extractor['sha256'][:12]}, "
                f"here is {extractor.sha256[:12]}: give the weights with that sha256 as extractor_weights, or "
                "train it anew"
            )
        shares = kind.shares and settings.share_features
        feed = ExtractedPixels(spec, extractor, kind, size, shared if shares else lambda: None)
    except KeyError as error:
        raise ModelError(f"model {spec.model_id!r}: its `extractor` lacks {error}") from None
    return feed


class ExtractedPixels:
    """See core.actions.pixels.PixelFeed."""

    def __init__(
        self,
        spec: ModelSpec,
        extractor: FeatureExtractor,
        kind: _Kind,
        size: int,
        shared: Callable[[], ImageFeatures | None],
    ) -> None:
        """:raises ModelError: the extractor does not give what the model reads"""
        self._spec, self._extractor, self._kind, self._size, self._shared = spec, extractor, kind, size, shared
        if extractor.frames_per_cell != 1:
            raise ModelError(
                f"model {spec.model_id!r} reads {extractor.name}, which sees {extractor.frames_per_cell} "
                "images at once and does not run on a stream"
            )
        blank = extractor(np.zeros((1, size, size, 3), np.uint8))  # also warms it up
        self._cube_shape, self._cells = blank.shape[1:], blank.shape[2:]
        count = len(self._squares_of(kind.squares(spec)))
        shape = kind.finish(np.repeat(blank[:, None], count, axis=1)).shape[1:]
        if shape != spec.pixels_shape:
            raise ModelError(
                f"model {spec.model_id!r} reads pixels of shape {spec.pixels_shape}, {extractor.name} gives {shape}"
            )
        self.computed = self.shared = 0  # squares whose features were extracted, and were there already
        self.reset()

    def reset(self) -> None:
        """See PixelFeed."""
        self._people: dict[int, Squares] = {}
        self._frame: Frame | None = None
        self._known: dict[int, np.ndarray] = {}

    def see(self, frame: Frame, graphs: SkeletonGraphs) -> None:
        """See PixelFeed."""
        ids = graphs.track_ids.tolist()
        self._people = {track: self._people.get(track) or self._kind.squares(self._spec) for track in ids}
        size = (frame.image_bgr.shape[1], frame.image_bgr.shape[0])
        rows = zip(self._people.values(), graphs.keypoints_px(), graphs.mask, graphs.boxes_xyxy)
        self._looks = [squares(keypoints, mask, box, size) for squares, keypoints, mask, box in rows]
        self._frame, self._known = frame, {}

    def pixels(self, people: list[int]) -> np.ndarray:
        """See PixelFeed."""
        new = [person for person in dict.fromkeys(people) if person not in self._known]
        if new:
            squares = np.stack([self._looks[person] for person in new])
            cubes = self._cubes(squares.reshape(-1, 3))
            found = self._kind.finish(cubes.reshape(*squares.shape[:2], *cubes.shape[1:]))
            self._known.update(zip(new, found))
        return np.stack([self._known[person] for person in people])

    def details(self) -> dict[str, str]:
        """See PixelFeed."""
        return {"features_computed": str(self.computed), "features_shared": str(self.shared)}

    def _cubes(self, squares: np.ndarray) -> np.ndarray:
        """(n, D, K1, K2) float32 of n squares: shared where that serves, extracted together for the others."""
        features, served = self._shared(), np.zeros(len(squares), bool)
        if features is not None and features.stamp_ns == self._frame.stamp_ns and features.sha256 == self._extractor.sha256:
            wanted = self._size / self._cells[1]
            larger = np.array([features.pixels_a_cell(side, self._cells[1]) / wanted for side in squares[:, 2]])
            served = (larger >= _SMALLER) & (larger <= _LARGER)
        cubes = np.empty((len(squares), *self._cube_shape), np.float32)
        for row in np.flatnonzero(served):
            cubes[row] = features.sampled(squares[row], self._cells)
        if not served.all():
            crops = [square_crop(self._frame.image_bgr, square, self._size) for square in squares[~served]]
            cubes[~served] = self._extractor(np.stack(crops))
        self.shared += int(served.sum())
        self.computed += int((~served).sum())
        return cubes

    def _squares_of(self, squares: Squares) -> np.ndarray:
        joints = len(self._spec.layout.joints)
        return squares(np.zeros((joints, 2), np.float32), np.zeros(joints, bool), np.array([0, 0, 1, 1]), (1, 1))
