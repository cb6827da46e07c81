"""`pose-attention evaluate bags FOLDER`: every bag of a folder, in several processes or on a Ray cluster, and one result."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pose_attention_ros.cli.bag_options import add_judging, add_many, add_reading, limits_of_each, task_options
from pose_attention_ros.cli.recordings import evaluate_many

if TYPE_CHECKING:
    from pose_attention_ros.evaluation.recordings.many_recordings import Job


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        type=Path,
        metavar="FOLDER",
        help="bags in it and below; labels are BAG/labels.csv, or NAME.csv beside each bag",
    )
    parser.add_argument("--labels", type=Path, metavar="DIR", help="folder with NAME.csv for each bag, instead")
    add_many(parser, "bag")
    add_judging(parser, "out/evaluate/bags")
    add_reading(parser)


def run(args: argparse.Namespace) -> int:
    """Exit code 0: all evaluated, and all limits met; 1: not."""
    return evaluate_many(args, _jobs(args), args.folder.resolve().name, "bag")


def _jobs(args: argparse.Namespace) -> list[Job]:
    from pose_attention_ros.bags.bag_folder import find_bags, labels_beside
    from pose_attention_ros.evaluation.recordings.many_recordings import Job
    from pose_attention_ros.evaluation.recordings.recorded_run import RecordingTask

    options = task_options(args)
    each = limits_of_each(args)
    jobs = []
    for bag in find_bags(args.folder):
        name = bag.relative_to(args.folder).as_posix() if bag != args.folder else bag.resolve().name
        labels = None if args.labels_topic else labels_beside(bag, args.labels)
        task = RecordingTask(path=str(bag.resolve()), labels=str(labels.resolve()) if labels else "", **options)
        jobs.append(Job(name, task, each))
    return jobs
