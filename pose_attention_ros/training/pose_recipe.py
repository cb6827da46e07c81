"""A recipe of the pose network: which photos, which network, and all settings. Read from YAML, checked in full."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.label_rules import expect_keys
from pose_attention_ros.data.pose_augment import PhotoAugmentConfig
from pose_attention_ros.data.pose_targets import TargetConfig
from pose_attention_ros.models.pose_cnn import STRIDE, PoseCnnConfig
from pose_attention_ros.training.recipe import read_yaml


@dataclass(frozen=True)
class PoseTrainConfig(Settings):
    epochs: int = setting(10, "passes through the photos", low=1)
    photos_per_epoch: int = setting(0, "photos drawn for an epoch; 0 for all", low=0)
    batch: int = setting(16, "photos a step, all processes together", low=1)
    parts: int = setting(
        1, "a step's photos of a process go through the network in so many parts one after another, gradients added", low=1
    )
    input_size: int = setting(224, "side of the square input, a multiple of 8", unit="px", low=64, high=1024)
    learning_rate: float = setting(1.5e-3, "highest learning rate, of the head", low=0)
    backbone_rate: float = setting(0.3, "learning rate of the backbone, of the head's", low=0, high=10)
    head_only: float = setting(0.0, "share of the steps in which the backbone stays as it began", low=0, high=1)
    frozen_layers: int = setting(0, "first layers of the backbone that always stay as they began", low=0, high=12)
    frozen_stages: int = setting(0, "first stages of the head that stay as they began, statistics too", low=0, high=5)
    frozen_statistics: bool = setting(False, "the backbone's batch norm keeps its statistics (weights with folded norm)")
    weight_decay: float = setting(0.01, "AdamW's weight decay", low=0)
    warm_up: float = setting(0.03, "share of the steps in which the learning rate rises", low=0, high=1)
    average: float = setting(0.998, "decay of the moving average of the weights; the average is the model", low=0, high=1)
    clip_norm: float = setting(5.0, "longest gradient", low=0)
    emphasis: float = setting(4.0, "how much more a joint's or limb's cells count than empty ones; 0: the paper's L2", low=0)
    val_photos: int = setting(200, "validation photos looked at after an epoch, at most", low=1)
    save_every: int = setting(200, "steps between two checkpoints", low=1)
    threads: int = setting(1, "CPU threads of a process", low=1)
    new_stages: str = setting(
        "copy",
        "what stages begin as that the network of start_from lacks: copies of its last one, or fresh ones",
        choices=("copy", "fresh"),
    )
    loaders: int = setting(0, "processes that make batches, a training process; 0: it makes them itself", low=0, high=64)
    mixed_precision: bool = setting(True, "on a GPU: bfloat16 where it is exact enough")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.input_size % STRIDE:
            raise UserError(f"input_size is {self.input_size}, expected a multiple of {STRIDE} px")


@dataclass(frozen=True)
class PhotoSet(Settings):
    """Photos and their labels; every path is relative to the data set's own folder. A list of names, where it is given,
    says which photos are for training and which for validation."""

    images: str = setting("images", "folder of the photos")
    train: tuple[str, ...] = setting((), "annotation files for training; where several know a photo the first one counts")
    val: tuple[str, ...] = setting((), "annotation files for validation")
    val_images: str = setting("", "folder of the validation photos, where it is another one")
    train_list: str = setting("", "file names for training, one a line; empty for all")
    val_list: str = setting("", "file names for validation")
    never: str = setting("", "file names that neither training nor validation may see: the test photos")
    max_people: int = setting(0, "photos with more people are left out of training; 0 for no limit", low=0)


@dataclass(frozen=True)
class PoseRecipe:
    """start_from: a pose network, by name or model directory, whose weights training begins with; it has the recipe's
    shape, or fewer stages, and then the network grows (train.new_stages).
    start_backbone_from: else PoseNet's graph file, whose weights the backbone begins with (empty: random ones)."""

    model_id: str
    data: Mapping[str, PhotoSet]
    model: PoseCnnConfig = field(default_factory=PoseCnnConfig)
    train: PoseTrainConfig = field(default_factory=PoseTrainConfig)
    augment: PhotoAugmentConfig = field(default_factory=PhotoAugmentConfig)
    targets: TargetConfig = field(default_factory=TargetConfig)
    start_from: str = ""
    start_backbone_from: str = ""

    def __post_init__(self) -> None:
        if self.train.frozen_stages >= self.model.stages:
            raise UserError(
                f"train.frozen_stages is {self.train.frozen_stages}, expected fewer than the "
                f"{self.model.stages} stages of the model"
            )


def load_pose_recipe(path: Path) -> PoseRecipe:
    """Read a recipe. Raises UserError that names the file, the key and what was expected."""
    raw = read_yaml(path)
    if isinstance(raw.get("model"), dict):
        raw["model"].pop("name", None)
    try:
        return _recipe(raw)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _recipe(raw: dict[str, Any]) -> PoseRecipe:
    kinds = {"model": PoseCnnConfig, "train": PoseTrainConfig, "augment": PhotoAugmentConfig, "targets": TargetConfig}
    expect_keys(raw, [f.name for f in dataclasses.fields(PoseRecipe)], "recipe")
    absent = [name for name in ("model_id", "data") if not raw.get(name)]
    if absent:
        raise UserError(f"recipe lacks {', '.join(absent)}")
    values = {name: _settings(kinds[name], value or {}, name) if name in kinds else value for name, value in raw.items()}
    if not isinstance(raw["data"], dict):
        raise UserError(f"data is {raw['data']!r}, expected a mapping from a data set's name to its files")
    values["data"] = {name: _settings(PhotoSet, value or {}, f"data.{name}") for name, value in raw["data"].items()}
    if not any(photos.train for photos in values["data"].values()):
        raise UserError("no data set of the recipe has annotation files under `train`")
    return PoseRecipe(**values)


def _settings(kind: type, values: Any, where: str) -> Any:
    expect_keys(values, [f.name for f in dataclasses.fields(kind)], where)
    return kind(**values)
