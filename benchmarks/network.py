"""How camera images cross a network that loses packets: forms of the image, reliabilities and Fast DDS profiles compared.

    scripts/with_ros python -m benchmarks.network --source VIDEO

Two network namespaces, joined by a link with delay, loss and a limited rate (needs root). The camera node plays the video in
one; in the other a subscriber with our nodes' own quality of service counts the images and how old each is when it comes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.two_machines import Link, two_machines, why_not

ROOT = Path(__file__).resolve().parents[1]
NAMESPACE = "/network"
PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")


class Way(NamedTuple):
    """How images travel: transport raw or compressed, reliability, Fast DDS profile (a file of config/)."""

    transport: str
    reliability: str
    profile: str


WAYS = (
    Way("raw", "best_effort", "fastdds.xml"),
    Way("raw", "reliable", "fastdds_network.xml"),
    Way("compressed", "best_effort", "fastdds.xml"),
    Way("compressed", "reliable", "fastdds.xml"),
    Way("compressed", "best_effort", "fastdds_network.xml"),
    Way("compressed", "reliable", "fastdds_network.xml"),
)


def main() -> int:
    """Measure every way, print a table, write JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True, help="video")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long each way is watched")
    parser.add_argument("--delay-ms", type=float, default=20.0, help="each way")
    parser.add_argument("--loss", type=float, default=0.02, help="share of the packets")
    parser.add_argument("--rate-mbit", type=float, default=50.0)
    parser.add_argument("--out", type=Path, help="file for JSON lines")
    args = parser.parse_args()
    if reason := why_not():
        print(reason, file=sys.stderr)
        return 1
    print("| images | reliability | profile | arrived, of all | age, median / p95 | longest gap |\n" + 6 * "|---" + "|")
    for way in WAYS:
        told = measure(way, args)
        if args.out:
            with args.out.open("a") as file:
                file.write(json.dumps({**way._asdict(), **told}) + "\n")
        ages = f"{told['age_ms_p50']:.0f} / {told['age_ms_p95']:.0f} ms" if told["images"] else ""
        gap = f"{told['longest_gap_ms']:.0f} ms" if told["images"] else ""
        print(f"| {way.transport} | {way.reliability} | {way.profile} | {told['share']:.0%} | {ages} | {gap} |", flush=True)
    return 0


def measure(way: Way, args: argparse.Namespace) -> dict[str, float]:
    """Images that arrived one way, and how."""
    link = Link(args.delay_ms / 1e3, args.loss, args.rate_mbit * 1e6)
    profile = str(ROOT / "config" / way.profile)
    environment = {**os.environ, **dict.fromkeys(PROFILE_VARIABLES, profile), "PYTHONUNBUFFERED": "1"}
    with two_machines(link) as (robot, station):
        camera = subprocess.Popen(
            robot.command(
                sys.executable,
                "-m",
                "pose_attention_ros.nodes",
                "camera",
                "--ros-args",
                "-r",
                f"__ns:={NAMESPACE}",
                "-p",
                f"source:={args.source}",
                "-p",
                "loop:=true",
            ),
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            listener = [sys.executable, "-m", "benchmarks.network_listener", NAMESPACE, way.transport, way.reliability]
            told = subprocess.run(
                station.command(*listener, str(args.seconds)), env=environment, capture_output=True, text=True, check=True
            )
        finally:
            camera.terminate()
            camera.wait(20)
    return summary(json.loads(told.stdout), link)


def summary(heard: dict[str, list], link: Link) -> dict[str, float]:
    """heard: `stamps_ns` and `heard_ns` of each image, and the source's `rate`."""
    stamps_s, heard_s = (np.array(heard[name]) * 1e-9 for name in ("stamps_ns", "heard_ns"))
    told = {
        "images": len(stamps_s),
        "lost_packets": link.lost,
        "carried_mb": link.carried_bytes / 1e6,
        "ip_fragments": link.ip_fragments,
    }
    if len(stamps_s) > 1:
        ages_ms = (heard_s - stamps_s) * 1e3
        told |= {
            "age_ms_p50": float(np.median(ages_ms)),
            "age_ms_p95": float(np.percentile(ages_ms, 95)),
            "longest_gap_ms": float(np.diff(stamps_s).max() * 1e3),
            "share": (len(stamps_s) - 1) / max(1.0, heard["rate"] * (stamps_s[-1] - stamps_s[0])),
        }
    else:
        told |= {"images": 0, "share": 0.0}
    return told


if __name__ == "__main__":
    sys.exit(main())
