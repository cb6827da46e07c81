"""Messages that wait in the middleware until a node takes them, and wake nobody.

An executor of rclpy looks at everything that its nodes have each time it wakes: about a millisecond for a node with its
parameters and lifecycle. A node that needs several topics together is woken by the last of them and takes the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSCompatibility, qos_check_compatible
from rclpy.subscription import Subscription


class Waiting(CallbackGroup):
    """The group of subscriptions that no executor looks at; see `taken`.

    Their events are left out, too: Fast DDS reports unread messages as one of them.
    """

    def can_execute(self, entity: Any) -> bool:
        return False

    def beginning_execution(self, entity: Any) -> bool:
        return False

    def ending_execution(self, entity: Any) -> None:
        pass


def taken(subscription: Subscription) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Each message that waits, the oldest first, and what the middleware says of it."""
    while True:
        with subscription.handle:
            found = subscription.handle.take_message(subscription.msg_type, subscription.raw)
        if found is None:
            return
        yield found


def unfit(node: Node, subscription: Subscription) -> str:
    """Why a publisher and a waiting subscription, whose events nobody hears, have nothing to say to each other; or empty."""
    for publisher in node.get_publishers_info_by_topic(subscription.topic_name):
        fits, why = qos_check_compatible(publisher.qos_profile, subscription.qos_profile)
        if fits == QoSCompatibility.ERROR:
            return (
                f"{subscription.topic_name}: no data will flow from a publisher: {why.removeprefix('ERROR: ').rstrip(';')}"
            )
    return ""
