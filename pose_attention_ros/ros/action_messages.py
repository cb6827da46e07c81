"""ActionEstimates to and from ActionLabelArray, and the latched ActionModel that names their classes."""

from __future__ import annotations

from array import array

import numpy as np

from pose_attention_ros.core.actions.recogniser import ModelSpec
from pose_attention_ros.core.messages.records import actions_of_message
from pose_attention_ros.core.types import ActionEstimate, ActionEstimates
from pose_attention_ros.msg import ActionLabel, ActionLabelArray, ActionModel
from pose_attention_ros.ros.stamps import age_s, header_of, time_of

__all__ = ["actions_of_message", "message_of_actions", "message_of_model"]


def message_of_model(spec: ModelSpec) -> ActionModel:
    """The identity card of a recogniser."""
    return ActionModel(
        model_id=spec.model_id,
        model_sha256=spec.sha256,
        layout=spec.layout.name,
        joints=list(spec.layout.joints),
        classes=list(spec.classes),
        rate=float(spec.rate_hz),
        threshold=float(spec.threshold),
    )


def message_of_actions(estimates: ActionEstimates, now_ns: int) -> ActionLabelArray:
    """The message of one image's estimates, published at `now_ns` of the node's clock.

    `latency` is NaN where the stamps are not of that clock (see stamps.age_s).
    """
    message = ActionLabelArray(
        header=header_of(estimates.stamp_ns, estimates.frame_id),
        model_id=estimates.model_id,
        model_sha256=estimates.model_sha256,
        latency=age_s(estimates.stamp_ns, now_ns),
    )
    message.actions = [_message_of_action(person) for person in estimates.people]
    return message


def _message_of_action(person: ActionEstimate) -> ActionLabel:
    return ActionLabel(
        track_id=int(person.track_id),
        label=person.label,
        state=int(person.state),
        confidence=float(person.confidence),
        scores=_floats(person.scores),
        onset=time_of(person.onset_ns),
        evidence_start=time_of(person.evidence_start_ns),
        evidence_end=time_of(person.evidence_end_ns),
        joint_attention=_floats(person.joint_attention),
        frame_attention=_floats(person.frame_attention),
        frame_offsets=_whole_numbers(person.frame_stamps_ns - person.evidence_end_ns),
    )


def _whole_numbers(values: np.ndarray) -> array:
    """int64 values as the array that rclpy copies in one go."""
    packed = array("q")
    packed.frombytes(np.ascontiguousarray(values, np.int64).tobytes())
    return packed


def _floats(values: np.ndarray) -> array:
    """Values as the array.array of float32 that rclpy copies in one go, row by row."""
    packed = array("f")
    packed.frombytes(np.ascontiguousarray(values, np.float32).tobytes())
    return packed
