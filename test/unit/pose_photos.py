"""Small photos with labelled people, drawn for tests: coloured stick figures on noise, in COCO's files."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from pose_attention_ros.core.body.layouts import LAYOUTS

COCO = LAYOUTS["coco17"]
# A standing person, x and y from 0 to 1 inside the box; left is the person's own, so at larger x.
# fmt: off
_STANDING = {"nose": (0.5, 0.1), "eye": (0.56, 0.07), "ear": (0.62, 0.09), "shoulder": (0.68, 0.22), "elbow": (0.8, 0.38),
             "wrist": (0.85, 0.52), "hip": (0.62, 0.52), "knee": (0.64, 0.74), "ankle": (0.65, 0.96)}
# fmt: on


def standing(left: float, top: float, width: float, height: float) -> np.ndarray:
    """(17, 3) x, y, visibility 2 of a person in that box."""
    rows = []
    for joint in COCO.joints:
        x, y = _STANDING[joint.split("_")[-1]]
        rows.append((left + width * (1 - x if joint.startswith("right_") else x), top + height * y, 2))
    return np.array(rows, np.float32)


def draw(size: tuple[int, int], people: list[np.ndarray], seed: int = 0) -> np.ndarray:
    """(H, W, 3) uint8: each limb a line in its own colour."""
    image = np.random.default_rng(seed).integers(0, 60, (size[1], size[0], 3)).astype(np.uint8)
    for person in people:
        for number, (a, b) in enumerate(COCO.limb_indices):
            if person[a, 2] and person[b, 2]:
                colour = (60 + 12 * number, 255 - 12 * number, 120 + 7 * number)
                cv2.line(image, *(tuple(map(int, person[row, :2])) for row in (a, b)), colour, 3)
    return image


def write_photos(folder: Path, count: int, *, size: tuple[int, int] = (96, 64), people: int = 1) -> Path:
    """`count` photos in folder/images and folder/annotations.json; returns the latter."""
    rng = np.random.default_rng(count)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for number in range(1, count + 1):
        crowd = [standing(rng.uniform(2, 20) + 40 * k, rng.uniform(2, 8), 24, rng.uniform(44, 52)) for k in range(people)]
        name = f"photo{number:03d}.png"
        cv2.imwrite(str(folder / "images" / name), draw(size, crowd, number))
        images.append({"id": number, "file_name": name, "width": size[0], "height": size[1]})
        annotations += [annotation(len(annotations) + k, number, person) for k, person in enumerate(crowd, 1)]
    return write_labels(folder / "annotations.json", images, annotations)


def annotation(number: int, image: int, person: np.ndarray, **more) -> dict:
    """One entry of COCO's annotations."""
    seen = person[person[:, 2] > 0, :2]
    low, high = (seen.min(0), seen.max(0)) if len(seen) else (np.zeros(2), np.ones(2))
    box = [*map(float, low), *map(float, high - low)]
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "iscrowd": 0,
        "bbox": box,
        "area": box[2] * box[3],
        "num_keypoints": len(seen),
        "keypoints": person.reshape(-1).tolist(),
        **more,
    }


def write_labels(path: Path, images: list[dict], annotations: list[dict]) -> Path:
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO.joints)}],
    }
    path.write_text(json.dumps(content))
    return path
