"""A folder of images, in the order a person would number them."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from pose_attention_ros.cameras.base import CameraConfig
from pose_attention_ros.core.errors import SourceError
from pose_attention_ros.core.machine.file_names import visible
from pose_attention_ros.core.messages.images import read_image
from pose_attention_ros.core.time.stamps import FileStamps, LeftOut
from pose_attention_ros.core.types import Frame

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
log = logging.getLogger(__name__)


def natural_key(name: str) -> list[tuple[bool, int | str]]:
    """Sort key under which frame2 comes before frame10."""
    return [(part.isdigit(), int(part) if part.isdigit() else part) for part in re.split(r"(\d+)", name.lower())]


class ImageFolder:
    """The images of a folder at `config.assumed_fps`; one that cannot be read is left out with a warning, its time passes.

    :raises SourceError: no image in the folder, or none that can be read
    """

    live = False

    def __init__(self, folder: Path, config: CameraConfig, start_stamp_ns: int = 0) -> None:
        names = sorted(
            (entry for entry in visible(folder.iterdir()) if entry.suffix.lower() in IMAGE_SUFFIXES),
            key=lambda entry: natural_key(entry.name),
        )
        if not names:
            raise SourceError(f"folder {folder} holds no images; expected files ending in {', '.join(IMAGE_SUFFIXES)}")
        self._paths, self._config = names, config
        self.fps = config.assumed_fps
        self.frame_count = 0 if config.loop else len(names)
        self._stamps = FileStamps(start_stamp_ns, self.fps, LeftOut())
        self._row = 0
        self._ahead = self._next()
        if self._ahead is None:
            raise SourceError(f"none of the {len(names)} images in folder {folder} can be read, for example {names[0].name}")
        height, width = self._ahead.image_bgr.shape[:2]
        self.size = (width, height)

    def read(self) -> Frame | None:
        """The next readable image, None at the end."""
        frame, self._ahead = self._ahead, None
        if frame is None:
            frame = self._next()
            if frame is None and self._config.loop and self._paths:
                self._row = 0
                self._stamps.restart()
                frame = self._next()
        return frame

    def close(self) -> None:
        """Nothing more is read."""
        self._paths = []
        self._ahead = None

    def _next(self) -> Frame | None:
        while self._row < len(self._paths):
            path = self._paths[self._row]
            self._row += 1
            stamp_ns = self._stamps.use(None)
            image = read_image(path)
            if image is not None:
                return Frame(image, stamp_ns, self._config.frame_id)
            log.warning("%s is not a readable image and is left out", path)
        return None
