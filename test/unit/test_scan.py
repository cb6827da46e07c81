"""The scan looks first where something moves, and everywhere in turn where nothing or everything does."""

from __future__ import annotations

import numpy as np

from pose_attention_ros.core.people.scan import Scan

SIZE = (640, 480)
STEP_NS = 100_000_000
TALL_PX = 60.0
NOBODY = np.zeros((0, 4))
WALL = np.random.default_rng(2).integers(0, 200, (SIZE[1], SIZE[0] + 200, 3), np.uint8)


def image(*middles: tuple[float, float], shift: int = 0) -> np.ndarray:
    """A patterned wall, bright people of TALL_PX before it; the camera is `shift` pixels further right."""
    picture = WALL[:, shift : shift + SIZE[0]].copy()
    for x, y in middles:
        picture[int(y - 30) : int(y + 30), int(x - 10) : int(x + 10)] = 255
    return picture


def looks(scan: Scan, images: list[np.ndarray], explained=NOBODY) -> np.ndarray:
    """(T, 2) the place chosen in each."""
    places = []
    for number, picture in enumerate(images):
        scan.watch((number + 1) * STEP_NS, picture, explained)
        places.append(scan.next_middle(TALL_PX))
    return np.array(places)


def unseen(places: np.ndarray) -> float:
    """Share of the image whose middle was never within half a person of a place."""
    y, x = np.mgrid[8 : SIZE[1] : 16, 8 : SIZE[0] : 16]
    return float((np.abs(np.stack([x, y], -1)[..., None, :] - places).max(-1).min(-1) > TALL_PX / 2).mean())


def test_somebody_who_walks_is_looked_at_soon_and_again():
    walk = [(100 + 8 * number, 300.0) for number in range(30)]
    off = np.abs(looks(Scan(), [image(middle) for middle in walk]) - walk).max(1)
    assert off[2:8].min() < 0.35 * TALL_PX
    assert (off[2:] < TALL_PX).mean() > 0.3


def test_whoever_is_found_draws_no_looks():
    walk = [(100 + 8 * number, 300.0) for number in range(30)]
    scan, near = Scan(), 0
    for number, (x, y) in enumerate(walk):
        scan.watch((number + 1) * STEP_NS, image((x, y)), np.array([[0, y - 40, x + 30, y + 40]]))
        near += np.abs(scan.next_middle(TALL_PX) - (x, y)).max() < TALL_PX / 2
    assert near <= 3


def test_where_nothing_moves_and_where_the_camera_does_every_place_has_its_turn():
    assert unseen(looks(Scan(), [image()] * 300)) == 0
    assert unseen(looks(Scan(), [image(shift=(3 * number) % 200) for number in range(300)])) < 0.05


def test_an_image_of_another_size_begins_afresh_and_tiny_images_will_do():
    scan = Scan()
    for shape in ((480, 640), (1080, 1920), (40, 30), (1, 1)):
        scan.watch(STEP_NS, np.zeros((*shape, 3), np.uint8), np.array([[-5.0, 2, 9e6, 9e6]]))
        for _ in range(3):
            x, y = scan.next_middle(TALL_PX)
            assert 0 <= x <= shape[1] + 1 and 0 <= y <= shape[0] + 1
