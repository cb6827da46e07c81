"""`pose-attention evaluate video FOLDER_OR_FILE`: videos through the robot's stages, judged as bags are."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pose_attention_ros.cli.bag_options import add_judging, add_many, add_stages, judging_options, limits_of_each
from pose_attention_ros.cli.recordings import evaluate_many, evaluate_one
from pose_attention_ros.core.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        type=Path,
        metavar="FOLDER_OR_FILE",
        help="a video, or a folder with videos in it and below; labels are NAME.csv beside each video",
    )
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="LABELS.csv",
        help="start_s,end_s,label[,person[,x_px,y_px]] of a single video, seconds from its first frame; or "
        "a folder with NAME.csv for each video",
    )
    add_many(parser, "video")
    add_judging(parser, "out/evaluate/video")
    add_stages(parser)


def run(args: argparse.Namespace) -> int:
    """Exit code 0: all evaluated, and all limits met; 1: not."""
    from pose_attention_ros.cameras.video_folder import find_videos
    from pose_attention_ros.evaluation.recordings.many_recordings import Job
    from pose_attention_ros.evaluation.recordings.recorded_run import RecordingTask

    videos = find_videos(args.source)
    if args.labels and not args.labels.exists():
        raise UserError(
            f"--labels {args.labels} does not exist; expected a CSV file, or a folder with NAME.csv for each video"
        )
    if args.labels and args.labels.is_file() and len(videos) > 1:
        raise UserError(
            f"--labels {args.labels} is for one video, {args.source} holds {len(videos)}: put NAME.csv beside "
            "each, or give a folder of such files"
        )
    options: dict[str, Any] = {**judging_options(args), "video": True}
    tasks = [RecordingTask(path=str(video.resolve()), labels=_labels(video, args.labels), **options) for video in videos]
    if args.source.is_file():
        return evaluate_one(args, tasks[0], args.source.name)
    each = limits_of_each(args)
    jobs = [Job(video.relative_to(args.source).as_posix(), task, each) for video, task in zip(videos, tasks)]
    return evaluate_many(args, jobs, args.source.resolve().name, "video")


def _labels(video: Path, given: Path | None) -> str:
    """Path of the video's labels, empty for none."""
    from pose_attention_ros.bags.bag_folder import labels_beside

    labels = given if given is not None and given.is_file() else labels_beside(video, given)
    return str(labels.resolve()) if labels else ""
