"""How well people's joints are found: COCO's average precision over object keypoint similarity (OKS), by pycocotools.

The joints are COCO's seventeen; skeletons of another layout are mapped by name. Detections are ranked by the person's
certainty.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.body.layouts import LAYOUTS, layout_map
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.types import Skeletons
from pose_attention_ros.data.pose_images import Photo

LAYOUT = LAYOUTS["coco17"]


@dataclass(frozen=True)
class KeypointScore:
    """ap: mean over OKS 0.50, 0.55 ... 0.95, in [0, 1] as are ap50 and ap75; ar: mean recall over the same thresholds."""

    ap: float
    ap50: float
    ap75: float
    ar: float
    photos: int
    people: int
    found: int


def score_keypoints(photos: Sequence[Photo], found: Sequence[Skeletons]) -> KeypointScore:
    """AP of the people `found` in each of `photos`, which are labelled in the coco17 layout. Raises UserError."""
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError:
        raise UserError("scoring poses needs pycocotools: pip install 'pose_attention_ros[train]'") from None
    truth, answers = COCO(), [entry for number, people in enumerate(found, 1) for entry in _detections(number, people)]
    truth.dataset = {
        "info": {},
        "images": [{"id": number} for number in range(1, len(photos) + 1)],
        "categories": [{"id": 1, "name": "person", "keypoints": list(LAYOUT.joints)}],
        "annotations": _annotations(photos),
    }
    people = sum(photo.people for photo in photos)
    if not answers or not people:
        return KeypointScore(0.0, 0.0, 0.0, 0.0, len(photos), people, len(answers))
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(answers), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    ap, ap50, ap75, _, _, ar = (float(value) for value in evaluation.stats[:6])
    return KeypointScore(ap, ap50, ap75, ar, len(photos), people, len(answers))


def _annotations(photos: Sequence[Photo]) -> list[dict]:
    """People as COCO has them; regions to ignore as crowds, which no detection is counted against."""
    entries: list[dict] = []
    for number, photo in enumerate(photos, 1):
        flags = photo.labelled.astype(np.float32)[..., None] * 2
        joints = np.concatenate((np.where(flags > 0, photo.keypoints_px, 0), flags), -1)
        for row, area, box in zip(joints, photo.areas_px2, photo.boxes_xyxy):
            entries.append(_entry(number, box, float(area), row, crowd=0))
        for box in photo.ignore_xyxy:
            area = float(np.prod(box[2:] - box[:2]))
            entries.append(_entry(number, box, area, np.zeros((len(LAYOUT.joints), 3)), crowd=1))
    return [{"id": number, **entry} for number, entry in enumerate(entries, 1)]


def _entry(image: int, box_xyxy: np.ndarray, area: float, joints: np.ndarray, crowd: int) -> dict:
    left, top, right, bottom = (float(side) for side in box_xyxy)
    return {
        "image_id": image,
        "category_id": 1,
        "iscrowd": crowd,
        "area": area,
        "bbox": [left, top, right - left, bottom - top],
        "num_keypoints": int((joints[:, 2] > 0).sum()),
        "keypoints": joints.reshape(-1).tolist(),
    }


def _detections(image: int, people: Skeletons) -> list[dict]:
    keypoints, scores = people.keypoints_px, people.scores
    if people.layout.name != LAYOUT.name:
        keypoints, scores = layout_map(people.layout.name, LAYOUT.name)(keypoints, scores)
    joints = np.concatenate((keypoints, scores[..., None]), -1).astype(float)
    return [
        {"image_id": image, "category_id": 1, "keypoints": row.reshape(-1).tolist(), "score": float(score)}
        for row, score in zip(joints, people.person_scores)
    ]
