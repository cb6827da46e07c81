"""2D-skeleton pickles of pyskl and mmaction2 (UCF101, HMDB51, NTU RGB+D and others), read without running what is in them.

Such a file is {"split": {name: [clip ids]}, "annotations": [{"frame_dir", "label", "total_frames", "img_shape",
"keypoint" (people, frames, 17, 2), "keypoint_score" (people, frames, 17)}]}.
"""

from __future__ import annotations

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.core.errors import UserError, reading
from pose_attention_ros.data.dataset import NO_PART, Clip, SkeletonDataset
from pose_attention_ros.data.finishing import NO_JOINTS, LeftOut, finished
from pose_attention_ros.data.plain_pickle import load_plain

LAYOUT = LAYOUTS["coco17"]
log = logging.getLogger(__name__)
# What files call their parts, in whatever letters, and how we do.
# fmt: off
_PARTS = {"training": "train", "train": "train", "validation": "val", "valid": "val", "val": "val", "dev": "val",
          "testing": "test", "test": "test"}
# fmt: on
_PART = re.compile(rf"(?<![a-z])({'|'.join(_PARTS)})(?![a-z])")
_ALL_ONES = (2**8 - 1, 2**16 - 1, 2**32 - 1)
# UCF101 names a clip after its source, as v_Archery_g08_c03; HMDB51 adds the clip's properties, as ..._u_nm_np1_ba_goo_3.
_CLIP_OF_SOURCE = re.compile(r"(_c\d+|_[a-z]_[a-z]{2}_np\d+_[a-z]{2}_[a-z]+_\d+)$")


def source_video(name: str) -> str:
    """What clips of UCF101, HMDB51 and J-HMDB that come from one video have in common; other names as they are."""
    return _CLIP_OF_SOURCE.sub("", name)


def import_pyskl(source: Path, split: str | None = None, names: Sequence[str] = ()) -> SkeletonDataset:
    """One clip an annotation, of the person seen best.

    :param split: which of the file's splits: "1" for train1 and test1, "xsub" for xsub_train and xsub_val; several, as
        "1,2,3", become the file's official splits; None: 1, or else the only one, which may be called train and val
    :param names: class names by label number; without them a label is its number
    :raises UserError: the file is of another kind, would run code, or what comes out cannot be right
    """
    with reading(source, "a pyskl skeleton file"):
        with open(source, "rb") as file:
            annotations, splits = _content(load_plain(file), source)
        left_out = LeftOut()
        _tell_oddities(annotations)
        tables = [_parts(splits, each, annotations, left_out) for each in _wanted(splits, split)]
        return finished(_clips(annotations, tables, names, source.stem, left_out), LAYOUT.joints, left_out)


def _content(content: Any, source: Path) -> tuple[Sequence[Mapping[str, Any]], Mapping[str, Sequence[str]]]:
    """Annotations and splits; mmaction2 before 1.0 wrote the list of annotations alone, one file a part."""
    annotations = content.get("annotations") if isinstance(content, Mapping) else content
    if not isinstance(annotations, (list, tuple)) or not all(
        isinstance(each, Mapping) and "keypoint" in each for each in annotations
    ):
        raise UserError(
            f"{source} is not a pyskl skeleton file: expected a table with split and annotations, or a list of "
            "annotations, each with keypoint, label and frame_dir"
        )
    return annotations, content.get("split") or {} if isinstance(content, Mapping) else {}


def _name(annotation: Mapping[str, Any]) -> str:
    return str(annotation.get("frame_dir", annotation.get("filename", "")))


def _divisions(splits: Iterable[str]) -> dict[str, dict[str, str]]:
    """Division -> our part -> the file's name of it: xsub_train is the train part of xsub, train1 that of 1, and Training
    that of "". Where a division has both val and test, val is our val, else it is our test."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for name in splits:
        if (word := _PART.search(name.lower())) is not None:
            rest = name[: word.start()] + name[word.end() :]
            found[rest.strip("_-. ")][_PARTS[word.group()]] = name
    for named in found.values():
        if "val" in named and "test" not in named:
            named["test"] = named.pop("val")
    return found


def _wanted(splits: Mapping[str, Sequence[str]], split: str | None) -> list[str]:
    """Names of the divisions to read, "" for parts called train and val or test; none where the file divides nothing."""
    if split is not None:
        return split.split(",")
    if not splits:
        return []
    known = sorted(name for name, named in _divisions(splits).items() if named.keys() >= {"train", "test"})
    if "1" in known or len(known) == 1:
        return ["1"] if "1" in known else known
    choices = f"choose with --official-split: {', '.join(known)}" if known else "expected train1 and test1, or train and val"
    raise UserError(f"the parts of the file are called {', '.join(splits)}; {choices}")


def _parts(
    splits: Mapping[str, Sequence[str]], split: str, annotations: Sequence[Mapping[str, Any]], left_out: LeftOut
) -> dict[str, str]:
    """Clip id -> train, val or test. Raises UserError for an unknown division, and for a clip in two parts."""
    named, parts = _divisions(splits).get(split, {}), {}
    for part in ("train", "test"):
        if part not in named:
            raise UserError(f"the file has no {part} part of split {split!r}; its splits are {', '.join(splits) or 'none'}")
    known = {_name(annotation) for annotation in annotations}
    for part, name in named.items():
        ids = list(map(str, splits[name]))
        twice = next((each for each in ids if parts.get(each, part) != part), None)
        if twice is not None:
            raise UserError(f"clip {twice} is in {named[parts[twice]]} and in {name}; a clip belongs to one part")
        if ids and not known.intersection(ids):
            raise UserError(f"no clip of the split {name} is in the file: it names {ids[0]}, the file has {min(known)}")
        for absent in sorted(set(ids) - known):
            left_out.add(f"named in the split {name} and not in the file", absent)
        parts.update(dict.fromkeys(ids, part))
    return parts


def _clips(
    annotations: Sequence[Mapping[str, Any]],
    tables: Sequence[Mapping[str, str]],
    names: Sequence[str],
    stem: str,
    left_out: LeftOut,
) -> Iterator[Clip]:
    for annotation in annotations:
        name = _name(annotation)
        parts = tuple(table.get(name, NO_PART) for table in tables)
        if parts and set(parts) == {NO_PART}:
            left_out.add("in no part of the split", name)
            continue
        keypoints, scores = _people(annotation, name)
        there = np.isfinite(keypoints).all(-1) & np.isfinite(scores) & (scores > 0)
        if not there.any():
            left_out.add(NO_JOINTS, name)
            continue
        scores = np.clip(np.where(there, scores, 0), 0, 1)
        person = int(scores.mean((1, 2)).argmax())
        height, width = (annotation.get("img_shape") or (0, 0))[:2]
        yield Clip(
            np.where(there[person][..., None], keypoints[person], 0),
            scores[person],
            _label(annotation, name, names),
            0.0,
            parts[0] if parts else "",
            f"{stem}/{source_video(name)}",
            (int(width), int(height)),
            parts if len(parts) > 1 else (),
        )


def _people(annotation: Mapping[str, Any], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (people, frames, 17, 2) and scores (people, frames, 17), as many frames as the file says. A third coordinate
    is the score where there is no array of them. Joints at (0, 0) are missing whatever their score: files are filled so."""
    keypoints, scores = np.asarray(annotation["keypoint"], np.float32), annotation.get("keypoint_score")
    if keypoints.ndim == 4 and not keypoints.size:
        return np.zeros((1, 0, len(LAYOUT.joints), 2), np.float32), np.zeros((1, 0, len(LAYOUT.joints)), np.float32)
    if keypoints.shape[2:] == (len(LAYOUT.joints), 3) and scores is None:
        keypoints, scores = keypoints[..., :2], keypoints[..., 2]
    scores = np.ones(keypoints.shape[:-1]) if scores is None else scores
    scores = np.asarray(scores, np.float32)
    if scores.ndim == 4 and scores.shape[-1] == 1:
        scores = scores[..., 0]
    if keypoints.ndim != 4 or keypoints.shape[2:] != (len(LAYOUT.joints), 2) or scores.shape != keypoints.shape[:-1]:
        raise UserError(
            f"clip {name}: keypoints {keypoints.shape} and scores {scores.shape}, expected (people, frames, "
            f"{len(LAYOUT.joints)}, 2) and the same without the 2"
        )
    frames = int(annotation.get("total_frames") or keypoints.shape[1])
    return keypoints[:, :frames], np.where((keypoints != 0).any(-1), scores, 0)[:, :frames]


def _tell_oddities(annotations: Sequence[Mapping[str, Any]]) -> None:
    """What may be meant so: clips of one name, and a label far above the others, as -1 becomes in numbers without a sign."""
    twice = [name for name, number in Counter(map(_name, annotations)).items() if name and number > 1]
    if twice:
        log.warning("%d clips are in the file more than once, for example %s", len(twice), twice[0])
    labels = {
        int(said[0])
        for said in (np.ravel(each.get("label")) for each in annotations)
        if said.size == 1 and said.dtype.kind in "iu"
    }
    if len(labels) > 1 and max(labels) in _ALL_ONES and sorted(labels)[-2] < max(labels) - 1:
        log.warning(
            "one label is %d and the next lower one is %d; is it a -1, of clips without a class?",
            max(labels),
            sorted(labels)[-2],
        )


def _label(annotation: Mapping[str, Any], name: str, names: Sequence[str]) -> str:
    """Class name, or the number as text. Raises UserError for what is no number of a class."""
    said = np.ravel(annotation.get("label"))
    if said.size != 1 or said.dtype.kind not in "iuf" or not float(said[0]).is_integer():
        raise UserError(f"clip {name} has label {annotation.get('label')!r}, expected one number of a class")
    label = int(said[0])
    if label < 0:
        raise UserError(
            f"clip {name} has label {label}, expected a number from 0 on: give it its class, or take the clip "
            "out of the file's splits where it has none"
        )
    if names and label >= len(names):
        raise UserError(f"clip {name} has label {label}, but only {len(names)} names are given")
    return names[label] if names else str(label)
