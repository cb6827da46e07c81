"""Quality of service in one place: images are best effort and newest wins, results are reliable, identities are latched."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rclpy.exceptions import ParameterException
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.qos_overriding_options import InvalidQosOverridesError

from pose_attention_ros.core.errors import UserError

RELIABILITIES = {"best_effort": ReliabilityPolicy.BEST_EFFORT, "reliable": ReliabilityPolicy.RELIABLE}


@contextmanager
def understandable(name: str) -> Iterator[None]:
    """Turns what rclpy raises for an override that is no policy into a UserError; `name` says which one it was."""
    try:
        yield
    except (InvalidQosOverridesError, ParameterException, RuntimeError, TypeError, ValueError) as error:
        raise UserError(
            f"{name}: {error}; expected reliability: reliable or best_effort, history: keep_last or keep_all, "
            "depth: a number"
        ) from None


def sensor_profile(reliability: str, depth: int = 1) -> QoSProfile:
    """Newest image only, or newest `depth`. `reliability` is best_effort, which every publisher satisfies, or reliable."""
    return QoSProfile(depth=depth, history=HistoryPolicy.KEEP_LAST, reliability=RELIABILITIES[reliability])


def result_profile(depth: int = 10) -> QoSProfile:
    """Reliable; `depth` messages wait for a slow reader. An image publisher uses it too: it serves every subscriber."""
    return QoSProfile(depth=depth, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE)


def latched_profile() -> QoSProfile:
    """The last message is kept for those who subscribe later."""
    return QoSProfile(
        depth=1,
        history=HistoryPolicy.KEEP_LAST,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )


def _reporter(warn: Callable[[str], None], topic: str, other: str, remedy: str) -> Callable[[Any], None]:
    def report(event: Any) -> None:
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        warn(f"{topic}: a {other} has an incompatible {policy} policy and no data will flow between us; {remedy}")

    return report


def subscription_events(
    warn: Callable[[str], None], topic: str, remedy: str, more: dict[str, Callable[[Any], None]] | None = None
) -> SubscriptionEventCallbacks:
    """Tells through `warn` that a publisher of `topic` is incompatible, and the remedy.

    :param more: handlers of events by rclpy's names; those that this ROS does not know are left out
    """
    handlers: dict[str, Any] = {"incompatible_qos": _reporter(warn, topic, "publisher", remedy), **(more or {})}
    known = inspect.signature(SubscriptionEventCallbacks.__init__).parameters
    return SubscriptionEventCallbacks(**{name: handle for name, handle in handlers.items() if name in known})


def publisher_events(warn: Callable[[str], None], topic: str) -> PublisherEventCallbacks:
    """Tells through `warn` that a subscriber of `topic` is incompatible."""
    remedy = "let it ask for volatile durability"
    return PublisherEventCallbacks(incompatible_qos=_reporter(warn, topic, "subscriber", remedy))
