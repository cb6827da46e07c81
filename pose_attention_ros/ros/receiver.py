"""A second entrance for images of best-effort publishers, into which more fits than into the usual one.

Fast DDS hands an image to a process on the same machine in pieces, through shared memory of the publisher's that holds
0.5 MB. An image of 640x480 is larger. A reliable publisher sends the pieces again that found no room; of a best-effort
one, half of the images are lost (measured), and only its own configuration could change that. Through a socket with a
buffer of a few images all arrive. So such images are received by a participant of its own that has sockets alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rclpy
from rclpy.context import Context
from rclpy.node import Node

from pose_attention_ros.ros.helper import hidden_node
from pose_attention_ros.ros.middleware import chosen_by_user

_TRANSPORTS = "FASTDDS_BUILTIN_TRANSPORTS"
_LARGEST_BUFFER = 8 << 20
_SMALLEST_BUFFER = 2 << 20  # bytes; two images of 640x480
_RMEM_MAX = Path("/proc/sys/net/core/rmem_max")


def why_impossible() -> str:
    """Why images cannot be received this way, with the remedy; empty where they can."""
    if "fastrtps" not in rclpy.get_rmw_implementation_identifier() or os.environ.get("ROS_DISTRO") in ("humble", "iron"):
        return "let the driver publish reliably"
    if chosen_by_user() or os.environ.get("ROS_SECURITY_ENABLE", "").lower() == "true":
        return "give the driver the profile config/fastdds.xml, too, or let it publish reliably"
    if os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "").upper() == "LOCALHOST":
        return (
            "start the driver with the profile config/fastdds.xml, let it publish reliably, or leave "
            "ROS_AUTOMATIC_DISCOVERY_RANGE unset"
        )
    if _buffer_size() < _SMALLEST_BUFFER:
        return f"give sockets a larger buffer: sudo sysctl -w net.core.rmem_max={_LARGEST_BUFFER}"
    return ""


def _buffer_size() -> int:
    try:
        return min(int(_RMEM_MAX.read_text()), _LARGEST_BUFFER)
    except (OSError, ValueError):
        return 0


class Receiver:
    """A hidden node on a participant of its own, worked off by the executor of `node`; free it with `close`."""

    def __init__(self, node: Node) -> None:
        self._context, self._executor = Context(), node.executor
        with _set(_TRANSPORTS, f"UDPv4?sockets_size={_buffer_size()}"):
            rclpy.init(args=[], context=self._context, domain_id=node.context.get_domain_id())
            self.node = hidden_node(node, "images", self._context)
        self._executor.add_node(self.node)

    def close(self) -> None:
        """Leave the graph."""
        self._executor.remove_node(self.node)
        self.node.destroy_node()
        self._context.try_shutdown()


@contextmanager
def _set(name: str, value: str) -> Iterator[None]:
    """An environment variable, set while a participant is made."""
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
