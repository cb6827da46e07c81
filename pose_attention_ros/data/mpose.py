"""MPOSE2021 (Mazzia et al., 2021): short clips of 20 actions, poses estimated by OpenPose, PoseNet or MoveNet, as its
package `mpose` unpacks them: 1/, 2/, 3/ (the official splits), each with X_train.npy, y_train.npy, X_test.npy, y_test.npy
and N.txt.

X (clips, 30, joints, 3): x, y in pixels and score, before any of the package's transforms; shorter clips are filled up.
N.txt has a line a clip, its id and train or test; an id is DATASET_ACTOR_ACTION_NUMBER-FIRST-LAST.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.core.errors import UserError, reading
from pose_attention_ros.data.dataset import NO_PART, Clip, SkeletonDataset
from pose_attention_ros.data.finishing import LeftOut, finished

# fmt: off
ACTIONS = ("standing", "check-watch", "cross-arms", "scratch-head", "sit-down", "get-up", "turn", "walk", "wave1", "box",
           "kick", "point", "pick-up", "bend", "hands-clap", "wave2", "jog", "jump", "pjump", "run")
# fmt: on
SPLITS = ("1", "2", "3")
# OpenPose's 25 joints by canonical name; small toes and heels have none.
# fmt: off
_BODY_25 = ("nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
            "hip_center", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye",
            "left_eye", "right_ear", "left_ear", "left_foot", None, None, "right_foot", None, None)
# fmt: on
_JOINTS: Mapping[int, tuple[str | None, ...]] = {25: _BODY_25, 17: LAYOUTS["coco17"].joints}
# Of the videos that the clips were cut from: frames a second, and the size of the images, by the first word of an id.
_FPS = {
    "kth": 25.0,
    "ixmas": 25.0,
    "i3dpost": 25.0,
    "weizmann": 25.0,
    "isld": 25.0,
    "isldas": 19.0,
    "utkinect": 19.0,
    "utdmhad": 15.0,
}
# fmt: off
_SIZE = {"kth": (160, 120), "ixmas": (48, 64), "i3dpost": (480, 270), "weizmann": (180, 144), "isld": (480, 270),
         "isldas": (960, 600), "utkinect": (640, 480), "utdmhad": (640, 480)}
# fmt: on


def import_mpose(folder: Path, split: str | None = None) -> SkeletonDataset:
    """The clips of all official splits that the folder holds, or of one. Groups are DATASET/ACTOR.

    :param folder: what the package calls openpose, posenet or movenet, with 1/, 2/, 3/ in it; or one of these
    :param split: 1, 2 or 3; None: all, as official splits
    :raises UserError: it is no such folder, or its arrays do not fit together
    """
    with reading(folder, "a folder of MPOSE2021"):
        places = {name: folder / name for name in SPLITS if (folder / name / "X_train.npy").is_file()}
        if not places and (folder / "X_train.npy").is_file():
            places = {folder.name if folder.name in SPLITS else "1": folder}
        if split is not None:
            places = {name: place for name, place in places.items() if name == split}
        if not places:
            raise UserError(
                f"{folder} holds no arrays of MPOSE2021{f' for split {split}' if split else ''}; expected "
                f"{split or 1}/X_train.npy, y_train.npy, X_test.npy and y_test.npy in it"
            )
        return _imported(places)


def _imported(places: Mapping[str, Path]) -> SkeletonDataset:
    name, place = next(iter(places.items()))
    parts = {each: _parts(other, each) for each, other in places.items()}
    clips: list[Clip] = []
    ids: list[str] = []
    joints: tuple[str, ...] = ()
    for part in ("train", "test"):
        x, y = (np.load(place / f"{letter}_{part}.npy", allow_pickle=False) for letter in "Xy")
        named = [clip for clip, of in parts[name].items() if of == part] if parts[name] else [""] * len(x)
        joints = _check(x, y, named, place, part)
        for row, clip in enumerate(named):
            clips.append(_clip(x[row], int(y[row]), clip, part))
            ids.append(clip)
    if len(places) > 1:
        if not all(parts.values()):
            raise UserError(
                f"{place.parent}: without the lists 1/1.txt, 2/2.txt, 3/3.txt the splits cannot be brought "
                "together; give --official-split"
            )
        clips = [
            replace(clip, official_splits=tuple(parts[each].get(one, NO_PART) for each in places))
            for clip, one in zip(clips, ids)
        ]
    return finished(clips, joints, LeftOut())


def _check(x: np.ndarray, y: np.ndarray, named: list[str], place: Path, part: str) -> tuple[str, ...]:
    """The joints' names. Raises UserError where the arrays are others."""
    if x.ndim != 4 or x.shape[2] not in _JOINTS or x.shape[3] != 3:
        raise UserError(
            f"{place}/X_{part}.npy has shape {x.shape}; expected (clips, frames, 25 or 17, 3), as they are "
            "before reduce_keypoints, scale_and_center and velocities"
        )
    if y.shape != (len(x),) or len(named) != len(x):
        raise UserError(f"{place}: X_{part} has {len(x)} clips, y_{part} {y.shape}, the list {len(named)}; expected as many")
    if len(y) and not (0 <= y.min() and y.max() < len(ACTIONS)):
        raise UserError(f"{place}/y_{part}.npy goes from {y.min()} to {y.max()}; expected 0 to {len(ACTIONS) - 1}")
    return tuple(joint for joint in _JOINTS[x.shape[2]] if joint)


def _parts(place: Path, name: str) -> dict[str, str]:
    """{id: train or test} in the arrays' order; empty where there is no list."""
    path = place / f"{name}.txt"
    if not path.is_file():
        return {}
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not all(len(line) == 2 and line[1] in ("train", "test") for line in lines):
        raise UserError(f"{path} is no list of clips; expected an id and train or test in every line")
    return {line[0]: line[1] for line in lines}


def _clip(poses: np.ndarray, label: int, name: str, part: str) -> Clip:
    """poses (frames, joints, 3); what fills a clip up at its end is taken away."""
    poses = poses[:, [joint is not None for joint in _JOINTS[poses.shape[1]]]].astype(np.float32)
    there = np.isfinite(poses).all(-1) & (poses[..., :2] != 0).any(-1)
    poses = np.where(there[..., None], poses, 0)
    frames = len(poses)
    while frames > 1 and (not there[frames - 1].any() or np.array_equal(poses[frames - 1], poses[frames - 2])):
        frames -= 1
    words = name.split("_")
    source, actor = (words[0], words[1]) if len(words) > 2 else ("", "")
    scores = np.clip(poses[:frames, :, 2], 0, 1)
    return Clip(
        poses[:frames, :, :2],
        scores,
        ACTIONS[label],
        _FPS.get(source, 0.0),
        part,
        f"{source}/{actor}" if source else "",
        _SIZE.get(source, (0, 0)),
    )
