"""Are two detected skeletons the same person? Object keypoint similarity, and the suppression of duplicates by it."""

from __future__ import annotations

import numpy as np

# Spread of each joint's annotation relative to the size of the person (COCO keypoint evaluation, https://cocodataset.org).
_COCO_SIGMA = {
    "nose": 0.026,
    "eye": 0.025,
    "ear": 0.035,
    "shoulder": 0.079,
    "elbow": 0.072,
    "wrist": 0.062,
    "hip": 0.107,
    "knee": 0.087,
    "ankle": 0.089,
    "neck": 0.079,
}  # not COCO's: the middle of the shoulders, and taken to be as uncertain as they are


def coco_sigmas(joints: tuple[str, ...]) -> np.ndarray:
    """(V,) float32 spread of each joint of a layout made of COCO joints. Raises KeyError for another joint."""
    return np.array([_COCO_SIGMA[joint.split("_")[-1]] for joint in joints], np.float32)


def oks(
    keypoints_px: np.ndarray, reference_px: np.ndarray, counts: np.ndarray, area_px2: np.ndarray | float, sigmas: np.ndarray
) -> np.ndarray:
    """Object keypoint similarity of skeletons to references, in [0, 1]; `...` are any shapes that broadcast.

    OKS = mean over counted joints of exp(-d^2 / (2 area (2 sigma)^2)).

    :param keypoints_px: (..., V, 2)
    :param reference_px: (..., V, 2)
    :param counts: (..., V) bool, the joints to compare; with none the similarity is 0
    :param area_px2: (...), area of the reference person in square pixels
    :returns: (...) float32
    """
    squared = ((keypoints_px - reference_px) ** 2).sum(-1)
    spread = 2 * np.maximum(area_px2, 1.0)[..., None] * (2 * sigmas) ** 2
    similarity = np.exp(-squared / spread) * counts
    return (similarity.sum(-1) / np.maximum(np.broadcast_to(counts, squared.shape).sum(-1), 1)).astype(np.float32)


def keep_distinct(
    keypoints_px: np.ndarray,
    scores: np.ndarray,
    boxes_xyxy: np.ndarray,
    person_scores: np.ndarray,
    sigmas: np.ndarray,
    same_above_oks: float,
    joint_score: float,
) -> np.ndarray:
    """Rows to keep, best person first: greedy suppression of skeletons too similar to a better one.

    Two skeletons are compared at the joints that both see with at least `joint_score`; the area is the better one's box.

    :param keypoints_px: (N, V, 2); scores (N, V); boxes_xyxy (N, 4); person_scores (N,)
    :returns: (K,) int64
    """
    areas = np.prod(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], axis=1)
    seen = scores >= joint_score
    similar = oks(keypoints_px, keypoints_px[:, None], seen & seen[:, None], areas[:, None], sigmas)  # [better, other]
    same = (similar >= same_above_oks).tolist()
    kept: list[int] = []
    for row in np.argsort(-person_scores, kind="stable").tolist():
        if not any(same[better][row] for better in kept):
            kept.append(row)
    return np.array(kept, dtype=np.int64)
