"""Fitting an image into the network's input, and taking what comes out back to the image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pixel_helpers import into_input

from pose_attention_ros.inference.letterbox import Letterbox

SIDES = st.integers(1, 4000)
LONGER_SIDES = st.integers(2, 40).map(lambda n: 32 * n)


@pytest.mark.parametrize(
    "image_size,longer_side,input_size,content_size,offset",
    [
        ((640, 480), 256, (256, 192), (256, 192), (0, 0)),
        ((384, 288), 320, (320, 256), (320, 240), (0, 8)),
        ((768, 576), 384, (384, 288), (384, 288), (0, 0)),
        ((1920, 1080), 320, (320, 192), (320, 180), (0, 6)),
        ((1080, 1920), 320, (192, 320), (180, 320), (6, 0)),
        ((640, 425), 256, (256, 160), (241, 160), (7, 0)),
        ((2000, 50), 256, (256, 32), (256, 6), (0, 13)),
    ],
)
def test_known_images(image_size, longer_side, input_size, content_size, offset):
    assert Letterbox.fit(image_size, longer_side) == Letterbox(image_size, input_size, content_size, offset)


@given(SIDES, SIDES, LONGER_SIDES, st.data())
def test_points_come_back_where_they_were(width, height, longer_side, data):
    box = Letterbox.fit((width, height), longer_side)
    fractions = st.floats(0, 1, width=32)
    points = np.array(data.draw(st.lists(st.tuples(fractions, fractions), min_size=1, max_size=8))) * (width, height)
    there_and_back = box.to_image(into_input(box, points))
    np.testing.assert_allclose(there_and_back, points, atol=1e-4 * max(width, height), rtol=0)


@given(SIDES, SIDES, LONGER_SIDES)
def test_the_image_lies_inside_the_input_and_its_corners_map_to_its_corners(width, height, longer_side):
    box = Letterbox.fit((width, height), longer_side)
    assert max(box.input_size) == longer_side and all(side % 32 == 0 for side in box.input_size)
    rows, columns = box.slices
    assert 0 <= rows.start < rows.stop <= box.input_size[1] and 0 <= columns.start < columns.stop <= box.input_size[0]
    corners = np.array([[columns.start, rows.start], [columns.stop, rows.stop]]) / box.input_size
    np.testing.assert_allclose(box.to_image(corners), [[0, 0], [width, height]], atol=1e-3 * max(width, height))


@given(st.integers(100, 2000), st.integers(100, 2000))
def test_hardly_any_padding_for_an_ordinary_aspect_ratio(width, height):
    box = Letterbox.fit((width, height), 320)
    padded_share = 1 - np.prod(box.content_size) / np.prod(box.input_size)
    assert padded_share <= 17 / min(box.input_size)  # half a stride of the shorter side, and a pixel of rounding
