"""Answers that are made into messages only while somebody subscribes to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.publisher import Publisher


class OnDemand:
    """A topic of a node's results."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def answer(self, make: Callable[[], Any]) -> Callable[[], None]:
        """Publish the message that `make` makes; returns what publishes it again. It is made at most once, and not at all
        while nobody subscribes."""
        message: Any = None

        def publish() -> None:
            nonlocal message
            if self._publisher.get_subscription_count():
                message = make() if message is None else message
                self._publisher.publish(message)

        publish()
        return publish
