"""Opens whatever a source string stands for."""

from __future__ import annotations

import time
from pathlib import Path

from pose_attention_ros.cameras.ahead import ReadAhead
from pose_attention_ros.cameras.bag import BagImages
from pose_attention_ros.cameras.base import Camera, CameraConfig, ClockNs
from pose_attention_ros.cameras.folder import ImageFolder
from pose_attention_ros.cameras.live import open_address, open_device, open_pipeline
from pose_attention_ros.cameras.video import VideoFile
from pose_attention_ros.core.errors import SourceError

_BAG_SUFFIXES = (".bag", ".db3", ".mcap")
_EXPECTED = ("a camera number or device (0, /dev/video0), a GStreamer pipeline (\"v4l2src ! ...\"), an rtsp:// or http:// "
             "address, a video file, a folder of images, or a bag")


def open_source(source: str, config: CameraConfig | None = None, *, clock_ns: ClockNs = time.time_ns,
                start_stamp_ns: int = 0) -> Camera:
    """The camera, stream, file, folder or bag that `source` stands for, opened and known to give frames.

    :param source: number or /dev/videoN (V4L2); GStreamer pipeline (contains " ! "); rtsp://, rtsps://, http://, https://;
        path of a video, of a folder of images, or of a ROS bag (folder, .db3, .mcap or .bag)
    :param clock_ns: capture time of live frames
    :param start_stamp_ns: stamp of the first frame of a file or folder; a bag's frames keep their own
    :raises SourceError: it does not exist, cannot be opened or gives no frame
    """
    config = config or CameraConfig()
    source = str(source).strip()
    if not source:
        raise SourceError(f"source is empty; expected {_EXPECTED}")
    if (source.isascii() and source.isdigit()) or source.startswith("/dev/"):
        return open_device(source, config, clock_ns)
    if " ! " in source:
        return open_pipeline(source, config, clock_ns)
    if "://" in source and not source.startswith("file://"):
        return open_address(source, config, clock_ns, start_stamp_ns)
    return _open_path(Path(source.removeprefix("file://")).expanduser(), config, start_stamp_ns)


def _open_path(path: Path, config: CameraConfig, start_stamp_ns: int) -> Camera:
    try:
        if not path.exists():
            raise SourceError(f"{path} does not exist; expected {_EXPECTED}")
        if path.suffix.lower() in _BAG_SUFFIXES or (path / "metadata.yaml").is_file() or _holds_bag(path):
            return ReadAhead(BagImages(path, config))
        if path.is_dir():
            return ReadAhead(ImageFolder(path, config, start_stamp_ns))
        with path.open("rb") as file:
            if not file.read(1):
                raise SourceError(f"{path} is empty; expected {_EXPECTED}")
        return ReadAhead(VideoFile(str(path), config, start_stamp_ns))
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}") from None


def _holds_bag(path: Path) -> bool:
    return path.is_dir() and any(entry.suffix in (".db3", ".mcap") for entry in path.iterdir())
