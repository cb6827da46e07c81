"""Messages of people as objects, out of the bytes that the nodes publish."""

from __future__ import annotations

from rclpy.serialization import deserialize_message

from pose_attention_ros.core.messages.packed import bytes_of_graphs, bytes_of_skeletons
from pose_attention_ros.core.types import SkeletonGraphs, Skeletons
from pose_attention_ros.msg import SkeletonArray, SkeletonGraphArray


def message_of_skeletons(people: Skeletons) -> SkeletonArray:
    return deserialize_message(bytes_of_skeletons(people), SkeletonArray)


def message_of_graphs(graphs: SkeletonGraphs) -> SkeletonGraphArray:
    return deserialize_message(bytes_of_graphs(graphs), SkeletonGraphArray)
