"""Videos with labels as clips of a data set: through the robot's own pose and graph stages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pose_attention_ros.bags.label_sources import read_labels
from pose_attention_ros.cameras import Camera, open_source
from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.time.stamps import LeftOut
from pose_attention_ros.core.types import Frame
from pose_attention_ros.data.dataset import SkeletonDataset
from pose_attention_ros.data.recording_clips import LabelledRecording, PoseStage, RecordingClipConfig, import_recordings


@dataclass(frozen=True)
class VideoGroupConfig(Settings):
    """Which videos belong together."""

    group_by: str = setting(
        "",
        "regular expression: what it finds in a video's name (its first group, where it has one) is "
        "the group, such as '^s[0-9]+' for the person; empty: each video is a group",
    )


def import_videos(
    sources: Sequence[tuple[Path, Path]],
    config: RecordingClipConfig,
    groups: VideoGroupConfig,
    make_pose: Callable[[], PoseStage],
    done: Callable[[int], None] = lambda frames: None,
) -> SkeletonDataset:
    """The data set of videos and their labels; videos of a group go to the same part, label by label.

    :param sources: (video, CSV file with times from its first frame)
    :raises UserError: nothing in them can be used
    """
    return import_recordings(_opened(sources, _namer(groups.group_by)), config, make_pose, done)


def _opened(sources: Sequence[tuple[Path, Path]], group_of: Callable[[str], str]) -> Iterator[LabelledRecording]:
    for path, labels in sources:
        truth = read_labels(labels, LeftOut())
        camera = open_source(str(path))
        try:
            yield LabelledRecording(path.name, _frames(camera), truth, group_of(path.stem))
        finally:
            camera.close()


def _frames(camera: Camera) -> Iterator[Frame]:
    while (frame := camera.read()) is not None:
        yield frame


def _namer(pattern: str) -> Callable[[str], str]:
    """From a video's name to its group. Raises UserError for what is no regular expression."""
    try:
        search = re.compile(pattern).search
    except re.error as error:
        raise UserError(f"group_by {pattern!r} is no regular expression: {error}") from None

    def group_of(name: str) -> str:
        found = search(name) if pattern else None
        return (found.group(1 if found.re.groups else 0) or name) if found else name

    return group_of
