"""A training recipe: which clips of which data sets teach which class, and all settings. Read from YAML, checked in full."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pose_attention_ros.core.body.crops import CropConfig
from pose_attention_ros.core.body.smoothing import SmoothingConfig
from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.errors import UserError, reading
from pose_attention_ros.data.augment import AugmentConfig
from pose_attention_ros.data.clip_views import ClipConfig
from pose_attention_ros.data.feature_cache import FeatureConfig
from pose_attention_ros.data.label_rules import ALL_LABELS, ClassTable, DataRule, expect_keys, labels_of
from pose_attention_ros.data.streams import StreamConfig
from pose_attention_ros.data.views import ViewConfig
from pose_attention_ros.inference.extractors import ExtractorConfig
from pose_attention_ros.models.pan import PanConfig


@dataclass(frozen=True)
class TrainConfig(Settings):
    epochs: int = setting(40, "passes; each draws streams_per_epoch streams", low=1)
    streams_per_epoch: int = setting(4096, "training streams an epoch", low=1)
    fresh_epochs: int = setting(
        0,
        "epochs that show streams made anew; those after them show the same ones, begun at other "
        "moments and mirrored; 0: all",
        low=0,
    )
    batch: int = setting(64, "streams a step", low=1)
    learning_rate: float = setting(2e-3, "highest learning rate", low=0)
    weight_decay: float = setting(0.02, "AdamW's weight decay", low=0)
    muon: bool = setting(False, "Muon for the hidden layers' weights, AdamW for the others; else AdamW for all")
    warm_up: float = setting(0.05, "share of the steps in which the learning rate rises", low=0, high=1)
    average: float = setting(0.998, "decay of the moving average of the weights; the average is the model", low=0, high=1)
    clip_norm: float = setting(2.0, "longest gradient", low=0)
    joints_weight: float = setting(0.3, "l_joints of (16)", low=0)
    smoothing: float = setting(0.05, "label smoothing", low=0, high=0.9)
    last_tick: float = setting(0.0, "share of the loss that each row's last tick makes, beside all ticks", low=0, high=1)
    prior: float = setting(
        0.0,
        "share of the classes' log frequency in training that the answers are freed from; 1: all classes are expected alike",
        low=0,
        high=2,
    )
    balance: float = setting(0.6, "0 draws clips as often as they are there, 1 every class equally often", low=0, high=1)
    other_share: float = setting(0.12, "share of the drawn clips that belong to no class", low=0, high=0.9)
    early_s: float = setting(0.4, "ticks of a stream's beginning count less, rising over this time", unit="s", low=0.01)
    members: int = setting(1, "networks of other seeds whose mean answer is the model", low=1, high=8)
    threads: int = setting(1, "CPU threads of the network; another process makes the batches", low=1)


OTHER_REST = "other"  # under `rest`: held poses of no class
LIMBS = ("arm", "leg")  # what `carriers` may name
# Of TrainConfig, for recipes without `clips`.
_OF_STREAMS = {"streams_per_epoch", "fresh_epochs", "balance", "other_share", "early_s"}


@dataclass(frozen=True)
class PixelConfig(ExtractorConfig, FeatureConfig, CropConfig):
    """What a network that reads pixels is given of a clip."""


@dataclass(frozen=True)
class Recipe:
    """classes: what each class is made of; other: clips of no class, which train the model not to be sure; held_out: labels
    that training never sees, on which `unknown` is measured;
    rest: held poses, {class, or OTHER_REST for no class: {data set: {"start" or "end": [labels]}}};
    carriers: {class: "arm" or "leg"}, the limb without which it cannot be told;
    postures: classes that are states of a still body, which rest does not end;
    alarms: classes of which one missed is worse than one told in error: their thresholds are lower;
    leave_out: data sets that training never sees, their clips are the test;
    start_from: a model, by name or directory, whose weights training begins with (empty: random ones), its shape is then
    the network's; official_splits: trained one after another, the result is their mean (none: the file's own split);
    clips: how whole clips are seen anew, where no camera and estimator is simulated (then `stream`, `view` and `augment`
    count for nothing); pixels: the images' features, for a network that reads them."""

    model_id: str
    data: Mapping[str, DataRule]
    classes: ClassTable
    other: Mapping[str, list] = field(default_factory=dict)
    held_out: Mapping[str, list] = field(default_factory=dict)
    rest: Mapping[str, Mapping[str, Mapping[str, list]]] = field(default_factory=dict)
    model: PanConfig = field(default_factory=PanConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    stream: StreamConfig = field(default_factory=StreamConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    view: ViewConfig = field(default_factory=ViewConfig)
    carriers: Mapping[str, str] = field(default_factory=dict)
    postures: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    start_from: str = ""
    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)
    official_splits: tuple[int, ...] = ()
    clips: ClipConfig | None = None
    pixels: PixelConfig = field(default_factory=PixelConfig)

    def with_labels(self, labels: Mapping[str, list[str]]) -> Recipe:
        """This recipe where it names its classes, else with each label of the data sets as a class; labels by data set."""
        if self.classes != ALL_LABELS:
            return self
        classes = {
            label: {name: [label] for name in labels if label in labels[name]}
            for label in sorted({label for each in labels.values() for label in each})
        }
        return dataclasses.replace(self, classes=classes)

    def labels_of(self, name: str) -> dict[str, str | None]:
        """Label of data set `name` -> class, or None for an action of no class."""
        return labels_of({"classes": self.classes, "other": self.other, "held_out": self.held_out}, name)

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.classes, *(name for name in self.rest if name != OTHER_REST)]))


def load_recipe(path: Path, model: type = PanConfig, train: type = TrainConfig) -> Recipe:
    """Read a recipe, by default of the Pose-Attention Network. Raises UserError that names the file, the key and what was
    expected.

    :param model, train: settings dataclasses of the recipe's `model` and `train`
    """
    raw = read_yaml(path)
    if isinstance(raw.get("model"), dict):
        raw["model"].pop("name", None)
    try:
        return _recipe(raw, model, train)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def model_name(path: Path, known: Collection[str]) -> str:
    """`name` in a recipe's `model` section, or the first of `known` where it gives none. Raises UserError for another."""
    model = read_yaml(path).get("model") or {}
    name = model.get("name", next(iter(known))) if isinstance(model, dict) else model
    if name not in known:
        raise UserError(f"{path}: model.name is {name!r}, expected one of {', '.join(known)}")
    return name


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises UserError."""
    import yaml

    if not path.exists():
        raise UserError(f"no recipe {path}")
    with reading(path, "a recipe in YAML"):
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(raw, dict):
        raise UserError(f"{path} is not a recipe: expected a mapping with model_id, data and classes")
    if "extends" not in raw:
        return raw
    base = read_yaml(path.parent / str(raw.pop("extends")))  # another recipe, of which this one says what differs
    both = {
        key: {**base[key], **value}
        for key, value in raw.items()
        if isinstance(value, dict) and isinstance(base.get(key), dict)
    }
    return {**base, **raw, **both}


def _recipe(raw: dict[str, Any], model: type, train: type) -> Recipe:
    kinds = {
        "model": model,
        "train": train,
        "pixels": PixelConfig,
        "stream": StreamConfig,
        "augment": AugmentConfig,
        "view": ViewConfig,
        "clips": ClipConfig,
        "smoothing": SmoothingConfig,
    }
    known = [f.name for f in dataclasses.fields(Recipe)]
    expect_keys(raw, known, "recipe")
    absent = [name for name in ("model_id", "data", "classes") if not raw.get(name)]
    if absent:
        raise UserError(f"recipe lacks {', '.join(absent)}")
    values = {name: _settings(kinds[name], value or {}, name) if name in kinds else value for name, value in raw.items()}
    values["official_splits"] = tuple(_of_kind(raw.get("official_splits") or [], list, "official_splits"))
    for name in ("postures", "alarms", "leave_out"):
        values[name] = tuple(_of_kind(raw.get(name) or [], list, name))
    values["model_id"] = str(raw["model_id"])
    for name in ("other", "held_out", "rest", "carriers"):
        values[name] = _of_kind(raw.get(name) or {}, dict, name)
    if raw["classes"] != ALL_LABELS:
        for name, table in _of_kind(
            raw["classes"], dict, "classes", f" from class to data set and labels, or `{ALL_LABELS}`"
        ).items():
            _of_kind(table, dict, f"classes.{name}", " from data set to labels")
    if raw.get("clips"):
        unread = sorted(_OF_STREAMS & set(raw.get("train") or ()))
        if unread:
            raise UserError(
                f"train.{', train.'.join(unread)} is for streams; a recipe of whole clips (`clips`) shows every "
                "clip once an epoch"
            )
    rules = {name: DataRule.read(rule or {}, f"data.{name}") for name, rule in _of_kind(raw["data"], dict, "data").items()}
    if raw.get("start_from"):
        from pose_attention_ros.training.start import network_shape

        values["model"] = network_shape(raw["start_from"], raw.get("model") or {})
    recipe = Recipe(**{"model": model(), "train": train(), **values, "data": rules})
    for key, names in (("postures", recipe.postures), ("alarms", recipe.alarms)):
        if recipe.classes != ALL_LABELS and set(names) - set(recipe.class_names):
            raise UserError(f"{key} are {', '.join(names)}; expected classes: {', '.join(recipe.class_names)}")
    odd = [
        f"{name}: {limb}"
        for name, limb in recipe.carriers.items()
        if limb not in LIMBS or (recipe.classes != ALL_LABELS and name not in recipe.class_names)
    ]
    if odd:
        raise UserError(f"carriers has {', '.join(odd)}; expected a class and one of {', '.join(LIMBS)}")
    named = [] if recipe.classes == ALL_LABELS else recipe.classes.values()
    tables = [*named, *recipe.rest.values(), recipe.other, recipe.held_out]
    used = {name for table in tables for name in table}
    strangers = sorted((used | set(recipe.leave_out)) - set(rules))
    if strangers:
        raise UserError(f"classes use data sets that `data` does not list: {', '.join(strangers)}")
    return recipe


def _of_kind(value: Any, kind: type, where: str, more: str = "") -> Any:
    if not isinstance(value, kind):
        raise UserError(f"{where} is {value!r}, expected a {'mapping' if kind is dict else 'list'}{more}")
    return value


def _settings(kind: type, values: dict[str, Any], where: str) -> Any:
    expect_keys(values, [f.name for f in dataclasses.fields(kind)], where)
    return kind(**values)
