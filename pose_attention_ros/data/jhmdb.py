"""J-HMDB (Jhuang et al., ICCV 2013): 15 hand-annotated joints, 21 actions, three official splits, about 30 fps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.core.errors import UserError, reading
from pose_attention_ros.core.machine.file_names import visible
from pose_attention_ros.data.dataset import NO_PART, Clip, SkeletonDataset
from pose_attention_ros.data.finishing import finished
from pose_attention_ros.data.matlab import read_mat
from pose_attention_ros.data.pyskl import source_video

LAYOUT = LAYOUTS["jhmdb15"]
FPS = 30.0
OFFICIAL_SPLITS = (1, 2, 3)
# `pos_world` has no pixels (it is centred and divided by a scalar): drawn at this many pixels a unit around the centre.
PIXELS_PER_UNIT = 100.0
IMAGE_SIZE = (320, 240)
_PART_OF_FLAG = {0: NO_PART, 1: "train", 2: "test"}
# The compact files have no video names; clips of one source video are neighbours in them.
_NEIGHBOURS = 5


def import_jhmdb(source: Path, split: int | None = None) -> SkeletonDataset:
    """From the original folder (`joint_positions/` with `splits/` beside it), or from one compact `.npz`.

    :param split: only the clips of official split 1, 2 or 3; None: all clips, with all official splits
    """
    with reading(source, "J-HMDB's joints"):
        return _imported(source, split)


def original_clips(source: Path) -> list[Clip]:
    """The clips of the original folder, in the order of `original_videos`. Raises UserError."""
    with reading(source, "J-HMDB's joints"):
        return list(_original(source, OFFICIAL_SPLITS))


def _imported(source: Path, split: int | None) -> SkeletonDataset:
    if source.is_dir():
        clips = list(_original(source, OFFICIAL_SPLITS if split is None else (split,)))
    else:
        with np.load(source, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        if "split_flags" in arrays:
            clips = _grouped(_one_table(arrays))
        elif f"train_{split or 1}_poses" in arrays:
            clips = _grouped(_tables(arrays))
        else:
            raise UserError(f"{source} is not a compact J-HMDB file: it has no split_flags and no train_{split or 1}_poses")
    if split is not None:
        column = 0 if len(clips[0].official_splits) == 1 else split - 1
        clips = [replace(clip, split=clip.official_splits[column], official_splits=()) for clip in clips]
        clips = [clip for clip in clips if clip.split != NO_PART]
    return finished(clips, LAYOUT.joints)


def _clip(keypoints: np.ndarray, label: str, parts: tuple[str, ...], group: str = "") -> Clip:
    """keypoints (n, 15, 2) pixels, NaN where a joint is missing; parts in each official split."""
    there = np.isfinite(keypoints).all(-1)
    return Clip(
        np.where(there[..., None], keypoints, 0).astype(np.float32),
        there.astype(np.float32),
        label,
        FPS,
        parts[0],
        f"jhmdb/{group}",
        IMAGE_SIZE,
        parts,
    )


def _grouped(clips: Iterator[Clip]) -> list[Clip]:
    """Neighbours of one label as one group, in the place of the unknown source video."""
    seen: Counter = Counter()
    grouped = []
    for clip in clips:
        grouped.append(replace(clip, group=f"jhmdb/{clip.label}_{seen[clip.label] // _NEIGHBOURS:02d}"))
        seen[clip.label] += 1
    return grouped


def _pixels(pos_world: np.ndarray) -> np.ndarray:
    return pos_world * PIXELS_PER_UNIT + np.array(IMAGE_SIZE) / 2


def _one_table(arrays: Mapping[str, np.ndarray]) -> Iterator[Clip]:
    for i, flags in enumerate(arrays["split_flags"]):
        label = str(arrays["class_names"][arrays["labels"][i]])
        yield _clip(
            _pixels(arrays["poses"][i, : arrays["lengths"][i]]), label, tuple(_PART_OF_FLAG[int(flag)] for flag in flags)
        )


def _tables(arrays: Mapping[str, np.ndarray]) -> Iterator[Clip]:
    """A table for each part of each split: the same clip stands in several of them, with the same numbers."""
    splits = [split for split in OFFICIAL_SPLITS if f"train_{split}_poses" in arrays]
    clips: dict[bytes, tuple[np.ndarray, str, list[str]]] = {}
    for column, split in enumerate(splits):
        for part in ("train", "test"):
            poses, lengths, labels = (arrays[f"{part}_{split}_{name}"] for name in ("poses", "lengths", "labels"))
            for pose, length, label in zip(poses, lengths, labels):
                keypoints = pose[:length]
                entry = clips.setdefault(
                    str(label).encode() + keypoints.tobytes(), (keypoints, str(label), [NO_PART] * len(splits))
                )
                entry[2][column] = part
    for keypoints, label, parts in clips.values():
        yield _clip(_pixels(keypoints), label, tuple(parts))


def _original(source: Path, splits: tuple[int, ...]) -> Iterator[Clip]:
    """joint_positions/<action>/<video>/joint_positions.mat, `pos_img` (2, 15, frames) pixels counted from 1."""
    for action, video, parts in original_videos(source, splits):
        path = source / "joint_positions" / action / video / "joint_positions.mat"
        with reading(path, "a file of J-HMDB's joints"):
            keypoints = read_mat(path)["pos_img"].transpose(2, 1, 0) - 1
        yield _clip(keypoints, action, parts, source_video(video))


def original_videos(source: Path, splits: tuple[int, ...] = OFFICIAL_SPLITS) -> list[tuple[str, str, tuple[str, ...]]]:
    """Action, video name and part in each split of every clip of the original folder, in the order in which they are
    imported; splits/<action>_test_split<k>.txt has lines `<video>.avi <flag>`. Raises UserError for another folder."""
    flags = {}
    for split in splits:
        for path in visible((source / "splits").glob(f"*_test_split{split}.txt")):
            for line in filter(str.strip, path.read_text().split("\n")):
                name, flag = line.split()
                flags[split, path.name.removesuffix(f"_test_split{split}.txt"), name.removesuffix(".avi")] = int(flag)
    files = sorted((source / "joint_positions").glob("*/*/joint_positions.mat"))
    if not files or not flags:
        raise UserError(
            f"{source} is not J-HMDB's folder: expected joint_positions/ACTION/VIDEO/joint_positions.mat "
            f"and splits/ACTION_test_split{splits[0]}.txt"
        )
    videos = []
    for path in files:
        action, name = path.parent.parent.name, path.parent.name
        parts = tuple(_PART_OF_FLAG[flags.get((split, action, name), 0)] for split in splits)
        if set(parts) != {NO_PART}:
            videos.append((action, name, parts))
    return videos
