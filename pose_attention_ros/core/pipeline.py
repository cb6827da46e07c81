"""The stages in a row, in one process: what the composed node, the command line and replay run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pose_attention_ros.core.action_stage import ActionStage
from pose_attention_ros.core.graph_stage import GraphStage
from pose_attention_ros.core.types import ActionEstimates, Frame, SkeletonGraphs, Skeletons

PoseStage = Callable[[Frame], Skeletons]
STAGES = ("pose", "graph", "action")


@dataclass(frozen=True, eq=False)
class PipelineResult:
    """All that was made of one frame; stage_seconds: time spent in each of STAGES."""

    skeletons: Skeletons
    graphs: SkeletonGraphs
    actions: ActionEstimates
    stage_seconds: tuple[float, float, float]


class Pipeline:
    """Frame -> Skeletons -> SkeletonGraphs -> ActionEstimates."""

    def __init__(self, pose: PoseStage, graph: GraphStage, action: ActionStage) -> None:
        self._pose, self._graph, self._action = pose, graph, action

    def __call__(self, frame: Frame) -> PipelineResult:
        """Run the frame through all stages."""
        begin = time.perf_counter()
        skeletons = self._pose(frame)
        posed = time.perf_counter()
        graphs = self._graph(skeletons)
        graphed = time.perf_counter()
        actions = self._action(graphs, frame)
        return PipelineResult(skeletons, graphs, actions, (posed - begin, graphed - posed, time.perf_counter() - graphed))

    def reset(self) -> None:
        """Forget everybody, as at the start of another stream."""
        self._graph.reset()
        self._action.reset()
