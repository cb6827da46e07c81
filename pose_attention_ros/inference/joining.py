"""What two looks at one image have found, as one answer."""

from __future__ import annotations

import dataclasses

import numpy as np

from pose_attention_ros.core.types import Skeletons

_SAME_PERSON = 0.2  # heights; two skeletons whose joints lie this near on average are one person
_WITHIN, _ALIKE = 0.8, 0.3  # so are two this near of whom one has so much of its box in the other's: somebody cut off


def chosen(people: Skeletons, rows: np.ndarray) -> Skeletons:
    """Those in `rows` of the people."""
    return dataclasses.replace(
        people,
        keypoints_px=people.keypoints_px[rows],
        scores=people.scores[rows],
        boxes_xyxy=people.boxes_xyxy[rows],
        person_scores=people.person_scores[rows],
    )


def joined(found: Skeletons, more: Skeletons) -> Skeletons:
    """Both, the most certain first, without those of the less certain who are somebody else's joints again. The found are
    not compared with one another, and one of the others takes the place of the nearest of them at most."""
    keypoints, scores, boxes, sure = (
        np.concatenate([getattr(found, name), getattr(more, name)])
        for name in ("keypoints_px", "scores", "boxes_xyxy", "person_scores")
    )
    apart = np.linalg.norm(keypoints[:, None] - keypoints, axis=-1).mean(-1)
    apart /= np.maximum(boxes[:, 3] - boxes[:, 1], 1)[:, None]
    same = (apart < _SAME_PERSON) | (apart < _ALIKE) & (_within(boxes) > _WITHIN)
    first = np.arange(len(sure)) < len(found)
    same &= ~(first[:, None] & first)  # [one kept, one who is the same]
    nearest = np.where(first, apart, np.inf).argmin(1) if len(found) else np.zeros(len(sure), int)
    same &= first[:, None] | ~first | (np.arange(len(sure)) == nearest[:, None])
    rows: list[int] = []
    for row in np.argsort(-sure, kind="stable").tolist():
        if not same[rows, row].any():
            rows.append(row)
    return dataclasses.replace(
        found, keypoints_px=keypoints[rows], scores=scores[rows], boxes_xyxy=boxes[rows], person_scores=sure[rows]
    )


def _within(boxes_xyxy: np.ndarray) -> np.ndarray:
    """(N, N) what two boxes have in common, as a share of the smaller one."""
    low, high = (
        np.maximum(boxes_xyxy[:, None, :2], boxes_xyxy[:, :2]),
        np.minimum(boxes_xyxy[:, None, 2:], boxes_xyxy[:, 2:]),
    )
    areas = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(1)
    return np.clip(high - low, 0, None).prod(-1) / np.maximum(np.minimum(areas[:, None], areas), 1e-6)
