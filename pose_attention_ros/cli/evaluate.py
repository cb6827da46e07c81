"""`pose-attention evaluate KIND`: finds the kind of measurement and hands over to its module."""

from __future__ import annotations

import argparse
import importlib

# kind -> (module with add_arguments(parser) and run(args) -> int, one line of help).
KINDS = {
    "bag": ("evaluate_bag", "a recording against labels: accuracy, delay, speed; JSON, JUnit with thresholds, HTML report"),
    "bags": ("evaluate_bags", "every bag of a folder, in several processes or on a Ray cluster, and one report"),
    "video": ("evaluate_video", "videos against labels: the same numbers, limits and report as of bags"),
    "live": ("evaluate_live", "a running graph against labels, with its drops and delays"),
    "stream": ("evaluate_stream", "labels through long streams: right, early, steady, and quiet while nobody acts"),
    "attention": ("evaluate_attention", "whether the joints and moments that the weights name are those that matter"),
    "poses": ("evaluate_poses", "a pose estimator on photos with labelled people: COCO's AP, and its time"),
    "clips": ("evaluate_clips", "accuracy on labelled clips, early recognition, calibration, confusion"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One subcommand a kind."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    for kind, (module_name, summary) in KINDS.items():
        module = importlib.import_module(f"pose_attention_ros.cli.{module_name}")
        kind_parser = kinds.add_parser(kind, help=summary, description=summary)
        module.add_arguments(kind_parser)
        kind_parser.set_defaults(run_kind=module.run)


def run(args: argparse.Namespace) -> int:
    """Hand over."""
    return args.run_kind(args)
