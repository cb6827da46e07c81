"""The command line that the benchmarks of a video and labelled photos share."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pose_attention_ros.inference.pose import PoseConfig

# video, most frames of it, photos, most of them, input size -> the numbers
Measure = Callable[[str, int, "Path | None", int, int], dict[str, Any]]


def run(text: str, measure: Measure, table: Callable[[dict[str, Any]], str], most_frames: int, no_video: str = "") -> None:
    """Read the arguments, measure, print the table.

    :param text: says what the benchmark is
    :param most_frames: of the video, where nobody asks for others
    :param no_video: what there is without a video; empty: there must be one
    """
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", default="", required=not no_video, help=no_video and f"without it {no_video}")
    parser.add_argument("--most-frames", type=int, default=most_frames, help="of the video (default: %(default)s)")
    parser.add_argument("--photos", type=Path, help="labelled photos; without it no AP")
    parser.add_argument("--most-photos", type=int, default=0, help="0: all (default)")
    parser.add_argument(
        "--input-size", type=int, default=PoseConfig().input_size, help="of MultiPose (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, help="write the result here as well")
    args = parser.parse_args()
    result = measure(args.video, args.most_frames, args.photos, args.most_photos, args.input_size)
    print(table(result))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
