"""J-HMDB (Jhuang et al., ICCV 2013): 15 hand-annotated joints, 21 actions, three official splits, about 30 fps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.layouts import LAYOUTS
from pose_attention_ros.data.dataset import Clip, SkeletonDataset

LAYOUT = LAYOUTS["jhmdb15"]
FPS = 30.0
# `pos_world` has no pixels (it is centred and divided by a scalar): drawn at this many pixels a unit around the centre.
PIXELS_PER_UNIT = 100.0
IMAGE_SIZE = (320, 240)
_SPLIT_FLAG = {1: "train", 2: "test"}


def import_jhmdb(source: Path, split: int) -> SkeletonDataset:
    """From the original folder (`joint_positions/` with `splits/` beside it), or from one compact `.npz`.

    :param split: official split 1, 2 or 3
    """
    if source.is_dir():
        clips = _original(source, split)
    else:
        with np.load(source, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        if "split_flags" in arrays:
            clips = _one_table(arrays, split)
        elif f"train_{split}_poses" in arrays:
            clips = _table_per_split(arrays, split)
        else:
            raise UserError(f"{source} is not a compact J-HMDB file: it has no split_flags and no train_{split}_poses")
    return SkeletonDataset.from_clips(clips, LAYOUT.joints)


def _clip(keypoints: np.ndarray, label: str, split: str, name: str) -> Clip:
    """keypoints (n, 15, 2) pixels, NaN where a joint is missing."""
    there = np.isfinite(keypoints).all(-1)
    return Clip(np.where(there[..., None], keypoints, 0).astype(np.float32), there.astype(np.float32), label, FPS, split,
                f"jhmdb/{name}", IMAGE_SIZE)


def _pixels(pos_world: np.ndarray) -> np.ndarray:
    return pos_world * PIXELS_PER_UNIT + np.array(IMAGE_SIZE) / 2


def _one_table(arrays: dict[str, np.ndarray], split: int) -> Iterator[Clip]:
    for i, flag in enumerate(arrays["split_flags"][:, split - 1]):
        if int(flag) in _SPLIT_FLAG:
            label = str(arrays["class_names"][arrays["labels"][i]])
            yield _clip(_pixels(arrays["poses"][i, : arrays["lengths"][i]]), label, _SPLIT_FLAG[int(flag)], f"{i:04d}")


def _table_per_split(arrays: dict[str, np.ndarray], split: int) -> Iterator[Clip]:
    for part in ("train", "test"):
        poses, lengths, labels = (arrays[f"{part}_{split}_{name}"] for name in ("poses", "lengths", "labels"))
        for i, label in enumerate(labels):
            yield _clip(_pixels(poses[i, : lengths[i]]), str(label), part, f"{part}_{i:04d}")


def _original(source: Path, split: int) -> Iterator[Clip]:
    """joint_positions/<action>/<video>/joint_positions.mat, `pos_img` (2, 15, frames) pixels counted from 1, and
    splits/<action>_test_split<k>.txt with lines `<video>.avi <flag>`."""
    from scipy.io import loadmat

    flags = {}
    for path in sorted((source / "splits").glob(f"*_test_split{split}.txt")):
        for line in path.read_text().split("\n"):
            if line.strip():
                name, flag = line.split()
                flags[path.name.removesuffix(f"_test_split{split}.txt"), name.removesuffix(".avi")] = int(flag)
    files = sorted((source / "joint_positions").glob("*/*/joint_positions.mat"))
    if not files or not flags:
        raise UserError(f"{source} is not J-HMDB's folder: expected joint_positions/ACTION/VIDEO/joint_positions.mat "
                        f"and splits/ACTION_test_split{split}.txt")
    for path in files:
        action, name = path.parent.parent.name, path.parent.name
        flag = flags.get((action, name))
        if flag in _SPLIT_FLAG:
            keypoints = loadmat(path)["pos_img"].transpose(2, 1, 0) - 1
            yield _clip(keypoints, action, _SPLIT_FLAG[flag], name)
