"""Frame sources: camera device, GStreamer, network stream, video file, image folder, bag."""

from pose_attention_ros.cameras.base import Camera, CameraConfig
from pose_attention_ros.cameras.sources import open_source
from pose_attention_ros.core.errors import SourceError

__all__ = ["Camera", "CameraConfig", "SourceError", "open_source"]
