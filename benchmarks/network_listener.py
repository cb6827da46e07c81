"""The subscriber of benchmarks.network: NAMESPACE TRANSPORT RELIABILITY SECONDS; prints stamps and times of arrival as JSON.

The SECONDS begin with the first image, or ten seconds after the camera was found.
"""

from __future__ import annotations

import json
import sys
import time

import rclpy
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from pose_attention_ros.msg import SourceStatus
from pose_attention_ros.ros.qos import latched_profile, sensor_profile
from pose_attention_ros.ros.stamps import stamp_ns_of

PATIENCE_S = 10.0
DISCOVERY_S = 60.0


def main(namespace: str, transport: str, reliability: str, seconds: str) -> None:
    """Listen, then print."""
    rclpy.init()
    node = Node("network_listener", namespace=namespace)
    heard: dict[str, list] = {"stamps_ns": [], "heard_ns": []}
    rates: list[float] = []

    def on_image(message: Image | CompressedImage) -> None:
        heard["stamps_ns"].append(stamp_ns_of(message.header))
        heard["heard_ns"].append(time.time_ns())

    kind, topic = (Image, "image_raw") if transport == "raw" else (CompressedImage, "image_raw/compressed")
    node.create_subscription(kind, topic, on_image, sensor_profile(reliability))
    node.create_subscription(SourceStatus, "source_status", lambda message: rates.append(message.rate), latched_profile())
    end = time.monotonic() + DISCOVERY_S
    found = began = False
    while time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.1)
        if rates and not found:
            found, end = True, time.monotonic() + PATIENCE_S + float(seconds)
        if heard["heard_ns"] and not began:
            began, end = True, time.monotonic() + float(seconds)
    print(json.dumps({**heard, "rate": rates[-1] if rates else 0.0}))


if __name__ == "__main__":
    main(*sys.argv[1:])
