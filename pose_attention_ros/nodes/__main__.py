"""A node from a checkout, as its installed program runs it: python -m pose_attention_ros.nodes NAME [ROS_ARGUMENT...]."""

from __future__ import annotations

import sys

from pose_attention_ros.program import run_node

if __name__ == "__main__":
    name = sys.argv.pop(1)
    sys.argv[0] = f"{name}_node"
    run_node(f"pose_attention_ros.nodes.{name}")
