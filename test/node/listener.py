"""Hears what a graph answers, as a robot would: listener.py NAMESPACE SECONDS COUNT prints one JSON object and ends.

Ends after COUNT answers or SECONDS, whichever is first. Times are nanoseconds of this machine's clock.
"""

import json
import sys
import time

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from pose_attention_ros.msg import ActionLabelArray, SkeletonArray
from pose_attention_ros.ros.qos import result_profile
from pose_attention_ros.ros.stamps import stamp_ns_of


def main(namespace: str, seconds: str, count: str) -> None:
    rclpy.init()
    node = Node("listener", namespace=namespace)
    heard = {"actions": [], "skeletons": [], "diagnostics": {}}

    def on_actions(message: ActionLabelArray) -> None:
        heard["actions"].append(
            {
                "stamp_ns": stamp_ns_of(message.header),
                "heard_ns": time.time_ns(),
                "latency_s": message.latency,
                "people": len(message.actions),
            }
        )

    def on_skeletons(message: SkeletonArray) -> None:
        heard["skeletons"].append(stamp_ns_of(message.header))

    def on_diagnostics(message: DiagnosticArray) -> None:
        for status in message.status:
            heard["diagnostics"][status.name] = {
                "message": status.message,
                **{pair.key: pair.value for pair in status.values},
            }

    node.create_subscription(ActionLabelArray, "actions", on_actions, result_profile(100))
    node.create_subscription(SkeletonArray, "skeletons", on_skeletons, result_profile(100))
    node.create_subscription(DiagnosticArray, "/diagnostics", on_diagnostics, result_profile(100))
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end and len(heard["actions"]) < int(count):
        rclpy.spin_once(node, timeout_sec=0.1)
    print(json.dumps(heard))


if __name__ == "__main__":
    main(*sys.argv[1:])
