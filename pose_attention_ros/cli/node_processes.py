"""Starts the nodes as processes of their own, watches them, and ends them: shared by the demo and the benchmark."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.inference.package_paths import PACKAGE

_POLL_S = 0.1
_PATIENCE_S = 5.0  # a node is given this long to end when asked


class NodeProcesses:
    """Context manager: nodes started in it are ended with it. Each writes its log to `folder/<node>.log`.

    They talk on this machine only, on a domain of their own unless ROS_DOMAIN_ID is set.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.peak_memory_mb: dict[str, float] = {}
        folder.mkdir(parents=True, exist_ok=True)
        local = {
            "ROS_DOMAIN_ID": str(1 + os.getpid() % 100),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "ROS_LOCALHOST_ONLY": "1",
            "PYTHONUNBUFFERED": "1",
        }
        if "ROS_DOMAIN_ID" in os.environ:
            del local["ROS_DOMAIN_ID"]
        if os.environ.get("ROS_DISTRO", "") != "humble":
            del local["ROS_LOCALHOST_ONLY"]  # later releases warn about it
        self._environment = {**os.environ, **local}

    def __enter__(self) -> NodeProcesses:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in self._processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in self._processes.values():
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @property
    def pids(self) -> dict[str, int]:
        """The process of each node."""
        return {node: process.pid for node, process in self._processes.items()}

    def start(self, node: str, parameters: dict[str, Any], *, show: bool = False, namespace: str = "") -> None:
        """Start the node called `node` with these parameters; `show` lets it write to the terminal instead of its log."""
        parameter_file = self._folder / f"{node}.yaml"
        parameter_file.unlink(missing_ok=True)
        parameter_file.touch(mode=0o600)  # a source may hold a password
        parameter_file.write_text(
            yaml.safe_dump({f"{namespace}/{node}" if namespace else node: {"ros__parameters": parameters}})
        )
        command = [*executable(node), "--ros-args", "--params-file", str(parameter_file)]
        if namespace:
            command += ["-r", f"__ns:={namespace}"]
        if show:
            process = subprocess.Popen(command, env=self._environment, stdin=subprocess.DEVNULL)
        else:
            with (self._folder / f"{node}.log").open("wb") as log:
                process = subprocess.Popen(
                    command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
                )
        self._processes[node] = process

    def wait_for(self, node: str, timeout_s: float = float("inf")) -> int:
        """Wait until `node` ends; returns its exit code.

        :raises UserError: another node ended with an error first (its last log line says why), or time ran out
        """
        until = time.monotonic() + timeout_s
        while (code := self._processes[node].poll()) is None:
            for other, process in self._processes.items():
                self._note_memory(other, process)
            self.check()
            if time.monotonic() > until:
                raise UserError(f"node {node} is not done after {timeout_s:.0f} s; logs are in {self._folder}")
            time.sleep(_POLL_S)
        return code

    def check(self) -> None:
        """Raises UserError, with the last words of its log, where a node has failed."""
        for node, process in self._processes.items():
            if process.poll() not in (None, 0):
                raise UserError(f"node {node} failed: {self._last_words(node)}")

    def _note_memory(self, node: str, process: subprocess.Popen[bytes]) -> None:
        """Peak resident memory so far; stays unknown where there is no /proc."""
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            return
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                self.peak_memory_mb[node] = int(line.split()[1]) / 1024

    def _last_words(self, node: str) -> str:
        log = self._folder / f"{node}.log"
        lines = log.read_text(errors="replace").strip().splitlines() if log.is_file() else []
        errors = [line for line in lines if "[ERROR]" in line or "[FATAL]" in line]
        return f"{(errors or lines or ['it wrote nothing'])[-1]} (log: {log})"


def executable(node: str) -> list[str]:
    """The installed program of a node, else its module from a checkout."""
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        program = Path(prefix) / "lib" / PACKAGE / f"{node}_node"
        if prefix and program.is_file():
            return [str(program)]
    return [sys.executable, "-m", f"{PACKAGE}.nodes", node]
