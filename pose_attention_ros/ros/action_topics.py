"""What is said of the people, as topics: actions, and beside it a readable line a person and vision_msgs' detections."""

from __future__ import annotations

from std_msgs.msg import String

from pose_attention_ros.core.types import ActionEstimate, ActionEstimates, SkeletonGraphs
from pose_attention_ros.msg import ActionLabelArray
from pose_attention_ros.ros.action_messages import message_of_actions
from pose_attention_ros.ros.detections import detections_type, message_of_detections
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.qos import result_profile

_LABELS_IN_MIDDLEWARE = 50  # those of a group of people in several images


class AnswerTopics:
    """Publishers of `actions`; and of `labels` and, where vision_msgs is installed, `detections`, which are made only while
    someone subscribes."""

    def __init__(self, node: ManagedNode) -> None:
        self._node = node
        self._actions = node.advertise(ActionLabelArray, "actions", result_profile())
        self._labels = node.advertise(String, "labels", result_profile(_LABELS_IN_MIDDLEWARE))
        kind = detections_type()
        self._detections = node.advertise(kind, "detections", result_profile()) if kind else None

    def subscribers(self) -> int:
        """How many take `actions`."""
        return self._actions.get_subscription_count()

    def publish(
        self, graphs: SkeletonGraphs, estimates: ActionEstimates, message: ActionLabelArray | None = None
    ) -> ActionLabelArray | None:
        """Send the answer to the people of one image, or that `message` of it again, to those who subscribe; returns the
        message, None where it was not made because nobody does."""
        if self._actions.get_subscription_count():
            message = message or message_of_actions(estimates, self._node.now_ns())
            self._actions.publish(message)
        if self._labels.get_subscription_count():
            for person in estimates.people:
                self._labels.publish(String(data=label_line(person)))
        if self._detections is not None and self._detections.get_subscription_count():
            self._detections.publish(message_of_detections(graphs, estimates))
        return message


def label_line(person: ActionEstimate) -> str:
    """Id, label and confidence: "3 wave 0.92"."""
    return f"{person.track_id} {person.label} {person.confidence:.2f}"
