"""Frames of clips out of image files or videos, decoded when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.machine.file_names import utf8_name
from pose_attention_ros.core.messages.images import read_image
from pose_attention_ros.data.dataset import Clip
from pose_attention_ros.data.finishing import LeftOut, finished, with_joints
from pose_attention_ros.data.pixel_clips import DecodedPixels, combined_sha256


def from_images(
    clips: list[Clip], joints: tuple[str, ...], files: list[list[Path]], left_out: LeftOut | None = None
) -> DecodedPixels:
    """A data set whose clip i has one image file a frame, files[i], in order.

    :raises UserError: a clip has fewer images than frames with joints; surplus images are left out
    """
    left_out = left_out if left_out is not None else LeftOut()
    kept = with_joints(clips, left_out)
    clips, files = [clips[i] for i in kept], [files[i] for i in kept]
    for clip, paths in zip(clips, files):
        if len(paths) < len(clip.keypoints):
            where = paths[0].parent if paths else f"the frames of a clip of {clip.label!r}"
            raise UserError(f"{where}: {len(paths)} images, expected {len(clip.keypoints)}, one for each frame with joints")

    def read(clip: int, frames: Sequence[int]) -> np.ndarray:
        return np.stack([_image(files[clip][frame]) for frame in frames])

    signature = signature_of(path for paths in files for path in paths)
    return DecodedPixels(finished(clips, joints, left_out), read, signature)


def from_videos(clips: list[Clip], joints: tuple[str, ...], files: list[Path], left_out: LeftOut) -> DecodedPixels:
    """A data set whose clip i is the video files[i], whose first frames are the clip's; all clips have joints."""

    def read(clip: int, frames: Sequence[int]) -> np.ndarray:
        return _video_frames(files[clip], frames)

    return DecodedPixels(finished(clips, joints, left_out), read, signature_of(files))


def signature_of(files: Iterable[Path]) -> str:
    """Names and sizes: what identifies many large files without reading them."""
    return combined_sha256(f"{path.parent.name}/{path.name} {path.stat().st_size}" for path in files)


def _image(path: Path) -> np.ndarray:
    image = read_image(path)
    if image is None:
        raise UserError(f"{path} cannot be read as an image; it is missing or damaged")
    return image


def _video_frames(path: Path, frames: Sequence[int]) -> np.ndarray:
    """The frames of these numbers, which are read in order: seeking in videos is not exact."""
    wanted, found = {int(frame) for frame in frames}, {}
    with utf8_name(str(path.absolute())) as name:
        video = cv2.VideoCapture(name)
    try:
        for number in range(max(wanted, default=-1) + 1):
            if not video.grab():
                raise UserError(f"{path} ends or is damaged at frame {number}, expected at least {max(wanted) + 1} frames")
            if number in wanted:
                there, image = video.retrieve()
                if not there:
                    raise UserError(f"{path}: frame {number} cannot be decoded")
                found[number] = image
    finally:
        video.release()
    return np.stack([found[int(frame)] for frame in frames])
