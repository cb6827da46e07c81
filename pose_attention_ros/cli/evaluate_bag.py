"""`pose-attention evaluate bag BAG`: what the recogniser makes of a recording, judged against labels, without ROS."""

from __future__ import annotations

import argparse
from pathlib import Path

from pose_attention_ros.cli.bag_options import add_judging, add_reading, task_options
from pose_attention_ros.cli.recordings import evaluate_one


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bag", type=Path, metavar="BAG", help="rosbag2 folder, .mcap, .db3 or .bag")
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="LABELS.csv",
        help="start_s,end_s,label[,person[,x_px,y_px]]; seconds from the first message that is evaluated",
    )
    add_judging(parser, "out/evaluate/bag")
    add_reading(parser)


def run(args: argparse.Namespace) -> int:
    """Exit code 0: evaluated, and all thresholds met; 1: not."""
    from pose_attention_ros.evaluation.recordings.recorded_run import RecordingTask

    task = RecordingTask(path=str(args.bag), labels=str(args.labels or ""), two_processes=True, **task_options(args))
    return evaluate_one(args, task, args.bag.resolve().name)
