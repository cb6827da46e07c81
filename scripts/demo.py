#!/usr/bin/env python3
"""The whole graph on a video, over real ROS 2: camera, pose, skeleton_graph, action and recorder as processes of their own.

Writes annotated.mp4, actions.jsonl and summary.json to --out. Run it through `make demo`, or `scripts/with_ros`.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from pose_attention_ros.cli.graph_run import add_graph_arguments, run_graph
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.secrets import masked
from pose_attention_ros.inference.weights import fetch


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", required=True, help="video file, folder of images, or bag")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), metavar="DIR")
    parser.add_argument("--composed", action="store_true", help="one process for all stages in place of one each")
    add_graph_arguments(parser)
    args = parser.parse_args()
    try:
        fetch("movenet_multipose")
        print(
            f"labelling the people in {masked(args.source)} over ROS 2 ({os.environ.get('ROS_DISTRO', 'unknown release')})"
        )
        run_graph(args.source, args.out, args, composed=args.composed)
        return 0
    except UserError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
