"""`pose-attention evaluate bag BAG`: what the recogniser makes of a recording, judged against labels, without ROS."""

from __future__ import annotations

import argparse
from pathlib import Path

from pose_attention_ros.cli.bag_options import add_judging, add_reading, task_options, thresholds_of
from pose_attention_ros.cli.options import write_json
from pose_attention_ros.core.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bag", type=Path, metavar="BAG", help="rosbag2 folder, .mcap, .db3 or .bag")
    parser.add_argument("--labels", type=Path, metavar="LABELS.csv",
                        help="start_s,end_s,label[,person[,x_px,y_px]]; seconds from the first message that is evaluated")
    add_judging(parser, "out/evaluate/bag")
    add_reading(parser)


def run(args: argparse.Namespace) -> int:
    """Exit code 0: evaluated, and all thresholds met; 1: not."""
    from tqdm import tqdm

    from pose_attention_ros.evaluation.recordings.bag_run import BagTask, evaluate_bag
    from pose_attention_ros.evaluation.report.files import write_result
    from pose_attention_ros.evaluation.report.junit import Suite, write_junit
    from pose_attention_ros.evaluation.report.thresholds import check

    thresholds = thresholds_of(args)
    junit = args.junit or args.out / "junit.xml"
    name = args.bag.resolve().name
    try:
        task = BagTask(path=str(args.bag), labels=str(args.labels or ""), two_processes=True, **task_options(args))
        with tqdm(unit="frame", disable=None, leave=False) as bar:
            def progress(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)
            result = evaluate_bag(task, progress)
        checks = check(thresholds, result.values)
    except UserError as error:
        write_junit(junit, [Suite(name, (), error=str(error))])
        raise
    print("\n".join(write_result(args.out, result.values, result.pictures, checks, junit)))
    write_json(args.json, result.values)
    return 0 if all(each.passed for each in checks) else 1
