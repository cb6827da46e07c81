"""The clips of a recipe, merged over data sets: targets by class, divided in train, val and test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.layouts import Layout, layout
from pose_attention_ros.data.dataset import SkeletonDataset, file_sha256
from pose_attention_ros.data.rest import rest_example
from pose_attention_ros.data.streams import Example, example_of
from pose_attention_ros.models.losses import OTHER
from pose_attention_ros.training.recipe import Recipe

HELD_OUT = -3  # target of a clip that training never sees
REST_SECONDS = (1.0, 4.0)
REST_CLIPS = 600  # held poses of one class from one data set, at most


@dataclass(frozen=True, eq=False)
class Entry:
    """One clip of the corpus and where it comes from."""

    example: Example
    split: str
    data: str
    label: str
    clip: int = -1  # its row in the data set file


@dataclass(frozen=True, eq=False)
class Corpus:
    """entries of all data sets; classes in the order of the targets; sha256 of each data set file; the official split that
    divides them, None for the files' own."""

    entries: tuple[Entry, ...]
    classes: tuple[str, ...]
    layout: Layout
    sha256: Mapping[str, str]
    official_split: int | None = None

    def part(self, split: str, *, known: bool | None = None) -> list[Entry]:
        """Entries of a split: `known` True those of a class, False the held-out ones, None those that training may see."""
        wanted = {True: lambda t: t >= 0, False: lambda t: t == HELD_OUT, None: lambda t: t != HELD_OUT}[known]
        return [entry for entry in self.entries if entry.split == split and wanted(entry.example.target)]


def load_corpus(recipe: Recipe, files: Mapping[str, Path], official_split: int | None = None, part: int = 0) -> Corpus:
    """Read the recipe's data sets. Raises UserError for a missing file, a label that no file has, or no clip to validate on
    (needless where the recipe starts from a model, whose calibration stays). The held poses are the same for every seed.

    :param official_split: which of the files' official splits divides them; None: the file's own
    :param part: which share of the training groups is kept back for validation
    """
    loaded = {name: SkeletonDataset.load(files[name]) for name in recipe.data}
    if official_split is not None:
        loaded = {name: data.divided(official_split) for name, data in loaded.items()}
    recipe = recipe.with_labels({name: sorted(set(data.labels.tolist())) for name, data in loaded.items()})
    entries: list[Entry] = []
    hashes = {}
    for name, data in loaded.items():
        hashes[name] = file_sha256(files[name])
        _check_labels(recipe, name, data)
        entries.extend(_entries(recipe, name, data, part))
        entries.extend(_rest_entries(recipe, name, data, part))
    corpus = Corpus(tuple(entries), recipe.class_names, layout(recipe.model.layout), hashes, official_split)
    if not corpus.part("val", known=True) and not recipe.start_from:
        raise UserError("no training clip is kept back for validation, on which temperature and threshold are chosen: raise "
                        "`val_share` of a data set, or name `val_groups`")
    return corpus


def _targets(recipe: Recipe, name: str) -> dict[str, int]:
    """Label of data set `name` -> target."""
    never = recipe.held_out.get(name, ())
    return {label: recipe.class_names.index(action) if action else HELD_OUT if label in never else OTHER
            for label, action in recipe.labels_of(name).items()}


def _check_labels(recipe: Recipe, name: str, data: SkeletonDataset) -> None:
    there = set(data.labels.tolist())
    used = set(_targets(recipe, name)) | {label for table in recipe.rest.values() for labels in table.get(name, {}).values()
                                          for label in labels}
    absent = sorted(used - there, key=str)
    if absent:
        raise UserError(f"data set {name} has no label {', '.join(map(str, absent))}; it has {', '.join(sorted(there))}")


def _entries(recipe: Recipe, name: str, data: SkeletonDataset, part: int) -> Iterator[Entry]:
    table = layout(recipe.model.layout)
    targets, rule = _targets(recipe, name), recipe.data[name]
    for row, clip in enumerate(data):
        if clip.label in targets and len(clip.keypoints) > 1:
            split = rule.split_of(clip.split, clip.group, part)
            yield Entry(example_of(clip, data.joints, table, targets[clip.label]), split, name, clip.label,
                        row)


def _rest_entries(recipe: Recipe, name: str, data: SkeletonDataset, part: int) -> Iterator[Entry]:
    table, rule = layout(recipe.model.layout), recipe.data[name]
    for action, sources in recipe.rest.items():
        target = recipe.class_names.index(action)
        for where, labels in sources.get(name, {}).items():
            rows = np.flatnonzero(np.isin(data.labels, labels))
            for i in rows[:: len(rows) // REST_CLIPS + 1]:
                clip, rng = data[i], np.random.default_rng([0, int(i)])
                example = rest_example(example_of(clip, data.joints, table, target), where, rng.uniform(*REST_SECONDS), rng,
                                       table, target)
                split = rule.split_of(clip.split, clip.group, part)
                yield Entry(example, split, name, f"{action} (held pose)")
