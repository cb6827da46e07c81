"""Leeds Sports Pose Extended (Johnson and Everingham, CVPR 2011): one athlete in each of 10,000 photos, labelled by people.

Its folder holds images/im00001.jpg and so on, and joints.mat: `joints` (14, 3, N), x, y and whether the joint is placed.
People labelled one athlete a photo; who else is in it is for a pose estimator to say, so that nobody is taught to be
background.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.core.errors import UserError, reading
from pose_attention_ros.core.messages.images import read_image
from pose_attention_ros.core.types import Frame, Skeletons
from pose_attention_ros.data.matlab import read_mat
from pose_attention_ros.data.pose_images import read_names

# fmt: off
JOINTS = ("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow",
          "right_shoulder", "left_shoulder", "left_elbow", "left_wrist")  # then neck and top of the head, left out
# fmt: on
LAYOUT = LAYOUTS["coco17"]
LEAST_JOINTS = 5  # of a person worth learning from
MARGIN = 0.1  # of the joints' extent: how much wider and higher a person's box is
AREA = 0.6  # of that box: a body's share of it, for OKS
SURE_JOINT, SURE_PERSON = 0.3, 0.3  # scores from which the estimator's joints and people are labels
APART = 0.3  # of the smaller box: the estimator's people who share less with the athlete are somebody else
ALIKE = 0.85  # of two photos' small copies: from here on they may show one scene
_THUMB = 24  # pixels of a small copy's side
_LISTS, _TEST_LIST = ("train.txt", "val.txt", "test_human.txt"), "test_human.txt"


def read_joints(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """(N, 17, 2) float32 pixels and (N, 17) bool, in the coco17 layout. Raises UserError."""
    with reading(folder / "joints.mat", "Leeds Sports Pose Extended's joints, (14, 3, N)"):
        joints = np.asarray(read_mat(folder / "joints.mat")["joints"], np.float32).transpose(2, 0, 1)
        if joints.shape[1:] != (14, 3):
            raise ValueError(f"joints have shape {joints.shape[1:]} a photo, expected (14, 3)")
    rows = [LAYOUT.index(name) for name in JOINTS]
    keypoints = np.zeros((len(joints), len(LAYOUT.joints), 2), np.float32)
    placed = np.zeros(keypoints.shape[:2], bool)
    keypoints[:, rows], placed[:, rows] = joints[:, : len(JOINTS), :2], joints[:, : len(JOINTS), 2] > 0
    return keypoints, placed


def chosen(source: Path, beside: Path | None, val: int) -> tuple[list[str], list[str]]:
    """File names for training and for validation.

    :param beside: a folder of photos with lists of names and a test list; what is in them is left out, and so is what looks
        like a photo of its test list
    :param val: photos for validation, evenly picked; training has none that looks like one of them
    :raises UserError: there are too few photos
    """
    names = sorted(path.name for path in (source / "images").glob("im*.jpg"))
    if beside is not None:
        taken = [name for each in _LISTS if (beside / each).is_file() for name in read_names(beside / each)]
        own = {name.rpartition("_")[2] for name in taken}  # their name may have that of the data set before it
        names = [name for name in names if name not in own]
    if len(names) <= val:
        raise UserError(f"{source / 'images'} has {len(names)} photos to choose from, expected more than the {val} of val")
    copies = thumbs(source / "images" / name for name in names)
    if beside is not None:
        tests = thumbs(beside / "images" / name for name in sorted(read_names(beside / _TEST_LIST)))
        keep = (copies @ tests.T).max(1) < ALIKE
        names, copies = [name for name, far in zip(names, keep) if far], copies[keep]
    rows = list(range(0, len(names), max(1, len(names) // max(1, val))))[:val]
    alike = (copies @ copies[rows].T).max(1, initial=-1) >= ALIKE  # each of these is like itself
    return [name for name, out in zip(names, alike) if not out], [names[row] for row in rows]


def thumbs(paths: Iterable[Path]) -> np.ndarray:
    """(N, D) float32: small copies of photos, of mean 0 and length 1, so that a product says how alike two are."""
    import cv2

    rows = []
    for path in paths:
        image = read_image(path)
        if image is None:
            raise UserError(f"{path} cannot be decoded")
        row = cv2.resize(image, (_THUMB, _THUMB), interpolation=cv2.INTER_AREA).astype(np.float32).reshape(-1)
        row -= row.mean()
        rows.append(row / max(float(np.linalg.norm(row)), 1e-6))
    return np.stack(rows)


def write_lists(out: Path, train: list[str], val: list[str], written: list[str]) -> None:
    """OUT/train.txt and OUT/val.txt, of the photos that were written."""
    for name, part in (("train.txt", train), ("val.txt", val)):
        (out / name).write_text("".join(f"{each}\n" for each in part if each in set(written)))


def write_photos(
    source: Path,
    out: Path,
    names: Iterable[str],
    longest: int,
    teacher: Callable[[Frame], Skeletons] | None,
    tick: Callable[[int], object] = lambda photos: None,
) -> list[str]:
    """Write OUT/images and OUT/annotations.json in COCO's keypoint format.

    :param names: file names of the photos to take
    :param longest: pixels of a photo's longer side, at most
    :param teacher: an estimator of coco17 joints for who else is there, and for the athlete's face
    :returns: the names written: those whose athlete has LEAST_JOINTS
    :raises UserError: a photo or joints.mat cannot be read
    """
    import cv2

    keypoints, placed = read_joints(source)
    (out / "images").mkdir(parents=True, exist_ok=True)
    images, people, written = [], [], []
    for name in names:
        row = int(Path(name).stem.removeprefix("im")) - 1
        tick(1)
        if placed[row].sum() < LEAST_JOINTS:
            continue
        image = read_image(source / "images" / name)
        if image is None:
            raise UserError(f"{source / 'images' / name} cannot be decoded")
        factor = min(1.0, longest / max(image.shape[:2]))
        if factor < 1:
            image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(out / "images" / name), image, [cv2.IMWRITE_JPEG_QUALITY, 90])
        number, (height, width) = row + 1, image.shape[:2]
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        found = teacher(Frame(image, 0)) if teacher else None
        people += [{"image_id": number, **entry} for entry in _people(keypoints[row] * factor, placed[row], found)]
        written.append(name)
    content = {
        "images": images,
        "annotations": [{"id": i, "category_id": 1, **entry} for i, entry in enumerate(people, 1)],
        "categories": [{"id": 1, "name": "person", "keypoints": list(LAYOUT.joints)}],
    }
    (out / "annotations.json").write_text(json.dumps(content))
    return written


def _people(keypoints: np.ndarray, placed: np.ndarray, found: Skeletons | None) -> list[dict]:
    """The athlete with the face that the estimator gives them, then who else was found."""
    box = _box(keypoints[placed])
    others = []
    for joints, scores, person in zip(found.keypoints_px, found.scores, found.person_scores) if found is not None else ():
        sure = scores >= SURE_JOINT
        if sure.sum() < LEAST_JOINTS:
            continue
        common = sure & placed
        extent = max(box[2] - box[0], box[3] - box[1], 1)
        if common.sum() >= LEAST_JOINTS and np.linalg.norm(joints - keypoints, axis=-1)[common].mean() < 0.15 * extent:
            lacking = sure & ~placed & (np.arange(len(placed)) < 5)  # the face alone: what people left out is out of sight
            keypoints = np.where(lacking[:, None], joints, keypoints)
            placed = placed | lacking
        elif _shared(box, _box(joints[sure])) < APART:
            others.append(_entry(joints, sure, ignore=person < SURE_PERSON))
    return [_entry(keypoints, placed, ignore=False), *others]


def _entry(keypoints: np.ndarray, placed: np.ndarray, *, ignore: bool) -> dict:
    left, top, right, bottom = (round(float(side), 1) for side in _box(keypoints[placed]))
    joints = np.where(placed[:, None], np.c_[keypoints, np.full(len(placed), 2.0)], 0)
    return {
        "iscrowd": 0,
        "ignore": int(ignore),
        "num_keypoints": int(placed.sum()),
        "keypoints": [round(float(value), 1) for value in joints.reshape(-1)],
        "bbox": [left, top, right - left, bottom - top],
        "area": round(AREA * (right - left) * (bottom - top), 1),
    }


def _box(points: np.ndarray) -> np.ndarray:
    """(4,) corners around (K, 2) points, with MARGIN."""
    low, high = points.min(0), points.max(0)
    margin = MARGIN / 2 * (high - low)
    return np.concatenate((low - margin, high + margin))


def _shared(one: np.ndarray, other: np.ndarray) -> float:
    """Overlap of two boxes, of the smaller one's area."""
    sides = np.maximum(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0)
    smaller = min(np.prod(one[2:] - one[:2]), np.prod(other[2:] - other[:2]))
    return float(np.prod(sides) / max(smaller, 1e-6))
