"""PennAction (Zhang, Zhu, Derpanis, ICCV 2013): 13 hand-annotated joints, 15 actions, official train and test split."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.core.errors import UserError, reading
from pose_attention_ros.core.machine.file_names import visible
from pose_attention_ros.data.dataset import Clip, SkeletonDataset
from pose_attention_ros.data.finishing import finished
from pose_attention_ros.data.matlab import read_mat

LAYOUT = LAYOUTS["penn13"]
# A joint that was never placed was left in the image's corner, at (1, 1) before the annotations were scaled to the images:
# at 0.3 to 1.6 pixels. The nearest joint that somebody placed is farther than five pixels from the corner.
FILLER_PX = 2.0


def import_penn(source: Path) -> SkeletonDataset:
    """From the original `labels/` folder (or its parent) of `.mat` files, or from one compact `.npz`.

    The compact file has xy (F, 13, 2), vis (F, 13), offsets, action, train (1 or -1), clip_id, height_width. An unseen
    joint that was placed all the same keeps its place; one left in the corner (FILLER_PX) is missing. Frame rates are
    unknown. The group stands for the source videos, see `_grouped`.
    """
    with reading(source, "PennAction's labels"):
        return finished(_grouped(_original(source) if source.is_dir() else _compact(source)), LAYOUT.joints)


def original_clips(source: Path) -> tuple[list[Clip], list[str]]:
    """The clips of the original folder as they are imported, and the name of each, such as 0001. Raises UserError."""
    with reading(source, "PennAction's labels"):
        return list(_grouped(_original(source))), [path.stem for path in label_files(source)]


def _clip(keypoints: np.ndarray, action: str, train: int, name: str, height: int, width: int) -> Clip:
    keypoints = keypoints.astype(np.float32)
    placed = ~(keypoints < FILLER_PX).all(-1) & np.isfinite(keypoints).all(-1)
    return Clip(
        np.where(placed[..., None], keypoints, 0),
        placed.astype(np.float32),
        action,
        split="train" if train == 1 else "test",
        group=f"penn/{name}",
        image_size=(int(width), int(height)),
    )


def _grouped(clips: Iterable[Clip]) -> Iterator[Clip]:
    """Successive clips of one action and one part of the official split are one group. The data set does not name its source
    videos; their clips are numbered one after another and were never divided, so a video lies within one such run."""
    before = None
    for clip in clips:
        if before is None or (clip.label, clip.split) != (before.label, before.split):
            group = clip.group
        before = clip
        yield replace(clip, group=group)


def _compact(source: Path) -> Iterator[Clip]:
    with np.load(source, allow_pickle=False) as file:
        if "xy" not in file.files or "clip_id" not in file.files:
            raise UserError(f"{source} is not the compact PennAction file: it has no arrays xy and clip_id")
        arrays = {name: file[name] for name in ("xy", "offsets", "action", "train", "clip_id", "height_width")}
    for i, name in enumerate(arrays["clip_id"]):
        rows = slice(arrays["offsets"][i], arrays["offsets"][i + 1])
        height, width = arrays["height_width"][i]
        yield _clip(arrays["xy"][rows], str(arrays["action"][i]), int(arrays["train"][i]), str(name), height, width)


def label_files(source: Path) -> list[Path]:
    """The `.mat` files of the original folder or of its `labels/`. Raises UserError where there is none."""
    folder = source / "labels" if (source / "labels").is_dir() else source
    files = visible(folder.glob("*.mat"))
    if not files:
        raise UserError(f"{source} holds no PennAction label files; expected labels/0001.mat and so on")
    return files


def _original(source: Path) -> Iterator[Clip]:
    for path in label_files(source):
        with reading(path, "a PennAction label file"):
            mat = read_mat(path, squeeze=True)
            keypoints = np.stack([np.atleast_2d(mat["x"]), np.atleast_2d(mat["y"])], -1)
            height, width, _ = np.atleast_1d(mat["dimensions"])
            yield _clip(keypoints, str(mat["action"]), int(mat["train"]), path.stem, height, width)
