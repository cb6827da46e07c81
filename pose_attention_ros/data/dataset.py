"""The skeleton data set file: clips of 2D joints with a label each, in one `.npz` without pickles.

F frames of all clips together, N clips, V joints.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pose_attention_ros.core.body.layouts import PART_OF_JOINT
from pose_attention_ros.core.errors import UserError, reading

SPLITS = ("train", "val", "test")
NO_PART = "none"  # a clip that an official split leaves out
_ARRAYS = ("keypoints", "scores", "offsets", "labels", "joints", "fps", "split", "group", "image_size", "official_splits")
_OPTIONAL = ("split", "group", "image_size", "official_splits")


@dataclass(frozen=True, eq=False)
class Clip:
    """One clip: keypoints (n, V, 2) float32 pixels, y down; scores (n, V) float32 in [0, 1], 0 where a joint is missing;
    fps 0 where it is not known; official_splits the clip's part in each official split, where there are several."""

    keypoints: np.ndarray
    scores: np.ndarray
    label: str
    fps: float = 0.0
    split: str = ""
    group: str = ""
    image_size: tuple[int, int] = (0, 0)
    official_splits: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class SkeletonDataset:
    """See `from_clips`; the fields are the file's arrays.

    :param keypoints: (F, V, 2) float32; x and y in pixels, y down; any unit will do where image_size is unknown
    :param scores: (F, V) float32; how sure each joint is, 0 to 1; 0 where it is missing
    :param offsets: (N + 1,) int64; clip i is the rows offsets[i] to offsets[i + 1] - 1
    :param labels: (N,) str; the action
    :param joints: (V,) str; canonical names, such as left_wrist
    :param fps: (N,) float32; frames a second, 0 where it is unknown
    :param split: (N,) str; train, val, test, none (an official split leaves the clip out) or empty
    :param group: (N,) str; the subject or the source video: clips of one group stay in one part
    :param image_size: (N, 2) int64; width and height in pixels, 0 where they are unknown
    :param official_splits: (N, S) str; a column for each of a benchmark's S official splits, of which `split` is the first;
        S is 0 where there is only one
    :param left_out: why an importer left clips out, and how many; not stored in the file
    """

    keypoints: np.ndarray
    scores: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray
    joints: tuple[str, ...]
    fps: np.ndarray
    split: np.ndarray = field(default=None)
    group: np.ndarray = field(default=None)
    image_size: np.ndarray = field(default=None)
    official_splits: np.ndarray = field(default=None)
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        clips = len(self.labels)
        blank = {
            "split": np.full(clips, ""),
            "group": np.full(clips, ""),
            "image_size": np.zeros((clips, 2)),
            "official_splits": np.zeros((clips, 0), str),
        }
        for name in _OPTIONAL:
            if getattr(self, name) is None:
                object.__setattr__(self, name, blank[name])
        for name, kind in (
            ("keypoints", np.float32),
            ("scores", np.float32),
            ("offsets", np.int64),
            ("fps", np.float32),
            ("labels", str),
            ("split", str),
            ("group", str),
            ("image_size", np.int64),
            ("official_splits", str),
        ):
            object.__setattr__(self, name, np.asarray(getattr(self, name)).astype(kind))
        object.__setattr__(self, "joints", tuple(str(joint) for joint in self.joints))
        problem = next(_problems(self), None)
        if problem:
            raise UserError(f"skeleton data set: {problem}")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> Clip:
        rows = slice(self.offsets[i], self.offsets[i + 1])
        width, height = self.image_size[i].tolist()
        return Clip(
            self.keypoints[rows],
            self.scores[rows],
            str(self.labels[i]),
            float(self.fps[i]),
            str(self.split[i]),
            str(self.group[i]),
            (width, height),
            tuple(self.official_splits[i].tolist()),
        )

    def __iter__(self) -> Iterator[Clip]:
        return (self[i] for i in range(len(self)))

    @classmethod
    def from_clips(cls, clips: Iterable[Clip], joints: tuple[str, ...]) -> SkeletonDataset:
        """The data set of `clips`, which all have `joints`. Raises UserError where there is none."""
        clips = list(clips)
        if not clips:
            raise UserError("no clip found in the source; nothing to import")
        return cls(
            np.concatenate([clip.keypoints for clip in clips]),
            np.concatenate([clip.scores for clip in clips]),
            np.cumsum([0] + [len(clip.keypoints) for clip in clips]),
            np.array([clip.label for clip in clips]),
            joints,
            np.array([clip.fps for clip in clips]),
            np.array([clip.split for clip in clips]),
            np.array([clip.group for clip in clips]),
            np.array([clip.image_size for clip in clips]),
            np.array([clip.official_splits for clip in clips], dtype=str).reshape(len(clips), -1),
        )

    def divided(self, official_split: int) -> SkeletonDataset:
        """The same clips with `split` as official split 1, 2, ... has it. Raises UserError where there is no such split."""
        splits = self.official_splits.shape[1]
        if not 1 <= official_split <= max(splits, 1):
            raise UserError(
                f"official split {official_split} was asked for; the data set file has "
                f"{f'splits 1 to {splits}' if splits else 'one division only'}"
            )
        return replace(self, split=self.official_splits[:, official_split - 1]) if splits else self

    def save(self, path: Path) -> None:
        """Write the `.npz`; the folder is made where it is missing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        with path.open("wb") as file:  # NumPy adds .npz to a name without it
            np.savez_compressed(file, **{**arrays, "joints": np.array(self.joints)})

    @classmethod
    def load(cls, path: Path) -> SkeletonDataset:
        """Read and check a data set file. Raises UserError that names the file and what is wrong with it."""
        if not path.exists():
            raise UserError(f"no data set file {path}; make one with `pose-attention data import`")
        with reading(path, "a skeleton data set file"), np.load(path, allow_pickle=False) as file:
            required = [name for name in _ARRAYS if name not in _OPTIONAL]
            absent = [name for name in required if name not in file.files]
            if absent:
                raise UserError(f"{path} has no array {', '.join(absent)}; a data set file has {', '.join(required)}")
            return cls(**{name: file[name] for name in _ARRAYS if name in file.files})

    def counts(self) -> dict[str, dict[str, int]]:
        """Clips by label and split: {label: {split or "-": number}}."""
        table: dict[str, Counter] = {label: Counter() for label in sorted(set(self.labels.tolist()))}
        for label, split in zip(self.labels.tolist(), self.split.tolist()):
            table[label][split or "-"] += 1
        return {label: dict(counter) for label, counter in table.items()}


def file_sha256(path: Path) -> str:
    """Hash of a file, hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _problems(data: SkeletonDataset) -> Iterator[str]:
    """What is wrong with the arrays, worst first."""
    clips, frames, joints = len(data.labels), len(data.keypoints), len(data.joints)
    for name, shape in (
        ("keypoints", (frames, joints, 2)),
        ("scores", (frames, joints)),
        ("offsets", (clips + 1,)),
        ("fps", (clips,)),
        ("split", (clips,)),
        ("group", (clips,)),
        ("image_size", (clips, 2)),
        ("official_splits", (clips, *data.official_splits.shape[1:2])),
    ):
        if getattr(data, name).shape != shape:
            yield f"{name} has shape {getattr(data, name).shape}, expected {shape}"
            return
    strangers = [joint for joint in data.joints if joint not in PART_OF_JOINT]
    if strangers:
        yield f"joints {', '.join(strangers)} are not canonical names; known: {', '.join(PART_OF_JOINT)}"
    if data.offsets[0] != 0 or data.offsets[-1] != frames or (np.diff(data.offsets) <= 0).any():
        yield f"offsets must rise from 0 to the number of frames, {frames}; a clip has at least one frame"
    if not (np.isfinite(data.keypoints).all() and np.isfinite(data.scores).all() and np.isfinite(data.fps).all()):
        yield "keypoints, scores or fps hold NaN or infinity; a missing joint has score 0"
    elif data.scores.min() < 0 or data.scores.max() > 1 or (data.fps < 0).any():
        yield "scores must lie in [0, 1] and fps must not be negative"
    odd = sorted({*data.split.tolist(), *data.official_splits.flatten().tolist()} - {*SPLITS, NO_PART, ""})
    if odd:
        yield f"split has {', '.join(odd)}; expected {', '.join(SPLITS)}, {NO_PART} or empty"
