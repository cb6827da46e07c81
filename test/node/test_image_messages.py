"""Images to frames and back."""

from __future__ import annotations

import sys

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

import cv2
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import CompressedImage, Image

from pose_attention_ros.ros.errors import MessageError
from pose_attention_ros.ros.images import (
    _cv_bridge,
    bgr_from_compressed,
    bgr_from_image,
    compressed_from_bgr,
    frame_of,
    image_from_bgr,
)


def picture(height: int, width: int) -> np.ndarray:
    """A different colour in each pixel."""
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, 3), np.uint8)


def message(pixels: np.ndarray, encoding: str, padding: int = 0, big_endian: bool = False) -> Image:
    """A message of (height, width, channels) of 8 or 16 bit, each row followed by `padding` bytes."""
    height, width = pixels.shape[:2]
    rows = pixels.astype(pixels.dtype.newbyteorder(">" if big_endian else "<")).reshape(height, -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=255)
    return Image(
        height=height, width=width, encoding=encoding, step=rows.shape[1], is_bigendian=int(big_endian), data=rows.tobytes()
    )


@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    stamp_ns=st.integers(0, 2**31 * 10**9 - 1),
    frame_id=st.text(max_size=9),
)
def test_bgr_round_trip(height: int, width: int, stamp_ns: int, frame_id: str) -> None:
    image = picture(height, width)
    frame = frame_of(image_from_bgr(image, stamp_ns, frame_id))
    assert np.array_equal(frame.image_bgr, image)
    assert (frame.stamp_ns, frame.frame_id) == (stamp_ns, frame_id)


def test_bgr_is_read_without_a_copy() -> None:
    sent = image_from_bgr(picture(4, 6), 1, "camera")
    assert np.shares_memory(bgr_from_image(sent), np.frombuffer(sent.data, np.uint8))


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "from_bgr"),
    [
        ("bgr8", lambda image: image),
        ("8UC3", lambda image: image),
        ("rgb8", lambda image: image[..., ::-1]),
        ("bgra8", lambda image: np.dstack([image, image[..., 0]])),
        ("rgba8", lambda image: np.dstack([image[..., ::-1], image[..., 0]])),
        ("bgr16", lambda image: image.astype(np.uint16) * 256 + 7),
        ("rgb16", lambda image: image[..., ::-1].astype(np.uint16) * 256 + 7),
    ],
)
@pytest.mark.parametrize("big_endian", [False, True])
def test_colour_encodings(encoding: str, from_bgr: object, padding: int, big_endian: bool) -> None:
    image = picture(5, 7)
    found = bgr_from_image(message(np.ascontiguousarray(from_bgr(image)), encoding, padding, big_endian))
    assert np.array_equal(found, image)


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize(
    ("encoding", "factor", "kind"), [("mono8", 1, np.uint8), ("8UC1", 1, np.uint8), ("mono16", 256, np.uint16)]
)
def test_grey_encodings(encoding: str, factor: int, kind: type, big_endian: bool) -> None:
    grey = picture(5, 7)[..., :1]
    found = bgr_from_image(message(grey.astype(kind) * kind(factor), encoding, 3, big_endian))
    assert np.array_equal(found, np.repeat(grey, 3, -1))


@pytest.mark.parametrize(
    ("encoding", "order"), [("yuv422", "UYVY"), ("uyvy", "UYVY"), ("yuv422_yuy2", "YUYV"), ("yuyv", "YUYV")]
)
def test_yuv_encodings(encoding: str, order: str) -> None:
    """Of a uniform colour, whose conversion has no sub-sampling error."""
    colour = np.array([[[200, 80, 30]]], np.uint8)
    luma, red, blue = cv2.cvtColor(colour, cv2.COLOR_BGR2YCrCb)[0, 0]  # full range; the video one is near enough
    values = {
        "Y": round(16 + int(luma) * 219 / 255),
        "U": round(128 + (int(blue) - 128) * 224 / 255),
        "V": round(128 + (int(red) - 128) * 224 / 255),
    }
    pair = np.array([values[letter] for letter in order], np.uint8).reshape(2, 2)
    found = bgr_from_image(message(np.tile(pair, (4, 3, 1)), encoding))
    assert found.shape == (4, 6, 3)
    assert np.abs(found.astype(int) - colour).max() <= 4


@pytest.mark.parametrize(
    ("encoding", "tile"),
    [("bayer_rggb8", "RGGB"), ("bayer_bggr8", "BGGR"), ("bayer_gbrg8", "GBRG"), ("bayer_grbg8", "GRBG")],
)
def test_bayer_encodings(encoding: str, tile: str) -> None:
    colour = {"B": 30, "G": 120, "R": 220}
    mosaic = np.tile(np.array([colour[letter] for letter in tile], np.uint8).reshape(2, 2), (4, 4))[..., None]
    assert (bgr_from_image(message(mosaic, encoding))[2:-2, 2:-2] == (30, 120, 220)).all()


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (Image(), "empty"),
        (Image(height=0, width=4, encoding="bgr8", step=12), "empty"),
        (Image(height=2, width=4, encoding="bgr8", step=11, data=bytes(24)), "step is 11, expected at least 12"),
        (Image(height=2, width=4, encoding="bgr8", step=12, data=bytes(23)), "23 bytes, expected at least 24"),
        (Image(height=2, width=3, encoding="yuv422", step=6, data=bytes(12)), "does not fit encoding"),
    ],
)
def test_broken_images_are_refused(broken: Image, complaint: str) -> None:
    with pytest.raises(MessageError, match=complaint):
        bgr_from_image(broken)


def test_an_unknown_encoding_is_refused_unless_cv_bridge_reads_it() -> None:
    with pytest.raises(MessageError, match="32FC7"):
        bgr_from_image(Image(height=1, width=1, encoding="32FC7", step=28, data=bytes(28)))


def test_the_last_row_may_lack_its_padding() -> None:
    image = picture(3, 4)
    sent = message(image, "bgr8", padding=4)
    sent.data = sent.data[:-4]
    assert np.array_equal(bgr_from_image(sent), image)


def test_jpeg_round_trip_and_png() -> None:
    smooth = cv2.resize(picture(3, 4), (64, 48), interpolation=cv2.INTER_LINEAR)
    sent = compressed_from_bgr(smooth, 5, "camera", 95)
    assert np.abs(bgr_from_compressed(sent).astype(int) - smooth).mean() < 4
    png = CompressedImage(format="png", data=cv2.imencode(".png", smooth)[1].tobytes())
    assert np.array_equal(bgr_from_compressed(png), smooth)


@pytest.mark.parametrize("data", [b"", b"no picture at all"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(MessageError, match="cannot be decoded"):
        bgr_from_compressed(CompressedImage(format="jpeg", data=data))


@pytest.mark.parametrize("encoding", ["32FC1", "8SC3", "nv24"])
def test_the_rest_goes_through_cv_bridge_where_it_is(encoding: str) -> None:
    """What it can convert comes back as BGR; what it cannot is refused in one line that says who refused."""
    pytest.importorskip("cv_bridge", reason="cv_bridge is not installed (there is no wheel of ROS 2's)")
    sent = Image(height=4, width=4, encoding=encoding, step=48, data=bytes(4 * 48))
    try:
        assert bgr_from_image(sent).shape == (4, 4, 3)
    except MessageError as error:
        assert str(error).startswith(f"cv_bridge cannot convert image encoding '{encoding}' to bgr8: ")


@pytest.mark.parametrize(
    "body, complaint",
    [
        ("raise AttributeError('_ARRAY_API not found')", r"loaded .*; it was built for NumPy 1 .* pip install 'numpy<2'"),
        ("raise ImportError('numpy.core.multiarray failed to import')", "it was built for NumPy 1"),
        ("raise ImportError('libopencv_core.so.406: cannot open shared object file')", "libopencv_core.*; reinstall it"),
        ("import no_such_module_of_its_own", "No module named.*; reinstall it"),
        (
            "class CvBridge:\n    def imgmsg_to_cv2(self, *_): raise TypeError('no way\\nat all')",
            "convert .*: no way at all",
        ),
    ],
)
def test_a_cv_bridge_that_cannot_be_used_says_why(tmp_path, monkeypatch, capfd, body: str, complaint: str) -> None:
    monkeypatch.delitem(sys.modules, "cv_bridge", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "cv_bridge.py").write_text(body + "\n")
    _cv_bridge.cache_clear()
    try:
        for _ in range(2):
            with pytest.raises(MessageError, match=complaint) as caught:
                bgr_from_image(Image(height=1, width=1, encoding="nv24", step=3, data=bytes(3)))
            assert "\n" not in str(caught.value)
        assert capfd.readouterr() == ("", "")
    finally:
        _cv_bridge.cache_clear()
        sys.modules.pop("cv_bridge", None)


@pytest.mark.parametrize(
    "form, complaint", [("16UC1; compressedDepth png", "holds distances, not a picture"), ("h264", "is a packet of a video")]
)
def test_what_is_compressed_and_no_picture_is_called_by_its_name(form: str, complaint: str) -> None:
    with pytest.raises(MessageError, match=complaint):
        bgr_from_compressed(CompressedImage(format=form, data=cv2.imencode(".png", picture(3, 4))[1].tobytes()))
