"""Raw and compressed image messages of every encoding become BGR; damaged ones are refused in one line."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from pose_attention_ros.core.messages.images import ENCODINGS, ImageError, bgr_from_compressed, bgr_from_image

BGR = (40, 90, 200)
GREY = round(0.114 * BGR[0] + 0.587 * BGR[1] + 0.299 * BGR[2])
Y, U, V = cv2.cvtColor(np.uint8([[BGR]]), cv2.COLOR_BGR2YUV)[0, 0].tolist()


def message(rows: np.ndarray, encoding: str, width: int, padding: int = 3, **changes):
    """rows (height, bytes a row) uint8, as a message with `padding` bytes at the end of each row."""
    padded = np.pad(rows, ((0, 0), (0, padding)))
    fields = {
        "height": len(rows),
        "width": width,
        "encoding": encoding,
        "is_bigendian": 0,
        "step": padded.shape[1],
        "data": padded.reshape(-1),
    }
    return SimpleNamespace(**(fields | changes))


def rows_of(pixel: list[int], width: int = 6, height: int = 4) -> np.ndarray:
    return np.tile(np.uint8(pixel), (height, width))


@pytest.mark.parametrize(
    "encoding,pixel,expected",
    [
        ("bgr8", BGR, BGR),
        ("8UC3", BGR, BGR),
        ("rgb8", BGR[::-1], BGR),
        ("bgra8", (*BGR, 9), BGR),
        ("8UC4", (*BGR, 9), BGR),
        ("rgba8", (*BGR[::-1], 9), BGR),
        ("mono8", [GREY], [GREY] * 3),
        ("8UC1", [GREY], [GREY] * 3),
        ("mono16", [7, GREY], [GREY] * 3),
        ("16UC1", [7, GREY], [GREY] * 3),
        ("bgr16", np.column_stack([[1, 2, 3], BGR]).reshape(-1), BGR),
        ("rgb16", np.column_stack([[1, 2, 3], BGR[::-1]]).reshape(-1), BGR),
        ("16UC3", np.column_stack([[1, 2, 3], BGR]).reshape(-1), BGR),
        ("bgra16", np.column_stack([[1, 2, 3, 4], (*BGR, 9)]).reshape(-1), BGR),
        ("rgba16", np.column_stack([[1, 2, 3, 4], (*BGR[::-1], 9)]).reshape(-1), BGR),
    ],
)
def test_encodings_of_one_colour(encoding, pixel, expected):
    image = bgr_from_image(message(rows_of(pixel), encoding, width=6))
    assert image.shape == (4, 6, 3) and image.dtype == np.uint8 and (image == expected).all()


@pytest.mark.parametrize("encoding,pair", [("uyvy", "UYVY"), ("yuv422", "UYVY"), ("yuyv", "YUYV"), ("yuv422_yuy2", "YUYV")])
def test_packed_yuv(encoding, pair):
    values = video_levels()
    image = bgr_from_image(message(rows_of([values[part] for part in pair], width=3), encoding, width=6))
    np.testing.assert_allclose(image, np.broadcast_to(BGR, image.shape), atol=6)


@pytest.mark.parametrize("encoding,pair", [("nv12", "UV"), ("nv21", "VU")])
@pytest.mark.parametrize("padding", [0, 10])
def test_planar_yuv(encoding, pair, padding):
    """Four rows of luma, then two of colour differences for 2x2 pixels each; the rows of both planes may be padded."""
    values = video_levels()
    rows = np.vstack([rows_of([values["Y"]]), rows_of([values[part] for part in pair], width=3, height=2)])
    image = bgr_from_image(message(rows, encoding, width=6, padding=padding, height=4))
    assert image.shape == (4, 6, 3)
    np.testing.assert_allclose(image, np.broadcast_to(BGR, image.shape), atol=6)


@pytest.mark.parametrize(
    "changes,expected",
    [
        ({"height": 4, "data": bytes(9 * 5 + 5)}, "image data has 50 bytes, expected at least 51 for 6x4 nv12 with step 9"),
        ({"height": 3}, "image of 6x3 pixels does not fit encoding 'nv12'"),
    ],
)
def test_damaged_planar_yuv_is_refused(changes, expected):
    with pytest.raises(ImageError, match=f"^{expected}"):
        bgr_from_image(message(rows_of([0], height=6), "nv12", width=6, **changes))


def video_levels() -> dict[str, int]:
    """BGR as a camera's Y, U and V."""
    # Cameras send BT.601 video levels: luma 16 to 235, colour differences 0.564 (B - Y) and 0.713 (R - Y) times 224 / 255;
    # OpenCV's full-range YUV has 0.492 and 0.877.
    luma = round(16 + Y * 219 / 255)
    blue, red = (round(128 + (part - 128) * 224 / 255 * scale) for part, scale in ((U, 0.564 / 0.492), (V, 0.713 / 0.877)))
    return {"Y": luma, "U": blue, "V": red}


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_patterns_are_named_by_their_first_two_rows(pattern):
    value = dict(zip("bgr", BGR))
    mosaic = np.tile(np.uint8([[value[pattern[0]], value[pattern[1]]], [value[pattern[2]], value[pattern[3]]]]), (4, 4))
    image = bgr_from_image(message(mosaic, f"bayer_{pattern}8", width=8))
    assert (image[2:-2, 2:-2] == BGR).all()
    wide = np.stack([np.full_like(mosaic, 7), mosaic], -1).reshape(len(mosaic), -1)  # little endian, the low byte first
    assert np.array_equal(bgr_from_image(message(wide, f"bayer_{pattern}16", width=8)), image)


def test_big_endian_channels_keep_their_high_byte():
    image = bgr_from_image(message(rows_of([GREY, 7]), "mono16", width=6, is_bigendian=1))
    assert (image == GREY).all()


def test_a_bgr_image_is_not_copied():
    raw = message(rows_of(BGR), "bgr8", width=6)
    assert np.shares_memory(bgr_from_image(raw), raw.data)


def test_a_jpeg_is_decoded():
    original = np.full((8, 8, 3), BGR, np.uint8)
    jpeg = SimpleNamespace(format="jpeg", data=cv2.imencode(".jpg", original)[1])
    np.testing.assert_allclose(bgr_from_compressed(jpeg), original, atol=5)


@pytest.mark.parametrize(
    "changes,expected",
    [
        ({"width": 0}, "image is empty: 0x4 pixels"),
        ({"encoding": "32FC1"}, "image encoding '32FC1' is not one of bgr8"),
        ({"step": 10}, "image step is 10, expected at least 18 bytes for 6 pixels of bgr8"),
        ({"data": b"short"}, "image data has 5 bytes, expected at least 81 for 6x4 bgr8 with step 21"),
    ],
)
def test_damaged_images_are_refused(changes, expected):
    with pytest.raises(ImageError, match=f"^{expected}"):
        bgr_from_image(message(rows_of(BGR), **({"width": 6, "encoding": "bgr8"} | changes)))


@pytest.mark.parametrize("data", [b"", b"no jpeg"])
def test_undecodable_compressed_images_are_refused(data):
    with pytest.raises(ImageError, match=f"compressed image of {len(data)} bytes, format 'jpeg', cannot be decoded"):
        bgr_from_compressed(SimpleNamespace(format="jpeg", data=data))


def test_every_conversion_exists_in_this_opencv():
    assert all(not encoding.to_bgr or hasattr(cv2, encoding.to_bgr) for encoding in ENCODINGS.values())
