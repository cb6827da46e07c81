"""Pixels of a sensor_msgs Image or CompressedImage as BGR arrays; works on any object with those fields, ROS or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pose_attention_ros.core.errors import UserError


class ImageError(UserError):
    """An image message that is empty, truncated, or in an encoding that nothing here reads."""


class _Encoding(NamedTuple):
    """channels a pixel; bytes a channel; name of the OpenCV conversion to BGR, empty if it is BGR already; half_rows: half
    the rows of bytes for a row of pixels, 3 where a plane of colours of half the height follows the grey one."""

    channels: int
    depth: int
    to_bgr: str
    half_rows: int = 2


DEPTH = "compressedDepth"  # in a message's format, and the end of its topic's name
# Names as in sensor_msgs' image_encodings, and nv12, which drivers use though it is missing there. OpenCV names a Bayer
# pattern after its second row, second column; ROS after its first two pixels: ROS rggb is OpenCV BG.
ENCODINGS: dict[str, _Encoding] = {
    "bgr8": _Encoding(3, 1, ""),
    "8UC3": _Encoding(3, 1, ""),
    "rgb8": _Encoding(3, 1, "COLOR_RGB2BGR"),
    "bgra8": _Encoding(4, 1, "COLOR_BGRA2BGR"),
    "8UC4": _Encoding(4, 1, "COLOR_BGRA2BGR"),
    "rgba8": _Encoding(4, 1, "COLOR_RGBA2BGR"),
    "mono8": _Encoding(1, 1, "COLOR_GRAY2BGR"),
    "8UC1": _Encoding(1, 1, "COLOR_GRAY2BGR"),
    "mono16": _Encoding(1, 2, "COLOR_GRAY2BGR"),
    "16UC1": _Encoding(1, 2, "COLOR_GRAY2BGR"),
    "bgr16": _Encoding(3, 2, ""),
    "16UC3": _Encoding(3, 2, ""),
    "rgb16": _Encoding(3, 2, "COLOR_RGB2BGR"),
    "bgra16": _Encoding(4, 2, "COLOR_BGRA2BGR"),
    "rgba16": _Encoding(4, 2, "COLOR_RGBA2BGR"),
    "uyvy": _Encoding(2, 1, "COLOR_YUV2BGR_UYVY"),
    "yuv422": _Encoding(2, 1, "COLOR_YUV2BGR_UYVY"),
    "yuyv": _Encoding(2, 1, "COLOR_YUV2BGR_YUY2"),
    "yuv422_yuy2": _Encoding(2, 1, "COLOR_YUV2BGR_YUY2"),
    "nv12": _Encoding(1, 1, "COLOR_YUV2BGR_NV12", half_rows=3),
    "nv21": _Encoding(1, 1, "COLOR_YUV2BGR_NV21", half_rows=3),
    "bayer_rggb8": _Encoding(1, 1, "COLOR_BayerBG2BGR"),
    "bayer_bggr8": _Encoding(1, 1, "COLOR_BayerRG2BGR"),
    "bayer_gbrg8": _Encoding(1, 1, "COLOR_BayerGR2BGR"),
    "bayer_grbg8": _Encoding(1, 1, "COLOR_BayerGB2BGR"),
    "bayer_rggb16": _Encoding(1, 2, "COLOR_BayerBG2BGR"),
    "bayer_bggr16": _Encoding(1, 2, "COLOR_BayerRG2BGR"),
    "bayer_gbrg16": _Encoding(1, 2, "COLOR_BayerGR2BGR"),
    "bayer_grbg16": _Encoding(1, 2, "COLOR_BayerGB2BGR"),
}


def bgr_from_image(message: Any) -> np.ndarray:
    """(height, width, 3) uint8 of a raw image. A BGR one is a view of the message's own memory: don't draw on it.

    :param message: has height, width, encoding, is_bigendian, step (bytes a row) and data
    :raises ImageError: empty, too few bytes for its size, or an unknown encoding
    """
    if message.height == 0 or message.width == 0:
        raise ImageError(f"image is empty: {message.width}x{message.height} pixels")
    encoding = ENCODINGS.get(message.encoding)
    if encoding is None:
        raise ImageError(
            f"image encoding {message.encoding!r} is not one of {', '.join(ENCODINGS)}; convert it to bgr8 first"
        )
    pixels = _pixels(message, encoding)
    if not encoding.to_bgr:
        return pixels
    import cv2

    try:
        return cv2.cvtColor(np.ascontiguousarray(pixels), getattr(cv2, encoding.to_bgr))
    except cv2.error as error:
        raise ImageError(
            f"image of {message.width}x{message.height} pixels does not fit encoding {message.encoding!r} ({error.err})"
        ) from None


def _pixels(message: Any, encoding: _Encoding) -> np.ndarray:
    """View of the bytes as (rows, width, channels) uint8; 16-bit channels keep their high byte."""
    row_bytes = message.width * encoding.channels * encoding.depth
    if message.step < row_bytes:
        raise ImageError(
            f"image step is {message.step}, expected at least {row_bytes} bytes for {message.width} pixels of "
            f"{message.encoding}"
        )
    rows = message.height * encoding.half_rows // 2
    needed = message.step * (rows - 1) + row_bytes
    data = memoryview(message.data).cast("B")
    if len(data) < needed:
        raise ImageError(
            f"image data has {len(data)} bytes, expected at least {needed} for "
            f"{message.width}x{message.height} {message.encoding} with step {message.step}"
        )
    high_byte = 0 if encoding.depth == 1 or message.is_bigendian else encoding.depth - 1
    return np.ndarray(
        (rows, message.width, encoding.channels),
        np.uint8,
        data,
        high_byte,
        (message.step, encoding.channels * encoding.depth, encoding.depth),
    )


def read_image(path: Path) -> np.ndarray | None:
    """(height, width, 3) uint8 BGR of an image file of any name and depth; None where it is not there or is none."""
    import cv2

    try:
        data = np.fromfile(path, np.uint8)
    except OSError:
        return None
    return cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None


# What a compressed image says of itself -> why it is no picture, and what to do.
_NO_PICTURES = {
    DEPTH: "holds distances, not a picture; take the colour camera's topic",
    **dict.fromkeys(
        ("h264", "h265", "hevc", "av1", "vp9", "theora"),
        "is a packet of a video, which needs those before it; let image_transport's republish make raw images",
    ),
}


def bgr_from_compressed(message: Any) -> np.ndarray:
    """(height, width, 3) uint8 of a JPEG or PNG; `message` has format and data. Raises ImageError."""
    import cv2

    why = next((why for said, why in _NO_PICTURES.items() if said in message.format), "")
    if why:
        raise ImageError(f"compressed image of format {message.format!r} {why}")
    data = np.frombuffer(message.data, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise ImageError(f"compressed image of {data.size} bytes, format {message.format!r}, cannot be decoded")
    return image
