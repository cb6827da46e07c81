"""A camera's topics: image, compressed image and calibration, each made only while someone subscribes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.machine.file_names import at_home
from pose_attention_ros.core.machine.preview import Preview, PreviewConfig
from pose_attention_ros.core.types import Frame
from pose_attention_ros.ros.image_topic_choice import preview_topic
from pose_attention_ros.ros.images import compressed_from_bgr, image_from_bgr, message_of_jpeg
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.qos import result_profile
from pose_attention_ros.ros.stamps import header_of


@dataclass(frozen=True)
class JpegConfig(Settings):
    """How a node compresses images."""

    jpeg_quality: int = setting(90, "quality of the compressed image topic", low=1, high=100, live=True)


@dataclass(frozen=True)
class CameraTopicsConfig(JpegConfig, PreviewConfig):
    """How a node publishes camera images."""

    calibration: str = setting(
        "", "calibration file of the camera (YAML of camera_calibration), published as camera_info; empty: none"
    )


class ImageTopic:
    """Publishers of `topic` and `topic`/compressed for a node whose settings are a JpegConfig.

    They are reliable, which serves best-effort and reliable subscribers alike.
    """

    def __init__(self, node: ManagedNode, topic: str) -> None:
        self._node = node
        self._raw = node.advertise(Image, topic, result_profile(depth=2))
        self._compressed = node.advertise(
            CompressedImage, node.resolve_topic_name(topic) + "/compressed", result_profile(depth=2)
        )

    def subscribers(self) -> int:
        """How many want images, in either form."""
        return self._raw.get_subscription_count() + self._compressed.get_subscription_count()

    def publish(self, image_bgr: np.ndarray, stamp_ns: int, frame_id: str) -> None:
        """Send the (height, width, 3) uint8 image in the forms that are wanted."""
        if self._raw.get_subscription_count():
            self._raw.publish(image_from_bgr(image_bgr, stamp_ns, frame_id))
        if self._compressed.get_subscription_count():
            self._compressed.publish(compressed_from_bgr(image_bgr, stamp_ns, frame_id, self._node.settings.jpeg_quality))


class CameraTopics:
    """The image topic, its preview and `camera_info` of a node whose settings are a CameraTopicsConfig.

    :raises UserError: the calibration file cannot be read or is of another image size
    """

    def __init__(self, node: ManagedNode, image_size: tuple[int, int]) -> None:
        path = node.settings.calibration
        self._camera_info = load_calibration(at_home(path), image_size) if path else None
        self._node, self._preview = node, Preview()
        self._images = ImageTopic(node, "image_raw")
        self._previews = node.advertise(CompressedImage, preview_topic(node), result_profile(depth=2))
        self._info = node.advertise(CameraInfo, "camera_info", result_profile(depth=2)) if path else None
        self.subscribers = self._images.subscribers

    def publish(self, frame: Frame) -> None:
        """Send the frame in the forms that are wanted."""
        self._images.publish(frame.image_bgr, frame.stamp_ns, frame.frame_id)
        if self._previews.get_subscription_count() and self._preview.due(frame.stamp_ns, self._node.settings):
            jpeg = self._preview.jpeg(frame.image_bgr, self._node.settings)
            self._previews.publish(message_of_jpeg(jpeg, frame.stamp_ns, frame.frame_id))
        if self._info is not None:
            self._camera_info.header = header_of(frame.stamp_ns, frame.frame_id)
            self._info.publish(self._camera_info)


def load_calibration(path: Path, image_size: tuple[int, int]) -> CameraInfo:
    """The CameraInfo in a file as camera_calibration writes it.

    :param image_size: (width, height) in pixels of the images that it must describe
    :raises UserError: unreadable, incomplete, or made for another image size
    """
    import yaml

    try:
        data = yaml.safe_load(path.read_text())
        size = (int(data["image_width"]), int(data["image_height"]))
        message = CameraInfo(
            width=size[0],
            height=size[1],
            distortion_model=str(data["distortion_model"]),
            d=_numbers(data, "distortion_coefficients", None),
            k=_numbers(data, "camera_matrix", 9),
            r=_numbers(data, "rectification_matrix", 9),
            p=_numbers(data, "projection_matrix", 12),
        )
    except OSError as error:
        raise UserError(f"calibration {path} cannot be read: {error.strerror or error}") from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        why = " ".join(str(error).split())
        raise UserError(f"calibration {path} is not a file of camera_calibration: {type(error).__name__} {why}") from None
    if size != image_size:
        raise UserError(
            f"calibration {path} is for {size[0]}x{size[1]} images, the source gives "
            f"{image_size[0]}x{image_size[1]}; calibrate again or set width and height"
        )
    return message


def _numbers(data: dict[str, Any], name: str, count: int | None) -> list[float] | np.ndarray:
    values = [float(value) for value in data[name]["data"]]
    if count is not None and len(values) != count:
        raise ValueError(f"{name} has {len(values)} numbers, expected {count}")
    return values if count is None else np.array(values, np.float64)
