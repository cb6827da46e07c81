"""The nodes of a launch file as one graph: which of them it cannot do without, what a failure does, who is started again.

A graph that lost a node it needs ends, and the launch's exit code says so; what else the same launch started goes on.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from launch.actions import (
    EmitEvent,
    LogInfo,
    OpaqueFunction,
    PopEnvironment,
    PopLaunchConfigurations,
    PushEnvironment,
    PushLaunchConfigurations,
    Shutdown,
    TimerAction,
)
from launch.event_handlers import OnProcessStart
from launch.events import matches_action
from launch.events.process import ProcessExited, ProcessStarted, ShutdownProcess, SignalProcess
from launch_ros.actions import Node

from launch import LaunchContext
from pose_attention_ros.launching.interrupts import leave_to_loop

MOST_DELAY_S = 30.0
_STEADY_S = 60.0  # a node that ran this long had started well: the next delay is the first one again
_KEY = "pose_attention_graph"  # where a launch file leaves its graph for those that it includes


@dataclass
class Member:
    """A node of a graph.

    make: the action that starts it; needed: the graph cannot do without it; last: it finishes what it writes after the
    others, and ends by itself
    """

    name: str
    make: Callable[..., Node]
    needed: bool = True
    last: bool = False
    action: Node | None = None
    pending: TimerAction | None = None
    began_s: float = 0.0
    failures: int = 0


class Graph:
    """Nodes that end together. From the moment it is made it hears of every process that starts, and SIGINT is left to the
    event loop alone.

    :param whole: the end of this graph ends the whole launch
    :param respawn_s: a node that fails is started again after this long, doubled with each failure up to MOST_DELAY_S; None:
        it is not started again
    """

    def __init__(self, context: LaunchContext, *, whole: bool, respawn_s: float | None) -> None:
        self._whole, self._respawn_s = whole, respawn_s
        self._configurations, self._environment = dict(context.launch_configurations), dict(os.environ)
        self._members: list[Member] = []
        self._ending = False  # set before `launch` is told, so that the ends that follow count as asked for
        leave_to_loop(context.asyncio_loop.is_running)
        context.register_event_handler(OnProcessStart(on_start=self._started))

    @classmethod
    def of(cls, context: LaunchContext, **settings: Any) -> Graph:
        """The graph that an including launch file shares, else a new one."""
        return context.launch_configurations.get(_KEY) or cls(context, **settings)

    def share(self, context: LaunchContext) -> None:
        """Nodes of the launch files that are included from here on belong to this graph, until `unshare`."""
        context.launch_configurations[_KEY] = self  # as launch_ros does with its global parameters

    @property
    def names(self) -> list[str]:
        """The nodes so far."""
        return [member.name for member in self._members]

    def start(self, *members: Member) -> list[Any]:
        """The actions that start these nodes."""
        self._members += members
        return [self._begin(member) for member in members]

    def _begin(self, member: Member) -> Node:
        member.began_s = time.monotonic()
        member.action = member.make(on_exit=lambda event, context: self._ended(member, event, context))
        return member.action

    def _started(self, event: ProcessStarted, context: LaunchContext) -> list[Any]:
        """A process that was being made when Ctrl-C came has not heard of it, and `launch` tells it only after 5 s."""
        ours = context.is_shutdown and any(member.action is event.action for member in self._members)
        return (
            [EmitEvent(event=SignalProcess(signal_number=signal.SIGINT, process_matcher=matches_action(event.action)))]
            if ours
            else []
        )

    def _ended(self, member: Member, event: ProcessExited, context: LaunchContext) -> list[Any]:
        # launch_ros counts nodes of one name, and would warn of two when this one is started again.
        getattr(context.locals, "unique_ros_node_names", {}).pop(member.action.node_name, None)
        member.action, code = None, event.returncode
        ending = self._ending or context.is_shutdown
        failed = code > 0 or (code < 0 and not ending)  # while all ends, some are killed
        why = f"{member.name} ended with code {code}"
        if failed and not ending and self._respawn_s is not None and not member.last:
            return self._start_again(member, why)
        if failed and member.needed:
            fail(context, why if ending else f"{why}: {'everything' if self._whole else 'its graph'} ends")
        if ending:
            return []
        finishing = code == 0 and any(other.last and other.action is not None for other in self._members)
        if not member.needed or finishing:
            return [LogInfo(msg=why)]
        return self._end(why)

    def _end(self, why: str) -> list[Any]:
        self._ending = True
        for member in self._members:
            if member.pending is not None:
                member.pending.cancel()
        if self._whole:
            return [Shutdown(reason=why)]
        return [
            EmitEvent(event=ShutdownProcess(process_matcher=matches_action(member.action)))
            for member in self._members
            if member.action is not None
        ]

    def _start_again(self, member: Member, why: str) -> list[Any]:
        if time.monotonic() - member.began_s > _STEADY_S:
            member.failures = 0
        delay_s = min(self._respawn_s * 2 ** min(member.failures, 16), MOST_DELAY_S)
        member.failures += 1
        member.pending = TimerAction(period=delay_s, actions=[OpaqueFunction(function=self._again, args=[member])])
        return [LogInfo(msg=f"{why}: started again in {delay_s:g} s"), member.pending]

    def _again(self, context: LaunchContext, member: Member) -> list[Any]:
        """The node once more, in the scope in which it was launched: its namespace, remappings and environment."""
        member.pending = None
        if self._ending or context.is_shutdown:
            return []

        def restore(context: LaunchContext) -> None:
            context.launch_configurations.update(self._configurations)
            os.environ.update(self._environment)

        return [
            PushLaunchConfigurations(),
            PushEnvironment(),
            OpaqueFunction(function=restore),
            self._begin(member),
            PopEnvironment(),
            PopLaunchConfigurations(),
        ]


def ends_with_launch() -> dict[str, str]:
    """An environment that has a node end when this process does, however that happens."""
    return {"POSE_ATTENTION_ENDS_WITH": str(os.getpid())}


def unshare(context: LaunchContext) -> None:
    """Ends what `Graph.share` began."""
    context.launch_configurations.pop(_KEY, None)


def fail(context: LaunchContext, why: str) -> None:
    """Give the launch the exit code 1 and go on; `why` is printed as an error."""
    # `launch` has no call for this: it fails, without ending, when its event loop is told of an error.
    context.asyncio_loop.call_exception_handler({"message": f"pose_attention_ros: {why}"})
