"""A subscription to images that follows its publishers: their form, their reliability, and what they change of both."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rclpy.qos import ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image

from pose_attention_ros.core.messages.records import stamp_in
from pose_attention_ros.ros.image_losses import ImageLosses
from pose_attention_ros.ros.image_topic_choice import Choice, Offer, choose
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.qos import RELIABILITIES, sensor_profile
from pose_attention_ros.ros.receiver import Receiver, why_impossible
from pose_attention_ros.ros.stamps import stamp_ns_of

_LOOK_PERIOD_S = 0.5
_PATIENCE_S = 3.0  # a receiver that has found no publisher by now: images come the usual way meanwhile;
_LONGEST_PATIENCE_S = 60.0  # by now: it never will
# The middleware puts an image together beside those that wait: where one may wait, it loses every second large one.
_NEWEST_DEPTH = 3
_LARGE = 2 << 20  # bytes; through shared memory of 0.5 MB a reliable publisher gets such images across slowly


class ImageSubscription:
    """Images for a node, of the topic `image_raw` or what it is remapped to.

    It looks at once when a publisher comes, and every half second: a driver that starts again with another form or
    reliability is followed. Best-effort publishers, and those of large images, are heard through a Receiver where that is
    possible.

    :param handle: gets each Image or CompressedImage; serialised bytes with `raw`
    :param transport, reliability: see settings.TransportConfig and WatchImageConfig
    :param depth: images that wait in the middleware; 0: of those that wait `handle` gets the newest alone
    """

    def __init__(
        self,
        node: ManagedNode,
        handle: Callable[[Any], None],
        *,
        transport: str,
        reliability: str,
        depth: int = 0,
        raw: bool = False,
    ) -> None:
        self._node, self._handle, self._raw = node, handle, raw
        self._transport, self._reliability, self._depth = transport, reliability, depth
        self._base = node.resolve_topic_name("image_raw")
        self._subscription: Subscription | None = None
        self._receiver: Receiver | None = None
        self._choice: Choice | None = None
        self._open = False
        self._through = ""  # why not through a receiver
        self.losses = ImageLosses()
        self._large = self._told = self._received = False

    def open(self) -> None:
        """Subscribe, until `close` or the node's deactivation; again, it goes on."""
        if self._open:
            return
        self._open = True
        self._through = why_impossible()
        self.losses.begin()
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
    def is_open(self) -> bool:
        """Whether it is subscribed."""
        return self._open

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
        return {
            "images": choice.topic,
            "image_transport": "compressed" if choice.compressed else "raw",
            "image_reliability": "reliable" if choice.reliable else "best_effort",
            **self.losses.details(),
        }

    def trouble(self) -> str:
        """That many images get lost on their way or are never sent, and what to do about it; logged once."""
        text = self._what_is_missing() if self._open and self._choice else ""
        if text and not self._told:
            self._told = True
            self._node.get_logger().warning(text)
        return text

    def _what_is_missing(self) -> str:
        topic = self._choice.topic
        if found := self.losses.lost_recently():
            return f"{found[0]} of the last {found[1]} images of {topic} were lost on their way: {self._remedy()}"
        if holes := self.losses.never_sent():
            missing, expected, rate_hz = holes
            return (
                f"{missing} of the last {expected} images of {topic} are missing in its rate of {rate_hz:.0f} Hz: "
                "its publisher leaves them out; look at its load, exposure time and USB or network bandwidth"
            )
        return ""

    def _remedy(self) -> str:
        if self._choice.reliable:
            return "the machine or the network is too slow for them; set image_transport:=compressed, or a smaller image"
        if self._reliability == "best_effort" and all(offer.reliable for offer in self._offers(self._choice.topic)):
            return "set image_reliability to auto, for their publisher sends again what was lost"
        return (self._through or "the machine is too slow for them") + (
            "" if self._choice.compressed else "; or let it publish compressed images, and set image_transport:=compressed"
        )

    def _offers(self, topic: str) -> list[Offer]:
        return [
            Offer(info.topic_type, info.qos_profile.reliability == ReliabilityPolicy.RELIABLE)
            for info in self._node.get_publishers_info_by_topic(topic)
        ]

    def _look_soon(self, _event: Any) -> None:
        """Not while the middleware is at the subscription that may have to go."""
        self._node.executor.create_task(self._look)

    def _look(self) -> None:
        """Subscribe to what the publishers offer now."""
        if not self._open:
            return
        choice = choose(self._base, self._transport, self._reliability, self._offers)
        if choice == self._choice:
            self._mind_the_receiver(choice)
            return
        if self._choice is not None and not choice.offered:
            return  # the driver is away; nobody knows as what it comes back
        if self._choice is not None and choice.reliable and replace(self._choice, offered=True) == choice:
            self._choice = choice  # as was hoped for
            return
        self._end()
        self._choice = choice
        self._begin(choice)

    def _mind_the_receiver(self, choice: Choice) -> None:
        """A busy machine is slow to find publishers; on networks without multicast, or where a publisher knows shared memory
        alone, a second participant is deaf."""
        if self._receiver is None:
            return
        waited_s, found = time.monotonic() - self._since, self._receiver.node.count_publishers(choice.topic) > 0
        if found != self._received and (found or waited_s > _PATIENCE_S):
            self._subscribe(choice, received=found)
        elif not found and waited_s > _LONGEST_PATIENCE_S:
            self._through = "let the driver publish reliably"
            self._receiver.close()
            self._receiver = None

    def _begin(self, choice: Choice) -> None:
        self._since = time.monotonic()
        if self._better_received(choice):
            self._receiver = Receiver(self._node)
        self._subscribe(choice, received=self._receiver is not None)

    def _subscribe(self, choice: Choice, received: bool) -> None:
        """In place of the subscription there is; `received`: through the receiver."""
        self._unsubscribe()
        self.losses.begin()
        self._received = received
        follow = {"matched": self._look_soon, "message_lost": self.losses.on_lost}
        if self._reliability == "auto":
            follow["incompatible_qos"] = self._look_soon
        reliability = next(
            name for name, kind in RELIABILITIES.items() if (kind == ReliabilityPolicy.RELIABLE) == choice.reliable
        )
        self._subscription = self._node.listen(
            CompressedImage if choice.compressed else Image,
            choice.topic,
            self._take,
            sensor_profile(reliability, self._depth or _NEWEST_DEPTH),
            remedy="set image_reliability:=auto",
            with_info=True,
            raw=self._raw,
            events=follow,
            through=self._receiver.node if received else None,
        )

    def _unsubscribe(self) -> None:
        if self._subscription is not None:
            self._node.silence([self._subscription])
        self._subscription = None

    def _end(self) -> None:
        self._unsubscribe()
        if self._receiver is not None:
            self._receiver.close()
        self._receiver = None

    def _better_received(self, choice: Choice) -> bool:
        """Whether sockets bring more than the publisher's shared memory does."""
        needed = choice.offered and (not choice.reliable or self._large)
        return bool(needed and not self._through and self._node.executor and not self._node.overrides_qos_of(choice.topic))

    def _take(self, message: Any, info: dict[str, Any] | None = None) -> None:
        self._see(message, info)
        if not self._depth:
            message = self._newest(message)
        self._handle(message)

    def _newest(self, message: Any) -> Any:
        """`message`, or the last of those that came after it."""
        subscription = self._subscription
        for _ in range(_NEWEST_DEPTH):
            with subscription.handle:
                later = subscription.handle.take_message(subscription.msg_type, subscription.raw)
            if later is None:
                break
            message = later[0]
            self.losses.dropped += 1
            self._see(*later)
        return message

    def _see(self, message: Any, info: dict[str, Any] | None) -> None:
        self.losses.see(stamp_in(message) if self._raw else stamp_ns_of(message.header), info or {})
        if not self._large and len(message if self._raw else message.data) >= _LARGE and not self.play_a_recording():
            self._large = True  # of ours the shared memory has room
            if self._receiver is None and self._better_received(self._choice):
                self._node.executor.create_task(self._begin_anew)

    def _begin_anew(self) -> None:
        if self._open and self._choice is not None:
            self._end()
            self._begin(self._choice)
