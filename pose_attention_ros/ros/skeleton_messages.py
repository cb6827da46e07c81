"""Skeletons and SkeletonGraphs out of serialised messages. N people, V joints of the layout, C feature channels.

They travel as bytes that are written and read in arrays at once (core.messages.packed): making a message object of each
person, and one of each list in it, costs several times as much.
"""

from __future__ import annotations

from rclpy.serialization import deserialize_message

from pose_attention_ros.core.messages.packed import graphs_of_bytes, skeletons_of_bytes
from pose_attention_ros.core.messages.records import graphs_of_message, skeletons_of_message
from pose_attention_ros.core.types import SkeletonGraphs, Skeletons
from pose_attention_ros.msg import SkeletonArray, SkeletonGraphArray


def skeletons_of_raw(raw: bytes) -> Skeletons:
    """What another pose estimator, or ours, saw (a serialised SkeletonArray). Raises MessageError for what is unusable."""
    found = skeletons_of_bytes(raw)
    return skeletons_of_message(deserialize_message(raw, SkeletonArray)) if found is None else found


def graphs_of_raw(raw: bytes) -> SkeletonGraphs:
    """The tracked people of one image (a serialised SkeletonGraphArray). Raises MessageError for what is unusable."""
    found = graphs_of_bytes(raw)
    return graphs_of_message(deserialize_message(raw, SkeletonGraphArray)) if found is None else found
