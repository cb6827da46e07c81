"""Writes what the pipeline made of a stream: annotated video, one JSON line a frame, and a summary of every track."""

from __future__ import annotations

import json
import logging
import struct
import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.machine.file_names import utf8_name
from pose_attention_ros.core.types import UNKNOWN_LABEL, ActionEstimate, ActionEstimates, LabelState, SkeletonGraphs
from pose_attention_ros.evaluation.mp4_times import set_times, shown_s
from pose_attention_ros.inference.letterbox import Letterbox

log = logging.getLogger(__name__)
RESULT_FILES = ("annotated.mp4", "actions.jsonl", "summary.json")
Draw = Callable[[np.ndarray, SkeletonGraphs, ActionEstimates], np.ndarray]
_DIGITS = 6
_ENCODER_FPS = (1.0, 120.0)  # MPEG-4 cannot state every rate; the times are set afterwards
_DOMINANT_SHARE = 0.25  # of the frames after warming up: a class that holds for less does not stand for the track


class ResultWriter:
    """Context manager that fills a folder with annotated.mp4, actions.jsonl and summary.json.

    The files are whole after `close`, also when the stream was cut short; `close` returns the summary.
    """

    def __init__(self, folder: Path, *, fps: float, draw: Draw | None, about: dict[str, Any]) -> None:
        """
        :param folder: made if need be; files of the same names are replaced
        :param fps: frame rate of the video where the stamps do not tell, as of a single frame
        :param draw: makes the annotated image of (image_bgr, graphs, actions); None writes no video
        :param about: goes into the summary as it is: source, backend, model
        :raises UserError: the folder cannot be written
        """
        self._folder = folder.absolute()  # FFmpeg takes what comes before a colon for a protocol
        self._fps, self._draw, self._about = fps, draw, about
        self._video: cv2.VideoWriter | None = None
        self._video_size = (0, 0)
        self._shown_ns = array("q")
        self._frames = 0
        self._begin_s: float | None = None
        self._end_s = 0.0
        self._labels: dict[int, Counter[str]] = defaultdict(Counter)
        self._warming_up: Counter[int] = Counter()
        self._confidences: dict[tuple[int, str], float] = defaultdict(float)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in ("annotated.mp4", "summary.json"):
                (folder / name).unlink(missing_ok=True)
            self._lines = (folder / "actions.jsonl").open("w")
        except OSError as error:
            raise UserError(f"cannot write to {folder}: {error.strerror or error}") from None

    def __enter__(self) -> ResultWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, image_bgr: np.ndarray | None, graphs: SkeletonGraphs, actions: ActionEstimates) -> None:
        """One frame, in the order of the stream; without an image it is missing from the video alone."""
        self._begin_s = self._begin_s or time.perf_counter()
        self._frames += 1
        self._lines.write(json.dumps(frame_record(graphs, actions)) + "\n")
        for person in actions.people:
            self._labels[person.track_id][person.label] += 1
            self._warming_up[person.track_id] += person.state is LabelState.WARMING_UP
            self._confidences[person.track_id, person.label] += person.confidence
        if self._draw is not None and image_bgr is not None:
            self._write_image(self._draw(image_bgr, graphs, actions))
            self._shown_ns.append(graphs.stamp_ns)
        self._end_s = time.perf_counter()

    def _write_image(self, image_bgr: np.ndarray) -> None:
        if self._video is None:
            self._video_size = (image_bgr.shape[1], image_bgr.shape[0])
            with utf8_name(str(self._folder)) as folder:
                self._video = cv2.VideoWriter(
                    f"{folder}/{self._video_path.name}",
                    cv2.VideoWriter_fourcc(*"mp4v"),
                    float(np.clip(round(self._fps, 2), *_ENCODER_FPS)),
                    self._video_size,
                )
            if not self._video.isOpened():
                raise UserError(f"cannot write {self._video_path}: this OpenCV has no mp4v encoder; use --no-video")
        self._video.write(_fitted(image_bgr, self._video_size))

    @property
    def _video_path(self) -> Path:
        return self._folder / "annotated.mp4"

    def _finish_video(self) -> None:
        """The frames get their real times, for the encoder knows a constant rate only."""
        self._video.release()
        try:
            set_times(self._video_path, shown_s(self._shown_ns, 1 / self._fps))
        except (OSError, ValueError, KeyError, struct.error) as error:
            log.warning("%s plays at %g frames a second whatever the stamps say: %s", self._video_path, self._fps, error)

    def close(self) -> dict[str, Any]:
        """Finish the files and return the summary; the second call only returns it."""
        summary = self.summary()
        if not self._lines.closed:
            self._lines.close()
            if self._video is not None:
                self._finish_video()
            (self._folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
        return summary

    def summary(self) -> dict[str, Any]:
        """Frames, frames a second, what `about` says, and the tracks so far."""
        seconds = self._end_s - self._begin_s if self._begin_s is not None else 0.0
        return {
            "frames": self._frames,
            "frames_per_second": round((self._frames - 1) / seconds, 2) if seconds > 0 else None,
            **self._about,
            "tracks": [self._track(track_id) for track_id in sorted(self._labels)],
        }

    def _track(self, track_id: int) -> dict[str, Any]:
        """The dominant label is the most frequent class, if it is more than a passing guess; else it is unknown."""
        labels = self._labels[track_id]
        settled = labels.total() - self._warming_up[track_id]
        classes = Counter({label: n for label, n in labels.items() if label != UNKNOWN_LABEL})
        dominant, count = classes.most_common(1)[0] if classes else (UNKNOWN_LABEL, 0)
        if count < _DOMINANT_SHARE * settled:
            dominant = UNKNOWN_LABEL
        mean = self._confidences[track_id, dominant] / max(labels[dominant], 1)
        return {
            "track_id": track_id,
            "frames": sum(labels.values()),
            "dominant_label": dominant,
            "mean_confidence": round(mean, 4),
            "labels": dict(labels.most_common()),
        }


def _fitted(image_bgr: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The image as large as it fits into (width, height) pixels, with black beside it: a video has one size."""
    height, width = image_bgr.shape[:2]
    if (width, height) == size:
        return image_bgr
    box = Letterbox.into((width, height), size)
    fitted = np.zeros((size[1], size[0], 3), np.uint8)
    fitted[box.slices] = cv2.resize(image_bgr, box.content_size, interpolation=cv2.INTER_AREA)
    return fitted


def frame_record(graphs: SkeletonGraphs, actions: ActionEstimates) -> dict[str, Any]:
    """One line of actions.jsonl: everything that was published about the people of a frame, by name."""
    boxes = dict(zip(graphs.track_ids.tolist(), graphs.boxes_xyxy))
    return {
        "stamp_ns": actions.stamp_ns,
        "frame_id": actions.frame_id,
        "people": [_person_record(person, boxes.get(person.track_id), actions) for person in actions.people],
    }


def _person_record(person: ActionEstimate, box_xyxy: np.ndarray | None, actions: ActionEstimates) -> dict[str, Any]:
    return {
        "track_id": person.track_id,
        "label": person.label,
        "state": person.state.name.lower(),
        "confidence": _rounded(person.confidence),
        "box_xyxy": None if box_xyxy is None else [round(float(x), 2) for x in box_xyxy],
        "scores": dict(zip(actions.classes, _rounded(person.scores))),
        "onset_ns": person.onset_ns,
        "evidence_ns": [person.evidence_start_ns, person.evidence_end_ns],
        "joint_attention": dict(zip(actions.layout.joints, _rounded(person.joint_attention))),
        "frame_attention": _rounded(person.frame_attention),
    }


def _rounded(values: Any) -> Any:
    return np.round(np.asarray(values, np.float64), _DIGITS).tolist()


def summary_table(summary: dict[str, Any]) -> str:
    """The summary for a terminal: the longest tracks first, at most a dozen."""
    tracks = sorted(summary["tracks"], key=lambda track: -track["frames"])
    lines = [f"{'person':>6}  {'frames':>6}  {'label':<16} {'frames':>6}  confidence"]
    for track in tracks[:12]:
        label = track["dominant_label"]
        lines.append(
            f"{track['track_id']:>6}  {track['frames']:>6}  {label:<16} {track['labels'].get(label, 0):>6}  "
            f"{track['mean_confidence']:.2f}"
        )
    if len(tracks) > 12:
        lines.append(f"... and {len(tracks) - 12} shorter tracks, see summary.json")
    rate = f", {summary['frames_per_second']:.1f} frames a second" if summary["frames_per_second"] else ""
    return "\n".join([*lines, f"{summary['frames']} frames{rate}"])
