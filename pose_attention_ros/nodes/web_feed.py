"""What the web page asks of the graph: settings of the other nodes, and teaching. Called in the web server's threads; the
node's executor brings the answers."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.client import Client
from rclpy.parameter import Parameter

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.types import SkeletonGraphs
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.stamps import ns_of
from pose_attention_ros.ros.teach_messages import request_of_command
from pose_attention_ros.srv import TeachAction
from pose_attention_ros.web.records import record_of_figure
from pose_attention_ros.web.settings import SHOWN, described, parameter_file

_ANSWER_S = 5.0
_LESSON_FRAMES = 9000  # of the person who is being watched, for the stick figures
_OWNERS = ("pipeline", "action", "pose")


class GraphFeed:
    """See hub.Feed."""

    def __init__(self, node: ManagedNode, look: Callable[[], None]) -> None:
        """:param look: called by the node's executor when pages come or go"""
        self._node, self._look = node, look
        self._teacher = node.create_client(TeachAction, "teach_action")
        self._getters = {name: node.create_client(GetParameters, f"{name}/get_parameters") for name in _OWNERS}
        self._setters = {name: node.create_client(SetParameters, f"{name}/set_parameters") for name in _OWNERS}
        self._watched: int | None = None
        self._seen: deque[tuple[int, np.ndarray, np.ndarray]] = deque(maxlen=_LESSON_FRAMES)  # stamp, nodes, mask
        self.taught: tuple[str, ...] = ()
        self.why_not = ""

    def close(self) -> None:
        """Let go of the services."""
        for client in (self._teacher, *self._getters.values(), *self._setters.values()):
            self._node.destroy_client(client)

    def see(self, graphs: SkeletonGraphs) -> None:
        """One image's people, of whom the one who is being watched is kept."""
        for row in np.flatnonzero(graphs.track_ids == (-1 if self._watched is None else self._watched)):
            self._seen.append((graphs.stamp_ns, graphs.nodes[row], graphs.mask[row]))

    def onlookers(self, pages: int) -> None:
        """The node looks in its own thread."""
        if self._node.executor is not None:
            self._node.executor.create_task(self._look)

    def settings(self) -> list[dict]:
        """Of the nodes that are there."""
        values = self._values()
        return described({name: values[name][1] for name in SHOWN if name in values})

    def set(self, name: str, value: float) -> None:
        """At the node whose it is. Raises UserError with that node's reason."""
        owner = self._values().get(name, (None, 0))[0]
        if owner is None:
            raise UserError(f"no node with the setting {name} is running")
        request = SetParameters.Request(parameters=[Parameter(name, Parameter.Type.DOUBLE, float(value)).to_parameter_msg()])
        result = self._call(self._setters[owner], request, owner).results[0]
        if not result.successful:
            raise UserError(result.reason)

    def parameter_file(self) -> str:
        """Of the nodes that are there."""
        values = self._values()
        owners = {owner for owner, _ in values.values()}
        return parameter_file(
            {name: value for name, (_, value) in values.items()},
            [
                (owner, [name for name in SHOWN if values.get(name, ("",))[0] == owner])
                for owner in _OWNERS
                if owner in owners
            ],
        )

    def teach(self, command: str, **what: Any) -> dict:
        """Through the service teach_action."""
        answer = self._call(self._teacher, request_of_command(command, **what), "the node that recognises")
        self._watched = answer.lesson_track_id if answer.lesson else None
        if not answer.lesson:
            self._seen.clear()
        self.taught, self.why_not = tuple(answer.names), answer.message if "cannot be taught" in answer.message else ""
        if not answer.success and command != "status":
            raise UserError(answer.message)
        told: dict[str, Any] = {"taught": list(answer.names)}
        if answer.lesson:
            told |= {
                "lesson": answer.lesson,
                "track_id": answer.lesson_track_id,
                "takes": [self._take(ns_of(begin), ns_of(end)) for begin, end in zip(answer.take_begins, answer.take_ends)],
            }
        return told

    def _take(self, begin_ns: int, end_ns: int) -> dict:
        """A take with what was seen of the person meanwhile."""
        return record_of_figure(
            begin_ns, end_ns, [(nodes, mask) for stamp_ns, nodes, mask in list(self._seen) if begin_ns <= stamp_ns <= end_ns]
        )

    def _values(self) -> dict[str, tuple[str, float]]:
        """Of each setting that a node has: which node, and its value."""
        found: dict[str, tuple[str, float]] = {}
        for owner, getter in self._getters.items():
            if getter.service_is_ready():
                answer = self._call(getter, GetParameters.Request(names=list(SHOWN)), owner)
                for name, value in zip(SHOWN, answer.values):
                    if value.type == ParameterType.PARAMETER_DOUBLE:
                        found.setdefault(name, (owner, value.double_value))
        return found

    def _call(self, client: Client, request: Any, who: str) -> Any:
        """The answer to `request`. Raises UserError where there is none."""
        if not client.service_is_ready():
            raise UserError(f"{who} is not running (service {client.srv_name})")
        answered = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: answered.set())
        if not answered.wait(_ANSWER_S):
            client.remove_pending_request(future)
            raise UserError(f"{who} gave no answer within {_ANSWER_S:g} s")
        return future.result()
