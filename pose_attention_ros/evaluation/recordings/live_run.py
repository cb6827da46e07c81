"""Judges answers as they arrive from a running robot: the numbers of a bag, with the drops and delays of the day."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from pose_attention_ros.bags.stream_labels import StreamLabels
from pose_attention_ros.core.time.stamps import LeftOut
from pose_attention_ros.core.types import ActionEstimates, SkeletonGraphs
from pose_attention_ros.evaluation.recordings.assessor import Assessment, Assessor
from pose_attention_ros.evaluation.recordings.dropped_images import Unanswered
from pose_attention_ros.evaluation.recordings.durations import Durations
from pose_attention_ros.evaluation.report.thumbnails import Picture, draw_moment

_RECENT_GRAPHS = 64


class LiveRun:
    """Tell it what comes, in the order in which it comes; stamps that do not rise are left out."""

    def __init__(
        self,
        about_model: Mapping[str, Any],
        labels: StreamLabels | None,
        label_map: Mapping[str, str | None] | None,
        rest_is_unknown: bool,
        left_out: LeftOut,
    ) -> None:
        """:param about_model: model_id, sha256 and classes"""
        self._model = dict(about_model)
        self._left_out = left_out
        self._assessor = Assessor(tuple(about_model["classes"]), labels, label_map, rest_is_unknown, left_out)
        self._graphs: OrderedDict[int, SkeletonGraphs] = OrderedDict()
        self._images = Unanswered()
        self._last_ns: int | None = None
        self.ages, self.latencies = Durations(), Durations()

    @property
    def frames(self) -> int:
        """Answers taken so far."""
        return self._assessor.frames

    def add_image(self, stamp_ns: int) -> None:
        """An image was published."""
        self._images.image(stamp_ns)

    def add_graphs(self, graphs: SkeletonGraphs) -> None:
        """The people of an image, which give the boxes of its answer."""
        self._graphs[graphs.stamp_ns] = graphs
        if len(self._graphs) > _RECENT_GRAPHS:
            self._graphs.popitem(last=False)

    def add_answer(self, actions: ActionEstimates, now_ns: int, age_s: float, latency_s: float) -> None:
        """An answer arrived at `now_ns`.

        :param age_s: from capture to now; :param latency_s: from capture to its publication; NaN where clocks differ
        """
        stamp_ns = actions.stamp_ns
        self._images.answer(stamp_ns)
        if self._last_ns is not None and stamp_ns <= self._last_ns:
            again = "stamps go back (a looping player?): answers until they are later than all before are left out"
            self._left_out.add("answers with the stamp of the one before them" if stamp_ns == self._last_ns else again)
            return
        self._last_ns = stamp_ns
        for durations, seconds in ((self.ages, age_s), (self.latencies, latency_s)):
            if not math.isnan(seconds):
                durations.add(seconds)
        self._assessor.add(actions, self._graphs.get(stamp_ns), now_ns)

    def finish(self, name: str, topic: str, nodes: Mapping[str, Mapping[str, str]]) -> tuple[dict[str, Any], list[Picture]]:
        """Values as those of a bag, and pictures of the moments. Raises UserError where nothing came.

        :param nodes: what each node last told of itself on /diagnostics
        """
        assessment: Assessment = self._assessor.finish()
        dropped = {"frames_topic": "images", **self._images.summary()} if self._images.images else None
        seconds = assessment.values["stream"]["seconds"]
        values = {
            "bag": name,
            "input": {"kind": "actions", "topic": topic, "type": "live", "messages": self.frames},
            "model": self._model,
            **assessment.values,
            "recorded": {"age_ms": self.ages.summary_ms(), "dropped": dropped, "dropped_by_nodes": _told_drops(nodes)},
            "left_out": dict(self._left_out.reasons),
            "timings": {
                "stages_ms": {"capture_to_label": self.latencies.summary_ms(), "all_stages": self.latencies.summary_ms()},
                "frames_per_second": round(self.frames / seconds, 2) if seconds else None,
                "times_real_time": None,
                "live_on_this_machine": {
                    "dropped_frames": (dropped or {}).get("without_result"),
                    "dropped_share": (dropped or {}).get("share"),
                    "age_ms": self.ages.summary_ms(),
                },
                "wall_s": seconds,
                "nodes": {node: dict(told) for node, told in sorted(nodes.items())},
            },
        }
        return values, [Picture(moment, draw_moment(moment, None)) for moment in assessment.moments]


def _told_drops(nodes: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    """What each node says it dropped: images that newer ones replaced, frames that a player could not send in time."""
    told = {name: sum(int(values.get(key, "0")) for key in ("dropped", "skipped")) for name, values in nodes.items()}
    return {name: count for name, count in sorted(told.items()) if count}
