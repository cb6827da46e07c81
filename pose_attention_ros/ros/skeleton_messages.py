"""Skeletons and SkeletonGraphs to and from their messages. N people, V joints of the layout, C feature channels."""

from __future__ import annotations

from array import array

import numpy as np

from pose_attention_ros.core.messages.records import graphs_of_message, skeletons_of_message
from pose_attention_ros.core.types import FEATURE_NAMES, SkeletonGraphs, Skeletons
from pose_attention_ros.msg import Skeleton, SkeletonArray, SkeletonGraph, SkeletonGraphArray
from pose_attention_ros.ros.stamps import header_of

__all__ = ["floats", "graphs_of_message", "message_of_graphs", "message_of_skeletons", "skeletons_of_message"]


def floats(values: np.ndarray) -> array:
    """Values as the array.array of float32 that rclpy copies in one go, row by row."""
    packed = array("f")
    packed.frombytes(np.ascontiguousarray(values, np.float32).tobytes())
    return packed


def message_of_skeletons(people: Skeletons) -> SkeletonArray:
    """The message of what the pose stage saw."""
    message = SkeletonArray(
        header=header_of(people.stamp_ns, people.frame_id),
        layout=people.layout.name,
        image_width=people.image_size[0],
        image_height=people.image_size[1],
    )
    message.skeletons = [
        Skeleton(
            score=float(people.person_scores[i]),
            box_xyxy=people.boxes_xyxy[i],
            keypoints_px=floats(people.keypoints_px[i]),
            keypoint_scores=floats(people.scores[i]),
        )
        for i in range(len(people))
    ]
    return message


def message_of_graphs(graphs: SkeletonGraphs) -> SkeletonGraphArray:
    """The message of the tracked people of one image."""
    message = SkeletonGraphArray(
        header=header_of(graphs.stamp_ns, graphs.frame_id),
        layout=graphs.layout.name,
        feature_names=list(FEATURE_NAMES),
        image_width=graphs.image_size[0],
        image_height=graphs.image_size[1],
    )
    message.graphs = [
        SkeletonGraph(
            track_id=int(graphs.track_ids[i]),
            age=float(graphs.ages_s[i]),
            nodes=floats(graphs.nodes[i]),
            features=floats(graphs.features[i]),
            mask=graphs.mask[i].tolist(),
            root_px=graphs.roots_px[i],
            scale_px=float(graphs.scales_px[i]),
            box_xyxy=graphs.boxes_xyxy[i],
        )
        for i in range(len(graphs))
    ]
    return message
