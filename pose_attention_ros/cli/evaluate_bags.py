"""`pose-attention evaluate bags FOLDER`: every bag of a folder, in several processes or on a Ray cluster, and one result."""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

from pose_attention_ros.cli.bag_options import add_judging, add_reading, task_options, thresholds_of
from pose_attention_ros.cli.options import write_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER",
                        help="bags in it and below; labels are BAG/labels.csv, or NAME.csv beside each bag")
    parser.add_argument("--labels", type=Path, metavar="DIR", help="folder with NAME.csv for each bag, instead")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N",
                        help="processes (default: %(default)s)")
    parser.add_argument("--ray", metavar="ADDRESS", help="spread over the Ray cluster there (auto, ray://HOST:PORT; local "
                        "starts one here); bags and models must lie at the same paths on its machines")
    parser.add_argument("--thresholds-each", type=Path, metavar="FILE.yaml", help="limits for every single bag")
    add_judging(parser, "out/evaluate/bags")
    add_reading(parser)


def run(args: argparse.Namespace) -> int:
    """Exit code 0: all evaluated, and all limits met; 1: not."""
    from tqdm import tqdm

    from pose_attention_ros.evaluation.recordings.fleet import Outcome, gather, in_processes, on_ray
    from pose_attention_ros.evaluation.recordings.fleet_result import fleet_report, merged, suites
    from pose_attention_ros.evaluation.report.files import check_lines, judged_lines, write_texts
    from pose_attention_ros.evaluation.report.junit import write_junit
    from pose_attention_ros.evaluation.report.thresholds import check

    began = time.monotonic()
    limits = thresholds_of(args)
    jobs = _jobs(args)
    names = [job.name for job in jobs]
    with tqdm(total=len(jobs), unit="bag", disable=None) as bar:
        def done(outcome: Outcome) -> None:
            if not outcome.error:
                write_texts(args.out / outcome.name, {"result.json": json.dumps(outcome.values, indent=2) + "\n",
                                                      "report.html": outcome.html})
            bar.update()
        outcomes = gather(on_ray(jobs, args.ray) if args.ray else in_processes(jobs, args.jobs), names, done)
    values = merged(outcomes, time.monotonic() - began)
    checks = check(limits, values)
    values["limits_missed"] = [str(each) for each in checks if not each.passed]
    junit = args.junit or args.out / "junit.xml"
    write_texts(args.out, {"result.json": json.dumps(values, indent=2) + "\n",
                           "report.html": fleet_report(values, checks, args.folder.resolve().name)})
    write_junit(junit, suites(outcomes, checks))
    write_json(args.json, values)
    print(f"{values['evaluated']} of {len(jobs)} bags, {values['frames']} frames, {values['seconds']:.1f} s")
    lines = judged_lines(values["metrics"]) + check_lines(checks)
    lines += [f"FAILED {outcome.name}: {outcome.error}" for outcome in outcomes if outcome.error]
    lines += [f"MISSED {outcome.name}: {each}" for outcome in outcomes for each in outcome.checks if not each.passed]
    print("\n".join([*lines, f"written to {args.out}: result.json, report.html, a folder for each bag; {junit}"]))
    good = all(not outcome.error and all(each.passed for each in outcome.checks) for outcome in outcomes)
    return 0 if good and all(each.passed for each in checks) else 1


def _jobs(args: argparse.Namespace) -> list:
    from pose_attention_ros.bags.finding import find_bags, labels_beside
    from pose_attention_ros.evaluation.recordings.bag_run import BagTask
    from pose_attention_ros.evaluation.recordings.fleet import Job
    from pose_attention_ros.evaluation.report.thresholds import read_thresholds

    options = task_options(args)
    each = read_thresholds(args.thresholds_each) if args.thresholds_each else {}
    jobs = []
    for bag in find_bags(args.folder):
        name = bag.relative_to(args.folder).as_posix() if bag != args.folder else bag.resolve().name
        labels = None if args.labels_topic else labels_beside(bag, args.labels)
        task = BagTask(path=str(bag.resolve()), labels=str(labels.resolve()) if labels else "", **options)
        jobs.append(Job(name, task, each))
    return jobs
