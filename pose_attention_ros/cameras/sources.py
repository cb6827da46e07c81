"""Opens whatever a source string stands for."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import unquote

from pose_attention_ros.bags.bag_folder import is_bag
from pose_attention_ros.cameras.base import Camera, CameraConfig, ClockNs
from pose_attention_ros.cameras.decoding_ahead import ReadAhead
from pose_attention_ros.cameras.folder import ImageFolder
from pose_attention_ros.cameras.live import open_address, open_device, open_pipeline
from pose_attention_ros.cameras.video import VideoFile
from pose_attention_ros.core.errors import SourceError
from pose_attention_ros.core.machine.file_names import at_home

_BAG_SUFFIXES = (".bag", ".db3", ".mcap")
_EXPECTED = (
    'a camera number or device (0, /dev/video0), a GStreamer pipeline ("v4l2src ! ..."), an rtsp:// or http:// '
    "address, a video file, a folder of images, or a bag"
)


def open_source(
    source: str, config: CameraConfig | None = None, *, clock_ns: ClockNs = time.time_ns, start_stamp_ns: int = 0
) -> Camera:
    """The camera, stream, file, folder or bag that `source` stands for, opened and known to give frames.

    :param source: path of a video, of a folder of images, or of a ROS bag (folder, .db3, .mcap or .bag), or file://PATH;
        number or /dev/videoN (V4L2); GStreamer pipeline (contains " ! "); rtsp://, rtsps://, http://, https://. What exists
        as a path is a path, whatever else it looks like
    :param clock_ns: capture time of live frames
    :param start_stamp_ns: stamp of the first frame of a file or folder; a bag's frames keep their own
    :raises SourceError: it does not exist, cannot be opened or gives no frame
    """
    config = config or CameraConfig()
    source = str(source)
    path = _existing(source) or _existing(source.strip())
    if path is not None:
        if path.is_char_device():
            return open_device(str(path), config, clock_ns)
        return _open_path(path, config, start_stamp_ns)
    source = source.strip()
    if not source:
        raise SourceError(f"source is empty; expected {_EXPECTED}")
    if (source.isascii() and source.isdigit()) or source.startswith("/dev/"):
        return open_device(source, config, clock_ns)
    if " ! " in source:
        return open_pipeline(source, config, clock_ns)
    if "://" in source and not source.startswith("file://"):
        return open_address(source, config, clock_ns, start_stamp_ns)
    raise SourceError(f"{source} does not exist; expected {_EXPECTED}")


def _existing(source: str) -> Path | None:
    """The path that `source` is or, as a file:// address, names; absolute, for FFmpeg takes what comes before a colon for a
    protocol. None where there is none."""
    place = source.removeprefix("file://")
    meant = unquote(place, errors="surrogateescape") if place != source else ""
    names = [place, meant, meant.removeprefix("localhost"), str(at_home(place)) if place else ""]
    for name in filter(None, names):
        try:
            path = Path(name).absolute()
            if path.exists():
                return path
        except PermissionError as error:
            raise SourceError(f"cannot read {name}: {error.strerror}") from None
        except (OSError, ValueError):  # too long, a zero byte
            continue
    return None


def _open_path(path: Path, config: CameraConfig, start_stamp_ns: int) -> Camera:
    try:
        if not path.is_file() and not path.is_dir():  # opening a pipe would wait for whoever may write into it
            raise SourceError(f"{path} is a pipe, a socket or a disk; expected {_EXPECTED}")
        if path.suffix.lower() in _BAG_SUFFIXES or is_bag(path):
            from pose_attention_ros.cameras.bag import BagImages  # what reads bags, which few robots do

            return ReadAhead(BagImages(path, config))
        if path.is_dir():
            return ReadAhead(ImageFolder(path, config, start_stamp_ns))
        with path.open("rb") as file:
            if not file.read(1):
                raise SourceError(f"{path} is empty; expected {_EXPECTED}")
        return ReadAhead(VideoFile(str(path), config, start_stamp_ns))
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}") from None
