"""What is said of the people, as topics: actions, and beside it a readable line a person."""

from __future__ import annotations

from std_msgs.msg import String

from pose_attention_ros.core.types import ActionEstimate, ActionEstimates
from pose_attention_ros.msg import ActionLabelArray
from pose_attention_ros.ros.action_messages import message_of_actions
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.qos import result_profile

_LABELS_IN_MIDDLEWARE = 50  # those of a group of people in several images


class AnswerTopics:
    """Publishers of `actions`, and of `labels`, which is made only while someone subscribes."""

    def __init__(self, node: ManagedNode) -> None:
        self._node = node
        self._actions = node.advertise(ActionLabelArray, "actions", result_profile())
        self._labels = node.advertise(String, "labels", result_profile(_LABELS_IN_MIDDLEWARE))

    def subscribers(self) -> int:
        """How many take `actions`."""
        return self._actions.get_subscription_count()

    def publish(self, estimates: ActionEstimates, message: ActionLabelArray | None = None) -> ActionLabelArray:
        """Send the answer to one image, or that `message` of it again; returns the message."""
        message = message or message_of_actions(estimates, self._node.now_ns())
        self._actions.publish(message)
        if self._labels.get_subscription_count():
            for person in estimates.people:
                self._labels.publish(String(data=label_line(person)))
        return message


def label_line(person: ActionEstimate) -> str:
    """Id, label and confidence: "3 wave 0.92"."""
    return f"{person.track_id} {person.label} {person.confidence:.2f}"
