"""skeleton_graph: tracks the people and makes a normalised graph of each.

Subscribes skeletons
Publishes  skeleton_graphs (only while subscribed)
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from pose_attention_ros.core.graph_stage import GraphConfig, GraphStage
from pose_attention_ros.core.messages.packed import bytes_of_graphs
from pose_attention_ros.core.messages.records import stamp_in
from pose_attention_ros.msg import SkeletonArray, SkeletonGraphArray
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.on_demand import OnDemand
from pose_attention_ros.ros.qos import result_profile
from pose_attention_ros.ros.repeated_stamps import RepeatedStamp
from pose_attention_ros.ros.run import run
from pose_attention_ros.ros.settings import NodeConfig
from pose_attention_ros.ros.skeleton_messages import skeletons_of_raw
from pose_attention_ros.ros.stamps import age_s


@dataclass(frozen=True)
class SkeletonGraphNodeConfig(GraphConfig, NodeConfig):
    """Parameters of the skeleton_graph node."""


class SkeletonGraphNode(ManagedNode):
    """See the module."""

    default_name = "skeleton_graph"
    settings_type = SkeletonGraphNodeConfig
    _stage: GraphStage | None = None

    def configure(self) -> None:
        self._stage = GraphStage(self.settings)
        self._graphs = OnDemand(self.advertise(SkeletonGraphArray, "skeleton_graphs", result_profile()))

    def activate(self) -> None:
        self._stage.reset()
        self._repeated = RepeatedStamp()
        self.listen(SkeletonArray, "skeletons", self._on_skeletons, result_profile(), raw=True)

    def cleanup(self) -> None:
        self._stage = None

    def settings_changed(self, settings: SkeletonGraphNodeConfig) -> None:
        if self._stage is not None:
            self._stage.configure(settings)

    def _on_skeletons(self, raw: bytes) -> None:
        began = time.perf_counter()
        if self._repeated.answered(stamp_in(raw)):
            return
        graphs = self._stage(skeletons_of_raw(raw))
        self._repeated.keep(graphs.stamp_ns, self._graphs.answer(lambda: bytes_of_graphs(graphs)))
        self.meter.done(time.perf_counter() - began, age_s(graphs.stamp_ns, self.now_ns()))


def main(arguments: list[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(SkeletonGraphNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
