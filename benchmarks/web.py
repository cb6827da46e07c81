"""What the web page costs: the web node with no page open and with one, beside the composed pipeline on a video.

    python -m benchmarks.web --source VIDEO --out out/bench

Counted in CPU time of the processes (all threads), so other work on the machine disturbs little. The page is a client that
takes everything, as a browser in the foreground does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

_SECONDS = 15.0
_START_S = 120.0


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
        [sys.executable, "-m", f"pose_attention_ros.nodes.{node}", "--ros-args", "-r", f"__ns:={namespace}", *options],
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


def used(processes: dict[str, subprocess.Popen], wait) -> dict[str, float]:
    """CPU time a second of each process while `wait` runs."""
    before, began = {name: cpu_s(each.pid) for name, each in processes.items()}, time.monotonic()
    wait()
    took_s = time.monotonic() - began
    return {name: (cpu_s(each.pid) - before[name]) / took_s for name, each in processes.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--source", required=True)
    parser.add_argument("--out", type=Path, default=Path("out/bench"))
    parser.add_argument("--seconds", type=float, default=_SECONDS)
    args = parser.parse_args()
    web = start("web", "/bench_web", port="0")
    processes = {"web": web}
    try:
        address = address_of(web)
        fresh_mb = memory_mb(web.pid)  # no page was open yet
        asleep = used(processes, lambda: time.sleep(args.seconds))  # alone: nothing to look at
        processes["pipeline"] = start("pipeline", "/bench_web", source=args.source, loop="true")
        deadline = time.monotonic() + _START_S
        while not asyncio.run(look_on(address, 2.0))[0]:
            if time.monotonic() > deadline:
                raise SystemExit("the pipeline gave no results")
        closed_mb = memory_mb(web.pid)
        closed = used(processes, lambda: time.sleep(args.seconds))
        seen: list[tuple[int, int]] = []
        opened = used(processes, lambda: seen.append(asyncio.run(look_on(address, args.seconds))))
        bare_mb = bare_node_mb()
        result = {
            "bare_node_mb": bare_mb,
            "fresh_mb": fresh_mb,
            "asleep_cpu_percent": 100 * asleep["web"],
            "closed_cpu_percent": 100 * closed["web"],
            "memory_mb": closed_mb,
            "open_cpu_percent": 100 * opened["web"],
            "open_share_of_pipeline": opened["web"] / max(opened["pipeline"], 1e-9),
            "pipeline_cpu_percent": {"closed": 100 * closed["pipeline"], "open": 100 * opened["pipeline"]},
            "results": seen[0][0],
            "images": seen[0][1],
            "seconds": args.seconds,
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
        f"{bare_mb:.0f}, {closed_mb:.0f} after the first page; a page: "
        f"{result['open_cpu_percent']:.1f} % of a core, {result['open_share_of_pipeline']:.1%} of the pipeline's, "
        f"{result['results']} results and {result['images']} images in {args.seconds:g} s"
    )


if __name__ == "__main__":
    main()
