"""What `evaluate bag`, `bags` and `video` do once they know their recordings: evaluate, write, tell."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pose_attention_ros.cli.bag_options import thresholds_of
from pose_attention_ros.cli.options import write_json
from pose_attention_ros.core.errors import UserError

if TYPE_CHECKING:
    from pose_attention_ros.evaluation.recordings.many_recordings import Job
    from pose_attention_ros.evaluation.recordings.recorded_run import RecordingTask


def evaluate_one(args: argparse.Namespace, task: RecordingTask, name: str) -> int:
    """Exit code 0: evaluated, and all thresholds met; 1: not."""
    from tqdm import tqdm

    from pose_attention_ros.evaluation.recordings.recorded_run import evaluate_recording
    from pose_attention_ros.evaluation.report.files import write_result
    from pose_attention_ros.evaluation.report.junit import Suite, write_junit
    from pose_attention_ros.evaluation.report.thresholds import check

    thresholds = thresholds_of(args)
    junit = args.junit or args.out / "junit.xml"
    try:
        with tqdm(unit="frame", disable=None, leave=False) as bar:

            def progress(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            result = evaluate_recording(task, progress)
        checks = check(thresholds, result.values)
    except UserError as error:
        write_junit(junit, [Suite(name, (), error=str(error))])
        raise
    print("\n".join(write_result(args.out, result.values, result.pictures, checks, junit)))
    write_json(args.json, result.values)
    return 0 if all(each.passed for each in checks) else 1


def evaluate_many(args: argparse.Namespace, jobs: Sequence[Job], folder: str, noun: str) -> int:
    """Exit code 0: all evaluated, and all limits met; 1: not.

    :param folder: the result's title; :param noun: what each recording is, as in "bag"
    """
    from tqdm import tqdm

    from pose_attention_ros.evaluation.recordings.many_recordings import Outcome, gather, in_processes, on_ray
    from pose_attention_ros.evaluation.recordings.many_results import fleet_report, merged, suites
    from pose_attention_ros.evaluation.report.files import check_lines, judged_lines, write_texts
    from pose_attention_ros.evaluation.report.junit import write_junit
    from pose_attention_ros.evaluation.report.thresholds import check

    began = time.monotonic()
    limits = thresholds_of(args)
    names = [job.name for job in jobs]
    with tqdm(total=len(jobs), unit=noun, disable=None) as bar:

        def done(outcome: Outcome) -> None:
            if not outcome.error:
                write_texts(
                    args.out / outcome.name,
                    {"result.json": json.dumps(outcome.values, indent=2) + "\n", "report.html": outcome.html},
                )
            bar.update()

        outcomes = gather(on_ray(jobs, args.ray) if args.ray else in_processes(jobs, args.jobs), names, done)
    values = merged(outcomes, time.monotonic() - began)
    checks = check(limits, values)
    values["limits_missed"] = [str(each) for each in checks if not each.passed]
    junit = args.junit or args.out / "junit.xml"
    write_texts(
        args.out,
        {"result.json": json.dumps(values, indent=2) + "\n", "report.html": fleet_report(values, checks, folder, noun)},
    )
    write_junit(junit, suites(outcomes, checks, noun))
    write_json(args.json, values)
    print(f"{values['evaluated']} of {len(jobs)} {noun}s, {values['frames']} frames, {values['seconds']:.1f} s")
    lines = judged_lines(values["metrics"]) + check_lines(checks)
    lines += [f"FAILED {outcome.name}: {outcome.error}" for outcome in outcomes if outcome.error]
    lines += [f"MISSED {outcome.name}: {each}" for outcome in outcomes for each in outcome.checks if not each.passed]
    print("\n".join([*lines, f"written to {args.out}: result.json, report.html, a folder for each {noun}; {junit}"]))
    good = all(not outcome.error and all(each.passed for each in outcome.checks) for outcome in outcomes)
    return 0 if good and all(each.passed for each in checks) else 1
