"""What models that read the image say and cost in the robot's own pipeline: rendered clips through pose estimator, tracking,
features shared or computed, and recogniser, one frame after the other.

    pose-attention data render out/data/rendered
    python -m benchmarks.robot_pixels --data out/data/rendered --models rpan where_to_focus --json out/robot_pixels.json
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pose_attention_ros.core.action_stage import ActionConfig, ActionStage
from pose_attention_ros.core.graph_stage import GraphConfig, GraphStage
from pose_attention_ros.core.pipeline import Pipeline
from pose_attention_ros.core.types import Frame
from pose_attention_ros.data.pixel_clips import PixelSource, open_pixels
from pose_attention_ros.inference.pixel_feeds import PixelFeedConfig, create_pixel_feed
from pose_attention_ros.inference.pose import ESTIMATORS, PoseConfig, create_pose_estimator
from pose_attention_ros.inference.recogniser import load_recogniser

GAP_NS = 10**10  # between two clips: everything starts afresh


def judged(
    source: PixelSource, model: str, pose: PoseConfig, feeding: PixelFeedConfig, zoom: int, most: int
) -> dict[str, Any]:
    """How often the class with the highest score after a clip's last frame is its label, over the test part.

    :param zoom: how many times larger the estimator is shown the clips
    :param most: clips to run, 0 for all
    """
    recogniser, estimator = load_recogniser(model), create_pose_estimator(pose)
    classes = recogniser.spec.classes
    feed = create_pixel_feed(recogniser.spec, feeding, estimator.image_features)
    stage = ActionStage(recogniser, ActionConfig(), feed)
    pipeline = Pipeline(estimator, GraphStage(GraphConfig(layout=recogniser.spec.layout.name)), stage)
    rows = np.flatnonzero(source.skeletons.split == "test")[: most or None]
    right, seen, seconds, ticks_s, stamp_ns = 0, 0, [], [], 0
    for row in rows:
        clip = source[int(row)]
        stamp_ns += GAP_NS
        pipeline.reset()
        for image in clip.images_bgr:
            before = feed.computed + feed.shared if feed else 0
            shown = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
            result = pipeline(Frame(np.ascontiguousarray(shown), stamp_ns))
            seconds.append(result.stage_seconds)
            if feed and feed.computed + feed.shared > before:
                ticks_s.append(result.stage_seconds[2])
            stamp_ns += round(1e9 / clip.fps)
        if result.actions.people:
            seen += 1
            best = max(result.actions.people, key=lambda person: person.confidence)
            right += classes[int(best.scores.argmax())] == clip.label
    medians_ms = np.median(np.array(seconds) * 1e3, 0)
    return {
        "model": model,
        "estimator": pose.estimator,
        "clips": len(rows),
        "seen": seen,
        "accuracy": right / len(rows),
        "pose_ms": medians_ms[0],
        "graph_ms": medians_ms[1],
        "action_ms": medians_ms[2],
        "action_with_pixels_ms": float(np.median(ticks_s) * 1e3) if ticks_s else None,
        **({name: int(value) for name, value in feed.details().items()} if feed else {}),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of `data render`")
    parser.add_argument("--models", nargs="+", required=True, help="names under models/, or model directories")
    parser.add_argument("--estimators", nargs="+", default=list(ESTIMATORS), choices=list(ESTIMATORS))
    parser.add_argument("--input-size", type=int, default=224, help="of the pose estimator (default %(default)s)")
    parser.add_argument("--zoom", type=int, default=3, help="clips are shown this many times larger (default %(default)s)")
    parser.add_argument("--clips", type=int, default=0, help="only so many of the test part (default: all)")
    parser.add_argument(
        "--share",
        action=argparse.BooleanOptionalAction,
        default=PixelFeedConfig().share_features,
        help="take features from the pose network where it has them (default: %(default)s)",
    )
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    source, table = open_pixels(args.data), []
    began = time.monotonic()
    for model in args.models:
        for estimator in args.estimators:
            pose = PoseConfig(estimator=estimator, input_size=args.input_size)
            feeding = PixelFeedConfig(share_features=args.share)
            table.append(judged(source, model, pose, feeding, args.zoom, args.clips))
            print(json.dumps(table[-1]), flush=True)
    print(f"{time.monotonic() - began:.0f} s")
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
