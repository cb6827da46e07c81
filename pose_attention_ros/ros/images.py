"""ROS images to and from BGR arrays: common encodings by our own code, the rest through cv_bridge where it is there."""

from __future__ import annotations

import contextlib
import io
from array import array
from functools import cache
from typing import Any

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from pose_attention_ros.core.errors import one_line
from pose_attention_ros.core.messages import images
from pose_attention_ros.core.types import Frame
from pose_attention_ros.ros.errors import MessageError
from pose_attention_ros.ros.stamps import header_of, stamp_ns_of


def frame_of(message: Image | CompressedImage, stamp_ns: int | None = None) -> Frame:
    """The decoded image with its frame id and, unless another `stamp_ns` is given, its stamp. Raises MessageError."""
    return Frame(bgr_of(message), stamp_ns_of(message.header) if stamp_ns is None else stamp_ns, message.header.frame_id)


def bgr_of(message: Image | CompressedImage) -> np.ndarray:
    """(height, width, 3) uint8 of either form. Raises MessageError."""
    return bgr_from_image(message) if isinstance(message, Image) else bgr_from_compressed(message)


def bgr_from_image(message: Image) -> np.ndarray:
    """(height, width, 3) uint8. A BGR image is a view of the message's own memory, so don't draw on it.

    :raises MessageError: empty image, too few bytes, or an encoding that nothing here can read
    """
    if message.encoding not in images.ENCODINGS and message.height and message.width:
        return _through_cv_bridge(message)
    try:
        return images.bgr_from_image(message)
    except images.ImageError as error:
        raise MessageError(str(error)) from None


def _through_cv_bridge(message: Image) -> np.ndarray:
    bridge = _cv_bridge()
    if isinstance(bridge, ModuleNotFoundError) and bridge.name == "cv_bridge":
        raise MessageError(
            f"image encoding {message.encoding!r} is not one of {', '.join(images.ENCODINGS)}; "
            "install cv_bridge for others, or convert with image_proc"
        )
    if isinstance(bridge, Exception):
        raise MessageError(
            f"image encoding {message.encoding!r} needs cv_bridge, which cannot be loaded "
            f"({one_line(bridge)}); {_cv_bridge_remedy(bridge)}, or convert with image_proc"
        )
    try:
        return np.ascontiguousarray(bridge.imgmsg_to_cv2(message, "bgr8"))
    except Exception as error:
        raise MessageError(
            f"cv_bridge cannot convert image encoding {message.encoding!r} to bgr8: {one_line(error)}"
        ) from None


@cache
def _cv_bridge() -> Any:
    """A CvBridge, or what loading it raised: an extension that was built for another NumPy raises what it likes. NumPy's own
    warning of that, a page long, is not shown."""
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            from cv_bridge import CvBridge

            return CvBridge()
    except Exception as error:
        return error


def _cv_bridge_remedy(error: Exception) -> str:
    of_numpy = any(word in str(error).lower() for word in ("_array_api", "numpy"))
    if of_numpy and np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        return f"it was built for NumPy 1 and NumPy {np.__version__} is installed: pip install 'numpy<2'"
    return "reinstall it for this Python"


def bgr_from_compressed(message: CompressedImage) -> np.ndarray:
    """(height, width, 3) uint8 of a JPEG or PNG. Raises MessageError if it cannot be decoded."""
    try:
        return images.bgr_from_compressed(message)
    except images.ImageError as error:
        raise MessageError(str(error)) from None


def image_from_bgr(image_bgr: np.ndarray, stamp_ns: int, frame_id: str) -> Image:
    """A bgr8 message holding a copy of (height, width, 3) uint8."""
    height, width = image_bgr.shape[:2]
    message = Image(header=header_of(stamp_ns, frame_id), height=height, width=width, encoding="bgr8", step=width * 3)
    message.data = _bytes(np.ascontiguousarray(image_bgr))
    return message


def compressed_from_bgr(image_bgr: np.ndarray, stamp_ns: int, frame_id: str, quality: int) -> CompressedImage:
    """A JPEG message of (height, width, 3) uint8, `quality` 1 to 100."""
    import cv2

    _, data = cv2.imencode(".jpg", image_bgr, (cv2.IMWRITE_JPEG_QUALITY, quality))
    return message_of_jpeg(data, stamp_ns, frame_id)


def message_of_jpeg(data: np.ndarray, stamp_ns: int, frame_id: str) -> CompressedImage:
    """A message of a JPEG file, (bytes,) uint8."""
    message = CompressedImage(header=header_of(stamp_ns, frame_id), format="bgr8; jpeg compressed bgr8")
    message.data = _bytes(data)
    return message


def _bytes(values: np.ndarray) -> array:
    data = array("B")  # rclpy copies an array.array in one go and any other sequence value by value
    data.frombytes(values.data.cast("B"))
    return data
