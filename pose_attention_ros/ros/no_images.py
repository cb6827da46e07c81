"""Why a subscriber gets no images, and what its user can do about it, as far as the graph tells."""

from __future__ import annotations

from rclpy.node import Node
from rclpy.qos import QoSCompatibility, qos_check_compatible

from pose_attention_ros.ros.image_subscription import ImageSubscription

_KINDS = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
_MOST_TOLD = 4
_DRAWN = ("overlay", "overlay/compressed")


def why_no_images(node: Node, images: ImageSubscription) -> str:
    """The most likely reason and the remedy, in one line without the topic's name."""
    publishers = node.get_publishers_info_by_topic(images.topic)
    if not publishers:
        return _nobody(node, images.topic)
    wanted = "sensor_msgs/msg/" + ("CompressedImage" if images.compressed else "Image")
    fitting = [publisher for publisher in publishers if publisher.topic_type == wanted]
    if not fitting:
        return f"it carries {publishers[0].topic_type}, expected {' or '.join(_KINDS)}; give another image_topic:=..."
    reasons = []
    for publisher in fitting:
        compatibility, reason = qos_check_compatible(publisher.qos_profile, images.subscription.qos_profile)
        if compatibility != QoSCompatibility.ERROR:
            smaller = (
                "" if images.compressed else "; if it is, large images get lost on the way: set image_transport:=compressed"
            )
            return f"{publisher.node_name} publishes it and fits, but nothing comes; is that camera active?{smaller}"
        reasons.append(f"{publisher.node_name} ({' '.join(reason.split())})")
    return f"what its publisher offers does not fit: {', '.join(reasons)}; set image_reliability:=auto"


def _nobody(node: Node, topic: str) -> str:
    """What there is instead. A topic of compressed images is taken by its own name, see `offers.choose`."""
    drawn = {node.resolve_topic_name(name) for name in _DRAWN}  # from the images that are missing
    there = sorted(
        (name, kinds[0])
        for name, kinds in node.get_topic_names_and_types()
        if kinds and kinds[0] in _KINDS and name not in drawn and node.count_publishers(name)
    )
    names = [name for name, _ in there]
    if topic.removesuffix("/compressed") in names or f"{topic}/compressed" in names:
        return "nobody publishes it, but its other form is there: set image_transport:=auto"
    if not there:
        return (
            "nobody publishes images at all; start the camera (or give source:=...), and check that it has the same "
            "ROS_DOMAIN_ID and a way through the network to here"
        )
    told = ", ".join(names[:_MOST_TOLD]) + (", ..." if len(names) > _MOST_TOLD else "")
    return f"nobody publishes it; images there are: {told}; start with image_topic:=... (ROS: -r image_raw:=...)"
