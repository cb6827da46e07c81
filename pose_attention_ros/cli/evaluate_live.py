"""`pose-attention evaluate live`: the running graph against labels, while a robot works or someone plays a bag."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import tempfile
from pathlib import Path

import yaml

from pose_attention_ros.cli.bag_options import add_judging
from pose_attention_ros.cli.node_processes import executable
from pose_attention_ros.cli.options import write_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--labels", type=Path, metavar="LABELS.csv", help="start_s,end_s,label[,person]")
    parser.add_argument(
        "--labels-begin",
        type=float,
        default=0.0,
        metavar="STAMP_S",
        help="stamp that second 0 of the labels stands for, such as that of the bag's first image "
        "(default: that of the first answer)",
    )
    parser.add_argument(
        "--labels-topic", default="", metavar="TOPIC", help="std_msgs/String: the label that holds from now on"
    )
    add_judging(parser, "out/evaluate/live", model=False)
    parser.add_argument("--namespace", default="", help="of the graph (default: none)")
    parser.add_argument("--use-sim-time", action="store_true", help="ages in the time of /clock (ros2 bag play --clock)")
    parser.add_argument("--image-topic", default="image_raw", help="images that are counted (default: %(default)s)")
    parser.add_argument(
        "--images",
        choices=("raw", "compressed", "none"),
        default="raw",
        help="their form; none: drops are not counted (default: %(default)s)",
    )
    parser.add_argument(
        "--idle-timeout",
        type=float,
        default=10.0,
        metavar="S",
        help="end when no answer came for so long after the first; 0 waits for ever (default: %(default)s)",
    )
    parser.add_argument("--duration", type=float, default=0.0, metavar="S", help="end so long after the first answer")


def run(args: argparse.Namespace) -> int:
    """Run the evaluator node until it ends or Ctrl-C is pressed; its exit code says pass or fail."""
    junit = args.out / "junit.xml"
    parameters = {
        "use_sim_time": args.use_sim_time,
        "labels": str(args.labels or ""),
        "labels_begin_s": args.labels_begin,
        "labels_topic": args.labels_topic,
        "label_map": str(args.label_map or ""),
        "rest_is_unknown": args.rest_is_unknown,
        "thresholds": str(args.thresholds or ""),
        "out": str(args.out),
        "images": args.images,
        "idle_timeout_s": args.idle_timeout,
        "duration_s": args.duration,
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "evaluator.yaml"
        file.write_text(yaml.safe_dump({"/**": {"ros__parameters": parameters}}))
        command = [*executable("evaluator"), "--ros-args", "--params-file", str(file)]
        command += ["-r", f"image_raw:={args.image_topic}"] if args.image_topic != "image_raw" else []
        if args.namespace:
            command += ["-r", f"__ns:=/{args.namespace.strip('/')}"]
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the node, which writes its files then
        try:
            code = subprocess.Popen(command, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)).wait()
        finally:
            signal.signal(signal.SIGINT, before)
    result = args.out / "result.json"
    if code == 0 and result.is_file():
        write_json(args.json, json.loads(result.read_text()))
    if args.junit and junit.is_file():
        args.junit.write_bytes(junit.read_bytes())
    return code
