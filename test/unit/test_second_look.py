"""Where a second look goes: to people who are lost, suspected or unsure, and slowly over the whole image."""

from __future__ import annotations

import numpy as np
import pytest

from pose_attention_ros.core.people.second_look import FirstLook, SecondLook

SIZE = (640, 480)
STEP_NS = 100_000_000


def box(x: float, y: float, height: float = 60.0) -> list[float]:
    return [x - height / 6, y - height / 2, x + height / 6, y + height / 2]


def first(stamp_ns: int, found=(), suspected=(), scores=None, large_px: float = 150.0) -> FirstLook:
    sure = np.full(len(found), 0.9) if scores is None else np.array(scores)
    return FirstLook(
        stamp_ns,
        SIZE,
        np.array(found, np.float64).reshape(-1, 4),
        sure,
        np.array(suspected, np.float64).reshape(-1, 4),
        large_px,
    )


def test_somebody_lost_is_looked_for_where_he_should_be_by_now_and_given_up_after_a_while():
    look, looked = SecondLook(), []
    for number in range(20):
        seen = [box(100 + 10 * number, 200)] if number < 5 else []
        places = look.places(first(number * STEP_NS, seen), 4)
        look.remember(number * STEP_NS, np.array(seen).reshape(-1, 4))
        if places.expected.any():
            assert number >= 5
            np.testing.assert_allclose(places.middles_px[0], (100 + 10 * number, 200), atol=8)
            assert 60 < places.heights_px[0] < 80
            looked.append(number)
    assert looked == [5, 6, 7, 8, 9]


def test_who_is_found_again_is_no_longer_lost():
    look = SecondLook()
    look.remember(0, np.array([box(100, 200)]))
    assert look.places(first(STEP_NS), 4).expected.sum() == 1
    look.remember(STEP_NS, np.array([box(104, 200)]))
    assert not look.places(first(2 * STEP_NS, [box(107, 200)]), 4).expected.any()


def test_a_place_suspected_in_vain_rests_before_it_is_looked_at_again():
    look, looked = SecondLook(), []
    for number in range(20):
        places = look.places(first(number * STEP_NS, suspected=[box(300, 100)]), 4)
        look.remember(number * STEP_NS, np.zeros((0, 4)))
        if places.expected.any():
            np.testing.assert_allclose(places.middles_px[0], (300, 100))
            looked.append(number)
    assert looked == [0, 15]


def test_nobody_is_looked_for_where_somebody_was_found():
    places = SecondLook().places(first(0, [box(100, 200)], suspected=[box(108, 200), box(400, 200), box(402, 202)]), 4)
    np.testing.assert_allclose(places.middles_px[places.expected], [(400, 200)])


def test_who_is_unsure_is_looked_at_where_there_is_room_and_the_scan_keeps_a_place():
    look = SecondLook()
    people, scores = [box(100, 200), box(200, 200), box(300, 200), box(400, 200)], [0.9, 0.16, 0.2, 0.18]
    for _ in range(4):
        places = look.places(first(0, people, scores=scores), 3)
    np.testing.assert_allclose(places.middles_px[places.expected], [(200, 200), (400, 200)])
    assert len(places) == 3


def test_the_scan_sees_every_point_of_the_image():
    look, seen = SecondLook(), np.zeros(SIZE[::-1], bool)
    for number in range(400):
        places = look.places(first(number * STEP_NS), 4)
        for (x, y), height in zip(places.middles_px, places.heights_px):
            seen[max(0, int(y - height / 2)) : int(y + height / 2), max(0, int(x - height / 3)) : int(x + height / 3)] = True
        look.remember(number * STEP_NS, np.zeros((0, 4)))
    assert seen.all()


@pytest.mark.parametrize("found", [[box(300, 240, 400)], [box(200, 240, 300), box(400, 240, 200)]])
def test_where_everybody_is_large_there_is_no_look(found):
    look = SecondLook()
    for number in range(9):
        people = found if number < 5 else found[:1]  # nor for somebody large who is lost
        assert len(look.places(first(number * STEP_NS, people, scores=[0.2] * len(people)), 4)) == 0
        look.remember(number * STEP_NS, np.array(people))


def test_the_same_images_give_the_same_places():
    rng = np.random.default_rng(3)
    stream = [[box(*rng.uniform((0, 0), SIZE)) for _ in range(rng.integers(5))] for _ in range(30)]

    def places() -> list[np.ndarray]:
        look, chosen = SecondLook(), []
        for number, people in enumerate(stream):
            chosen.append(look.places(first(number * STEP_NS, people[::2], people[1::2]), 4).middles_px)
            look.remember(number * STEP_NS, np.array(people).reshape(-1, 4))
        return chosen

    for one, other in zip(places(), places()):
        np.testing.assert_array_equal(one, other)
