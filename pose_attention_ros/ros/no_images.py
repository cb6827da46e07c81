"""Why a subscriber gets no images, and what its user can do about it, as far as the graph tells."""

from __future__ import annotations

from rclpy.node import Node
from rclpy.qos import QoSCompatibility, qos_check_compatible
from rclpy.subscription import Subscription

_KINDS = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
_MOST_TOLD = 4


def why_no_images(node: Node, subscription: Subscription) -> str:
    """The most likely reason and the remedy, in one line without the topic's name."""
    publishers = node.get_publishers_info_by_topic(subscription.topic_name)
    if not publishers:
        return _nobody(node, subscription.topic_name)
    reasons = []
    for publisher in publishers:
        compatibility, reason = qos_check_compatible(publisher.qos_profile, subscription.qos_profile)
        if compatibility != QoSCompatibility.ERROR:
            return (f"{publisher.node_name} publishes it and fits, but nothing comes; is that camera active? If it is, "
                    "large images get lost on the way: set image_reliability:=reliable, or image_transport:=compressed")
        reasons.append(f"{publisher.node_name} ({' '.join(reason.split())})")
    return f"what its publisher offers does not fit: {', '.join(reasons)}; set image_reliability:=best_effort"


def _nobody(node: Node, topic: str) -> str:
    there = sorted((name, kinds[0]) for name, kinds in node.get_topic_names_and_types()
                   if kinds and kinds[0] in _KINDS and node.count_publishers(name))
    names = [name for name, _ in there]
    if topic.removesuffix("/compressed") in names:
        return "nobody publishes it, but raw images are there: set image_transport:=raw"
    if f"{topic}/compressed" in names:
        return "nobody publishes it, but compressed images are there: set image_transport:=compressed"
    if not there:
        return ("nobody publishes images at all; start the camera (or give source:=...), and check that it has the same "
                "ROS_DOMAIN_ID and a way through the network to here")
    told = ", ".join(names[:_MOST_TOLD]) + (", ..." if len(names) > _MOST_TOLD else "")
    return f"nobody publishes it; images there are: {told}; start with image_topic:=... (ROS: -r image_raw:=...)"
