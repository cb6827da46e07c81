"""What the web page costs: the web node with no page open and with one, beside the composed pipeline on a video.

    python -m benchmarks.web --source VIDEO --out out/bench

Counted in CPU time of the processes (all threads), so other work on the machine disturbs little. The page is a client that
takes everything, as a browser in the foreground does; the video is played at its own rate. *The pipeline's time* is the CPU
time of the pipeline's process for a frame, with no page open. A page's time is what the web node's process takes for that
frame, and what the pipeline's process takes more, for it makes messages and small images that nobody wanted before. Windows
with and without a page take turns, and the medians are compared. Where other work slows the machine by turns, the web node's
share within the windows with a page is sure, and what the pipeline takes more is not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

_SECONDS, _ROUNDS = 8.0, 4
_START_S = 120.0
_NAMESPACE = "/bench_web"


def cpu_s(pid: int) -> float:
    """CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """What a process has written and holds for itself. Pages of libraries are not counted: all ROS processes share them."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Anonymous:\s+(\d+)", text, re.M)[1]) / 1024


def start(node: str, namespace: str, **parameters: str) -> subprocess.Popen:
    """A node as a process."""
    options = [part for name, value in parameters.items() for part in ("-p", f"{name}:={value}")]
    return subprocess.Popen(
        [sys.executable, "-m", "pose_attention_ros.nodes", node, "--ros-args", "-r", f"__ns:={namespace}", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def bare_node_mb() -> float:
    """What a lifecycle node of rclpy that does nothing holds by itself."""
    program = (
        "import sys, numpy, rclpy; from rclpy.lifecycle import LifecycleNode; rclpy.init(); "
        "node = LifecycleNode('bare'); print('ready', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as bare:
        bare.stdout.readline()
        held_mb = memory_mb(bare.pid)
        bare.stdin.close()
    return held_mb


def address_of(web: subprocess.Popen) -> str:
    """The address that the node tells."""
    for line in web.stdout:
        if "open http" in line:
            return line.rpartition("open ")[2].strip()
    raise SystemExit("the web node did not start")


async def look_on(address: str, seconds: float) -> tuple[int, int]:
    """A page in the foreground; returns how many results and images came."""
    import aiohttp

    results = images = 0
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{address}/socket", headers={"Origin": address}) as socket,
    ):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                message = await socket.receive(timeout=left)
            except asyncio.TimeoutError:
                break
            images += message.type == aiohttp.WSMsgType.BINARY
            results += message.type == aiohttp.WSMsgType.TEXT and '"type":"result"' in message.data[:40]
    return results, images


class Frames:
    """How many frames the pipeline has worked on, as its diagnostics say."""

    def __init__(self) -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.node import Node

        rclpy.init()
        self._node, self._count = Node("frames", namespace=_NAMESPACE), 0
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._on_report, 10)

    def _on_report(self, message) -> None:
        for status in message.status:
            if status.name == f"{_NAMESPACE[1:]}/pipeline":
                self._count = int(next(pair.value for pair in status.values if pair.key == "processed"))

    def next(self) -> int:
        """Waits for the next report, so that CPU time and frames are of the same moment."""
        import rclpy

        before, deadline = self._count, time.monotonic() + _START_S
        while self._count <= before:
            if time.monotonic() > deadline:
                raise SystemExit("the pipeline works on nothing")
            rclpy.spin_once(self._node, timeout_sec=1.0)
        return self._count


def window(processes: dict[str, subprocess.Popen], frames: Frames, seconds: float) -> dict[str, float]:
    """CPU seconds of each process, and frames, of a window of about so many seconds."""

    def now() -> dict[str, float]:
        return {
            "frames": frames.next(),
            "s": time.monotonic(),
            **{name: cpu_s(each.pid) for name, each in processes.items()},
        }

    began = now()
    time.sleep(seconds)
    return {name: value - began[name] for name, value in now().items()}


def open_page(address: str, seconds: float) -> tuple[threading.Thread, list[tuple[int, int]]]:
    """A page that is open for so long, in a thread; its results and images are told at the end."""
    seen: list[tuple[int, int]] = []
    thread = threading.Thread(target=lambda: seen.append(asyncio.run(look_on(address, seconds))))
    thread.start()
    return thread, seen


def measure(processes: dict[str, subprocess.Popen], address: str, seconds: float, rounds: int) -> dict:
    """Windows without and with a page, in turns."""
    frames, closed, opened, seen = Frames(), [], [], []
    for _ in range(rounds):
        closed.append(window(processes, frames, seconds))
        page, told = open_page(address, seconds + 5.0)
        time.sleep(2.0)  # subscribed by now
        opened.append(window(processes, frames, seconds))
        page.join()
        seen += told

    def a_frame_ms(windows: list[dict[str, float]], name: str) -> float:
        return statistics.median(1000 * each[name] / each["frames"] for each in windows)

    pipeline_ms, more_ms = a_frame_ms(closed, "pipeline"), a_frame_ms(opened, "pipeline") - a_frame_ms(closed, "pipeline")
    web_ms = a_frame_ms(opened, "web")
    return {
        "closed_cpu_percent": 100 * statistics.median(each["web"] / each["s"] for each in closed),
        "open_cpu_percent": 100 * statistics.median(each["web"] / each["s"] for each in opened),
        "pipeline_ms_a_frame": pipeline_ms,
        "web_ms_a_frame": web_ms,
        "pipeline_more_ms_a_frame": more_ms,
        "web_share_of_pipeline": statistics.median(each["web"] / each["pipeline"] for each in opened),
        "open_share_of_pipeline": (web_ms + more_ms) / pipeline_ms,
        "frames_a_second": statistics.median(each["frames"] / each["s"] for each in opened),
        "results": sum(results for results, _ in seen),
        "images": sum(images for _, images in seen),
        "windows": {"closed": closed, "open": opened},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--source", required=True)
    parser.add_argument("--out", type=Path, default=Path("out/bench"))
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="of a window")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="windows with a page, and as many without")
    args = parser.parse_args()
    web = start("web", _NAMESPACE, port="0")
    processes = {"web": web}
    try:
        address = address_of(web)
        fresh_mb = memory_mb(web.pid)  # no page was open yet
        before_s = cpu_s(web.pid)
        time.sleep(args.seconds)  # alone: nothing to look at
        asleep_percent = 100 * (cpu_s(web.pid) - before_s) / args.seconds
        processes["pipeline"] = start("pipeline", _NAMESPACE, source=args.source, loop="true")
        deadline = time.monotonic() + _START_S
        while not asyncio.run(look_on(address, 2.0))[0]:
            if time.monotonic() > deadline:
                raise SystemExit("the pipeline gave no results")
        result = {
            "fresh_mb": fresh_mb,
            "asleep_cpu_percent": asleep_percent,
            "memory_mb": memory_mb(web.pid),
            **measure(processes, address, args.seconds, args.rounds),
            "bare_node_mb": bare_node_mb(),
        }
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait(_START_S)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "web.json").write_text(json.dumps(result, indent=2) + "\n")
    print(
        f"no page: {result['closed_cpu_percent']:.1f} % of a core, {fresh_mb:.0f} MB, of which a bare node has "
        f"{result['bare_node_mb']:.0f}, {result['memory_mb']:.0f} after the first page; a page: "
        f"{result['open_cpu_percent']:.1f} % of a core at {result['frames_a_second']:.1f} frames a second; for a frame "
        f"{result['web_ms_a_frame']:.1f} ms in the web node and {result['pipeline_more_ms_a_frame']:.1f} ms more in the "
        f"pipeline, of {result['pipeline_ms_a_frame']:.1f} ms: {result['open_share_of_pipeline']:.1%} of the pipeline's time"
        f"; the web node alone, in the same windows, {result['web_share_of_pipeline']:.1%}"
    )


if __name__ == "__main__":
    main()
