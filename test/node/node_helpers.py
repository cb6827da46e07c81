"""What the node tests share: a process that runs a node, and a node that talks to it."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Parameter
from rcl_interfaces.srv import DescribeParameters, GetParameters, SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter as RclpyParameter
from std_msgs.msg import Header

from pose_attention_ros.ros.qos import result_profile
from pose_attention_ros.ros.stamps import stamp_ns_of
from pose_attention_ros.ros.sync import StampSynchroniser

PATIENCE_S = 120.0  # a loaded machine starts a process slowly
ASKED_AGAIN_S = 5.0
NO_TRANSITION = ChangeState.Request(transition=Transition(label="no transition"))  # is refused, and changes nothing


class NodeProcess:
    """A node in a process of its own; its output is kept line by line."""

    def __init__(
        self,
        node: str,
        namespace: str,
        parameters: dict[str, Any],
        remap: dict[str, str] | None = None,
        on: Callable[..., list[str]] = lambda *command: list(command),
        more: Sequence[str] = (),
        environment: dict[str, str] | None = None,
    ) -> None:
        """`on` makes of a command one that runs it elsewhere; `more` are further ROS arguments."""
        command = [sys.executable, "-m", "pose_attention_ros.nodes", node, "--ros-args", "-r", f"__ns:={namespace}"]
        for name, topic in (remap or {}).items():
            command += ["-r", f"{name}:={topic}"]
        for name, value in parameters.items():
            command += ["-p", f"{name}:={str(value).lower() if isinstance(value, bool) else value}"]
        command += more
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            on(*command),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "RCUTILS_COLORIZED_OUTPUT": "0", **(environment or {})},
        )
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout:
            with self._news:
                self.lines.append(line.rstrip())
                self._news.notify_all()

    @property
    def output(self) -> str:
        """Everything written so far."""
        return "\n".join(self.lines)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait_for_line(self, text: str, timeout_s: float = PATIENCE_S) -> str:
        """The first line that contains `text`."""

        def found() -> str | None:
            return next((line for line in self.lines if text in line), None)

        with self._news:
            assert self._news.wait_for(lambda: found() is not None, timeout_s), f"no {text!r} in:\n{self.output}"
        return found()

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """The exit code."""
        code = self._process.wait(timeout_s)
        self._reader.join(timeout_s)
        return code

    def interrupt(self, number: int = signal.SIGINT) -> int:
        """Send a signal and return the exit code."""
        self._process.send_signal(number)
        return self.wait()

    def kill(self) -> None:
        """End it without a chance to clean up."""
        self._process.kill()
        self.wait()

    def terminate(self) -> None:
        """Ask it to end; killed, it would leave its shared memory behind."""
        if self.running:
            self._process.terminate()

    def wait_or_kill(self, timeout_s: float = 30.0) -> None:
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self.wait()


class Probe:
    """A node in the test's process: publishes, collects, calls services, and waits on conditions."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.node = Node("probe", namespace=namespace)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._turns: dict[str, Any] = {}

    def collect(self, kind: type, topic: str, profile: Any = None) -> list[Any]:
        """A list that grows with each message of `topic`."""
        messages: list[Any] = []
        self.node.create_subscription(kind, topic, messages.append, profile or result_profile(100))
        return messages

    def acknowledge(self, **topics: type) -> dict[str, list[Any]]:
        """A list for each topic, one message a stamp; a lockstep camera is told `recorded` once all have its stamp."""
        lists: dict[str, list[Any]] = {topic: [] for topic in topics}
        sync = StampSynchroniser(tuple(topics), size=100)
        recorded = self.node.create_publisher(Header, "recorded", result_profile())

        def take(topic: str, message: Any) -> None:
            complete = sync.add(topic, stamp_ns_of(message.header), message)
            if complete is None:
                return
            for messages, item in zip(lists.values(), complete):
                if not messages or item.header.stamp != messages[-1].header.stamp:
                    messages.append(item)
            recorded.publish(message.header)

        for topic, kind in topics.items():
            self.node.create_subscription(kind, topic, functools.partial(take, topic), result_profile(100))
        return lists

    def publisher(self, kind: type, topic: str, profile: Any = None, subscribers: int = 1) -> Any:
        """A publisher that has found its subscribers; their nodes have found all that this one made so far."""
        publisher = self.node.create_publisher(kind, topic, profile or result_profile(100))
        self.until(lambda: publisher.get_subscription_count() >= subscribers, f"a subscriber of {topic}")
        nodes: set[str] = set()

        def named() -> bool:
            infos = self.node.get_subscriptions_info_by_topic(publisher.topic_name)
            nodes.clear()
            nodes.update(f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in infos)
            return len(infos) >= subscribers and not any("UNKNOWN" in node for node in nodes)

        self.until(named, f"the names of the subscribers of {topic}")
        for node in nodes - {self.node.get_fully_qualified_name()}:
            # Endpoints are announced in order, and no service answers a client of which it has not heard.
            self.call(GetParameters, f"{node}/get_parameters", GetParameters.Request(), only_asks=True)
        return publisher

    def until(self, condition: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> None:
        """Spin until `condition` holds."""
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, f"waited {timeout_s} s for {what}"
            self._executor.spin_once(timeout_sec=0.05)

    def spin_for(self, duration_s: float) -> None:
        """Work off what has come, for at most this long."""
        self._executor.spin_once(timeout_sec=duration_s)

    def wait_for_turn(self, node: str) -> None:
        """Returns once `node` has taken what was sent to it before, if that was one message a topic."""
        if node not in self._turns:
            self._turns[node] = self._client(GetParameters, f"{node}/get_parameters", GetParameters.Request())
        future = self._turns[node].call_async(GetParameters.Request())
        self.until(future.done, f"the turn of {node}")

    def call(self, kind: type, service: str, request: Any, *, only_asks: bool = False, greeting: Any = None) -> Any:
        """The answer of a service.

        :param only_asks: the request changes nothing, so it is sent again where no answer comes
        :param greeting: a request that changes nothing, answered first where the request itself may be sent only once
        """
        client = self._client(kind, service, greeting)
        answer = self._answer(client, service, request, again=only_asks)
        self.node.destroy_client(client)
        return answer

    def _client(self, kind: type, service: str, greeting: Any) -> Any:
        """A client that the service knows: before it has heard of a new one's reader, it answers into nothing."""
        client = self.node.create_client(kind, service)
        self.until(client.service_is_ready, service)
        if greeting is not None:
            self._answer(client, service, greeting, again=True)
        return client

    def _answer(self, client: Any, service: str, request: Any, *, again: bool) -> Any:
        futures = [client.call_async(request)]
        end = time.monotonic() + PATIENCE_S
        while not any(future.done() for future in futures):
            assert time.monotonic() < end, f"waited {PATIENCE_S} s for an answer of {service}"
            if again and time.monotonic() > end - PATIENCE_S + len(futures) * ASKED_AGAIN_S:
                futures.append(client.call_async(request))
            self._executor.spin_once(timeout_sec=0.05)
        return next(future for future in futures if future.done()).result()

    def change_state(self, node: str, transition: int) -> bool:
        """Whether the lifecycle transition succeeded."""
        request = ChangeState.Request()
        request.transition.id = transition
        return self.call(ChangeState, f"{node}/change_state", request, greeting=NO_TRANSITION).success

    def transitions(self, node: str) -> Callable[[int], bool]:
        """`change_state` over one client that stays, for many transitions."""
        client = self._client(ChangeState, f"{node}/change_state", NO_TRANSITION)

        def change(transition: int) -> bool:
            request = ChangeState.Request()
            request.transition.id = transition
            future = client.call_async(request)
            self.until(future.done, f"an answer to transition {transition} of {node}")
            return future.result().success

        return change

    def state(self, node: str) -> str:
        """Label of the lifecycle state."""
        return self.call(GetState, f"{node}/get_state", GetState.Request(), only_asks=True).current_state.label

    def set_parameter(self, node: str, name: str, value: Any) -> tuple[bool, str]:
        """Whether it was set, and the reason if not."""
        parameter: Parameter = RclpyParameter(name, value=value).to_parameter_msg()
        request = SetParameters.Request(parameters=[parameter])
        answer = self.call(SetParameters, f"{node}/set_parameters", request, greeting=SetParameters.Request())
        result = answer.results[0]
        return result.successful, result.reason

    def get_parameter(self, node: str, name: str) -> Any:
        values = self.call(
            GetParameters, f"{node}/get_parameters", GetParameters.Request(names=[name]), only_asks=True
        ).values
        return rclpy.parameter.parameter_value_to_python(values[0])

    def describe_parameter(self, node: str, name: str) -> Any:
        request = DescribeParameters.Request(names=[name])
        return self.call(DescribeParameters, f"{node}/describe_parameters", request, only_asks=True).descriptors[0]

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
