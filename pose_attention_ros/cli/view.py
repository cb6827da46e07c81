"""`pose-attention view`: the page in a browser, fed by a camera, video or bag, without ROS."""

from __future__ import annotations

import argparse
import dataclasses
import signal
import threading
import time
from collections.abc import Sequence
from typing import Any

from pose_attention_ros.cameras import Camera, CameraConfig, open_source
from pose_attention_ros.cli.options import add_json, add_settings, read_settings, source_text, write_json
from pose_attention_ros.core.action_stage import ActionConfig, ActionStage
from pose_attention_ros.core.actions.recogniser import ModelSpec
from pose_attention_ros.core.graph_stage import GraphConfig, GraphStage
from pose_attention_ros.core.machine.load import RateCap, RateConfig
from pose_attention_ros.core.pipeline import STAGES, Pipeline
from pose_attention_ros.core.secrets import masked
from pose_attention_ros.core.teaching.commands import Teacher
from pose_attention_ros.inference.pixel_feeds import PixelFeedConfig, create_pixel_feed
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator
from pose_attention_ros.inference.recogniser import DEFAULT_MODEL, find_model, load_recogniser
from pose_attention_ros.inference.teaching import TAUGHT_DOC, Teaching
from pose_attention_ros.web.hub import Hub, Meter
from pose_attention_ros.web.records import record_of, record_of_model, record_of_take
from pose_attention_ros.web.server import WebServer
from pose_attention_ros.web.settings import SHOWN, WebConfig, described, parameter_file

_HEALTH_PERIOD_S = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument(
        "--source",
        type=source_text,
        required=True,
        help="camera number or device, address, video file, folder of images, or bag",
    )
    parser.add_argument("--model", default=DEFAULT_MODEL, help="name under models/ or path (default: %(default)s)")
    parser.add_argument("--taught", default="", metavar="FILE", help=TAUGHT_DOC)
    parser.add_argument("--loop", action="store_true", help="begin a recording again at its end")
    parser.add_argument("--max-frames", type=int, default=0, metavar="N", help="stop after N frames (default: at the end)")
    add_json(parser)
    for title, kind in (
        ("page", WebConfig),
        ("source", CameraConfig),
        ("pose", PoseConfig),
        ("rate", RateConfig),
        ("action", ActionConfig),
    ):
        add_settings(parser, title, kind)


class ViewFeed:
    """The pipeline of this process as the page's feed: what the page asks for happens between two frames."""

    def __init__(self, stage: ActionStage, teaching: Teaching, hub: Hub, rate: RateConfig) -> None:
        self.lock = threading.RLock()
        self.rate = rate
        self._stage, self._teaching, self._hub = stage, teaching, hub
        self._teacher = Teacher(stage, teaching, self._announce)

    def _announce(self, spec: ModelSpec) -> None:
        """Tell the pages the model."""
        names = self._teaching.taught.names if self._teaching.taught else ()
        self._hub.keep(
            record_of_model(
                spec.model_id, spec.sha256, spec.classes, spec.layout, spec.threshold, names, self._teaching.why_not
            )
        )

    def _values(self) -> dict[str, float]:
        values = {name: getattr(self._stage.config, name) for name, kind in SHOWN.items() if kind is ActionConfig}
        return {**values, "max_rate_hz": self.rate.max_rate_hz}

    def settings(self) -> list[dict]:
        """See hub.Feed."""
        return described(self._values())

    def set(self, name: str, value: float) -> None:
        """See hub.Feed."""
        with self.lock:
            if SHOWN[name] is RateConfig:
                self.rate = dataclasses.replace(self.rate, **{name: value})
            else:
                self._stage.configure(dataclasses.replace(self._stage.config, **{name: value}))

    def parameter_file(self) -> str:
        """See hub.Feed; for the graph of nodes and for the composed node."""
        actions = [name for name, kind in SHOWN.items() if kind is ActionConfig]
        return parameter_file(self._values(), (("action", actions), ("pose", ["max_rate_hz"]), ("pipeline", list(SHOWN))))

    def onlookers(self, pages: int) -> None:
        """See hub.Feed; the loop asks the hub itself."""

    def teach(self, command: str, **what: Any) -> dict:
        """See hub.Feed."""
        with self.lock:
            self._teacher.do(command, **what)
            answer: dict[str, Any] = {"taught": [action.name for action in self._teacher.taught]}
            lesson = self._teacher.lesson
            if lesson is not None:
                answer |= {
                    "lesson": lesson.name,
                    "track_id": lesson.track_id,
                    "takes": [record_of_take(take) for take in lesson.takes()],
                }
            return answer


def run(args: argparse.Namespace) -> int:
    """Show the source until it ends or Ctrl-C is pressed."""
    recogniser = load_recogniser(args.model)
    spec = recogniser.spec
    hub = Hub(read_settings(args, WebConfig))
    server = WebServer(hub)
    camera = open_source(args.source, read_settings(args, CameraConfig))
    try:
        pose = create_pose_estimator(read_settings(args, PoseConfig))
        pose.warm_up(camera.size)
        feed = create_pixel_feed(spec, PixelFeedConfig(), pose.image_features)
        stage = ActionStage(recogniser, read_settings(args, ActionConfig), feed)
        pipeline = Pipeline(pose, GraphStage(GraphConfig(layout=spec.layout.name)), stage)
        hub.feed = view = ViewFeed(
            stage, Teaching(recogniser, find_model(args.model), args.taught), hub, read_settings(args, RateConfig)
        )
        server.start()
        print(f"open {server.address}   (Ctrl-C ends)", flush=True)
        summary = _show(
            camera,
            pipeline,
            hub,
            view,
            args,
            {"source": masked(args.source), "backend": pose.backend, "model": spec.model_id},
        )
    finally:
        camera.close()
        server.close()
    write_json(args.json, summary)
    return 0


def _show(camera: Camera, pipeline: Pipeline, hub: Hub, view: ViewFeed, args: argparse.Namespace, about: dict) -> dict:
    """Frames through the pipeline to the pages, a recording at its own pace; returns a summary."""
    stopped = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: (stopped.set(), threading.Thread(target=camera.close).start()))
    meter, cap, pace, frames, told_s = Meter(), RateCap(), Pace(), 0, 0.0
    recorded = not camera.live
    try:
        while not stopped.is_set() and not (args.max_frames and frames >= args.max_frames):
            frame = camera.read()
            if frame is None:
                if not (args.loop and recorded) or stopped.is_set():
                    break
                camera.close()
                camera = open_source(args.source, read_settings(args, CameraConfig))
                pace = Pace()
                continue
            if recorded:
                pace.wait(frame.stamp_ns, stopped)
            if not cap.admits(frame.stamp_ns, view.rate.max_rate_hz):
                continue
            began = time.monotonic()
            with view.lock:
                result = pipeline(frame)
            frames += 1
            hub.result(record_of(result.graphs, result.actions))
            if hub.wants_image(frame.stamp_ns):
                hub.image(frame)
            meter.done(time.monotonic() - began)
            if time.monotonic() - told_s >= _HEALTH_PERIOD_S:
                told_s = time.monotonic()
                hub.keep(_health(camera, {**meter.read(), **about, "pages": len(hub.pages)}, result.stage_seconds))
    finally:
        signal.signal(signal.SIGINT, before)
        camera.close()
    return {**about, "frames": frames}


def _health(camera: Camera, values: dict, stage_seconds: Sequence[float]) -> dict:
    """What the page's health shows; of a live camera also what it lost, and what is wrong with it."""
    stages = {f"{name}_ms": round(1000 * seconds, 1) for name, seconds in zip(STAGES, stage_seconds)}
    live = {"dropped": camera.dropped} if camera.live else {}
    trouble = camera.trouble if camera.live else ""
    return {"type": "health", "values": {**values, **live, **stages}, "warnings": [["source", trouble]] if trouble else []}


class Pace:
    """Plays a recording as its stamps say, or more slowly where the machine is too slow for that: no frame is left out."""

    def __init__(self) -> None:
        self._origin_s: float | None = None

    def wait(self, stamp_ns: int, stopped: threading.Event) -> None:
        """Until the frame is due."""
        due_s, now_s = stamp_ns * 1e-9, time.monotonic()
        if self._origin_s is None or self._origin_s + due_s < now_s - 0.2:
            self._origin_s = now_s - due_s
        stopped.wait(min(max(self._origin_s + due_s - now_s, 0.0), 5.0))
