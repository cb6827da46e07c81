"""Batches of photos for the pose network: any step's batch can be made without those before, so a run resumes exactly."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.data.pose_augment import View, plain_view, random_view
from pose_attention_ros.data.pose_images import Photo, read_names, read_photos
from pose_attention_ros.data.pose_targets import STRIDE, Targets, make_targets
from pose_attention_ros.models.pose_cnn import Maps
from pose_attention_ros.training.pose_recipe import PoseRecipe


class PoseBatch(NamedTuple):
    """image (N, 3, S, S) uint8 RGB; target and weight: maps (N, ..., S/8, S/8) float32."""

    image: Tensor
    target: Maps
    weight: Maps


class PoseBatches(torch.utils.data.Dataset):
    """Batch of every step of a run, or of one of several processes' part of it."""

    def __init__(self, photos: list[Photo], recipe: PoseRecipe, seed: int, rank: int = 0, processes: int = 1) -> None:
        self._photos, self._recipe, self._seed = photos, recipe, seed
        self._rank, self._processes = rank, processes
        self._layout = layout(recipe.model.layout)
        self.per_epoch = max(1, min(recipe.train.photos_per_epoch or len(photos), len(photos)) // recipe.train.batch)

    def __len__(self) -> int:
        return self.per_epoch * self._recipe.train.epochs

    def __getitem__(self, step: int) -> PoseBatch:
        epoch, number = divmod(step, self.per_epoch)
        order = np.random.default_rng((self._seed, epoch)).permutation(len(self._photos))
        batch = self._recipe.train.batch
        rows = range(number * batch, (number + 1) * batch)[self._rank :: self._processes]
        return collate([self._sample(self._photos[order[row % len(order)]], (self._seed, epoch, row)) for row in rows])

    def _sample(self, photo: Photo, seed: tuple[int, ...]) -> tuple[View, Targets]:
        size = self._recipe.train.input_size
        view = random_view(photo, self._layout, size, np.random.default_rng(seed), self._recipe.augment)
        return view, targets_of(view, self._recipe)


def plain_batch(photos: list[Photo], recipe: PoseRecipe) -> PoseBatch:
    """The photos as they are."""
    views = [plain_view(photo, recipe.train.input_size) for photo in photos]
    return collate([(view, targets_of(view, recipe)) for view in views])


def targets_of(view: View, recipe: PoseRecipe) -> Targets:
    return make_targets(
        view.keypoints_px, view.labelled, view.boxes_xyxy, view.valid(STRIDE), layout(recipe.model.layout), recipe.targets
    )


def collate(samples: list[tuple[View, Targets]]) -> PoseBatch:
    images = np.stack([view.image_rgb.transpose(2, 0, 1) for view, _ in samples])
    confidence, affinity, *weights = (torch.from_numpy(np.stack(maps)) for maps in zip(*(t for _, t in samples)))
    return PoseBatch(torch.from_numpy(images), Maps(confidence, affinity), Maps(*weights))


def read_part(part: str, recipe: PoseRecipe, folders: dict[str, Path]) -> list[Photo]:
    """The photos of `part` (train or val) of every data set. Raises UserError."""
    photos = []
    for name, files in recipe.data.items():
        folder = folders[name]
        annotations = files.train if part == "train" else files.val
        if not annotations:
            continue
        names = files.train_list if part == "train" else files.val_list
        images = files.val_images if part == "val" and files.val_images else files.images
        photos += read_photos(
            [folder / file for file in annotations],
            folder / images,
            layout(recipe.model.layout),
            only=read_names(folder / names) if names else None,
            without=read_names(folder / files.never) if files.never else (),
            max_people=files.max_people if part == "train" else 0,
        )
    return photos
