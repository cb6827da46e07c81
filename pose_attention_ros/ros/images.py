"""ROS images to and from BGR arrays: common 8-bit encodings without a copy, the rest through cv_bridge where it is there."""

from __future__ import annotations

from array import array
from typing import NamedTuple

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from pose_attention_ros.core.types import Frame
from pose_attention_ros.ros.errors import MessageError
from pose_attention_ros.ros.stamps import header_of, stamp_ns_of


class _Encoding(NamedTuple):
    """channels a pixel; bytes a channel; the OpenCV conversion to BGR (None: it is BGR already)."""

    channels: int
    depth: int
    to_bgr: int | None


# Bayer names are shifted by one pixel between ROS and OpenCV: ROS's "rggb" is OpenCV's "BayerBG".
_ENCODINGS: dict[str, _Encoding] = {
    "bgr8": _Encoding(3, 1, None),
    "8UC3": _Encoding(3, 1, None),
    "rgb8": _Encoding(3, 1, cv2.COLOR_RGB2BGR),
    "bgra8": _Encoding(4, 1, cv2.COLOR_BGRA2BGR),
    "8UC4": _Encoding(4, 1, cv2.COLOR_BGRA2BGR),
    "rgba8": _Encoding(4, 1, cv2.COLOR_RGBA2BGR),
    "mono8": _Encoding(1, 1, cv2.COLOR_GRAY2BGR),
    "8UC1": _Encoding(1, 1, cv2.COLOR_GRAY2BGR),
    "mono16": _Encoding(1, 2, cv2.COLOR_GRAY2BGR),
    "bgr16": _Encoding(3, 2, None),
    "rgb16": _Encoding(3, 2, cv2.COLOR_RGB2BGR),
    "yuv422": _Encoding(2, 1, cv2.COLOR_YUV2BGR_UYVY),
    "uyvy": _Encoding(2, 1, cv2.COLOR_YUV2BGR_UYVY),
    "yuv422_yuy2": _Encoding(2, 1, cv2.COLOR_YUV2BGR_YUY2),
    "yuyv": _Encoding(2, 1, cv2.COLOR_YUV2BGR_YUY2),
    "bayer_rggb8": _Encoding(1, 1, cv2.COLOR_BayerBG2BGR),
    "bayer_bggr8": _Encoding(1, 1, cv2.COLOR_BayerRG2BGR),
    "bayer_gbrg8": _Encoding(1, 1, cv2.COLOR_BayerGR2BGR),
    "bayer_grbg8": _Encoding(1, 1, cv2.COLOR_BayerGB2BGR),
}


def frame_from_image(message: Image) -> Frame:
    """The image with its stamp and frame id. Raises MessageError."""
    return Frame(bgr_from_image(message), stamp_ns_of(message.header), message.header.frame_id)


def frame_from_compressed(message: CompressedImage) -> Frame:
    """The decoded JPEG or PNG with its stamp and frame id. Raises MessageError."""
    return Frame(bgr_from_compressed(message), stamp_ns_of(message.header), message.header.frame_id)


def bgr_from_image(message: Image) -> np.ndarray:
    """(height, width, 3) uint8. A BGR image is a view of the message's own memory, so don't draw on it.

    :raises MessageError: empty image, too few bytes, or an encoding that nothing here can read
    """
    if message.height == 0 or message.width == 0:
        raise MessageError(f"image is empty: {message.width}x{message.height} pixels")
    encoding = _ENCODINGS.get(message.encoding)
    pixels = _through_cv_bridge(message) if encoding is None else _pixels(message, encoding)
    if encoding is None or encoding.to_bgr is None:
        return pixels
    try:
        return cv2.cvtColor(pixels, encoding.to_bgr)
    except cv2.error as error:
        raise MessageError(f"image of {message.width}x{message.height} pixels does not fit encoding "
                           f"{message.encoding!r} ({error.err})") from None


def _pixels(message: Image, encoding: _Encoding) -> np.ndarray:
    """View of the bytes as (height, width, channels) uint8; 16-bit channels keep their high byte."""
    row_bytes = message.width * encoding.channels * encoding.depth
    if message.step < row_bytes:
        raise MessageError(f"image step is {message.step}, expected at least {row_bytes} bytes for "
                           f"{message.width} pixels of {message.encoding}")
    needed = message.step * (message.height - 1) + row_bytes
    if len(message.data) < needed:
        raise MessageError(f"image data has {len(message.data)} bytes, expected at least {needed} for "
                           f"{message.width}x{message.height} {message.encoding} with step {message.step}")
    strides = (message.step, encoding.channels * encoding.depth, encoding.depth)
    high_byte = 0 if encoding.depth == 1 or message.is_bigendian else encoding.depth - 1
    shape = (message.height, message.width, encoding.channels)
    return np.ndarray(shape, np.uint8, memoryview(message.data), high_byte, strides)


def _through_cv_bridge(message: Image) -> np.ndarray:
    try:
        from cv_bridge import CvBridge
    except ImportError:
        raise MessageError(f"image encoding {message.encoding!r} is not one of {', '.join(_ENCODINGS)}; "
                           "install cv_bridge for others, or convert with image_proc") from None
    try:
        return np.ascontiguousarray(CvBridge().imgmsg_to_cv2(message, "bgr8"))
    except Exception as error:
        raise MessageError(f"cv_bridge cannot convert image encoding {message.encoding!r} to bgr8: {error}") from None


def bgr_from_compressed(message: CompressedImage) -> np.ndarray:
    """(height, width, 3) uint8 of a JPEG or PNG. Raises MessageError if it cannot be decoded."""
    data = np.frombuffer(message.data, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise MessageError(f"compressed image of {data.size} bytes, format {message.format!r}, cannot be decoded")
    return image


def image_from_bgr(image_bgr: np.ndarray, stamp_ns: int, frame_id: str) -> Image:
    """A bgr8 message holding a copy of (height, width, 3) uint8."""
    height, width = image_bgr.shape[:2]
    message = Image(header=header_of(stamp_ns, frame_id), height=height, width=width, encoding="bgr8", step=width * 3)
    message.data = _bytes(np.ascontiguousarray(image_bgr))
    return message


def compressed_from_bgr(image_bgr: np.ndarray, stamp_ns: int, frame_id: str, quality: int) -> CompressedImage:
    """A JPEG message of (height, width, 3) uint8, `quality` 1 to 100."""
    _, data = cv2.imencode(".jpg", image_bgr, (cv2.IMWRITE_JPEG_QUALITY, quality))
    message = CompressedImage(header=header_of(stamp_ns, frame_id), format="bgr8; jpeg compressed bgr8")
    message.data = _bytes(data)
    return message


def _bytes(values: np.ndarray) -> array:
    data = array("B")  # rclpy copies an array.array in one go and any other sequence value by value
    data.frombytes(memoryview(values).cast("B"))
    return data
