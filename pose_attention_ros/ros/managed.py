"""The base of all nodes: a lifecycle node whose settings are a dataclass, whose errors are one line, that reports itself."""

from __future__ import annotations

import gc
import math
import socket
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from rclpy.timer import Timer

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.secrets import masked
from pose_attention_ros.ros.diagnostics import StageMeter, diagnostic_array, process_age_s
from pose_attention_ros.ros.errors import MessageError
from pose_attention_ros.ros.logs import NodeLogHandler, Throttle, bridge_logging, unbridge_logging
from pose_attention_ros.ros.parameters import Parameters
from pose_attention_ros.ros.qos import publisher_events, result_profile, subscription_events, understandable
from pose_attention_ros.ros.refused_transitions import refuse_the_impossible
from pose_attention_ros.ros.settings import NodeConfig

_GIVES_MESSAGE_INFO = hasattr(Subscription, "CallbackType")  # not in Humble


class ManagedNode(LifecycleNode):
    """Subclasses fill in the four hooks below and name their settings.

    on_configure loads and warms (`configure`), on_activate subscribes (`activate`), on_deactivate stops all work
    (`deactivate`), on_cleanup frees it (`cleanup`). Publishers and subscriptions made by `advertise` and `listen` are
    destroyed for them. A hook may raise UserError: the transition then fails with that one line and what was begun is
    undone.
    """

    default_name: ClassVar[str]
    settings_type: ClassVar[type[NodeConfig]]
    _log_bridge: NodeLogHandler | None = None

    def __init__(self, **node_options: Any) -> None:
        """:raises UserError: a parameter given at start does not fit"""
        super().__init__(self.default_name, **node_options)
        self._throttle = Throttle()
        self._state = "unconfigured"
        self._ready_s = math.nan
        self._own_publishers: list[Publisher] = []
        self._own_subscriptions: dict[Subscription, Node] = {}  # and who made them
        self.at_halt: list[Callable[[], None]] = []  # called once before all subscriptions end
        self.meter = StageMeter()
        self.exit_code = 0  # of the process, when it ends
        self.ending = False  # the process that runs this node is to end
        refuse_the_impossible(self, self._tell_refusal)
        self.parameters = Parameters(self, self.settings_type, self._why_locked, self._settings_changed)
        self._log_bridge = bridge_logging(self.get_logger())  # last of what may fail: it is global
        for name in self.parameters.unknown:
            self.get_logger().warning(f"there is no parameter {name!r}; --help lists those of {self.default_name}")
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", result_profile())
        self._reported = self.meter.snapshot()
        # A steady clock: simulated time may stand still, and a node must be heard then too.
        self._timer = self.watch(self.settings.diagnostics_period_s, self._report)

    # Hooks -----------------------------------------------------------------------------------------------------------
    def configure(self) -> None:
        """Load models, open devices, advertise topics."""

    def activate(self) -> None:
        """Subscribe, start."""

    def deactivate(self) -> None:
        """Stop all work."""

    def cleanup(self) -> None:
        """Free what `configure` made; also called where `configure` failed half-way."""

    def settings_changed(self, settings: Any) -> None:
        """A live parameter has a new value. May raise UserError to refuse it."""

    def details(self) -> dict[str, str]:
        """More lines for the diagnostics, for example the backend in use."""
        return {}

    def trouble(self) -> str:
        """What a person should look at though the node goes on, for the diagnostics' level; empty: nothing."""
        return ""

    def hardware(self) -> str:
        """What the diagnostics call the hardware: this machine, unless the node knows a device."""
        return socket.gethostname()

    def idle(self) -> bool:
        """Whether an active node rightly has nothing to do."""
        return False

    # For subclasses --------------------------------------------------------------------------------------------------
    @property
    def settings(self) -> Any:
        """The current record of `settings_type`."""
        return self.parameters.value

    @property
    def active(self) -> bool:
        """Whether the node is at work."""
        return self._state == "active"

    def now_ns(self) -> int:
        """The node's clock, which is simulated under use_sim_time."""
        return self.get_clock().now().nanoseconds

    def advertise(self, kind: type, topic: str, profile: QoSProfile) -> Publisher:
        """A publisher that lives until cleanup and reports incompatible subscribers; qos_overrides.* parameters apply."""
        with understandable(f"qos_overrides of {self.resolve_topic_name(topic)}"):
            publisher = self.create_publisher(
                kind,
                topic,
                profile,
                event_callbacks=publisher_events(self.warn_once, topic),
                qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            )
        self._own_publishers.append(publisher)
        return publisher

    def listen(
        self,
        kind: type,
        topic: str,
        handle: Callable[..., None],
        profile: QoSProfile,
        remedy: str = "give both sides the same reliability and durability",
        *,
        with_info: bool = False,
        raw: bool = False,
        events: dict[str, Callable[[Any], None]] | None = None,
        through: Node | None = None,
        group: CallbackGroup | None = None,
    ) -> Subscription:
        """A subscription that lives until deactivation (or `silence`); what `handle` raises is counted and told, and drops
        that message only. `with_info`, `handle` also gets what the middleware says of the message, where rclpy tells it.
        With `raw`, `handle` gets serialised bytes. `events` are more handlers of the middleware's events, see qos. It is
        made `through` another node that works for this one, if there is one. In the `group` waiting.Waiting messages wait
        until they are taken. qos_overrides.* parameters apply."""
        callback = guarded = self.guarded(topic, handle)
        if with_info and _GIVES_MESSAGE_INFO:

            def callback(message: Any, info: dict[str, Any]) -> None:  # rclpy looks at the number of arguments
                guarded(message, info)

        # Once declared, rclpy keeps what an override was first, so that a profile which follows a setting would no longer.
        overridden = self.overrides_qos_of(topic)
        owner = through or self
        with understandable(f"qos_overrides.{self.resolve_topic_name(topic)}.subscription.*"):
            subscription = owner.create_subscription(
                kind,
                topic,
                callback,
                profile,
                raw=raw,
                callback_group=group,
                event_callbacks=subscription_events(self.warn_once, topic, remedy, events),
                qos_overriding_options=QoSOverridingOptions.with_default_policies() if overridden else None,
            )
        self._own_subscriptions[subscription] = owner
        return subscription

    def overrides_qos_of(self, topic: str) -> bool:
        """Whether qos_overrides.* parameters were given for our subscription of `topic`."""
        named = f"qos_overrides.{self.resolve_topic_name(topic)}.subscription."
        return any(name.startswith(named) for name in self._parameter_overrides)

    def watch(self, period_s: float, check: Callable[[], None]) -> Timer:
        """Calls `check` every `period_s`, also while simulated time stands still. End it with `destroy_timer`."""
        return self.create_timer(period_s, check, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def silence(self, subscriptions: Iterable[Subscription]) -> None:
        """End subscriptions made by `listen`."""
        for subscription in list(subscriptions):
            self._own_subscriptions.pop(subscription).destroy_subscription(subscription)

    def flush(self, timeout_s: float) -> None:
        """Wait until reliable subscribers have what was published."""
        until = time.monotonic() + timeout_s
        for publisher in self._own_publishers:
            publisher.wait_for_all_acked(Duration(seconds=max(0.0, until - time.monotonic())))

    def guarded(self, what: str, handle: Callable[..., None]) -> Callable[..., None]:
        """`handle` for one message, such that no error leaves it."""

        def call(*message: Any) -> None:
            try:
                handle(*message)
            except Exception as error:
                self.tell_failure(what, error)

        return call

    def tell_failure(self, what: str, error: Exception) -> None:
        """Count one failed message or frame; one line in a while, the traceback at debug level."""
        if not self.context.ok():
            return  # shutting down: publishing fails and nobody wants to know
        self.meter.reject(masked(f"{what}: {error}"))
        if isinstance(error, MessageError):
            self.warn_once(f"{what}: message dropped: {error}")
        elif isinstance(error, UserError):
            self.error_once(f"{what}: {error}")
        else:
            self.error_once(f"{what}: internal error, one item is lost: {type(error).__name__}: {error}")
            self.get_logger().debug(masked(traceback.format_exc()))

    def warn_once(self, text: str) -> None:
        """A warning; lines that differ only in numbers come once every few seconds."""
        line = self._throttle.line(masked(text))
        if line:
            self.get_logger().warning(line)

    def error_once(self, text: str) -> None:
        """As `warn_once`, an error."""
        line = self._throttle.line(masked(text))
        if line:
            self.get_logger().error(line)

    def stop(self, exit_code: int = 0) -> None:
        """End the process that runs this node; callable from any thread."""
        self.exit_code = self.exit_code or exit_code
        self.ending = True
        if self.executor is not None:
            self.executor.create_task(lambda: None)  # wakes the executor, which then sees `ending`

    # Lifecycle -------------------------------------------------------------------------------------------------------
    def on_configure(self, state: Any) -> TransitionCallbackReturn:
        began = time.monotonic()
        done = self._transition("configure", self.configure, "inactive", undo=self._free)
        if done == TransitionCallbackReturn.SUCCESS:
            self.get_logger().info(f"configured in {time.monotonic() - began:.2f} s")
        return done

    def on_activate(self, state: Any) -> TransitionCallbackReturn:
        done = self._transition("activate", self._begin, "active", undo=self._halt)
        return done

    def on_deactivate(self, state: Any) -> TransitionCallbackReturn:
        return self._transition("deactivate", self._halt, "inactive")

    def on_cleanup(self, state: Any) -> TransitionCallbackReturn:
        return self._transition("clean up", self._free, "unconfigured")

    def on_shutdown(self, state: Any) -> TransitionCallbackReturn:
        return self._transition("shut down", self.release, "finalized")

    def on_error(self, state: Any) -> TransitionCallbackReturn:
        """Where the way down failed half-way the node is neither here nor there: it lets go of everything, and may be
        configured anew."""
        self.release()
        self.get_logger().warning("recovered from the error; the node is unconfigured now")
        self._report()
        return TransitionCallbackReturn.SUCCESS

    def release(self) -> None:
        """Stop and free everything, whatever the state; what cannot be stopped is told and left."""
        if self.active:
            self._attempt("stop", self._halt)
        if self._state != "unconfigured":
            self._attempt("clean up", self._free)
        self._state = "unconfigured"

    def _transition(
        self, name: str, act: Callable[[], None], then: str, undo: Callable[[], None] | None = None
    ) -> TransitionCallbackReturn:
        """FAILURE: the state before holds again, for `undo` took it there; ERROR: only `on_error` can help."""
        if not self._attempt(name, act):
            if undo is None:
                return TransitionCallbackReturn.ERROR
            undone = self._attempt(f"undo what was begun to {name}", undo)
            return TransitionCallbackReturn.FAILURE if undone else TransitionCallbackReturn.ERROR
        self._state = then
        self._report()
        return TransitionCallbackReturn.SUCCESS

    def _attempt(self, name: str, act: Callable[[], None]) -> bool:
        """Whether `act` went well; if not, one line says why."""
        try:
            act()
        except Exception as error:
            internal = "" if isinstance(error, UserError) else f"internal error: {type(error).__name__}: "
            self.get_logger().error(masked(f"cannot {name}: {internal}{error}"))
            if internal:
                self.get_logger().debug(masked(traceback.format_exc()))
            return False
        return True

    def _tell_refusal(self, transition: str, why: str) -> None:
        self.warn_once(f"transition {transition!r} is not possible while the node is {self._state}: {why}")

    def _begin(self) -> None:
        self.activate()
        first = math.isnan(self._ready_s)
        if first:
            self._ready_s = process_age_s()
        self.get_logger().info(f"active, {self._ready_s:.2f} s after the start of the process" if first else "active")

    def _halt(self) -> None:
        while self.at_halt:
            self.at_halt.pop()()
        self.silence(self._own_subscriptions)
        self.deactivate()

    def _free(self) -> None:
        try:
            self.cleanup()
        finally:
            while self._own_publishers:
                self.destroy_publisher(self._own_publishers.pop())
            gc.collect()  # what networks and buffers refer to each other is freed now, not some configurations later

    def _settings_changed(self, settings: NodeConfig) -> None:
        self.settings_changed(settings)
        self._timer.timer_period_ns = round(settings.diagnostics_period_s * 1e9)

    def _why_locked(self) -> str | None:
        if self._state == "unconfigured":
            return None
        return f"the node is {self._state}; deactivate and clean it up, set, then configure it again"

    def _report(self) -> None:
        if not self.context.ok():
            return
        state = "idle" if self.active and self.idle() else self._state
        extra = {"ready_s": f"{self._ready_s:.2f}", **self.details()}
        message = diagnostic_array(
            self.get_fully_qualified_name().lstrip("/"),
            state,
            self.meter,
            extra,
            self._reported,
            self.trouble() if self.active else "",
            self.hardware(),
        )
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)
        self._reported = self.meter.snapshot()

    def destroy_node(self) -> None:
        """Also lets go of the log bridge."""
        if self._log_bridge is not None:  # None: the constructor failed
            unbridge_logging(self._log_bridge)
        super().destroy_node()
