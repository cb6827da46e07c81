"""People placed before a camera: simulated bodies are found where they stand."""

from __future__ import annotations

import numpy as np
import pytest

from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.graph_stage import GraphConfig, GraphStage
from pose_attention_ros.core.people.placing import Pinhole, place, quaternion
from pose_attention_ros.core.types import SkeletonGraphs, Skeletons

COCO = layout("coco17")
HEIGHT_M = 1.7
CAMERA = Pinhole((500.0, 520.0), (320.0, 240.0), (640, 480))
# Metres from the middle of the hips of somebody 1.7 m tall: left (of the body), up.
# fmt: off
SIDE = {"shoulder": (0.22, 0.49), "elbow": (0.24, 0.174), "wrist": (0.26, -0.074), "hip": (0.1, 0.0), "knee": (0.1, -0.4165),
        "ankle": (0.1, -0.8347), "eye": (0.03, 0.72), "ear": (0.07, 0.70)}
# fmt: on


def body(
    root: tuple[float, float, float], forward: int = -1, lies: bool = False, unseen: tuple[str, ...] = (), image: float = 1.0
) -> SkeletonGraphs:
    """Somebody whose hips are at `root` (right, down, forward; metres), facing the camera (-1) or away (1)."""
    places = {
        "nose": (0.0, 0.70),
        **{
            f"{side}_{name}": (sign * left, up)
            for name, (left, up) in SIDE.items()
            for side, sign in (("left", 1), ("right", -1))
        },
    }
    points, scores = np.zeros((17, 2)), np.zeros(17)
    for row, name in enumerate(COCO.joints):
        left, up = places[name]
        across, down = -forward * left, -up
        across, down = (down, across) if lies else (across, down)
        x, y, z = root[0] + across, root[1] + down, root[2]
        points[row] = x / z * CAMERA.focal_px[0] + CAMERA.centre_px[0], y / z * CAMERA.focal_px[1] + CAMERA.centre_px[1]
        scores[row] = 0.0 if any(part in name for part in unseen) else 1.0
    points, size = points * image, (round(640 * image), round(480 * image))
    stage = GraphStage(GraphConfig(confirm_s=0.0))
    for number in range(10):
        seen = Skeletons(
            10**9 + number * 10**8,
            "camera",
            COCO,
            size,
            points[None],
            scores[None],
            np.array([[*points.min(0), *points.max(0)]]),
            np.ones(1),
        )
        graphs = stage(seen)
    return graphs


@pytest.mark.parametrize("forward", [-1, 1])
@pytest.mark.parametrize("image", [1.0, 0.5])
@pytest.mark.parametrize("root", [(0.0, 0.0, 3.0), (0.8, 0.2, 4.0), (-0.5, 0.1, 2.5)])
def test_a_person_stands_where_he_stands(root: tuple[float, float, float], image: float, forward: int) -> None:
    found = place(body(root, forward, image=image), 0, CAMERA, HEIGHT_M)
    assert found.body == pytest.approx(root, rel=0.03, abs=0.02)
    assert found.head[:2] == pytest.approx((root[0], root[1] - 0.70), abs=0.06)
    assert found.axes[:, 0] == pytest.approx((0, 0, forward)) and found.axes[:, 2] == pytest.approx((0, -1, 0), abs=0.02)
    assert found.axes @ found.axes.T == pytest.approx(np.eye(3)) and np.linalg.det(found.axes) == pytest.approx(1)


def test_somebody_twice_as_tall_is_twice_as_far() -> None:
    graphs = body((0.3, 0.1, 3.0))
    assert place(graphs, 0, CAMERA, 2 * HEIGHT_M).body == pytest.approx(2 * place(graphs, 0, CAMERA, HEIGHT_M).body)


def test_somebody_who_lies_points_to_the_head() -> None:
    assert place(body((0.0, 0.3, 4.0), lies=True), 0, CAMERA, HEIGHT_M).axes[:, 2] == pytest.approx((-1, 0, 0), abs=0.02)


def test_half_a_body_is_placed_by_its_shoulders() -> None:
    found = place(body((0.2, 0.1, 2.0), unseen=("hip", "knee", "ankle")), 0, CAMERA, HEIGHT_M)
    assert found.body == pytest.approx((0.2, 0.1, 2.0), abs=0.06)


def test_a_foreshortened_body_is_no_farther() -> None:
    """Somebody turned aside shows narrow shoulders; arms and trunk keep the distance."""
    graphs = body((0.0, 0.0, 3.0))
    narrow = graphs.nodes.copy()
    narrow[..., 0] *= 0.2
    turned = SkeletonGraphs(**{**{name: getattr(graphs, name) for name in graphs.__dataclass_fields__}, "nodes": narrow})
    assert place(turned, 0, CAMERA, HEIGHT_M).body[2] == pytest.approx(3.0, rel=0.03)


@pytest.mark.parametrize("unseen", [tuple(SIDE), ("shoulder", "hip"), ("elbow", "wrist", "knee", "ankle", "hip")])
def test_too_little_of_a_body_is_placed_nowhere(unseen: tuple[str, ...]) -> None:
    graphs = body((0.0, 0.0, 3.0), unseen=unseen)
    assert not len(graphs) or place(graphs, 0, CAMERA, HEIGHT_M) is None


@pytest.mark.parametrize("matrix", [[0.0] * 9, [], [500.0] * 8, [float("nan")] * 9])
def test_what_is_no_calibration(matrix: list[float]) -> None:
    assert Pinhole.of(matrix, (640, 480)) is None


def test_a_calibration() -> None:
    assert Pinhole.of([500, 0, 320, 0, 520, 240, 0, 0, 1], (640, 480)) == CAMERA


def test_quaternions() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        axes, _ = np.linalg.qr(random.normal(size=(3, 3)))
        axes *= np.sign(np.linalg.det(axes))
        x, y, z, w = quaternion(axes)
        # fmt: off
        back = np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                         [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                         [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]])
        # fmt: on
        assert back == pytest.approx(axes)
