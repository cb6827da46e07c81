"""`pose-attention run`: source in; annotated video, JSON lines and a summary out; no ROS needed."""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from pathlib import Path

from pose_attention_ros.cameras import Camera, CameraConfig, open_source
from pose_attention_ros.cli.options import add_json, add_settings, read_settings, source_text, write_json
from pose_attention_ros.core.action_stage import ActionConfig, ActionStage
from pose_attention_ros.core.graph_stage import GraphConfig, GraphStage
from pose_attention_ros.core.pipeline import Pipeline
from pose_attention_ros.core.secrets import masked
from pose_attention_ros.core.time.stamps import LeftOut
from pose_attention_ros.evaluation.recording import ResultWriter, summary_table
from pose_attention_ros.inference.networks import SMALL_RUNTIME_DOC, SMALL_RUNTIMES
from pose_attention_ros.inference.pixel_feeds import PixelFeedConfig, create_pixel_feed
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator
from pose_attention_ros.inference.recogniser import DEFAULT_MODEL, find_model, load_recogniser
from pose_attention_ros.inference.teaching import TAUGHT_DOC, Teaching
from pose_attention_ros.visualization.overlay import Overlay, OverlayConfig

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument(
        "--source",
        type=source_text,
        required=True,
        help="camera number or device, GStreamer pipeline, rtsp:// or http:// address, video file, folder of images, or bag",
    )
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="name under models/ or path of a model directory (default: %(default)s)"
    )
    parser.add_argument("--taught", default="", metavar="FILE", help=TAUGHT_DOC)
    parser.add_argument(
        "--model-runtime",
        choices=SMALL_RUNTIMES,
        default=SMALL_RUNTIMES[0],
        help=f"recogniser: {SMALL_RUNTIME_DOC} (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out/run"),
        metavar="DIR",
        help="folder for annotated.mp4, actions.jsonl and summary.json (default: %(default)s)",
    )
    parser.add_argument("--max-frames", type=int, default=0, metavar="N", help="stop after N frames (default: at the end)")
    parser.add_argument("--no-video", action="store_true", help="write no annotated.mp4")
    add_json(parser)
    add_settings(parser, "source", CameraConfig)
    add_settings(parser, "pose", PoseConfig)
    add_settings(parser, "graph", GraphConfig, leave_out=("layout",))
    add_settings(parser, "action", ActionConfig)
    add_settings(parser, "models that read the image too", PixelFeedConfig)
    add_settings(parser, "drawing", OverlayConfig)


def run(args: argparse.Namespace) -> int:
    """Label the people of a stream until it ends or Ctrl-C is pressed."""
    recogniser = load_recogniser(args.model, runtime=args.model_runtime)
    spec = recogniser.spec
    camera = open_source(args.source, read_settings(args, CameraConfig))
    try:
        pose = create_pose_estimator(read_settings(args, PoseConfig))
        pose.warm_up(camera.size)
        feed = create_pixel_feed(spec, read_settings(args, PixelFeedConfig), pose.image_features)
        stage = ActionStage(recogniser, read_settings(args, ActionConfig), feed)
        stage.teach(Teaching(recogniser, find_model(args.model), args.taught).taught)
        pipeline = Pipeline(pose, GraphStage(read_settings(args, GraphConfig, layout=spec.layout.name)), stage)
        spec = stage.described
        about = {"source": masked(args.source), "backend": pose.backend, "model": spec.model_id, "model_sha256": spec.sha256}
        summary = _record(camera, pipeline, args, about)
    finally:
        camera.close()
    print(summary_table(summary))
    print(f"written to {args.out}")
    write_json(args.json, summary)
    return 0


def _record(camera: Camera, pipeline: Pipeline, args: argparse.Namespace, about: dict) -> dict:
    """Run the pipeline over the source and write what it says; returns the summary."""
    from tqdm import tqdm

    draw = None
    if not args.no_video:
        draw = Overlay(read_settings(args, OverlayConfig)).draw
    # The files are finished before we go. A thread closes, for a lost camera waits for its return inside `read`.
    before = signal.signal(signal.SIGINT, lambda *_: threading.Thread(target=camera.close, name="closer").start())
    total = min(filter(None, (camera.frame_count, args.max_frames)), default=None)
    try:
        with (
            ResultWriter(args.out, fps=camera.fps, draw=draw, about=about) as writer,
            tqdm(total=total, unit="frame", disable=None) as progress,
        ):
            frames = 0
            while not args.max_frames or frames < args.max_frames:
                frame = camera.read()
                if frame is None:
                    break
                frames += 1
                result = pipeline(frame)
                writer.add(frame.image_bgr, result.graphs, result.actions)
                progress.update()
            left_out = getattr(camera, "left_out", LeftOut()).reasons
            if left_out:
                about["left_out"] = dict(left_out)
                _log.warning("left out: %s", ", ".join(f"{count} {reason}" for reason, count in left_out.items()))
            return writer.close()
    finally:
        signal.signal(signal.SIGINT, before)
