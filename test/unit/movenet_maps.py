"""Maps of MoveNet's heads that say what a table of people says: the decoding, backwards."""

from __future__ import annotations

import numpy as np
from pixel_helpers import into_input

from pose_attention_ros.inference.letterbox import Letterbox

CELL = 4


def maps_of(people: list[tuple[np.ndarray, float]], box: Letterbox, joint_score: float = 0.7) -> dict[str, np.ndarray]:
    """people: (joints (17, 2) in pixels of the image, score of the person); the boxes end a cell beyond the joints."""
    width, height = (side // CELL for side in box.input_size)
    maps = {
        name: np.zeros((height, width, count), np.float32)
        for name, count in {"centre": 1, "size": 2, "offset": 2, "heat": 17, "joint_offset": 34, "regression": 34}.items()
    }
    for points_px, score in people:
        cells = into_input(box, points_px)[:, ::-1] * (height, width)  # y, x
        low, high = cells.min(0) - 1, cells.max(0) + 1
        middle = np.clip(np.nan_to_num((low + high) / 2).astype(int), 0, (height - 1, width - 1))
        here = tuple(middle)
        maps["centre"][here] = score / joint_score
        maps["size"][here], maps["offset"][here] = high - low, (low + high) / 2 - middle
        maps["regression"][here] = (cells - middle).reshape(-1)
        for joint, place in enumerate(cells):
            row, column = np.clip(np.nan_to_num(place).astype(int), 0, (height - 1, width - 1))
            # As high as it must be for the prediction's weight to leave joint_score.
            weight = np.exp(-np.square(np.subtract((row, column), place)).sum() / (0.3 * min(height, width)))
            maps["heat"][row, column, joint] = joint_score / weight
            maps["joint_offset"][row, column, 2 * joint : 2 * joint + 2] = place - (row, column)
    return maps
