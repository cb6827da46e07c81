"""The moments that a report shows: where the answer was worst, or, where nobody knows the truth, where it was surest."""

from __future__ import annotations

from dataclasses import dataclass

from pose_attention_ros.core.types import ActionEstimates, SkeletonGraphs
from pose_attention_ros.evaluation.metrics import NO_CLASS
from pose_attention_ros.evaluation.stream_metrics import UNLABELLED

_SHOWN = 8
_LONGEST_STEP_S = 1.0
_UNKNOWN_WEIGHT = 0.25  # "unknown" where a class is shown is better than a wrong class that looks certain


@dataclass(eq=False)
class Moment:
    """One run of a person's frames with the same truth and answer, and its frame of the highest confidence."""

    person: str
    track_id: int
    truth: int
    predicted: int
    begin_ns: int
    end_ns: int
    stamp_ns: int
    recorded_ns: int
    confidence: float
    weight: float
    graphs: SkeletonGraphs | None
    actions: ActionEstimates


class Moments:
    """Keeps a handful, whatever the length of the stream."""

    def __init__(self, judged: bool) -> None:
        """:param judged: whether there is a truth"""
        self._judged = judged
        self._running: dict[str, Moment] = {}
        self._kept: list[Moment] = []

    def add(
        self,
        person: str,
        track_id: int,
        truth: int,
        predicted: int,
        confidence: float,
        recorded_ns: int,
        graphs: SkeletonGraphs | None,
        actions: ActionEstimates,
    ) -> None:
        """One person in one frame."""
        stamp_ns = actions.stamp_ns
        counts = (truth not in (UNLABELLED, predicted)) if self._judged else predicted != NO_CLASS
        run = self._running.get(person)
        if run is not None and not (counts and (run.truth, run.predicted) == (truth, predicted)):
            self._end(self._running.pop(person))
            run = None
        if not counts:
            return
        if run is None:
            self._running[person] = Moment(
                person,
                track_id,
                truth,
                predicted,
                stamp_ns,
                stamp_ns,
                stamp_ns,
                recorded_ns,
                confidence,
                0.0,
                graphs,
                actions,
            )
            return
        step_s = min((stamp_ns - run.end_ns) * 1e-9, _LONGEST_STEP_S)
        run.weight += step_s * (confidence if predicted != NO_CLASS else _UNKNOWN_WEIGHT)
        run.end_ns = stamp_ns
        if confidence > run.confidence:
            run.confidence, run.stamp_ns, run.recorded_ns = confidence, stamp_ns, recorded_ns
            run.track_id, run.graphs, run.actions = track_id, graphs, actions

    def _end(self, run: Moment) -> None:
        if not self._judged:  # one of each label
            run.weight = run.confidence
            rival = next((each for each in self._kept if each.predicted == run.predicted), None)
            if rival is not None and rival.weight >= run.weight:
                return
            self._kept = [each for each in self._kept if each is not rival]
        self._kept.append(run)
        if len(self._kept) > 2 * _SHOWN:
            self._kept = self._best()

    def _best(self) -> list[Moment]:
        return sorted(self._kept, key=lambda run: (-run.weight, run.begin_ns, run.person))[:_SHOWN]

    def finish(self) -> list[Moment]:
        """The worst (or surest) first."""
        for person in sorted(self._running):
            self._end(self._running[person])
        self._running.clear()
        return self._best()
