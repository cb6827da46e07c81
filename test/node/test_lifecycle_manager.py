"""The graph under a lifecycle manager such as Nav2's: `autostart: false`, and what nav2_lifecycle_manager does with
`bond_timeout: 0.0` (docs/messages.md), call by call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from lifecycle_msgs.msg import Transition

from pose_attention_ros.msg import SkeletonGraphArray

EXPECTED = {
    Transition.TRANSITION_CONFIGURE: "inactive",
    Transition.TRANSITION_ACTIVATE: "active",
    Transition.TRANSITION_DEACTIVATE: "inactive",
    Transition.TRANSITION_CLEANUP: "unconfigured",
    Transition.TRANSITION_UNCONFIGURED_SHUTDOWN: "finalized",
}


class Manager:
    """Takes its nodes up in order and down in the opposite one; a node that is not where it should be then is an error."""

    def __init__(self, probe: Any, nodes: Sequence[str]) -> None:
        self._probe, self._nodes = probe, list(nodes)

    def startup(self) -> None:
        self._change(Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)

    def pause(self) -> None:
        self._change(Transition.TRANSITION_DEACTIVATE, down=True)

    def resume(self) -> None:
        self._change(Transition.TRANSITION_ACTIVATE)

    def reset(self) -> None:
        self._change(Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP, down=True)

    def shutdown(self) -> None:
        self._change(
            Transition.TRANSITION_DEACTIVATE,
            Transition.TRANSITION_CLEANUP,
            Transition.TRANSITION_UNCONFIGURED_SHUTDOWN,
            down=True,
        )

    def _change(self, *transitions: int, down: bool = False) -> None:
        for transition in transitions:
            for node in reversed(self._nodes) if down else self._nodes:
                assert self._probe.change_state(node, transition), node
                assert self._probe.state(node) == EXPECTED[transition], node


def test_a_lifecycle_manager_takes_the_graph_up_and_down(
    start: Callable, probe: Any, drawn_video: Path, pose_weights: None
) -> None:
    """The camera, first of all, waits with its recording for those who come after it; each round plays it anew."""
    nodes = {
        "camera": {"source": str(drawn_video), "wait_for": "'pose, skeleton_graph'", "loop": True},
        "pose": {"input_size": 64, "image_reliability": "reliable"},
        "skeleton_graph": {},
    }
    processes = [start(node, {**parameters, "autostart": False}) for node, parameters in nodes.items()]
    graphs, manager = probe.collect(SkeletonGraphArray, "skeleton_graphs"), Manager(probe, list(nodes))
    for up, down in ((manager.startup, manager.pause), (manager.resume, manager.reset), (manager.startup, manager.shutdown)):
        up()
        probe.until(graphs.__len__, "graphs")
        down()
        graphs.clear()
    assert all(process.interrupt() == 0 and "begins without" not in process.output for process in processes)
