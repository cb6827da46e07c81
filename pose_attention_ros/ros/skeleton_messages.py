"""Skeletons and SkeletonGraphs to and from their messages. N people, V joints of the layout, C feature channels."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

import numpy as np

from pose_attention_ros.core.layouts import Layout, layout
from pose_attention_ros.core.types import FEATURE_NAMES, SkeletonGraphs, Skeletons
from pose_attention_ros.msg import Skeleton, SkeletonArray, SkeletonGraph, SkeletonGraphArray
from pose_attention_ros.ros.errors import MessageError
from pose_attention_ros.ros.stamps import header_of, stamp_ns_of


def floats(values: np.ndarray) -> array:
    """Values as the array.array of float32 that rclpy copies in one go, row by row."""
    packed = array("f")
    packed.frombytes(np.ascontiguousarray(values, np.float32).tobytes())
    return packed


def rows(name: str, sequences: Iterable[Sequence[float]], width: int) -> np.ndarray:
    """(N, width) float32 of N message fields called `name`. Raises MessageError if one has another length."""
    sequences = list(sequences)
    for index, values in enumerate(sequences):
        if len(values) != width:
            raise MessageError(f"{name} of person {index} has {len(values)} values, expected {width}")
    return np.array(sequences, np.float32).reshape(len(sequences), width)


def known_layout(message: SkeletonArray | SkeletonGraphArray) -> Layout:
    """The layout that the message names. Raises MessageError."""
    try:
        return layout(message.layout)
    except ValueError as error:
        raise MessageError(str(error)) from None


def _in_unit_range(name: str, values: np.ndarray) -> None:
    """NaN passes: it is a missing joint, or is refused by the record itself."""
    if (values < 0).any() or (values > 1).any():
        raise MessageError(f"{name} holds {values[(values < 0) | (values > 1)][0]:g}, expected 0 to 1")


def message_of_skeletons(people: Skeletons) -> SkeletonArray:
    """The message of what the pose stage saw."""
    message = SkeletonArray(header=header_of(people.stamp_ns, people.frame_id), layout=people.layout.name,
                            image_width=people.image_size[0], image_height=people.image_size[1])
    message.skeletons = [
        Skeleton(score=float(people.person_scores[i]), box_xyxy=people.boxes_xyxy[i],
                 keypoints_px=floats(people.keypoints_px[i]), keypoint_scores=floats(people.scores[i]))
        for i in range(len(people))
    ]
    return message


def skeletons_of_message(message: SkeletonArray) -> Skeletons:
    """What another pose estimator, or ours, saw.

    :raises MessageError: unknown layout, wrong lengths, scores outside 0..1, a box that is not finite
    """
    table = known_layout(message)
    people, joints = message.skeletons, len(table.joints)
    keypoints = rows("keypoints_px", (person.keypoints_px for person in people), joints * 2)
    scores = rows("keypoint_scores", (person.keypoint_scores for person in people), joints)
    person_scores = np.array([person.score for person in people], np.float32)
    _in_unit_range("keypoint_scores", scores)
    _in_unit_range("score", person_scores)
    try:
        return Skeletons(stamp_ns_of(message.header), message.header.frame_id, table,
                         (message.image_width, message.image_height), keypoints.reshape(-1, joints, 2), scores,
                         rows("box_xyxy", (person.box_xyxy for person in people), 4), person_scores)
    except ValueError as error:
        raise MessageError(f"unusable SkeletonArray: {error}") from None


def message_of_graphs(graphs: SkeletonGraphs) -> SkeletonGraphArray:
    """The message of the tracked people of one image."""
    message = SkeletonGraphArray(header=header_of(graphs.stamp_ns, graphs.frame_id), layout=graphs.layout.name,
                                 feature_names=list(FEATURE_NAMES), image_width=graphs.image_size[0],
                                 image_height=graphs.image_size[1])
    message.graphs = [
        SkeletonGraph(track_id=int(graphs.track_ids[i]), age=float(graphs.ages_s[i]), nodes=floats(graphs.nodes[i]),
                      features=floats(graphs.features[i]), mask=graphs.mask[i].tolist(), root_px=graphs.roots_px[i],
                      scale_px=float(graphs.scales_px[i]), box_xyxy=graphs.boxes_xyxy[i])
        for i in range(len(graphs))
    ]
    return message


def graphs_of_message(message: SkeletonGraphArray) -> SkeletonGraphs:
    """The tracked people of one image.

    :raises MessageError: unknown layout, other feature channels, wrong lengths, an id given twice, NaN
    """
    table = known_layout(message)
    if tuple(message.feature_names) != FEATURE_NAMES:
        raise MessageError(f"feature_names is {list(message.feature_names)}, expected {list(FEATURE_NAMES)}")
    people, joints, channels = message.graphs, len(table.joints), len(FEATURE_NAMES)
    track_ids = np.array([graph.track_id for graph in people], np.int64)
    if len(np.unique(track_ids)) < len(track_ids):
        raise MessageError(f"track_id occurs twice in one message: {sorted(track_ids.tolist())}")
    try:
        return SkeletonGraphs(
            stamp_ns_of(message.header), message.header.frame_id, table, (message.image_width, message.image_height),
            track_ids,
            rows("nodes", (graph.nodes for graph in people), joints * 2).reshape(-1, joints, 2),
            rows("features", (graph.features for graph in people), joints * channels).reshape(-1, joints, channels),
            rows("mask", (graph.mask for graph in people), joints) > 0,
            np.array([graph.age for graph in people], np.float32),
            rows("root_px", (graph.root_px for graph in people), 2),
            np.array([graph.scale_px for graph in people], np.float32),
            rows("box_xyxy", (graph.box_xyxy for graph in people), 4))
    except ValueError as error:
        raise MessageError(f"unusable SkeletonGraphArray: {error}") from None
