"""recorder: writes annotated.mp4, actions.jsonl and summary.json of what the other nodes publish.

Subscribes image_raw or image_raw/compressed (`image_transport`), skeleton_graphs, actions, action_model, source_status,
           /diagnostics (which backend computes, and what the nodes measure of themselves)
Publishes  recorded (std_msgs/Header: stamp of each frame taken; what a camera with `acknowledge: recorded` waits for)

Ends when the source ends, or when nothing came for `idle_timeout_s`; Ctrl-C finishes the files too.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import Header

from pose_attention_ros.core.config import setting
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.machine.file_names import at_home
from pose_attention_ros.core.messages.records import graphs_of_message
from pose_attention_ros.evaluation.recording import RESULT_FILES, ResultWriter, summary_table
from pose_attention_ros.msg import ActionLabelArray, ActionModel, SkeletonGraphArray, SourceStatus
from pose_attention_ros.ros.action_messages import actions_of_message
from pose_attention_ros.ros.image_subscription import ImageSubscription
from pose_attention_ros.ros.images import bgr_of
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.playback import SOURCE_IS_OVER
from pose_attention_ros.ros.qos import latched_profile, result_profile
from pose_attention_ros.ros.run import run
from pose_attention_ros.ros.settings import NodeConfig, SynchroniserConfig, TransportConfig
from pose_attention_ros.ros.stamps import stamp_ns_of
from pose_attention_ros.ros.sync import StampSynchroniser

_CHECK_PERIOD_S = 0.1
_LAST_FRAME_S = 5.0  # after the source's end, its last frames may take this long to arrive
_IMAGES_IN_MIDDLEWARE = 10  # those that come before the graph has answered
_BACKLOG = 4  # frames that wait for the encoder; then the camera waits


@dataclass(frozen=True)
class RecorderNodeConfig(TransportConfig, SynchroniserConfig, NodeConfig):
    """Parameters of the recorder node."""

    out: str = setting("out/recording", "folder for annotated.mp4, actions.jsonl and summary.json")
    overwrite: bool = setting(False, "whether earlier results in that folder may be replaced")
    video: bool = setting(True, "whether to write annotated.mp4; false needs no images at all")
    fps: float = setting(30.0, "frame rate of the video where no source_status states one", unit="Hz", low=0.1, high=1000.0)
    idle_timeout_s: float = setting(
        30.0, "end when nothing came for this long; 0 waits for ever", unit="s", low=0.0, high=3600.0
    )


class RecorderNode(ManagedNode):
    """See the module."""

    default_name = "recorder"
    settings_type = RecorderNodeConfig
    _writing: threading.Thread | None = None

    def configure(self) -> None:
        out = at_home(self.settings.out)
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"out is {out}, expected a folder that can be written: {error.strerror or error}") from None
        self._out = out
        self._spare_earlier_results()
        self._draw = self._drawer()
        self._recorded = self.advertise(Header, "recorded", result_profile())

    def activate(self) -> None:
        self._spare_earlier_results()
        self._status: SourceStatus | None = None
        self._model: ActionModel | None = None
        self._about: dict[str, Any] = {"source": None, "backend": None, "model": None, "model_sha256": None, "nodes": {}}
        self._queue: queue.Queue[tuple[Any, ...] | None] = queue.Queue(_BACKLOG)
        self._newest_ns: int | None = None
        self._lost = 0
        self._heard = time.monotonic()
        self._ended: float | None = None
        self._writing = threading.Thread(target=self._write, name="writer", daemon=True)
        self._writing.start()
        self._subscribe()
        self._watch = self.watch(_CHECK_PERIOD_S, self._check_end)

    def deactivate(self) -> None:
        """Finish the files."""
        self.destroy_timer(self._watch)
        self._queue.put(None)
        self._writing.join()
        if self._lost:
            self.get_logger().error(f"{self._lost} frames could not be written to {self._out}")
            self.exit_code = 1

    def _spare_earlier_results(self) -> None:
        """Raises UserError where files would be replaced."""
        earlier = [name for name in RESULT_FILES if (self._out / name).exists()]
        if earlier and not self.settings.overwrite:
            raise UserError(
                f"out is {self._out}, where {', '.join(earlier)} of an earlier recording lies; choose another "
                "folder, or set overwrite to true"
            )

    def _subscribe(self) -> None:
        self.listen(ActionModel, "action_model", self._on_model, latched_profile())
        self.listen(SourceStatus, "source_status", self._on_status, latched_profile())
        self.listen(DiagnosticArray, "/diagnostics", self._on_diagnostics, result_profile())
        results = {"skeleton_graphs": SkeletonGraphArray, "actions": ActionLabelArray}
        names = (*results, "image") if self.settings.video else tuple(results)
        self._sync = StampSynchroniser(names, self.settings.buffer_frames)
        for topic, kind in results.items():
            self.listen(kind, topic, partial(self._on_part, topic), result_profile())
        if self.settings.video:
            ImageSubscription(
                self,
                partial(self._on_part, "image"),
                transport=self.settings.image_transport,
                reliability="auto",
                depth=_IMAGES_IN_MIDDLEWARE,
            ).open()

    def _on_model(self, message: ActionModel) -> None:
        self._model = message
        self._about.update(model=message.model_id, model_sha256=message.model_sha256)

    def _on_status(self, message: SourceStatus) -> None:
        self._status = message
        self._heard = time.monotonic()
        self._about["source"] = message.source
        self._ended = time.monotonic() if message.state in SOURCE_IS_OVER else None

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            told = {pair.key: pair.value for pair in status.values}
            self._about["nodes"][status.name] = told
            self._about["backend"] = told.get("backend", self._about["backend"])

    def _on_part(self, topic: str, message: Any) -> None:
        self._heard = time.monotonic()
        complete = self._sync.add(topic, stamp_ns_of(message.header), message)
        self.meter.dropped = self._sync.given_up
        if complete is None:
            return
        if self._model is None:
            self.warn_once("a frame is left out: action_model has not been heard yet")
            return
        graphs = graphs_of_message(complete[0])
        if self._newest_ns is None or graphs.stamp_ns != self._newest_ns:
            image = complete[2] if len(complete) == 3 else None
            self._queue.put((image, graphs, actions_of_message(complete[1], self._model)))
            self._newest_ns = graphs.stamp_ns
        self._recorded.publish(Header(stamp=message.header.stamp, frame_id=message.header.frame_id))

    def _check_end(self) -> None:
        """Whether everything has come, or nothing comes any more."""
        now = time.monotonic()
        if self._ended is not None:
            last_ns = stamp_ns_of(self._status.header)
            if self._newest_ns == last_ns or not self._status.frames or now - self._ended > _LAST_FRAME_S:
                self.stop(0 if self._status.state == SourceStatus.STATE_ENDED and self._newest_ns is not None else 1)
        elif self.settings.idle_timeout_s and now - self._heard > self.settings.idle_timeout_s:
            self.get_logger().error(
                f"nothing came for {self.settings.idle_timeout_s:g} s: are camera, pose, skeleton_graph and action running?"
            )
            self.stop(1)

    def _write(self) -> None:
        """The writer's thread: drawing and encoding overlap with the work of the other nodes."""
        from tqdm import tqdm

        writer: ResultWriter | None = None
        with tqdm(unit="frame", disable=None) as progress:
            while (item := self._queue.get()) is not None:
                began = time.perf_counter()
                try:
                    writer = writer or self._open(progress)
                    image, graphs, actions = item
                    writer.add(None if image is None else bgr_of(image), graphs, actions)
                except Exception as error:
                    self._lost += 1
                    self.tell_failure("recording", error)
                progress.update()
                self.meter.done(time.perf_counter() - began)
        if writer is None:
            return
        try:
            print(summary_table(writer.close()))
            print(f"written to {self._out}", flush=True)
        except OSError as error:
            self._lost += 1
            self.get_logger().error(f"cannot finish the files in {self._out}: {error.strerror or error}")

    def _drawer(self) -> Any:
        if not self.settings.video:
            return None
        from pose_attention_ros.visualization.overlay import Overlay

        return Overlay().draw

    def _open(self, progress: Any) -> ResultWriter:
        status = self._status
        progress.total = status.frames_total if status and status.frames_total else None
        fps = status.rate if status and status.rate > 0 else self.settings.fps
        return ResultWriter(self._out, fps=fps, draw=self._draw, about=self._about)


def main(arguments: list[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(RecorderNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
