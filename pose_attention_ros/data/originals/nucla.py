"""Northwestern-UCLA Multiview Action 3D (Wang et al., CVPR 2014) as published: view_1/a01_s01_e00/ with
frame_<number>_tc_<milliseconds>_rgb.jpg and frame_<number>_tc_<milliseconds>_skeletons.txt.

A skeletons file holds for each body a line that begins with its id and 20 lines x, y, z in metres, in most copies with a
tracking state. They are seen in the image by the nominal colour camera of the first Kinect, a few pixels off.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.core.errors import UserError, reading
from pose_attention_ros.core.machine.file_names import visible
from pose_attention_ros.data.dataset import Clip, SkeletonDataset
from pose_attention_ros.data.finishing import LeftOut, finished
from pose_attention_ros.data.originals.images import from_images
from pose_attention_ros.data.pixel_clips import PixelSource

LAYOUT = LAYOUTS["kinect20"]
IMAGE_SIZE = (640, 480)
FOCAL_PX = 531.15
NEAREST_M = 0.3
LABELS = {
    1: "pick_up_with_one_hand",
    2: "pick_up_with_two_hands",
    3: "drop_trash",
    4: "walk_around",
    5: "sit_down",
    6: "stand_up",
    8: "donning",
    9: "doffing",
    11: "throw",
    12: "carry",
}
# Official splits 1, 2, 3: which camera tests while the two others train; the paper's main one first.
TEST_VIEWS = (3, 2, 1)
_CLIP = re.compile(r"a(\d+)_s(\d+)_e(\d+)")
_FRAME = re.compile(r"frame_(\d+)_tc_(\d+)_(rgb\.jpg|skeletons\.txt)")
_ROWS = 1 + len(LAYOUT.joints)


def open_original(folder: Path) -> PixelSource:
    """See originals.open_original. A clip is left out where nobody is tracked in it."""
    clips, files, left_out = _clips(folder, with_images=True)
    return from_images(clips, LAYOUT.joints, files, left_out)


def import_joints(folder: Path) -> SkeletonDataset:
    """The joints alone, which needs no images. Raises UserError."""
    clips, _, left_out = _clips(folder, with_images=False)
    return finished(clips, LAYOUT.joints, left_out)


def _clips(folder: Path, with_images: bool) -> tuple[list[Clip], list[list[Path]], LeftOut]:
    """Clips, the images of each, and what was left out."""
    clips, files, left_out = [], [], LeftOut()
    for view in (1, 2, 3):
        for path in visible((folder / f"view_{view}").glob("a*_s*_e*")):
            numbers = _CLIP.fullmatch(path.name)
            label = LABELS.get(int(numbers.group(1))) if numbers else None
            images, skeletons, stamps_ms = _frames(path, with_images) if label else ([], [], [])
            joints = [read_body(file) for file in skeletons]
            if not any(body.any() for body in joints):
                left_out.add("nobody tracked" if label else "of no known action", f"view_{view}/{path.name}")
                continue
            keypoints, scores = projected(np.stack(joints))
            parts = tuple("test" if view == test else "train" for test in TEST_VIEWS)
            fps = 1000 / max(float(np.median(np.diff(stamps_ms))), 1) if len(stamps_ms) > 1 else 0.0
            subject = f"nucla/s{int(numbers.group(2)):02d}"
            clips.append(Clip(keypoints, scores, label, fps, parts[0], subject, IMAGE_SIZE, parts))
            files.append(images)
    if not clips:
        raise UserError(
            f"{folder} is not the Northwestern-UCLA multiview folder: expected view_1/a01_s01_e00/ with frames and skeletons"
        )
    return clips, files, left_out


def _frames(clip: Path, with_images: bool) -> tuple[list[Path], list[Path], list[int]]:
    """Images, their skeleton files and stamps, of the frame numbers that have both, in order of their numbers; those of the
    skeleton files where images are not wanted."""
    found: dict[str, dict[int, tuple[int, Path]]] = {"rgb.jpg": {}, "skeletons.txt": {}}
    for path in clip.iterdir():
        name = _FRAME.fullmatch(path.name)
        if name:
            found[name.group(3)][int(name.group(1))] = int(name.group(2)), path
    images, skeletons = found["rgb.jpg" if with_images else "skeletons.txt"], found["skeletons.txt"]
    both = sorted(images.keys() & skeletons.keys())
    return [images[n][1] for n in both], [skeletons[n][1] for n in both], [images[n][0] for n in both]


def read_body(path: Path) -> np.ndarray:
    """(20, 4): x, y, z and state of the body nearest to the camera, all 0 where there is none. Raises UserError."""
    with reading(path, "a skeletons file"):
        rows = [line.replace(",", " ").split() for line in path.read_text().splitlines() if line.strip()]
        bodies = []
        for begin in range(0, len(rows) - _ROWS + 1, _ROWS):
            joints = [[float(value) for value in row[:4]] for row in rows[begin + 1 : begin + _ROWS]]
            bodies.append(np.array([row + [2.0] * (4 - len(row)) for row in joints]))
        if len(rows) % _ROWS:
            raise ValueError(f"it has {len(rows)} lines, expected {_ROWS} for each body")
    tracked = [body for body in bodies if body[:, :3].any()]
    return min(tracked, key=lambda body: body[:, 2].mean(), default=np.zeros((len(LAYOUT.joints), 4)))


def projected(joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """joints (F, 20, 4) metres and state -> keypoints (F, 20, 2) float32 pixels, scores (F, 20) float32. States are believed
    only where the clip has any."""
    depth_m = joints[..., 2]
    there = depth_m > NEAREST_M
    states = joints[..., 3]
    certain = np.clip(states / 2, 0, 1) if states.any() else np.ones_like(states)
    image = np.stack([joints[..., 0], -joints[..., 1]], -1) * (FOCAL_PX / np.maximum(depth_m, NEAREST_M))[..., None]
    scores = np.where(there, certain, 0).astype(np.float32)
    return np.where(scores[..., None] > 0, image + np.array(IMAGE_SIZE) / 2, 0).astype(np.float32), scores
