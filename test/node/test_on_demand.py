"""Results become messages only while somebody subscribes."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from pose_attention_ros.msg import SkeletonArray
from pose_attention_ros.ros.on_demand import OnDemand
from pose_attention_ros.ros.qos import result_profile


def test_a_message_is_made_once_and_only_for_somebody(probe: Any) -> None:
    publisher = probe.node.create_publisher(SkeletonArray, "skeletons", result_profile())
    topic, made = OnDemand(publisher), []

    def make() -> SkeletonArray:
        made.append(SkeletonArray(layout=f"made {len(made)}"))
        return made[-1]

    topic.answer(make)()
    assert not made
    received = probe.collect(SkeletonArray, "skeletons")
    probe.until(lambda: publisher.get_subscription_count() == 1, "the subscription")
    again = topic.answer(make)
    again()
    probe.until(lambda: len(received) == 2, "the answer, twice")
    assert [message.layout for message in received] == ["made 0", "made 0"] and len(made) == 1
