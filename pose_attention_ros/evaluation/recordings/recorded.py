"""An open recording, a bag or a video: what is evaluated of it, frame by frame, and the images of single moments."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pose_attention_ros.bags.label_sources import labels_of_topic, read_labels
from pose_attention_ros.bags.opening import Bag
from pose_attention_ros.bags.stream_labels import StreamLabels
from pose_attention_ros.bags.streams import Input, choose_input, read_items
from pose_attention_ros.cameras import open_source
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.time.stamps import LeftOut
from pose_attention_ros.core.types import Frame
from pose_attention_ros.evaluation.recordings.dropped_images import dropped_frames
from pose_attention_ros.evaluation.recordings.worst_scenes import Moment
from pose_attention_ros.evaluation.report.thumbnails import Picture, draw_moment, draw_moments

_READ_AHEAD = 3  # images decoded while the pose estimator works
_FEW_LOST = 0.05  # containers state the number of their frames not quite exactly


class Recorded(Protocol):
    """A context manager. chosen: what is read; bag: None for a video; has_clock: whether the time of recording is known."""

    chosen: Input
    bag: Bag | None
    left_out: LeftOut
    has_clock: bool

    def __enter__(self) -> Recorded: ...

    def __exit__(self, *_: object) -> None: ...

    def labels(self, file: str, topic: str) -> StreamLabels | None:
        """The truth from a CSV file or a topic; None for neither. Raises UserError for both."""

    def items(self) -> Iterator[tuple[int, Any]]:
        """(time of recording, record), stamps strictly increasing."""

    def dropped(self) -> dict[str, Any] | None:
        """Images without an answer in the recording; None where that is not known."""

    def pictures(self, moments: list[Moment]) -> list[Picture]:
        """One picture a moment."""


def open_recorded(path: str, video: bool, kind: str = "auto", topic: str = "") -> Recorded:
    """:raises SourceError: it cannot be read, or has nothing of `kind`"""
    return RecordedVideo(Path(path)) if video else RecordedBag(Path(path), kind, topic)


class RecordedBag:
    """One topic of a bag."""

    has_clock = True

    def __init__(self, path: Path, kind: str, topic: str) -> None:
        self.bag = Bag(path)
        self.left_out = self.bag.left_out
        try:
            self.chosen = choose_input(self.bag, kind, topic)
        except BaseException:
            self.bag.__exit__(None, None, None)
            raise

    def __enter__(self) -> RecordedBag:
        self.bag.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.bag.__exit__(*error)

    def labels(self, file: str, topic: str) -> StreamLabels | None:
        if file and topic:
            raise UserError("labels come from a file or from a topic, not from both")
        if file:
            return read_labels(Path(file), self.left_out)
        return labels_of_topic(self.bag, topic, self.left_out) if topic else None

    def items(self) -> Iterator[tuple[int, Any]]:
        items = read_items(self.bag, self.chosen)
        return _ahead(items) if self.chosen.kind == "images" else items

    def dropped(self) -> dict[str, Any] | None:
        return dropped_frames(self.bag, self.chosen)

    def pictures(self, moments: list[Moment]) -> list[Picture]:
        return draw_moments(self.bag, self.chosen, moments)


class RecordedVideo:
    """A video file; times count from its first frame."""

    bag = None
    has_clock = False

    def __init__(self, path: Path) -> None:
        self.path, self.left_out = path, LeftOut()
        self._camera = open_source(str(path))
        self.chosen = Input("images", path.name, "video", self._camera.frame_count)

    def __enter__(self) -> RecordedVideo:
        return self

    def __exit__(self, *_: object) -> None:
        self._camera.close()

    def labels(self, file: str, topic: str) -> StreamLabels | None:
        return read_labels(Path(file), self.left_out) if file else None

    def items(self) -> Iterator[tuple[int, Frame]]:
        read = 0
        while (frame := self._camera.read()) is not None:
            read += 1
            yield frame.stamp_ns, frame
        lost = self.chosen.count - read
        if lost > 1 and lost > _FEW_LOST * self.chosen.count:
            self.left_out.reasons["frames that the file announces and that cannot be read"] = lost  # the camera warns of it

    def dropped(self) -> None:
        """Nothing answered these images."""

    def pictures(self, moments: list[Moment]) -> list[Picture]:
        images = self._images({moment.stamp_ns for moment in moments}) if moments else {}
        return [Picture(moment, draw_moment(moment, images.get(moment.stamp_ns))) for moment in moments]

    def _images(self, stamps_ns: set[int]) -> dict[int, np.ndarray]:
        """The images of these stamps, from a second reading up to the last of them."""
        camera, found = open_source(str(self.path)), {}
        try:
            while len(found) < len(stamps_ns) and (frame := camera.read()) is not None:
                if frame.stamp_ns in stamps_ns:
                    found[frame.stamp_ns] = frame.image_bgr
        finally:
            camera.close()
        return found


def _ahead(items: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    """The same items, read by another thread a few at a time: decoding overlaps with the pose estimator."""
    ready: queue.Queue[Any] = queue.Queue(_READ_AHEAD)
    stop = threading.Event()

    def put(entry: tuple[str, Any]) -> bool:
        while not stop.is_set():
            try:
                ready.put(entry, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False

    def read() -> None:
        try:
            for item in items:
                if not put(("item", item)):
                    return
            put(("end", None))
        except Exception as error:
            put(("error", error))

    thread = threading.Thread(target=read, name="bag reader", daemon=True)
    thread.start()
    try:
        while True:
            kind, value = ready.get()
            if kind == "end":
                return
            if kind == "error":
                raise value
            yield value
    finally:
        stop.set()
        thread.join()
