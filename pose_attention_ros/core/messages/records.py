"""Our messages read into the records of core; works on any object with their fields, from ROS or from a bag.

N people, V joints of the layout, C feature channels, K action classes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pose_attention_ros.core.body.layouts import Layout, layout
from pose_attention_ros.core.errors import MessageError
from pose_attention_ros.core.types import (
    FEATURE_NAMES,
    ActionEstimate,
    ActionEstimates,
    LabelState,
    SkeletonGraphs,
    Skeletons,
)

_GREATEST = 1e9  # body units, or body units a second: more than any joint within FARTHEST_PX of the image can make


def ns_of(stamp: Any) -> int:
    """Nanoseconds of a message's time."""
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def stamp_in(raw: bytes) -> int:
    """Stamp of a serialised message (CDR) that begins with a header, without reading the rest; -1 if there is none."""
    if len(raw) < 12:
        return -1
    seconds, nanoseconds = struct.unpack_from("<iI" if raw[1] & 1 else ">iI", raw, 4)
    return seconds * 1_000_000_000 + nanoseconds


def rows(name: str, sequences: Iterable[Sequence[float]], width: int) -> np.ndarray:
    """(N, width) float32 of N message fields called `name`. Raises MessageError if one has another length."""
    sequences = list(sequences)
    for index, values in enumerate(sequences):
        if len(values) != width:
            raise MessageError(f"{name} of person {index} has {len(values)} values, expected {width}")
    return np.array(sequences, np.float32).reshape(len(sequences), width)


def known_layout(message: Any) -> Layout:
    """The layout that the message names. Raises MessageError."""
    try:
        return layout(message.layout)
    except ValueError as error:
        raise MessageError(str(error)) from None


def _in_unit_range(name: str, values: np.ndarray) -> None:
    """NaN passes: it is a missing joint, or is refused by the record itself."""
    if not values.size or (np.minimum.reduce(values, None) >= 0 and np.maximum.reduce(values, None) <= 1):
        return
    if (values < 0).any() or (values > 1).any():
        raise MessageError(f"{name} holds {values[(values < 0) | (values > 1)][0]:g}, expected 0 to 1")


def skeletons_of_message(message: Any) -> Skeletons:
    """What another pose estimator, or ours, saw (a SkeletonArray).

    :raises MessageError: unknown layout, wrong lengths, scores outside 0..1, a box that is not finite
    """
    table = known_layout(message)
    people, joints = message.skeletons, len(table.joints)
    keypoints = rows("keypoints_px", (person.keypoints_px for person in people), joints * 2)
    scores = rows("keypoint_scores", (person.keypoint_scores for person in people), joints)
    return checked_skeletons(
        ns_of(message.header.stamp),
        message.header.frame_id,
        table,
        (message.image_width, message.image_height),
        keypoints.reshape(-1, joints, 2),
        scores,
        rows("box_xyxy", (person.box_xyxy for person in people), 4),
        np.array([person.score for person in people], np.float32),
    )


def checked_skeletons(
    stamp_ns: int,
    frame_id: str,
    table: Layout,
    image_size: tuple[int, int],
    keypoints_px: np.ndarray,
    scores: np.ndarray,
    boxes_xyxy: np.ndarray,
    person_scores: np.ndarray,
) -> Skeletons:
    """The record of what a message holds. Raises MessageError for scores outside 0..1 and boxes that are not finite."""
    _in_unit_range("keypoint_scores", scores)
    _in_unit_range("score", person_scores)
    try:
        return Skeletons(stamp_ns, frame_id, table, image_size, keypoints_px, scores, boxes_xyxy, person_scores)
    except ValueError as error:
        raise MessageError(f"unusable SkeletonArray: {error}") from None


def graphs_of_message(message: Any) -> SkeletonGraphs:
    """The tracked people of one image (a SkeletonGraphArray).

    :raises MessageError: unknown layout, other feature channels, wrong lengths, an id given twice, NaN
    """
    table = known_layout(message)
    if tuple(message.feature_names) != FEATURE_NAMES:
        raise MessageError(f"feature_names is {list(message.feature_names)}, expected {list(FEATURE_NAMES)}")
    people, joints, channels = message.graphs, len(table.joints), len(FEATURE_NAMES)
    return checked_graphs(
        ns_of(message.header.stamp),
        message.header.frame_id,
        table,
        (message.image_width, message.image_height),
        np.array([graph.track_id for graph in people], np.int64),
        rows("nodes", (graph.nodes for graph in people), joints * 2).reshape(-1, joints, 2),
        rows("features", (graph.features for graph in people), joints * channels).reshape(-1, joints, channels),
        rows("mask", (graph.mask for graph in people), joints) > 0,
        np.array([graph.age for graph in people], np.float32),
        rows("root_px", (graph.root_px for graph in people), 2),
        np.array([graph.scale_px for graph in people], np.float32),
        rows("box_xyxy", (graph.box_xyxy for graph in people), 4),
    )


def checked_graphs(
    stamp_ns: int,
    frame_id: str,
    table: Layout,
    image_size: tuple[int, int],
    track_ids: np.ndarray,
    nodes: np.ndarray,
    features: np.ndarray,
    *others: np.ndarray,
) -> SkeletonGraphs:
    """The record of what a message holds; `others` as in SkeletonGraphs. Raises MessageError for an id given twice, numbers
    that are none, and those that no joint has."""
    ids = track_ids.tolist()
    if len(set(ids)) < len(ids):
        raise MessageError(f"track_id occurs twice in one message: {sorted(ids)}")
    for name, values in (("nodes", nodes), ("features", features)):
        if (
            not np.vdot(values, values) <= 0.9 * _GREATEST**2 and (np.abs(values) > _GREATEST).any()
        ):  # it would make NaN of them
            raise MessageError(f"{name} holds {values[np.abs(values) > _GREATEST][0]:g}, expected at most {_GREATEST:g}")
    try:
        return SkeletonGraphs(stamp_ns, frame_id, table, image_size, track_ids, nodes, features, *others)
    except ValueError as error:
        raise MessageError(f"unusable SkeletonGraphArray: {error}") from None


def actions_of_message(message: Any, model: Any) -> ActionEstimates:
    """The estimates of one image (an ActionLabelArray), read with the model (an ActionModel) that made them.

    :raises MessageError: another model than `model`, unknown layout or state, wrong lengths, NaN scores
    """
    if message.model_sha256 != model.model_sha256:
        raise MessageError(
            f"actions come from model {message.model_id!r} ({message.model_sha256[:8]}), action_model is "
            f"{model.model_id!r} ({model.model_sha256[:8]})"
        )
    try:
        table = layout(model.layout)
        people = tuple(_action_of_message(person, len(model.classes), len(table.joints)) for person in message.actions)
    except ValueError as error:
        raise MessageError(f"unusable ActionLabelArray: {error}") from None
    return ActionEstimates(
        ns_of(message.header.stamp),
        message.header.frame_id,
        table,
        tuple(model.classes),
        message.model_id,
        message.model_sha256,
        people,
    )


def _action_of_message(person: Any, classes: int, joints: int) -> ActionEstimate:
    evidence_end_ns = ns_of(person.evidence_end)
    if hasattr(person, "frame_stamps"):  # of a bag that was recorded before offsets took their place
        stamps_ns = np.array([ns_of(stamp) for stamp in person.frame_stamps], np.int64)
    else:
        stamps_ns = evidence_end_ns + np.array(person.frame_offsets, np.int64)
    moments = len(stamps_ns)
    weights = {}
    for name, width in (("scores", classes), ("joint_attention", joints), ("frame_attention", moments)):
        values = np.array(getattr(person, name), np.float32)
        if len(values) != width or not np.isfinite(values).all():
            raise MessageError(f"{name} of track {person.track_id} is {len(values)} values, expected {width} finite ones")
        weights[name] = values
    return ActionEstimate(
        track_id=person.track_id,
        label=person.label,
        state=LabelState(person.state),
        confidence=person.confidence,
        onset_ns=ns_of(person.onset),
        evidence_start_ns=ns_of(person.evidence_start),
        evidence_end_ns=evidence_end_ns,
        frame_stamps_ns=stamps_ns,
        **weights,
    )
