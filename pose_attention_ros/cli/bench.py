"""`pose-attention bench`: milliseconds by stage, memory and start-up of the composed node and of the graph of nodes."""

from __future__ import annotations

import argparse
import os
import platform
from pathlib import Path
from typing import Any

from pose_attention_ros.cli.graph_run import add_graph_arguments, run_graph
from pose_attention_ros.cli.options import add_json, write_json
from pose_attention_ros.core.secrets import masked

FORMS = ("composed", "nodes")
# form -> (row of the table, node that measures it, its measure)
# fmt: off
_STAGES = {
    "composed": (("pose network", "pipeline", "network"), ("pose", "pipeline", "pose"),
                 ("skeleton graph", "pipeline", "graph"), ("action", "pipeline", "action"),
                 ("all stages, publishing", "pipeline", "stage")),
    "nodes": (("camera", "camera", "stage"), ("pose network", "pose", "network"), ("pose", "pose", "stage"),
              ("skeleton graph", "skeleton_graph", "stage"), ("action", "action", "stage")),
}
# fmt: on


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("--source", required=True, help="video file, folder of images, or bag")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out/bench"),
        metavar="DIR",
        help="folder for bench.json and what the nodes wrote (default: %(default)s)",
    )
    parser.add_argument(
        "--repeats",
        type=int,
        default=3,
        metavar="N",
        help="runs of each form, taken in turns; the median counts (default: %(default)s)",
    )
    add_json(parser)
    add_graph_arguments(parser, max_frames=400)


def run(args: argparse.Namespace) -> int:
    """Run both forms in turns over the source, and print the tables."""
    runs: dict[str, list[dict[str, Any]]] = {form: [] for form in FORMS}
    for repeat in range(args.repeats):
        for form in FORMS:
            print(f"run {repeat + 1} of {args.repeats}: {form}", flush=True)
            summary = run_graph(args.source, args.out / f"{form}-{repeat}", args, composed=form == "composed", video=False)
            runs[form].append(measures_of(form, summary))
    result = {
        "source": masked(args.source),
        "machine": machine(),
        "ros_distro": os.environ.get("ROS_DISTRO"),
        "repeats": args.repeats,
        **{form: median_of(runs[form]) for form in FORMS},
    }
    frame_ms = {form: result[form]["frame_ms"] for form in FORMS}
    result["transport_share"] = round(1 - frame_ms["composed"] / frame_ms["nodes"], 4)
    write_json(args.out / "bench.json", result)
    write_json(args.json, result)
    print(table_of(result))
    print(f"written to {args.out / 'bench.json'}")
    return 0


def measures_of(form: str, summary: dict[str, Any]) -> dict[str, Any]:
    """What one run of a form shows; `overhead` is all that the pose network's own time does not account for.

    :param summary: the recorder's, see `run_graph`
    """
    nodes = summary["nodes"]
    frame_ms = 1e3 / summary["frames_per_second"]
    network = nodes["pipeline" if form == "composed" else "pose"]
    working = [name for name in nodes if name != "recorder"]
    return {
        "frames": summary["frames"],
        "frames_per_second": summary["frames_per_second"],
        "frame_ms": frame_ms,
        "overhead": frame_ms / float(network["network_ms_mean"]) - 1,
        "stage_ms": {
            row: {key: float(nodes[node][f"{measure}_ms_{key}"]) for key in ("p50", "p95")}
            for row, node, measure in _STAGES[form]
        },
        "ready_s": {name: float(nodes[name]["ready_s"]) for name in working},
        "peak_memory_mb": {name: summary["peak_memory_mb"][name] for name in working if name in summary["peak_memory_mb"]},
    }


def median_of(runs: list[Any]) -> Any:
    """Runs of one shape, number by number, to 4 decimals."""
    if isinstance(runs[0], dict):
        return {key: median_of([measured[key] for measured in runs]) for key in runs[0]}
    middle = sorted(runs)[len(runs) // 2]
    return middle if isinstance(middle, int) else round(middle, 4)


def machine() -> str:
    """Processor, cores, system and Python in words."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model")))
    except (OSError, StopIteration):
        name = platform.machine()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def table_of(result: dict[str, Any]) -> str:
    """For the terminal, and for the documentation as it is."""
    lines = [
        f"{result['machine']}, ROS 2 {result['ros_distro']}",
        f"{result['source']}, {result['composed']['frames']} frames; median of {result['repeats']} runs",
    ]
    for form in FORMS:
        measured = result[form]
        lines += [
            "",
            f"{form}: {measured['frames_per_second']:.1f} frames a second, {measured['frame_ms']:.2f} ms a frame, "
            f"{measured['overhead']:+.1%} over the pose network alone",
            f"  {'ms a frame':<24}{'median':>8}{'p95':>8}",
        ]
        lines += [f"  {row:<24}{times['p50']:>8.2f}{times['p95']:>8.2f}" for row, times in measured["stage_ms"].items()]
        lines.append(f"  {'process':<24}{'ready s':>8}{'MB':>8}")
        lines += [
            f"  {name:<24}{ready:>8.2f}{measured['peak_memory_mb'].get(name, float('nan')):>8.0f}"
            for name, ready in measured["ready_s"].items()
        ]
    return "\n".join([*lines, "", f"transport between the nodes takes {result['transport_share']:.1%} of a frame"])
