"""The second look: people come back in pixels of the image, once each; it finds small people and costs nothing near by."""

from __future__ import annotations

import numpy as np
import pytest
from movenet_maps import maps_of

from pose_attention_ros.cameras import CameraConfig, open_source
from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.types import Frame, Skeletons
from pose_attention_ros.inference.joining import joined
from pose_attention_ros.inference.letterbox import Letterbox
from pose_attention_ros.inference.movenet import MoveNet
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator
from pose_attention_ros.inference.zoom import Zoom

pytestmark = pytest.mark.slow

SIZE = (640, 480)
STEP_NS = 100_000_000
SHAPE = np.random.default_rng(1).uniform((-12, -30), (12, 30), (17, 2))  # of a person, 60 px tall


class DotNetwork:
    """Sees each bright disc as a person of SHAPE around it, in the first look's input of 320 px less surely."""

    backend, resizable = "dots", True

    def __init__(self, weak_score: float = 0.1) -> None:
        self.weak_score, self.sizes = weak_score, []

    def view(self, size: tuple[int, int]) -> DotView:
        return DotView(self, size)

    def close(self) -> None: ...


class DotView:
    """See View. A disc of 12 px is a person as large as SHAPE."""

    def __init__(self, network: DotNetwork, size: tuple[int, int]) -> None:
        self._network, self._size = network, size

    def write(self, image_bgr: np.ndarray, letterbox: Letterbox) -> None:
        import cv2

        self._network.sizes.append(self._size)
        x, y, width, height = *letterbox.offset, *letterbox.content_size
        small = np.zeros((*self._size[::-1], 3), np.uint8)
        small[y : y + height, x : x + width] = cv2.resize(image_bgr, (width, height), interpolation=cv2.INTER_AREA)
        count, _, boxes, middles = cv2.connectedComponentsWithStats((small[..., 1] > 60).astype(np.uint8))
        people = []
        for number in range(1, count):
            scale = boxes[number, cv2.CC_STAT_HEIGHT] / 12
            first = self._size[1] != 160  # which is the height of the extra input
            people.append((middles[number] + 0.5 + scale * SHAPE, self._network.weak_score if first else 0.6))
        self._maps = maps_of(people, Letterbox.into(self._size, self._size))

    def __call__(self) -> dict[str, np.ndarray]:
        return self._maps


def image_of(*middles: tuple[float, float], radius: int = 6) -> np.ndarray:
    import cv2

    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    for x, y in middles:
        cv2.circle(image, (round(x), round(y)), radius, (0, 255, 0), -1)
    return image


def zoom_of(network: DotNetwork, **settings) -> Zoom:
    config = PoseConfig(zoom="auto", **settings)
    return Zoom(MoveNet(network, config), MoveNet(network, config), config)


def people(*seen: tuple[float, float, float, float]) -> Skeletons:
    """(x, y, how tall, score) of each."""
    x, y, tall, scores = np.array(seen, np.float32).T
    joints = SHAPE * (tall / 60)[:, None, None] + np.stack([x, y], 1)[:, None]
    boxes = np.concatenate([joints.min(1), joints.max(1)], 1)
    return Skeletons(0, "", LAYOUTS["coco17"], SIZE, joints, np.full((len(x), 17), 0.5), boxes, scores)


def test_a_suspected_person_comes_back_surely_and_in_pixels_of_the_image():
    found = zoom_of(DotNetwork())(Frame(image_of((150, 200), (400, 300)), 7, "eye"))
    assert (found.stamp_ns, found.frame_id, found.image_size) == (7, "eye", SIZE)
    np.testing.assert_allclose(found.person_scores, 0.6, atol=0.01)
    in_order = found.keypoints_px[np.argsort(found.keypoints_px[:, 0, 0])]
    np.testing.assert_allclose(in_order, [SHAPE + (150, 200), SHAPE + (400, 300)], atol=5)
    assert (found.boxes_xyxy >= 0).all() and np.ptp(found.boxes_xyxy[:, 1::2], axis=1).max() < 90


def test_somebody_whom_both_looks_see_is_there_once():
    found = zoom_of(DotNetwork(weak_score=0.2))(Frame(image_of((150, 200)), 0))
    assert len(found) == 1


def test_somebody_seen_cut_off_beside_the_whole_is_there_once_and_neighbours_are_two():
    whole = people((100, 100, 60, 0.4))
    assert len(joined(whole, people((102, 90, 36, 0.3)))) == 1
    assert len(joined(whole, people((116, 100, 60, 0.3), (300, 100, 60, 0.2)))) == 3


def test_people_of_the_first_look_stay_however_near_they_are():
    near = people((100, 100, 60, 0.4), (106, 100, 60, 0.3))
    assert len(joined(near, people((102, 90, 36, 0.2)))) == 2
    assert len(joined(near, people((103, 100, 60, 0.5)))) == 2  # it takes the place of one
    assert len(joined(near, people((300, 100, 60, 0.5)))) == 3


def test_the_first_look_is_a_smaller_one_while_somebody_is_small():
    network = DotNetwork(weak_score=0.9)
    zoom = zoom_of(network)
    for number in range(40):
        radius = 6 if 10 <= number < 20 else 36
        zoom(Frame(image_of((300, 240), radius=radius), (number + 1) * STEP_NS))
    assert [size[0] for size in network.sizes if size[1] != 160] == 11 * [320] + 19 * [288] + 10 * [320]


def test_a_look_costs_no_more_than_its_share_and_a_close_up_none():
    network = DotNetwork()
    zoom = zoom_of(network, zoom_share=0.1)
    for number in range(20):
        zoom(Frame(image_of((150, 200), (400, 300)), number * STEP_NS))
    extra = [size for size in network.sizes if size[1] == 160]
    assert 10 <= len(extra) and sum(w * h for w, h in network.sizes) <= 1.1 * 20 * 320 * 256
    network = DotNetwork(weak_score=0.9)
    zoom = zoom_of(network)
    for number in range(8):
        zoom(Frame(image_of((300, 240), radius=36), number * STEP_NS))
    assert set(network.sizes) == {(320, 256)}


def test_a_jump_of_time_forgets_who_was_there():
    network = DotNetwork(weak_score=0.3)
    zoom = zoom_of(network)
    zoom(Frame(image_of((150, 200)), 10 * STEP_NS))
    network.sizes.clear()
    zoom(Frame(image_of(), 2 * STEP_NS))  # nobody is looked for, nor suspected
    assert network.sizes == [(320, 256)]


def test_a_node_that_gives_way_may_lower_the_input_as_far_as_it_likes():
    network = DotNetwork()
    zoom = zoom_of(network)
    zoom(Frame(image_of((150, 200)), 0))
    zoom.resize(256)
    zoom(Frame(image_of((150, 200)), 1))
    assert (network.sizes[0], network.sizes[-2]) == ((320, 256), (256, 192))
    zoom.resize(96)
    found = [len(zoom(Frame(image_of((150, 200)), number * STEP_NS))) for number in range(1, 25)]
    assert 1 <= sum(found) <= 3  # what a look costs is saved over a dozen frames
    assert {(96, 64), (96, 160)} <= set(network.sizes)


def test_an_input_without_room_for_a_second_look_is_refused():
    with pytest.raises(UserError, match="zoom is 'auto', which needs an input_size of 160 px or more, and it is 128"):
        create_pose_estimator(PoseConfig(zoom="auto", input_size=128))


def test_small_pedestrians_are_found_more_often_and_the_same_ones_each_time(shared):
    """MoveNet itself on pedestrians who are 35 px tall at the input."""
    camera = open_source(str(shared / "videos" / "opencv_vtest.avi"), CameraConfig())
    estimators = [create_pose_estimator(PoseConfig(**settings)) for settings in ({}, {"zoom": "auto"}, {"zoom": "auto"})]
    for _ in range(21):
        camera.read()
    found = list(zip(*([estimator(frame) for estimator in estimators] for frame in (camera.read() for _ in range(8)))))
    for open_one in (camera, *estimators):
        open_one.close()
    sure = [sum((people.person_scores >= 0.2).sum() for people in run) for run in found[:2]]
    assert sure[1] >= 1.3 * sure[0]
    for one, again in zip(*found[1:]):
        np.testing.assert_array_equal(one.keypoints_px, again.keypoints_px)
