"""Which class of a model each label of a data set means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pose_attention_ros.core.errors import UserError, reading
from pose_attention_ros.data.dataset import SkeletonDataset
from pose_attention_ros.data.label_rules import DataRule, labels_of
from pose_attention_ros.evaluation.clips import NO_CLASS

SplitOf = Callable[[str, str], str]  # a clip's own split and its group -> the split it counts for


def targets_of(
    data: SkeletonDataset, classes: tuple[str, ...], split: str | None, label_map: dict | None, data_name: str
) -> dict[int, int]:
    """Row of each clip to be shown -> class index, or NO_CLASS.

    :param split: only clips of this split; None for all
    :param label_map: {label: class, or null for an action of no class}; labels it does not list are left out. Or a training
        recipe, whose rules for data set `data_name` then decide class and split. None: labels are class names
    :raises UserError: nothing is left, or a name is unknown
    """
    meaning, split_of = _by_recipe(data, label_map, data_name) if _is_recipe(label_map) else _plain(data, classes, label_map)
    strangers = sorted(set(filter(None, meaning.values())) - set(classes))
    if strangers:
        raise UserError(f"the model has no class {', '.join(strangers)}; it has {', '.join(classes)}")
    targets = {}
    for i, label in enumerate(data.labels.tolist()):
        if label in meaning and split in (None, split_of(str(data.split[i]), str(data.group[i]))):
            targets[i] = NO_CLASS if meaning[label] is None else classes.index(meaning[label])
    if not targets:
        splits = ", ".join(sorted(set(data.split.tolist()))) or "none"
        raise UserError(f"no clip to evaluate: split {split!r} (the file has {splits}), labels {', '.join(sorted(meaning))}")
    return targets


def read_label_map(path: Path) -> dict:
    """A YAML mapping. Raises UserError."""
    import yaml

    with reading(path, "a label map in YAML"):
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(raw, dict):
        raise UserError(f"label map {path} is {type(raw).__name__}, expected a mapping from label to class")
    return raw


def _is_recipe(label_map: dict | None) -> bool:
    return label_map is not None and {"data", "classes"} <= set(label_map)


def _plain(data: SkeletonDataset, classes: tuple[str, ...], label_map: dict | None) -> tuple[dict[str, str | None], SplitOf]:
    labels = set(data.labels.tolist())
    if label_map is None:
        meaning = {label: label for label in labels & set(classes)}
        if not meaning:
            raise UserError(
                f"no label of the data is a class of the model; give --label-map. Labels: "
                f"{', '.join(sorted(labels))}; classes: {', '.join(classes)}"
            )
        return meaning, lambda split, group: split
    absent = sorted(set(label_map) - labels)
    if absent:
        raise UserError(
            f"label map: the data has no label {', '.join(map(str, absent))}; it has {', '.join(sorted(labels))}"
        )
    return label_map, lambda split, group: split


def _by_recipe(data: SkeletonDataset, recipe: dict, data_name: str) -> tuple[dict[str, str | None], SplitOf]:
    if data_name not in recipe["data"]:
        raise UserError(f"the recipe has no data set {data_name!r}; it has {', '.join(recipe['data'])}")
    rule = DataRule.read(recipe["data"][data_name] or {}, f"data.{data_name}")
    return labels_of(recipe, data_name, set(data.labels.tolist())), rule.split_of
