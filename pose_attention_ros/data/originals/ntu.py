"""NTU RGB+D (Shahroudy et al., CVPR 2016; Liu et al., TPAMI 2019) as published: nturgb+d_rgb/S001C001P001R001A001_rgb.avi,
nturgb+d_skeletons/S001C001P001R001A001.skeleton and a list of samples whose skeletons are missing or incomplete.

A .skeleton file: number of frames; for each the number of bodies; for each body a line of its tracking id and nine values, a
line with the number of joints (25), and a line a joint: x y z, x y in the depth image, x y in the colour image, orientation
w x y z, tracking state (0 not tracked, 1 inferred, 2 tracked).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.core.errors import UserError, reading
from pose_attention_ros.core.machine.file_names import visible
from pose_attention_ros.data.dataset import Clip, SkeletonDataset
from pose_attention_ros.data.finishing import LeftOut, finished
from pose_attention_ros.data.originals.images import from_videos
from pose_attention_ros.data.pixel_clips import PixelSource

LAYOUT = LAYOUTS["kinect25"]
FPS = 30.0
IMAGE_SIZE = (1920, 1080)
SKELETONS, VIDEOS = "nturgb+d_skeletons", "nturgb+d_rgb"
# Who trains in the two official divisions of the first 60 classes; the others test.
TRAINING_SUBJECTS = frozenset((1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38))
TRAINING_CAMERAS = frozenset((2, 3))
_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")
_BODY_VALUES, _JOINT_VALUES = 10, 12
_COLOUR, _STATE = slice(5, 7), 11
_SCORE_OF_STATE = np.array([0.0, 0.5, 1.0], np.float32)
# A body wider than this share of its height is furniture that the sensor took for a person (the authors' own measure).
_WIDEST = 0.8
# A body that begins so many frames after another ends and so near to it is the same person with a new id.
_LONGEST_BREAK, _FARTHEST_M = 15, 0.4


def open_original(folder: Path) -> PixelSource:
    """See originals.open_original. What is read and what is left out is as in `import_joints`."""
    clips, names, left_out = _clips(folder)
    videos = [folder / VIDEOS / f"{name}_rgb.avi" for name in names]
    absent = next((video for video in videos if not video.is_file()), None)
    if absent:
        raise UserError(f"{absent} is missing, and its .skeleton file is there; expected a video for each skeleton file")
    return from_videos(clips, LAYOUT.joints, videos, left_out)


def import_joints(folder: Path) -> SkeletonDataset:
    """The joints alone, which needs no videos. Labels are A001 to A120; official split 1 divides by subject, 2 by camera.
    Samples that the list of missing skeletons names, or in which nobody is tracked, are left out. Raises UserError."""
    clips, _, left_out = _clips(folder)
    return finished(clips, LAYOUT.joints, left_out)


def _clips(folder: Path) -> tuple[list[Clip], list[str], LeftOut]:
    """Clips with joints, the published name of each, and what was left out."""
    missing = missing_samples(folder)
    files = [
        path
        for path in visible((folder / SKELETONS).glob("*.skeleton")) or visible(folder.glob("*.skeleton"))
        if _NAME.fullmatch(path.stem)
    ]
    if not files:
        raise UserError(f"{folder} is not NTU RGB+D's folder: expected {SKELETONS}/S001C001P001R001A001.skeleton and so on")
    clips, names, left_out = [], [], LeftOut()
    for path in files:
        clip = None if path.stem in missing else read_clip(path)
        if clip is None:
            left_out.add("named in the list of missing skeletons" if path.stem in missing else "nobody tracked", path.stem)
        else:
            clips.append(clip)
            names.append(path.stem)
    return clips, names, left_out


def missing_samples(folder: Path) -> frozenset[str]:
    """Names in the published lists (samples_with_missing_skeletons.txt and the like), wherever they lie in the folder."""
    lists = visible([*folder.glob("*missing_skeletons*.txt"), *folder.glob("*/*missing_skeletons*.txt")])
    return frozenset(found.group() for path in lists for found in _NAME.finditer(path.read_text()))


def read_clip(path: Path) -> Clip | None:
    """The clip of a .skeleton file with its published name; None where nobody is tracked in it. Raises UserError."""
    _, camera, subject, _, action = (int(number) for number in _NAME.fullmatch(path.stem).groups())
    with reading(path, "an NTU .skeleton file"):
        joints = chosen_body(list(read_bodies(path.read_text())))
    if joints is None:
        return None
    keypoints, states = joints[..., _COLOUR], joints[..., _STATE].astype(int)
    there = np.isfinite(keypoints).all(-1) & (states > 0)
    if not there.any():
        return None
    parts = tuple("train" if within else "test" for within in (subject in TRAINING_SUBJECTS, camera in TRAINING_CAMERAS))
    scores = np.where(there, _SCORE_OF_STATE[np.clip(states, 0, 2)], 0).astype(np.float32)
    return Clip(
        np.where(there[..., None], keypoints, 0).astype(np.float32),
        scores,
        f"A{action:03d}",
        FPS,
        parts[0],
        f"ntu/p{subject:03d}",
        IMAGE_SIZE,
        parts,
    )


def read_bodies(text: str) -> Iterator[dict[int, np.ndarray]]:
    """For each frame: tracking id -> joints (25, 12). Raises ValueError where the text breaks off or has other joints."""
    values = text.split()
    at = 0

    def take(count: int) -> list[str]:
        nonlocal at
        at += count
        if at > len(values):
            raise ValueError(f"it ends after {len(values)} values, in the middle of a frame")
        return values[at - count : at]

    for _ in range(int(take(1)[0])):
        bodies = {}
        for _ in range(int(take(1)[0])):
            track = int(take(_BODY_VALUES)[0])
            count = int(take(1)[0])
            if count != len(LAYOUT.joints):
                raise ValueError(f"a body has {count} joints, expected {len(LAYOUT.joints)}")
            bodies[track] = np.array(take(count * _JOINT_VALUES), np.float64).reshape(count, _JOINT_VALUES)
        yield bodies


def chosen_body(frames: list[dict[int, np.ndarray]]) -> np.ndarray | None:
    """The acting person's joints (F, 25, 12), 0 where they are not tracked; None where nobody ever is. Of the bodies that
    are not too wide to be people it is the one that moves most over the frames in which it is seen."""
    tracks: dict[int, np.ndarray] = {}
    for number, bodies in enumerate(frames):
        for track, joints in bodies.items():
            whole = np.isfinite(joints).all(-1, keepdims=True)
            tracks.setdefault(track, np.zeros((len(frames), *joints.shape)))[number] = np.where(whole, joints, 0)
    seen = [joints for joints in _joined(list(tracks.values())) if joints[..., _STATE].any()]
    return max(seen, key=_motion, default=None)


def _motion(joints: np.ndarray) -> tuple[bool, float]:
    """Whether a body can be a person, and how much it moves."""
    seen = joints[joints[..., _STATE].any(-1)]
    there = seen[..., _STATE] > 0
    places = np.where(there[..., None], seen[..., :3], np.nan)
    spread = np.nanmax(places[..., :2], axis=1) - np.nanmin(places[..., :2], axis=1)
    wide = np.median(spread[:, 0]) > _WIDEST * np.median(spread[:, 1])
    return not wide, float(np.nanvar(places[:, there.any(0)], axis=0).sum()) * len(seen)


def _joined(tracks: list[np.ndarray]) -> list[np.ndarray]:
    """The tracks, (F, 25, 12) each, in the order in which they begin, where one that ends before another begins at the same
    place goes on as that one: the sensor gave the person a new id."""
    joined: list[np.ndarray] = []
    for track in sorted((track for track in tracks if track[..., _STATE].any()), key=lambda track: _frames(track)[0]):
        first = _frames(track)[0]
        for other in joined:
            last = _frames(other)[-1]
            step = (track[first] - other[last])[(track[first, :, _STATE] > 0) & (other[last, :, _STATE] > 0), :3]
            if 0 < first - last <= _LONGEST_BREAK and len(step) and np.linalg.norm(step, axis=1).mean() < _FARTHEST_M:
                other[first:] = track[first:]
                break
        else:
            joined.append(track)
    return joined


def _frames(track: np.ndarray) -> np.ndarray:
    """Numbers of the frames in which the body is tracked."""
    return np.flatnonzero(track[..., _STATE].any(-1))
