"""A subscription to images that follows its publishers: their form, their reliability, and what they change of both."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rclpy.qos import ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image

from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.offers import Choice, Offer, choose
from pose_attention_ros.ros.qos import RELIABILITIES, sensor_profile
from pose_attention_ros.ros.receiver import Receiver, why_impossible

_LOOK_PERIOD_S = 0.5
_PATIENCE_S = 3.0  # the receiver finds a publisher within this time, or cannot
_RECENT_S = 10.0
_MANY = 0.1  # share of images whose loss is worth a warning
_ENOUGH = 30  # images before a share means anything


class ImageSubscription:
    """Images for a node, of the topic `image_raw` or what it is remapped to.

    It looks at once when a publisher comes, and every half second: a driver that starts again with another form or
    reliability is followed. Best-effort publishers are heard through a Receiver where that is possible.

    :param handle: gets each Image or CompressedImage; serialised bytes with `raw`
    :param transport, reliability: see settings.TransportConfig and WatchImageConfig
    :param depth: images that wait in the middleware
    :param about: gets what the middleware says of each message first
    """

    def __init__(self, node: ManagedNode, handle: Callable[[Any], None], *, transport: str, reliability: str, depth: int = 1,
                 about: Callable[[dict[str, Any]], None] | None = None, raw: bool = False) -> None:
        self._node, self._handle, self._about, self._raw = node, handle, about, raw
        self._transport, self._reliability, self._depth = transport, reliability, depth
        self._base = node.resolve_topic_name("image_raw")
        self._subscription: Subscription | None = None
        self._receiver: Receiver | None = None
        self._choice: Choice | None = None
        self._open = False
        self._through = ""  # why not through a receiver
        self.lost = self.came = 0
        self._told = False

    def open(self) -> None:
        """Subscribe, until `close` or the node's deactivation."""
        self._open = True
        self._through = why_impossible()
        self._moments: deque[tuple[float, int]] = deque()
        self._look()
        self._timer = self._node.watch(_LOOK_PERIOD_S, self._look)
        self._node.at_halt.append(self.close)

    def close(self) -> None:
        """Unsubscribe."""
        if not self._open:
            return
        self._open, self._choice = False, None
        if self.close in self._node.at_halt:
            self._node.at_halt.remove(self.close)
        self._node.destroy_timer(self._timer)
        self._end()

    @property
    def subscription(self) -> Subscription:
        """What is subscribed now."""
        return self._subscription

    @property
    def topic(self) -> str:
        """Full name of the topic that is subscribed now."""
        return self._choice.topic if self._choice else self._base

    @property
    def compressed(self) -> bool:
        """Whether it carries compressed images."""
        return self._choice is not None and self._choice.compressed

    def play_a_recording(self) -> bool:
        """Whether the images come from nodes that tell a source_status: ours, which stamp every image."""
        def publishers(topic: str) -> set[tuple[str, str]]:
            return {(info.node_namespace, info.node_name) for info in self._node.get_publishers_info_by_topic(topic)}
        cameras = publishers(self.topic)
        return bool(cameras) and cameras <= publishers(self._node.resolve_topic_name("source_status"))

    def details(self) -> dict[str, str]:
        """For the diagnostics."""
        choice = self._choice
        if choice is None:
            return {}
        return {"images": choice.topic, "image_transport": "compressed" if choice.compressed else "raw",
                "image_reliability": "reliable" if choice.reliable else "best_effort", "received": str(self.came),
                "lost": str(self.lost)}

    def trouble(self) -> str:
        """That many images get lost on their way, and what to do about it; logged once."""
        recent = self._lost_recently() if self._open else None
        if recent is None or recent[0] < _MANY * sum(recent):
            return ""
        lost, came = recent
        text = (f"{lost} of the last {lost + came} images of {self._choice.topic} were lost on their way: {self._remedy()}")
        if not self._told:
            self._told = True
            self._node.get_logger().warning(text)
        return text

    def _lost_recently(self) -> tuple[int, int] | None:
        """(lost, came) within the last seconds; None where these are too few to tell."""
        now = time.monotonic()
        while self._moments and now - self._moments[0][0] > _RECENT_S:
            self._moments.popleft()
        lost = sum(count for _, count in self._moments)
        came = sum(not count for _, count in self._moments)
        return (lost, came) if lost + came >= _ENOUGH else None

    def _remedy(self) -> str:
        if self._choice.reliable:
            return "the machine or the network is too slow for them; set image_transport:=compressed, or a smaller image"
        if self._reliability == "best_effort" and all(offer.reliable for offer in self._offers(self._choice.topic)):
            return "set image_reliability to auto, for their publisher sends again what was lost"
        return (self._through or "the machine is too slow for them") + \
            ("" if self._choice.compressed else "; or let it publish compressed images, and set image_transport:=compressed")

    def _offers(self, topic: str) -> list[Offer]:
        return [Offer(info.topic_type, info.qos_profile.reliability == ReliabilityPolicy.RELIABLE)
                for info in self._node.get_publishers_info_by_topic(topic)]

    def _look_soon(self, _event: Any) -> None:
        """Not while the middleware is at the subscription that may have to go."""
        self._node.executor.create_task(self._look)

    def _look(self) -> None:
        """Subscribe to what the publishers offer now."""
        if not self._open:
            return
        now = time.monotonic()
        choice = choose(self._base, self._transport, self._reliability, self._offers)
        if choice == self._choice:
            # On networks without multicast, or where its publisher knows shared memory alone, a second participant is deaf.
            if self._receiver and not self._receiver.node.count_publishers(choice.topic) and now - self._since > _PATIENCE_S:
                self._through = "let the driver publish reliably"
                self._end()
                self._begin(choice)
            return
        if self._choice is not None and not choice.offered:
            return  # the driver is away; nobody knows as what it comes back
        if self._choice is not None and choice.reliable and replace(self._choice, offered=True) == choice:
            self._choice = choice  # as was hoped for
            return
        self._end()
        self._choice = choice
        self._begin(choice)

    def _begin(self, choice: Choice) -> None:
        self._since = time.monotonic()
        follow = {"matched": self._look_soon, "message_lost": self._on_lost}
        if self._reliability == "auto":
            follow["incompatible_qos"] = self._look_soon
        best_effort = choice.offered and not choice.reliable
        if best_effort and not self._through and self._node.executor and not self._node.overrides_qos_of(choice.topic):
            self._receiver = Receiver(self._node)
        reliability = next(name for name, kind in RELIABILITIES.items()
                           if (kind == ReliabilityPolicy.RELIABLE) == choice.reliable)
        self._subscription = self._node.listen(
            CompressedImage if choice.compressed else Image, choice.topic, self._take,
            sensor_profile(reliability, self._depth), remedy="set image_reliability:=auto", about=self._about, raw=self._raw,
            events=follow, through=self._receiver.node if self._receiver else None)

    def _end(self) -> None:
        if self._subscription is not None:
            self._node.silence([self._subscription])
        if self._receiver is not None:
            self._receiver.close()
        self._subscription = self._receiver = None

    def _on_lost(self, event: Any) -> None:
        count = event.total_count_change
        self.lost += count
        self._moments.append((time.monotonic(), count))

    def _take(self, message: Any) -> None:
        self.came += 1
        self._moments.append((time.monotonic(), 0))
        self._handle(message)
