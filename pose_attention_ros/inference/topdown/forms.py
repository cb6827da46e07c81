"""What networks for one person answer, and where the joints are in it: fractions of the input, and a certainty each.

A form is a function of the outputs in the order in which the model's file names them, and of the input's (width, height).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Joints = tuple[np.ndarray, np.ndarray]  # (N, V, 2) x, y in [0, 1]; (N, V)
_NEAR = 1.8  # cells; MoveNet's own softening of distances


def simcc(outputs: Sequence[np.ndarray], size: tuple[int, int]) -> Joints:
    """Two outputs (N, V, bins) along x and y (Li et al., SimCC, 2022): RTMPose and its kin. The bins fill the input."""
    along_x, along_y = outputs
    places = np.stack([(axis.argmax(-1) + 0.5) / axis.shape[-1] for axis in (along_x, along_y)], -1)
    return places.astype(np.float32), np.minimum(along_x.max(-1), along_y.max(-1))


def heat_maps(outputs: Sequence[np.ndarray], size: tuple[int, int]) -> Joints:
    """One output (N, V, h, w), a map a joint: HRNet, TinyPose and their kin. A quarter of a cell towards the higher
    neighbour."""
    (maps,) = outputs
    count, joints, height, width = maps.shape
    flat = maps.reshape(count, joints, -1)
    best = flat.argmax(-1)
    rows, columns = np.divmod(best, width)
    person, joint = np.indices((count, joints))

    def lean(before: np.ndarray, after: np.ndarray) -> np.ndarray:
        return 0.25 * np.sign(after - before)

    x = (
        columns
        + 0.5
        + lean(
            maps[person, joint, rows, np.maximum(columns - 1, 0)],
            maps[person, joint, rows, np.minimum(columns + 1, width - 1)],
        )
    )
    y = (
        rows
        + 0.5
        + lean(
            maps[person, joint, np.maximum(rows - 1, 0), columns],
            maps[person, joint, np.minimum(rows + 1, height - 1), columns],
        )
    )
    return np.stack([x / width, y / height], -1).astype(np.float32), flat.max(-1)


def movenet(outputs: Sequence[np.ndarray], size: tuple[int, int]) -> Joints:
    """Four outputs (N, C, h, w) of MoveNet Lightning and Thunder: centre, heat, joint_offset (y, x of each joint) and
    regression. The person is the centre that is likeliest and nearest to the middle; a joint lies where heat over distance
    from the person's prediction is highest."""
    centre, heat, offset, regression = outputs
    count, joints, height, width = heat.shape
    ys, xs = np.mgrid[:height, :width].astype(np.float32)
    likely = centre[:, 0] / (np.hypot(ys - height // 2, xs - width // 2) + _NEAR)
    rows, columns = np.divmod(likely.reshape(count, -1).argmax(1), width)
    person = np.arange(count)
    cells = np.stack([rows, columns], 1).astype(np.float32)
    predicted = cells[:, None] + regression[person, :, rows, columns].reshape(count, joints, 2)
    away = np.hypot(ys - predicted[..., 0, None, None], xs - predicted[..., 1, None, None])
    best = (heat / (away + _NEAR)).reshape(count, joints, -1).argmax(-1)
    rows, columns = np.divmod(best, width)
    person, joint = np.indices((count, joints))
    y = rows + offset[person, 2 * joint, rows, columns]
    x = columns + offset[person, 2 * joint + 1, rows, columns]
    return np.stack([x / width, y / height], -1).astype(np.float32), heat[person, joint, rows, columns]


FORMS: dict[str, tuple[Callable[[Sequence[np.ndarray], tuple[int, int]], Joints], int]] = {  # and how many outputs it reads
    "simcc": (simcc, 2),
    "heat_maps": (heat_maps, 1),
    "movenet": (movenet, 4),
}
