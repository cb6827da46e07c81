"""Photos with people's joints, in COCO's keypoint format: whole COCO, or any smaller set."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pose_attention_ros.core.body.layouts import LAYOUTS, Layout, joint_map
from pose_attention_ros.core.errors import UserError, reading

_SAME_PERSON = 0.25  # of the larger extent: mean distance of common joints under which two labels are of one person


@dataclass(frozen=True)
class Photo:
    """One image and who is in it; pixels are continuous, (0, 0) is the image's outer corner.

    keypoints_px (P, V, 2) float32; labelled (P, V) bool; boxes_xyxy (P, 4) float32
    areas_px2 (P,) float32: of each person, for OKS; the box's where the labels do not say
    ignore_xyxy (K, 4) float32: people without usable labels, to be left out of loss and score
    """

    path: Path
    size: tuple[int, int]
    keypoints_px: np.ndarray
    labelled: np.ndarray
    boxes_xyxy: np.ndarray
    areas_px2: np.ndarray
    ignore_xyxy: np.ndarray

    @property
    def people(self) -> int:
        return len(self.keypoints_px)


def read_photos(
    annotation_files: Sequence[Path],
    image_folder: Path,
    layout: Layout,
    *,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
    max_people: int = 0,
) -> list[Photo]:
    """Photos in order of file name.

    Where several annotation files know an image, the first one's labels count; the others add the joints that it lacks and
    people that it does not know. A labelled person is one with at least one joint; crowds, `ignore` and people without
    joints become regions to ignore.

    :param only: file names to take (None: all)
    :param without: file names to leave out
    :param max_people: images with more are left out; 0 for no limit
    :raises UserError: a file is missing, or is not COCO keypoints, or images are not in the folder
    """
    merged: dict[str, Photo] = {}
    for file in annotation_files:
        for photo in _read(file, image_folder, layout):
            known = merged.get(photo.path.name)
            merged[photo.path.name] = photo if known is None else _merge(known, photo)
    photos = [
        photo
        for name, photo in sorted(merged.items())
        if (only is None or name in only) and name not in without and photo.people and not 0 < max_people < photo.people
    ]
    absent = next((photo.path for photo in photos if not photo.path.is_file()), None)
    if absent or not photos:
        raise UserError(
            f"{absent} is not there"
            if absent
            else f"{', '.join(map(str, annotation_files))}: no labelled image is left to use"
        )
    return photos


def read_names(path: Path) -> frozenset[str]:
    """File names, one a line. Raises UserError."""
    try:
        return frozenset(path.read_text().split())
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def _read(path: Path, image_folder: Path, layout: Layout) -> list[Photo]:
    with reading(path, "in COCO's keypoint format (images, annotations and categories with keypoints)"):
        content = json.loads(path.read_text(encoding="utf-8"))
        names = tuple(map(str, content["categories"][0]["keypoints"]))
        if not set(names) & set(LAYOUTS["coco17"].joints):
            raise UserError(f"{path}: joints {', '.join(names)[:200]!r} are none that we know")
        convert = joint_map(names, layout.joints)
        of_image = defaultdict(list)
        for annotation in content["annotations"]:
            of_image[annotation["image_id"]].append(annotation)
        return [_photo(image, of_image[image["id"]], image_folder, len(names), convert) for image in content["images"]]


def _photo(image: dict, annotations: list[dict], folder: Path, joints: int, convert) -> Photo:
    labelled = [entry for entry in annotations if _usable(entry)]
    ignored = [entry for entry in annotations if not _usable(entry)]
    raw = np.array([entry["keypoints"] for entry in labelled], np.float32).reshape(-1, joints, 3)
    keypoints, scores = convert(raw[..., :2], (raw[..., 2] > 0).astype(np.float32))
    boxes = _boxes(labelled)
    areas = [entry.get("area") or float(np.prod(box[2:] - box[:2])) for entry, box in zip(labelled, boxes)]
    return Photo(
        folder / image["file_name"],
        (image["width"], image["height"]),
        keypoints,
        scores > 0,
        boxes,
        np.array(areas, np.float32),
        _boxes(ignored),
    )


def _usable(annotation: dict) -> bool:
    return not annotation.get("iscrowd") and not annotation.get("ignore") and any(annotation.get("keypoints", ())[2::3])


def _boxes(annotations: list[dict]) -> np.ndarray:
    """COCO's x, y, width, height -> (N, 4) corners."""
    boxes = np.array([entry["bbox"] for entry in annotations], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def _merge(first: Photo, other: Photo) -> Photo:
    """`first` with what only `other` says."""
    keypoints, labelled = first.keypoints_px.copy(), first.labelled.copy()
    new = []
    for row in range(other.people):
        match = _same_person(first, other, row)
        if match is None:
            new.append(row)
            continue
        lacking = other.labelled[row] & ~labelled[match]
        keypoints[match, lacking] = other.keypoints_px[row, lacking]
        labelled[match] |= lacking
    return replace(
        first,
        keypoints_px=np.concatenate((keypoints, other.keypoints_px[new])),
        labelled=np.concatenate((labelled, other.labelled[new])),
        boxes_xyxy=np.concatenate((first.boxes_xyxy, other.boxes_xyxy[new])),
        areas_px2=np.concatenate((first.areas_px2, other.areas_px2[new])),
        ignore_xyxy=np.concatenate((first.ignore_xyxy, other.ignore_xyxy)),
    )


def _same_person(photo: Photo, other: Photo, row: int) -> int | None:
    """Row in `photo` of the person that `other` has in `row`, or None."""
    common = photo.labelled & other.labelled[row]
    distance = np.linalg.norm(photo.keypoints_px - other.keypoints_px[row], axis=-1)
    mean = np.where(common, distance, 0).sum(1) / np.maximum(common.sum(1), 1)
    extent = np.maximum((photo.boxes_xyxy[:, 2:] - photo.boxes_xyxy[:, :2]).max(1, initial=1), 1)
    relative = np.where(common.any(1), mean / extent, np.inf)
    best = int(relative.argmin()) if len(relative) else 0
    return best if len(relative) and relative[best] < _SAME_PERSON else None
