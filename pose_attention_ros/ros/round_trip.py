"""How long an answer takes to come back to the machine that took the image, by that machine's clock alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.time.clocks import RoundTrip
from pose_attention_ros.msg import ActionLabelArray
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.qos import result_profile
from pose_attention_ros.ros.stamps import SECOND_NS, stamp_ns_of


@dataclass(frozen=True)
class RoundTripConfig(Settings):
    """Whether a camera watches for answers."""

    measure_answers: bool = setting(
        False,
        "subscribe actions and tell in the diagnostics how long an answer takes to come "
        "back here, and whether the clock of the machine that answers is another",
    )


class AnswerWatch:
    """Measures the way from a camera to the actions and back for a node whose settings are a RoundTripConfig."""

    def __init__(self, node: ManagedNode) -> None:
        self._node = node
        self._trip = RoundTrip()

    def open(self) -> None:
        """Subscribe, if the settings ask for it."""
        self._trip = RoundTrip()
        if self._node.settings.measure_answers:
            self._node.listen(ActionLabelArray, "actions", self._on_actions, result_profile())

    def details(self) -> dict[str, str]:
        """For the diagnostics; empty before the first answer."""
        loops_ms = np.array(self._trip.loops_s) * 1e3
        if not loops_ms.size:
            return {}
        low_s, high_s = self._trip.bounds_s
        p50, p95 = np.percentile(loops_ms, (50, 95))
        return {
            "answer_ms_p50": f"{p50:.1f}",
            "answer_ms_p95": f"{p95:.1f}",
            "other_clock_ahead_ms": f"{low_s * 1e3:.1f} to {high_s * 1e3:.1f}",
        }

    def trouble(self) -> str:
        """That the clocks differ, where the answers show it; also logged."""
        ahead_s = self._trip.other_ahead_s
        if not ahead_s:
            return ""
        text = (
            f"the clock of the machine that answers is at least {ahead_s:.3f} s ahead of this one: ages and latencies "
            "that it states are wrong; synchronise both (chrony)"
        )
        self._node.warn_once(text)
        return text

    def _on_actions(self, message: ActionLabelArray) -> None:
        loop_s = (self._node.now_ns() - stamp_ns_of(message.header)) / SECOND_NS
        self._trip.see(loop_s, message.latency)
