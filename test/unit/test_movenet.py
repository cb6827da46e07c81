"""MoveNet: what its network says becomes people in pixels; settings and missing parts give one clear line."""

from __future__ import annotations

import numpy as np
import pytest
from movenet_maps import CELL, maps_of

from pose_attention_ros.core.errors import ModelError, UserError
from pose_attention_ros.core.types import Frame
from pose_attention_ros.inference import litert, weights
from pose_attention_ros.inference.letterbox import Letterbox
from pose_attention_ros.inference.movenet import MoveNet
from pose_attention_ros.inference.pose import ESTIMATORS, PoseConfig, create_pose_estimator

SIZE = (1920, 1080)


class TableNetwork:
    """Answers with a table of people given in pixels, in the form of MoveNet's heads; keeps what it was shown."""

    backend = "table"
    resizable = True

    def __init__(self, people_px: list[tuple[np.ndarray, float]], input_size: int) -> None:
        self._maps = maps_of(people_px, Letterbox.fit(SIZE, input_size))
        self.closed = False

    def view(self, size: tuple[int, int]) -> TableNetwork:
        self.size = size
        return self

    def write(self, image_bgr: np.ndarray, letterbox: Letterbox) -> None:
        self.image, self.letterbox = image_bgr, letterbox

    def __call__(self) -> dict[str, np.ndarray]:
        return self._maps

    def close(self) -> None:
        self.closed = True


def person_at(x: float, y: float) -> np.ndarray:
    return np.random.default_rng(1).uniform((0, 0), (150, 400), (17, 2)) + (x, y)


def estimate(people, **settings):
    config = PoseConfig(**settings)
    network = TableNetwork(people, config.input_size)
    frame = Frame(np.zeros((SIZE[1], SIZE[0], 3), np.uint8), 42, "eye")
    return MoveNet(network, config)(frame)


def test_people_come_back_in_pixels_of_the_image_best_first():
    weak, strong = person_at(200, 300), person_at(1200.5, 500.25)
    found = estimate([(weak, 0.4), (strong, 0.8)])
    assert (found.stamp_ns, found.frame_id, found.image_size, found.layout.name) == (42, "eye", SIZE, "coco17")
    np.testing.assert_allclose(found.person_scores, [0.8, 0.4], rtol=1e-4)
    np.testing.assert_allclose(found.keypoints_px, [strong, weak], atol=0.02)
    cell_px = CELL * SIZE[0] / PoseConfig().input_size
    np.testing.assert_allclose(found.boxes_xyxy[0], [*strong.min(0) - cell_px, *strong.max(0) + cell_px], atol=0.02)


def test_weak_people_and_duplicates_are_left_out():
    found = estimate([(person_at(200, 300), 0.4), (person_at(230, 302), 0.6), (person_at(900, 300), 0.1)])
    np.testing.assert_allclose(found.person_scores, [0.6], rtol=1e-4)


def test_there_is_no_limit_of_people():
    """Twenty in four rows, which are more than the six that the published graph gives."""
    small = (person_at(0, 0) * 0.5).astype(np.float32)
    table = [
        (small + (150 + 350 * column, 40 + 260 * row), 0.2 + 0.02 * (5 * row + column))
        for row in range(4)
        for column in range(5)
    ]
    found = estimate(table, input_size=640)
    assert len(found) == 20
    np.testing.assert_allclose(found.keypoints_px[::-1], [points for points, _ in table], atol=0.02)


def test_boxes_stay_inside_the_image():
    found = estimate([(person_at(1850, 900), 0.8)])
    assert found.boxes_xyxy[0, 2:].tolist() == list(SIZE)


def test_nobody_and_nan_give_an_empty_record():
    assert len(estimate([])) == 0
    assert len(estimate([(np.full((17, 2), np.nan), 0.9)])) == 0


def test_closing_frees_the_network():
    network = TableNetwork([], 320)
    estimator = MoveNet(network, PoseConfig(input_size=320))
    estimator(Frame(np.zeros((SIZE[1], SIZE[0], 3), np.uint8), 0))
    assert network.size == (320, 192)
    estimator.close()
    assert network.closed


@pytest.mark.usefixtures("with_litert")
def test_the_input_follows_the_size_of_the_image(movenet_weights):
    estimator = create_pose_estimator(PoseConfig(input_size=128))
    rng = np.random.default_rng(0)
    frames = {size: Frame(rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8), 0) for size in ((64, 64), (200, 100))}
    for size in ((64, 64), (200, 100), (64, 64)):
        assert estimator(frames[size]).image_size == size


@pytest.mark.parametrize(
    "settings,expected",
    [
        ({"input_size": 300}, "input_size is 300, expected a multiple of 32 px, for example 288"),
        ({"input_size": 5000}, "input_size is 5000, expected 64 to 1280 px"),
        ({"estimator": "nope"}, "estimator is 'nope', expected one of 'movenet'"),
        ({"threads": 0}, "threads is 0, expected 1 to 64"),
    ],
)
def test_wrong_settings(settings, expected):
    with pytest.raises(UserError, match=f"^{expected}"):
        PoseConfig(**settings)


def test_missing_weights_are_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path))
    with pytest.raises(ModelError, match="run: pose-attention models fetch"):
        create_pose_estimator(PoseConfig())


def test_missing_runtime_is_one_line(movenet_weights, monkeypatch):
    monkeypatch.setattr(litert, "_RUNTIMES", ("no_such_runtime",))
    with pytest.raises(ModelError, match="pip install ai-edge-litert"):
        create_pose_estimator(PoseConfig())


@pytest.mark.usefixtures("with_litert")
def test_a_file_that_is_no_network_is_one_line():
    with pytest.raises(ModelError, match="LiteRT cannot read the model"):
        litert.LiteRtNetwork(b"no network at all", 1)


def test_every_registered_estimator_can_be_imported():
    import importlib

    for target in ESTIMATORS.values():
        module, _, factory = target.partition(":")
        assert callable(getattr(importlib.import_module(module), factory))


@pytest.mark.usefixtures("with_litert")
def test_creating_and_running_it_writes_nothing_to_the_terminal(movenet_weights, capfd):
    estimator = create_pose_estimator(PoseConfig(input_size=64))
    estimator.warm_up((64, 48))
    estimator.close()
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("movenet_weights")
@pytest.mark.usefixtures("with_litert")
def test_another_input_size_is_taken_between_two_frames():
    """A resized estimator answers as one made with that size, to the last bit, and back again."""
    frames = [Frame(np.random.default_rng(seed).integers(0, 256, (240, 320, 3), np.uint8), seed) for seed in (1, 2)]
    config = {size: PoseConfig(input_size=size, min_person_score=0.0, same_person_oks=1.0) for size in (64, 128)}
    resized = create_pose_estimator(config[128])
    for frame in frames:
        for size in (128, 64, 128):
            resized.resize(size)
            fresh = create_pose_estimator(config[size])
            np.testing.assert_array_equal(resized(frame).keypoints_px, fresh(frame).keypoints_px)
            fresh.close()
    assert len(resized(frames[0])) > 0
