"""A folder of labelled photos as the pose benchmarks read it.

DIR holds images/ and, for each part that is asked for, labels in COCO's keypoint format and a list of file names: test
annotations_human.json and test_human.txt (made by people); validation annotations.json and val.txt, without what is in
test_human.txt. train.txt names the photos that int8 is calibrated on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.pose_images import Photo, read_names, read_photos
from pose_attention_ros.evaluation.keypoints import LAYOUT

IMAGES, TRAIN_LIST, TEST_LIST = "images", "train.txt", "test_human.txt"
PARTS = {"test": ("annotations_human.json", TEST_LIST), "validation": ("annotations.json", "val.txt")}


def labelled_photos(folder: Path, part: str, most: int = 0) -> list[Photo]:
    """The photos of one of PARTS, by file name; of more than `most` (0: no limit) so many, evenly picked.
    Raises UserError."""
    annotations, names = PARTS[part]
    never = read_names(folder / TEST_LIST) if part != "test" and (folder / TEST_LIST).is_file() else ()
    photos = read_photos([folder / annotations], folder / IMAGES, LAYOUT, only=read_names(folder / names), without=never)
    if not 0 < most < len(photos):
        return photos
    return [photos[i] for i in np.linspace(0, len(photos) - 1, most).round().astype(int)]


def training_images(folder: Path, most: int, input_size: int) -> list[np.ndarray]:
    """Up to `most` training photos, evenly picked, as `pose_int8.quantise` wants them. Raises UserError."""
    from pose_attention_ros.models.pose_int8 import fitted

    names = sorted(read_names(folder / TRAIN_LIST))
    picked = [names[int(i * max(1, len(names) / most))] for i in range(min(most, len(names)))]
    images = [fitted(folder / IMAGES / name, input_size) for name in picked]
    if not images or any(image is None for image in images):
        raise UserError(f"{folder / TRAIN_LIST} names photos that {folder / IMAGES} lacks, or none")
    return images
