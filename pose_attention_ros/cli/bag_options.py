"""Options that the evaluation of bags, videos and live topics share."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from pose_attention_ros.cli.options import add_json, add_settings, read_settings
from pose_attention_ros.core.action_stage import ActionConfig
from pose_attention_ros.core.graph_stage import GraphConfig
from pose_attention_ros.evaluation.label_map import read_label_map
from pose_attention_ros.evaluation.report.thresholds import read_thresholds
from pose_attention_ros.inference.pose import PoseConfig
from pose_attention_ros.inference.recogniser import DEFAULT_MODEL


def add_judging(parser: argparse.ArgumentParser, out: str, model: bool = True) -> None:
    """How answers are judged and where the result goes."""
    if model:
        parser.add_argument(
            "--model", default=DEFAULT_MODEL, help="name under models/ or path of a model directory (default: %(default)s)"
        )
    parser.add_argument(
        "--label-map", type=Path, metavar="MAP.yaml", help="{label: class, or null for an action of no class}"
    )
    parser.add_argument(
        "--rest-is-unknown",
        action="store_true",
        help="time without a label counts as time in which no class is shown (default: it is not judged)",
    )
    parser.add_argument(
        "--thresholds",
        type=Path,
        metavar="FILE.yaml",
        help="limits, such as metrics: {frame_accuracy: "
        "{min: 0.8}}, named as in the JSON result; the exit code is 1 where one is missed",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(out),
        metavar="DIR",
        help="folder for result.json, junit.xml and report.html (default: %(default)s)",
    )
    parser.add_argument("--junit", type=Path, metavar="FILE.xml", help="write the JUnit file there instead")
    add_json(parser)


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Which topic of a bag is read, how far, and the settings of the stages."""
    parser.add_argument(
        "--input",
        choices=("auto", "images", "skeletons", "skeleton_graphs", "actions"),
        default="auto",
        help="what to start from; auto takes the earliest that a bag holds (default)",
    )
    parser.add_argument("--topic", default="", help="the topic, where a bag has several of its kind")
    parser.add_argument(
        "--labels-topic",
        default="",
        metavar="TOPIC",
        help="labels recorded with the rest: std_msgs/String or ActionLabelArray",
    )
    add_stages(parser)


def add_stages(parser: argparse.ArgumentParser) -> None:
    """How far a recording is read, and the settings of the stages."""
    parser.add_argument("--max-frames", type=int, default=0, metavar="N", help="stop after N frames (default: at the end)")
    add_settings(parser, "pose", PoseConfig)
    add_settings(parser, "graph", GraphConfig, leave_out=("layout",))
    add_settings(parser, "action", ActionConfig)


def add_many(parser: argparse.ArgumentParser, noun: str) -> None:
    """How many recordings are evaluated side by side, and where."""
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: %(default)s)"
    )
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="spread over the Ray cluster there (auto, ray://HOST:PORT; local "
        f"starts one here); {noun}s and models must lie at the same paths on its machines",
    )
    parser.add_argument("--thresholds-each", type=Path, metavar="FILE.yaml", help=f"limits for every single {noun}")


def task_options(args: argparse.Namespace) -> dict[str, Any]:
    """Fields of a RecordingTask of a bag but for its path and labels."""
    return {"labels_topic": args.labels_topic, "kind": args.input, "topic": args.topic, **judging_options(args)}


def judging_options(args: argparse.Namespace) -> dict[str, Any]:
    """Fields of a RecordingTask that do not depend on what is read."""
    return {
        "model": args.model,
        "label_map": read_label_map(args.label_map) if args.label_map else None,
        "rest_is_unknown": args.rest_is_unknown,
        "max_frames": args.max_frames,
        "pose": read_settings(args, PoseConfig),
        "graph": read_settings(args, GraphConfig, layout=GraphConfig().layout),
        "action": read_settings(args, ActionConfig),
    }


def thresholds_of(args: argparse.Namespace) -> dict[str, Any]:
    """The limits, empty for none; read before the work begins."""
    return read_thresholds(args.thresholds) if args.thresholds else {}


def limits_of_each(args: argparse.Namespace) -> dict[str, Any]:
    """The limits of every single recording, empty for none."""
    return read_thresholds(args.thresholds_each) if args.thresholds_each else {}
