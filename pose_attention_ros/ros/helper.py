"""A hidden node with an executor and a thread of its own, for what comes often.

An executor of rclpy goes through everything that its nodes have each time it wakes: one to two milliseconds for a lifecycle
node with its parameters and services, a fifth of that for a node that has a subscription and a timer alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from rclpy.clock import Clock, ClockType
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter

if TYPE_CHECKING:
    from pose_attention_ros.ros.managed import ManagedNode


def hidden_node(node: Node, suffix: str, context: Context) -> Node:
    """A node that works for `node`, with no services and no parameters of its own."""
    return Node(
        f"_{node.get_name()}_{suffix}",
        namespace=node.get_namespace(),
        context=context,
        use_global_arguments=False,
        enable_rosout=False,
        start_parameter_services=False,
        parameter_overrides=[Parameter("start_type_description_service", value=False)],
    )


class Helper:
    """Make its subscriptions with `ManagedNode.listen(..., through=helper.node)`, then `start` it; after `stop` none of its
    callbacks runs, and after `close` it is gone."""

    def __init__(self, node: ManagedNode) -> None:
        self._fail = node.tell_failure
        self.node = hidden_node(node, "helper", node.context)
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, name="helper", daemon=True)
        self._stopping = False

    def watch(self, period_s: float, check: Callable[[], None]) -> None:
        """Calls `check` every `period_s`, also while simulated time stands still."""
        self.node.create_timer(period_s, check, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """End all work, from another thread."""
        self._stopping = True
        self._executor.shutdown()
        self._thread.join()

    def close(self) -> None:
        """Leave the graph."""
        self.node.destroy_node()

    def _spin(self) -> None:
        while not self._stopping:
            try:
                self._executor.spin_once()
            except ExternalShutdownException:
                return
            except Exception as error:  # not of a message: `listen` has told those
                self._fail("callback", error)
