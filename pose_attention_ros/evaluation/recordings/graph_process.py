"""Reading and the graph stage in a process of their own, so that a long bag of skeletons takes the time of the slower half.

The records come in the same order and are the same as in one process.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pose_attention_ros.bags.opening import Bag
from pose_attention_ros.bags.streams import Input, read_items
from pose_attention_ros.core.errors import SourceError
from pose_attention_ros.core.graph_stage import GraphConfig, GraphStage
from pose_attention_ros.core.time.stamps import LeftOut
from pose_attention_ros.core.types import SkeletonGraphs

WORTH_A_PROCESS = 2000  # messages; starting a process takes as long as some hundred of them
_BATCH = 64


@dataclass(frozen=True, eq=False)
class TimedGraphs:
    """The graphs of one image and the seconds that their stage took."""

    graphs: SkeletonGraphs
    seconds: float


def graphs_beside(path: Path, chosen: Input, config: GraphConfig, left_out: LeftOut) -> Iterator[tuple[int, TimedGraphs]]:
    """(time of recording, graphs) of a skeletons topic. Raises SourceError where the other process dies."""
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, path, chosen, config), daemon=True)
    process.start()
    theirs.close()
    try:
        while True:
            batch, reasons = ours.recv()
            for reason, count in reasons.items():
                left_out.add(reason, count)
            if not batch:
                return
            yield from batch
    except EOFError:
        process.join(5)
        raise SourceError(f"the process that read {path} died (exit code {process.exitcode})") from None
    finally:
        ours.close()
        process.join(5)
        if process.is_alive():
            process.terminate()


def _work(connection: Any, path: Path, chosen: Input, config: GraphConfig) -> None:
    """Send batches and, with the last, empty one, what was left out."""
    import logging

    logging.disable(logging.WARNING)  # the process that judges tells it
    stage = GraphStage(config)
    with Bag(path) as bag:
        known = set(bag.left_out.reasons)  # told by who opened it first
        batch: list[tuple[int, TimedGraphs]] = []
        try:
            for recorded_ns, skeletons in read_items(bag, chosen):
                began = time.perf_counter()
                graphs = stage(skeletons)
                batch.append((recorded_ns, TimedGraphs(graphs, time.perf_counter() - began)))
                if len(batch) == _BATCH:
                    connection.send((batch, {}))
                    batch = []
            if batch:
                connection.send((batch, {}))
            connection.send(([], {reason: count for reason, count in bag.left_out.reasons.items() if reason not in known}))
        except OSError:
            return  # nobody listens any more
