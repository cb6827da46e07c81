"""2D-skeleton pickles of pyskl and mmaction2 (UCF101, HMDB51, NTU RGB+D and others), read without running what is in them.

Such a file is {"split": {name: [clip ids]}, "annotations": [{"frame_dir", "label", "total_frames", "img_shape",
"keypoint" (people, frames, 17, 2), "keypoint_score" (people, frames, 17)}]}.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pose_attention_ros.core.errors import UserError, reading
from pose_attention_ros.core.layouts import LAYOUTS
from pose_attention_ros.data.dataset import NO_PART, Clip, SkeletonDataset
from pose_attention_ros.data.plain_pickle import load_plain

LAYOUT = LAYOUTS["coco17"]
# UCF101 names a clip after its source, as v_Archery_g08_c03; HMDB51 adds the clip's properties, as ..._u_nm_np1_ba_goo_3.
_CLIP_OF_SOURCE = re.compile(r"(_c\d+|_[a-z]_[a-z]{2}_np\d+_[a-z]{2}_[a-z]+_\d+)$")


def source_video(name: str) -> str:
    """What clips of UCF101, HMDB51 and J-HMDB that come from one video have in common; other names as they are."""
    return _CLIP_OF_SOURCE.sub("", name)


def import_pyskl(source: Path, split: str, names: Sequence[str] = ()) -> SkeletonDataset:
    """One clip an annotation, of the person seen best.

    :param split: which of the file's splits: "1" for train1 and test1, "xsub" for xsub_train and xsub_val; several, as
        "1,2,3", become the file's official splits
    :param names: class names by label number; without them a label is its number
    :raises UserError: the file is of another kind, or would run code
    """
    with reading(source, "a pyskl skeleton file"):
        with open(source, "rb") as file:
            content = load_plain(file)
        annotations, splits = content["annotations"], content["split"]
        tables = [_parts(splits, each) for each in split.split(",")]
        return SkeletonDataset.from_clips(_clips(annotations, tables, names, source.stem), LAYOUT.joints)


def _parts(splits: Mapping[str, Sequence[str]], split: str) -> dict[str, str]:
    """Clip id -> train or test."""
    parts = {}
    for part, candidates in (("train", (f"train{split}", f"{split}_train")),
                             ("test", (f"test{split}", f"{split}_val", f"{split}_test"))):
        name = next((candidate for candidate in candidates if candidate in splits), None)
        if name is None:
            raise UserError(f"the file has no {part} part of split {split!r}; its splits are {', '.join(splits)}")
        parts.update(dict.fromkeys(splits[name], part))
    return parts


def _clips(annotations: Sequence[Mapping[str, Any]], tables: Sequence[Mapping[str, str]], names: Sequence[str],
           stem: str) -> Iterator[Clip]:
    for annotation in annotations:
        parts = tuple(table.get(annotation["frame_dir"], NO_PART) for table in tables)
        keypoints = np.asarray(annotation["keypoint"], np.float32)
        if set(parts) == {NO_PART} or not keypoints.size:
            continue
        scores = np.asarray(annotation.get("keypoint_score", np.ones(keypoints.shape[:-1])), np.float32)
        if keypoints.shape[2:] != (len(LAYOUT.joints), 2) or scores.shape != keypoints.shape[:-1]:
            raise UserError(f"clip {annotation['frame_dir']}: keypoints {keypoints.shape} and scores {scores.shape}, "
                            f"expected (people, frames, {len(LAYOUT.joints)}, 2) and the same without the 2")
        person = int(scores.mean((1, 2)).argmax())
        there = np.isfinite(keypoints[person]).all(-1) & np.isfinite(scores[person])
        label = int(annotation["label"])
        if names and label >= len(names):
            raise UserError(f"clip {annotation['frame_dir']} has label {label}, but only {len(names)} names are given")
        height, width = annotation.get("img_shape", (0, 0))
        yield Clip(np.where(there[..., None], keypoints[person], 0), np.clip(np.where(there, scores[person], 0), 0, 1),
                   names[label] if names else str(label), 0.0, parts[0],
                   f"{stem}/{source_video(annotation['frame_dir'])}", (int(width), int(height)),
                   parts if len(parts) > 1 else ())
