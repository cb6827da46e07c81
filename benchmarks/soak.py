"""Soak test: the graph of nodes and the composed node run side by side for minutes or hours, watched from outside.

    make soak MINUTES=30

Reports memory, threads and files of every process, latency and its drift, and what was dropped; fails where a limit is
missed. Once a minute somebody looks at the overlay for a while and a live parameter changes, as on a robot in use.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.process_use import process_use
from benchmarks.soak_report import LIMITS, report_of, table_of
from pose_attention_ros.cli.bench import machine
from pose_attention_ros.cli.node_processes import NodeProcesses
from pose_attention_ros.core.errors import UserError

NODES, COMPOSED = "/soak_nodes", "/soak_composed"
_PERIOD_S = 10.0  # between two samples
_VISIT_EVERY_S, _VISIT_S = 60.0, 10.0
_START_S = 300.0  # until both graphs answer; a busy machine takes long


@contextmanager
def graphs(source: str, input_size: int, folder: Path) -> Iterator[dict[str, NodeProcesses]]:
    """Both forms of the graph, playing `source` over and over in real time, each with an overlay node."""
    pose, play = {"input_size": input_size, "threads": 1}, {"source": source, "loop": True}
    with NodeProcesses(folder / "composed") as composed, NodeProcesses(folder / "nodes") as nodes:
        composed.start("overlay", {}, namespace=COMPOSED)
        composed.start("pipeline", {**pose, **play}, namespace=COMPOSED)
        for node, parameters in (("overlay", {}), ("action", {}), ("skeleton_graph", {}), ("pose", pose), ("camera", play)):
            nodes.start(node, parameters, namespace=NODES)
        yield {COMPOSED: composed, NODES: nodes}


class Watcher:
    """A node that listens to both graphs, and now and then looks at their overlay."""

    def __init__(self) -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.node import Node

        from pose_attention_ros.msg import ActionLabelArray
        from pose_attention_ros.ros.qos import result_profile

        rclpy.init()
        self._node = Node("soak_watcher")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self.latencies_s: dict[str, list[float]] = {COMPOSED: [], NODES: []}
        self.diagnostics: dict[str, dict[str, str]] = {}
        self._visits: list[Any] = []
        self._settings = 0
        for namespace in self.latencies_s:
            self._node.create_subscription(
                ActionLabelArray,
                f"{namespace}/actions",
                lambda message, namespace=namespace: self.latencies_s[namespace].append(message.latency),
                result_profile(50),
            )
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, result_profile(50))

    def _on_diagnostics(self, message: Any) -> None:
        for status in message.status:
            self.diagnostics[status.name] = {pair.key: pair.value for pair in status.values}

    def spin_until(self, moment_s: float) -> None:
        """Listen until this time of the steady clock."""
        while (left := moment_s - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=min(left, 0.5))

    def look(self, wanted: bool) -> None:
        """Begin or end a visit: overlay and markers of both graphs, and another threshold of the recogniser."""
        from sensor_msgs.msg import Image
        from visualization_msgs.msg import MarkerArray

        from pose_attention_ros.ros.qos import result_profile, sensor_profile

        for visit in self._visits:
            self._node.destroy_subscription(visit)
        self._visits = (
            [
                self._node.create_subscription(kind, f"{namespace}/{topic}", lambda message: None, profile)
                for namespace in self.latencies_s
                for kind, topic, profile in (
                    (Image, "overlay", sensor_profile("best_effort")),
                    (MarkerArray, "markers", result_profile()),
                )
            ]
            if wanted
            else []
        )
        self._set("action", NODES, 0.5 if wanted else 0.0)
        self._set("pipeline", COMPOSED, 0.5 if wanted else 0.0)

    def _set(self, node: str, namespace: str, threshold: float) -> None:
        from rcl_interfaces.srv import SetParameters
        from rclpy.parameter import Parameter

        client = self._node.create_client(SetParameters, f"{namespace}/{node}/set_parameters")
        request = SetParameters.Request(parameters=[Parameter("threshold", value=threshold).to_parameter_msg()])
        if client.wait_for_service(_START_S):
            self._executor.spin_until_future_complete(client.call_async(request), _START_S)
        self._node.destroy_client(client)

    def close(self) -> None:
        import rclpy

        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.try_shutdown()


def sample(began_s: float, watcher: Watcher, running: dict[str, NodeProcesses]) -> dict[str, Any]:
    """One line of soak.jsonl; the latencies since the sample before."""
    use = {
        f"{namespace}/{node}": process_use(pid)._asdict()
        for namespace, nodes in running.items()
        for node, pid in nodes.pids.items()
    }
    latencies = {
        namespace: [round(1e3 * value, 2) for value in values if math.isfinite(value)]
        for namespace, values in watcher.latencies_s.items()
    }
    for values in watcher.latencies_s.values():
        values.clear()
    counts = {
        name: {key: int(values[key]) for key in ("processed", "dropped", "rejected")}
        for name, values in watcher.diagnostics.items()
        if name.startswith("soak_")
    }
    return {
        "elapsed_s": round(time.monotonic() - began_s, 1),
        "load": os.getloadavg()[0],
        "use": use,
        "latencies_ms": latencies,
        "counts": counts,
    }


def soak(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Run both graphs for `args.minutes`; returns the samples. Raises UserError where a node fails."""
    samples: list[dict[str, Any]] = []
    lines = (args.out / "soak.jsonl").open("w")
    watcher = Watcher()
    try:
        with lines, graphs(args.source, args.input_size, args.out) as running:
            until = time.monotonic() + _START_S
            while not all(watcher.latencies_s.values()):
                if time.monotonic() > until:
                    raise UserError(f"no actions from both graphs after {_START_S:g} s; logs are in {args.out}")
                watcher.spin_until(time.monotonic() + 0.5)
            began, looking = time.monotonic(), False
            while (elapsed := time.monotonic() - began) < 60 * args.minutes:
                if looking != (elapsed % _VISIT_EVERY_S < _VISIT_S):
                    looking = not looking
                    watcher.look(looking)
                watcher.spin_until(began + (elapsed // _PERIOD_S + 1) * _PERIOD_S)
                for nodes in running.values():
                    nodes.check()
                samples.append(sample(began, watcher, running))
                print(json.dumps(samples[-1]), file=lines, flush=True)
    finally:
        watcher.close()
    return samples


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", required=True, help="video, played over and over in real time")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--input-size", type=int, default=192, help="of the pose network (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("out/soak"), help="folder for soak.jsonl, soak.json and the logs")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
    try:
        samples = soak(args)
    except UserError as error:
        print(f"soak: {error}", file=sys.stderr)
        return 1
    report = {
        "machine": machine(),
        "source": args.source,
        "input_size": args.input_size,
        "minutes": args.minutes,
        "limits": LIMITS,
        **report_of(samples),
    }
    (args.out / "soak.json").write_text(json.dumps(report, indent=2) + "\n")
    print(table_of(report))
    return int(bool(report["failures"]))


if __name__ == "__main__":
    sys.exit(main())
