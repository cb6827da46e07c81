"""The clips of a recipe, merged over data sets: targets by class, divided in train, val and test."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose_attention_ros.core.body.layouts import Layout, layout
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.dataset import SkeletonDataset, file_sha256
from pose_attention_ros.data.label_rules import DataRule
from pose_attention_ros.data.motion3d.compact import is_motion_file, read_motions
from pose_attention_ros.data.standing_still import rest_example
from pose_attention_ros.data.streams import Example, example_of, examples_of_motions
from pose_attention_ros.models.losses import IGNORE, OTHER
from pose_attention_ros.training.recipe import OTHER_REST, Recipe

HELD_OUT = -3  # target of a clip that training never sees
REST_SECONDS = (1.0, 4.0)
AROUND_S = 2.5  # of a longer motion before and after a labelled part
REST_CLIPS = 600  # held poses of one class from one data set, at most


@dataclass(frozen=True, eq=False)
class Entry:
    """One clip of the corpus and where it comes from."""

    example: Example
    split: str
    data: str
    label: str
    clip: int = -1  # its row in the data set file
    target: int | None = None  # what it is drawn as, where its frames have targets of their own
    taught: bool = True  # whether its own division has it in training, also where its data set is left out

    @property
    def kind(self) -> int:
        """The class it teaches, above all."""
        return int(self.example.target) if self.target is None else self.target


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
        return [entry for entry in self.entries if entry.split == split and wanted(entry.kind)]


def load_corpus(recipe: Recipe, files: Mapping[str, Path], official_split: int | None = None, part: int = 0) -> Corpus:
    """Read the recipe's data sets. Raises UserError for a missing file, a label that no file has, or no clip to validate on
    (needless where the recipe starts from a model, whose calibration stays). The held poses are the same for every seed.

    :param official_split: which of the files' official splits divides them; None: the file's own
    :param part: which share of the training groups is kept back for validation
    """
    table = layout(recipe.model.layout)
    loaded = {name: _read(files[name], recipe.data[name], table, official_split) for name in recipe.data}
    recipe = recipe.with_labels({name: sorted({clip.label for clip in clips}) for name, clips in loaded.items()})
    entries: list[Entry] = []
    hashes = {}
    for name, clips in loaded.items():
        hashes[name] = file_sha256(files[name])
        _check_labels(recipe, name, {clip.label for clip in clips})
        entries.extend(_entries(recipe, name, clips, part))
        entries.extend(_rest_entries(recipe, name, clips, table, part))
    corpus = Corpus(tuple(entries), recipe.class_names, layout(recipe.model.layout), hashes, official_split)
    if not corpus.part("val", known=True) and not recipe.start_from:
        raise UserError(
            "no training clip is kept back for validation, on which temperature and threshold are chosen: raise "
            "`val_share` of a data set, or name `val_groups`"
        )
    return corpus


def _targets(recipe: Recipe, name: str) -> dict[str, int]:
    """Label of data set `name` -> target."""
    never = recipe.held_out.get(name, ())
    return {
        label: recipe.class_names.index(action) if action else HELD_OUT if label in never else OTHER
        for label, action in recipe.labels_of(name).items()
    }


@dataclass(frozen=True, eq=False)
class _Labelled:
    """A clip of any kind of file; `sequence` names 3D motions that follow one another without a gap."""

    example: Example
    label: str
    split: str
    group: str
    row: int
    sequence: str = ""


def _read(path: Path, rule: DataRule, table: Layout, official_split: int | None) -> list[_Labelled]:
    """The clips of a data set file, or of a compact file of 3D motions, in the layout."""
    if not path.exists() or not is_motion_file(path):
        data = SkeletonDataset.load(path)
        data = data if official_split is None else data.divided(official_split)
        clips = [
            _Labelled(example_of(clip, data.joints, table, OTHER), clip.label, clip.split, clip.group, row)
            for row, clip in enumerate(data)
        ]
    else:
        clips = [
            _Labelled(example, motion.label, "", motion.group, row, motion.extra.get("sequence", ""))
            for row, (motion, example) in enumerate(examples_of_motions(read_motions(path), table, OTHER))
        ]
        clips = [half for clip in clips for half in _halves(clip, rule, table)]
    kept: dict[int, _Labelled] = {}
    for label in sorted({clip.label for clip in clips}):
        alike = [i for i, clip in enumerate(clips) if clip.label == label]
        step = max(len(alike) / rule.most, 1) if rule.most else 1
        kept.update({alike[int(k * step)]: clips[alike[int(k * step)]] for k in range(int(len(alike) / step))})
    return [_skipped(kept[i], rule.skip_s) for i in sorted(kept)]


def _skipped(clip: _Labelled, skip_s: float) -> _Labelled:
    begin = min(int(skip_s * clip.example.fps), max(len(clip.example.keypoints) - 2, 0))
    return dataclasses.replace(clip, example=_rows(clip.example, slice(begin, None))) if begin else clip


def _rows(example: Example, rows: slice) -> Example:
    target = example.target if np.ndim(example.target) == 0 else example.target[rows]
    return Example(example.keypoints[rows], example.scores[rows], example.fps, target)


def _halves(clip: _Labelled, rule: DataRule, table: Layout) -> Iterator[_Labelled]:
    """A clip that goes down and up again as two."""
    if clip.label not in rule.cycles:
        yield clip
        return
    hips = clip.example.keypoints[:, [table.index("left_hip"), table.index("right_hip")], 1].mean(-1)
    lowest = int(np.clip(hips.argmin(), 2, max(len(hips) - 2, 2)))
    for label, rows in zip(rule.cycles[clip.label], (slice(0, lowest), slice(lowest, None))):
        yield dataclasses.replace(clip, example=_rows(clip.example, rows), label=label)


def _check_labels(recipe: Recipe, name: str, there: set[str]) -> None:
    used = set(_targets(recipe, name)) | {
        label for table in recipe.rest.values() for labels in table.get(name, {}).values() for label in labels
    }
    absent = sorted(used - there, key=str)
    if absent:
        raise UserError(f"data set {name} has no label {', '.join(map(str, absent))}; it has {', '.join(sorted(there))}")


def _entries(recipe: Recipe, name: str, clips: list[_Labelled], part: int) -> Iterator[Entry]:
    targets, rule = _targets(recipe, name), recipe.data[name]
    for number, clip in enumerate(clips):
        if clip.label in targets and len(clip.example.keypoints) > 1:
            own = rule.split_of(clip.split, clip.group, part)
            split, taught, target = "test" if name in recipe.leave_out else own, own == "train", targets[clip.label]
            if not clip.sequence or not taught:
                example = dataclasses.replace(clip.example, target=target)
                yield Entry(example, split, name, clip.label, clip.row, None, taught)
            else:
                yield Entry(_with_neighbours(clips, number, targets), split, name, clip.label, clip.row, target, taught)


def _with_neighbours(clips: list[_Labelled], number: int, targets: dict[str, int]) -> Example:
    """A labelled part of a longer motion with what comes before and after it, and a target for each frame."""
    here = clips[number]
    pieces, frames = [], []
    for step in (-1, 0, 1):
        other = number + step
        if 0 <= other < len(clips) and clips[other].sequence == here.sequence:
            room = int(AROUND_S * here.example.fps)
            rows = {-1: slice(-room, None), 0: slice(None), 1: slice(0, room)}[step]
            piece = _rows(clips[other].example, rows)
            pieces.append(piece)
            frames.append(np.full(len(piece.keypoints), targets.get(clips[other].label, IGNORE)))
    return Example(
        np.concatenate([piece.keypoints for piece in pieces]),
        np.concatenate([piece.scores for piece in pieces]),
        here.example.fps,
        np.concatenate(frames),
    )


def _rest_entries(recipe: Recipe, name: str, clips: list[_Labelled], table: Layout, part: int) -> Iterator[Entry]:
    rule = recipe.data[name]
    for action, sources in recipe.rest.items():
        target = OTHER if action == OTHER_REST else recipe.class_names.index(action)
        for where, labels in sources.get(name, {}).items():
            chosen = [i for i, clip in enumerate(clips) if clip.label in labels]
            for i in chosen[:: len(chosen) // REST_CLIPS + 1]:
                clip, rng = clips[i], np.random.default_rng([0, clips[i].row])
                example = rest_example(clip.example, where, rng.uniform(*REST_SECONDS), rng, table, target)
                own = rule.split_of(clip.split, clip.group, part)
                split = "test" if name in recipe.leave_out else own
                yield Entry(example, split, name, f"{action} (held pose)", taught=own == "train")
