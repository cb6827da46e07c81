"""From the maps of MoveNet MultiPose's heads to people; the graph's own last part, without its limit of six people.

A cell is a square of 4 pixels of the input. A person is a local maximum of the centre map. Each joint is looked for in the
joint's heat map inside the person's box, near the place that the centre predicts for it: with g the heat and d the distance
from the prediction in cells, the joint lies where g exp(-d^2 / (0.3 min(h, w))) is highest, plus the offset given there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

# Output of the network -> channels; what each says is told at `decode`.
HEADS = {"centre": 1, "size": 2, "offset": 2, "heat": 17, "joint_offset": 34, "regression": 34}
MOST_PEOPLE = 100  # centres looked at; far more than can be told apart, and a bound on the time
_JOINTS = 17
_PUBLISHED_PEOPLE = 6  # that the published graph looks at, wanted or not
_NEIGHBOURS = 5  # a centre is the highest of so many cells along each side
_SPREAD = 0.3  # of the prediction's reach, see above
_COUNTED_JOINT_SCORE = 0.127  # joints above it make the person's score


@dataclass(frozen=True)
class RawPeople:
    """N people in fractions of the input, x before y, the most certain centre first.

    :param keypoints: (N, 17, 2) float32
    :param scores: (N, 17) float32
    :param boxes: (N, 2, 2) float32, two corners
    :param person_scores: (N,) float32, the centre's score times the mean of the joints that are seen
    """

    keypoints: np.ndarray
    scores: np.ndarray
    boxes: np.ndarray
    person_scores: np.ndarray


def decode(maps: Mapping[str, np.ndarray], least_score: float = 0.0, most_people: int = MOST_PEOPLE) -> RawPeople:
    """The people of one image.

    :param maps: name -> (h, w, C). centre: how certain it is that a person is centred there; size: height and width of the
        person's box in cells; offset: y, x of its centre from the cell; heat: of each joint; joint_offset: y, x of each
        joint from the cell; regression: y, x of each joint from the person's cell, in cells
    :param least_score: nobody with less certainty is wanted; a person is never more certain than the centre
    """
    rows, columns, certain = _centres(maps["centre"][..., 0], least_score, most_people)
    height, width = maps["centre"].shape[:2]
    limits = np.array([height, width], np.float32)
    cells = np.stack([rows, columns], 1).astype(np.float32)
    middle, half = cells + maps["offset"][rows, columns], np.maximum(maps["size"][rows, columns], 0) / 2
    corners = np.stack([np.clip(middle - half, 0, limits), np.clip(middle + half, 0, limits)], 1)
    predicted = cells[:, None] + maps["regression"][rows, columns].reshape(-1, _JOINTS, 2)
    whole = np.isfinite(predicted).all((1, 2)) & np.isfinite(corners).all((1, 2))
    corners, predicted, certain = corners[whole], predicted[whole], certain[whole]
    count = int((certain >= least_score).sum())  # of the people; the others only take part in the scores
    slope = np.float32(-1 / (_SPREAD * min(height, width)))
    places = np.array(
        [_places(maps["heat"], predicted[row], corners[row], slope) for row in range(count)], np.int64
    ).reshape(-1, _JOINTS, 2)
    scores = _scores(maps["heat"], places, predicted, corners, slope)
    channels = 2 * np.arange(_JOINTS)[:, None] + (0, 1)
    joints = places + maps["joint_offset"][places[..., 0, None], places[..., 1, None], channels]
    counted = scores > _COUNTED_JOINT_SCORE
    mean = np.where(counted, scores, 0).sum(1) / np.maximum(counted.sum(1), 1)
    return RawPeople((joints / limits)[..., ::-1], scores, (corners[:count] / limits)[..., ::-1], certain[:count] * mean)


def _centres(centre: np.ndarray, least_score: float, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and scores of the local maxima, the highest first: those that are wanted, and of the others as many as
    make the published graph's number."""
    import cv2

    # A network that breaks down gives NaN, which is above nothing.
    highest = cv2.dilate(np.ascontiguousarray(centre), np.ones((_NEIGHBOURS, _NEIGHBOURS), np.uint8))
    with np.errstate(invalid="ignore"):
        peaks = np.flatnonzero((np.abs(centre - highest) < 1e-6) & (centre > 0))
    values = centre.reshape(-1)[peaks]
    count = min(most, max(_PUBLISHED_PEOPLE, int((values >= least_score).sum())))
    order = np.argsort(-values, kind="stable")[:count]
    rows, columns = np.divmod(peaks[order], centre.shape[1])
    return rows, columns, values[order]


def _places(heat: np.ndarray, predicted: np.ndarray, box: np.ndarray, slope: np.float32) -> np.ndarray:
    """One person's cells (17, 2) y, x of the joints.

    :param predicted: (17, 2) y, x in cells; :param box: (2, 2) two corners y, x in cells
    :param slope: a prediction at distance d weighs exp(slope d^2)
    """
    (top, left), (bottom, right) = np.ceil(box).astype(np.int64)
    if top >= bottom or left >= right:
        return np.zeros((_JOINTS, 2), np.int64)
    # exp(y^2 + x^2) is a product, so that a person costs h + w of them and not h * w.
    of_row, of_column = (
        np.exp(slope * (np.arange(low, high, dtype=np.float32)[:, None] - predicted[:, axis]) ** 2)
        for axis, (low, high) in enumerate(((top, bottom), (left, right)))
    )
    near = heat[top:bottom, left:right] * of_row[:, None] * of_column
    rows, columns = np.divmod(near.reshape(-1, _JOINTS).argmax(0), right - left)
    return np.stack([rows + top, columns + left], 1)


def _scores(
    heat: np.ndarray, places: np.ndarray, predicted: np.ndarray, corners: np.ndarray, slope: np.float32
) -> np.ndarray:
    """(N, 17) certainty of the joints at `places` (N, 17, 2): the heat there, weighted for whoever of the (M, 17, 2)
    `predicted` and their boxes (M, 2, 2) it fits best, as in the published graph."""
    squared = ((places[:, None] - predicted) ** 2).sum(-1)  # (N, M, 17)
    inside = ((places[:, None] >= corners[:, None, 0]) & (places[:, None] < corners[:, None, 1])).all(-1)
    weight = np.where(inside, np.exp(slope * squared), 0).max(1, initial=0)
    return (heat[places[..., 0], places[..., 1], np.arange(_JOINTS)] * weight).astype(np.float32)
