"""Runs a recording through the graph of nodes, or through the composed node, and gives the recorder's summary."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from pose_attention_ros.cli.node_processes import NodeProcesses
from pose_attention_ros.cli.options import add_settings, chosen
from pose_attention_ros.core.action_stage import ActionConfig
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.graph_stage import GraphConfig
from pose_attention_ros.inference.pose import PoseConfig
from pose_attention_ros.inference.recogniser import DEFAULT_MODEL

_RECORDER_LAG = 4  # frames; fewer than its subscriptions hold, so that it loses none
_LOCKSTEP_TIMEOUT_S = 20.0  # a loaded machine may take this long over its first frame


def add_graph_arguments(parser: argparse.ArgumentParser, max_frames: int = 0) -> None:
    """Options of the stages, and how much of the source to take (0: all of it)."""
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="name under models/ or path of a model directory (default: %(default)s)"
    )
    parser.add_argument(
        "--max-frames",
        type=int,
        default=max_frames,
        metavar="N",
        help="stop after N frames, 0: at the end (default: %(default)s)",
    )
    add_settings(parser, "pose", PoseConfig)
    add_settings(parser, "graph", GraphConfig, leave_out=("layout",))
    add_settings(parser, "action", ActionConfig)


def run_graph(source: str, out: Path, args: argparse.Namespace, *, composed: bool, video: bool = True) -> dict[str, Any]:
    """Play `source` in lockstep, so that no frame is dropped, and record what the graph says of it in `out`.

    :param args: with the options of `add_graph_arguments`
    :param composed: one process for all stages in place of one each
    :param video: whether annotated.mp4 is written; without it the recorder takes no images and may be a few frames behind
    :returns: the recorder's summary, with `peak_memory_mb` of each node
    :raises UserError: a node failed
    """
    play = {
        "source": source,
        "pace": "lockstep",
        **({"acknowledge": "recorded"} if video else {"acknowledge": "actions", "recorder_lag": _RECORDER_LAG}),
        "max_frames": args.max_frames,
        "lockstep_timeout_s": _LOCKSTEP_TIMEOUT_S,
    }
    pose, graph, action = (chosen(args, kind) for kind in (PoseConfig, GraphConfig, ActionConfig))
    recogniser = {**action, "model": args.model}
    out.mkdir(parents=True, exist_ok=True)
    (out / "summary.json").unlink(missing_ok=True)
    with NodeProcesses(out / "log") as nodes:
        nodes.start("recorder", {"out": str(out), "video": video, "idle_timeout_s": 120.0, "overwrite": True}, show=video)
        if composed:
            nodes.start("pipeline", {**graph, **recogniser, **pose, **play})
        else:
            nodes.start("action", recogniser)
            nodes.start("skeleton_graph", graph)
            nodes.start("pose", {**pose, "image_reliability": "reliable"})
            nodes.start("camera", play)
        code = nodes.wait_for("recorder")
        memory = dict(nodes.peak_memory_mb)
    if code != 0 or not (out / "summary.json").is_file():
        raise UserError(f"the recorder ended with code {code} before the end of {source}; logs are in {out / 'log'}")
    return {**json.loads((out / "summary.json").read_text()), "peak_memory_mb": memory}
