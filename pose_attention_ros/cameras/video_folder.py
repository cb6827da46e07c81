"""The videos of a folder."""

from __future__ import annotations

from pathlib import Path

from pose_attention_ros.core.errors import SourceError
from pose_attention_ros.core.machine.file_names import visible

VIDEO_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".webm", ".wmv")


def find_videos(source: Path) -> list[Path]:
    """All videos in a folder and below, sorted; a file is itself taken for one. Raises SourceError where there is none."""
    if not source.exists():
        raise SourceError(f"{source} does not exist; expected a video, or a folder of videos")
    if source.is_file():
        return [source]
    found = visible(path for path in source.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file())
    if not found:
        raise SourceError(f"{source} holds no video; expected files ending in {', '.join(VIDEO_SUFFIXES)}")
    return found
