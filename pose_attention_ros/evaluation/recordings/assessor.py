"""Judges a stream of answers against labels while it goes by; the same for bags and for live topics."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pose_attention_ros.bags.identities import IdSwitches, Roll, truth_of
from pose_attention_ros.bags.stream_labels import EVERYBODY, Span, StreamLabels
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.time.stamps import LeftOut
from pose_attention_ros.core.types import UNKNOWN_LABEL, ActionEstimates, SkeletonGraphs
from pose_attention_ros.evaluation import stream_metrics
from pose_attention_ros.evaluation.metrics import NO_CLASS
from pose_attention_ros.evaluation.recordings.durations import Durations
from pose_attention_ros.evaluation.recordings.frame_log import FrameLog
from pose_attention_ros.evaluation.recordings.worst_scenes import Moment, Moments
from pose_attention_ros.evaluation.stream_metrics import UNLABELLED, Timeline

_NO_LABELS = StreamLabels([], False, "")
_ABSENT = -1
_LONGEST_STEP_S = 1.0  # in a gap nothing was answered


@dataclass(frozen=True, eq=False)
class Assessment:
    """Everything but times of computing: plain values for the JSON file; lines by person; moments for the report."""

    values: dict[str, Any]
    lines: dict[str, Timeline]
    moments: list[Moment]


class Assessor:
    """Call `add` with each frame's answer, then `finish`.

    :param classes: what the scores stand for
    :param labels: the truth; None judges nothing
    :param label_map: {label: class, or null for no class}; a label that is neither in it nor a class is left out
    :param rest_is_unknown: time without a label counts as time in which no class is shown
    :param left_out: told which labels cannot be used
    """

    def __init__(
        self,
        classes: tuple[str, ...],
        labels: StreamLabels | None,
        label_map: Mapping[str, str | None] | None,
        rest_is_unknown: bool,
        left_out: LeftOut,
    ) -> None:
        self.classes = classes
        self._labels, self._left_out = labels or _NO_LABELS, left_out
        self._judged = labels is not None
        self._rest = NO_CLASS if rest_is_unknown and self._judged else UNLABELLED
        self._label_map = label_map or {}
        self._meaning: dict[str, int] = {}
        odd = sorted({str(name) for name in self._label_map.values() if name is not None} - set(classes))
        if odd:
            raise UserError(
                f"the label map names {', '.join(odd)}, which the model does not know; it has {', '.join(classes)}"
            )
        self._index = {name: k for k, name in enumerate(classes)}
        self._log = FrameLog(len(classes))
        self._people: dict[str, int] = {}
        self._switches = IdSwitches()
        self._moments = Moments(self._judged)
        self._steps = Durations()
        self._first_ns = self._last_ns = 0
        self.frames = self._without_anyone = self._without_boxes = 0
        self._roll: Roll | None = None
        self._answered: dict[str, Counter[str]] = defaultdict(Counter)  # label -> answer -> seconds

    def add(self, actions: ActionEstimates, graphs: SkeletonGraphs | None, recorded_ns: int) -> None:
        """One frame; stamps increase. `graphs` gives the boxes, without which id switches are not seen."""
        stamp_ns = actions.stamp_ns
        step_s = min((stamp_ns - self._last_ns) * 1e-9, _LONGEST_STEP_S) if self.frames else 0.0
        if self._roll is None:
            self._labels.begin(stamp_ns)
            self._roll = Roll(self._labels)
            self._first_ns = stamp_ns
        else:
            self._steps.add((stamp_ns - self._last_ns) * 1e-9)
        self._last_ns = stamp_ns
        self.frames += 1
        boxes = dict(zip(graphs.track_ids.tolist(), graphs.boxes_xyxy)) if graphs is not None else {}
        self._without_boxes += graphs is None
        self._switches.add(stamp_ns, boxes)
        named = (
            self._roll.tracks(
                stamp_ns, boxes, frozenset(person.track_id for person in actions.people), self._switches.successor
            )
            if self._labels.people
            else {}
        )
        for person in actions.people:
            name = named.get(person.track_id)
            span = truth_of(self._labels, name, stamp_ns)
            truth = self._class_of(span)
            if span is not None:
                self._answered[span.label][person.label] += step_s
            predicted = NO_CLASS if person.label == UNKNOWN_LABEL else self._index.get(person.label, NO_CLASS)
            key = name or str(person.track_id)
            self._log.add(self._number(key), person.track_id, stamp_ns, truth, predicted, person.confidence, person.scores)
            self._moments.add(key, person.track_id, truth, predicted, person.confidence, recorded_ns, graphs, actions)
        self._add_absent(stamp_ns, set(named.values()), not actions.people)

    def _add_absent(self, stamp_ns: int, there: set[str], nobody: bool) -> None:
        """A labelled person whom the tracker does not see got no answer, which is "unknown"."""
        for name in self._labels.people:
            if name not in there and (span := self._labels.at(name, stamp_ns)) is not None:
                self._log.add(self._number(name), _ABSENT, stamp_ns, self._class_of(span), NO_CLASS, 0.0, 0.0)
        if nobody and self._class_of(self._labels.at(EVERYBODY, stamp_ns)) >= 0:
            self._without_anyone += 1

    def _number(self, person: str) -> int:
        return self._people.setdefault(person, len(self._people))

    def _class_of(self, span: Span | None) -> int:
        """Class index, NO_CLASS or UNLABELLED."""
        if span is None:
            return self._rest
        meaning = self._meaning.get(span.label)
        if meaning is None:
            name = self._label_map.get(span.label, span.label)
            if name is None or name == UNKNOWN_LABEL:
                meaning = NO_CLASS
            elif name in self._index:
                meaning = self._index[name]
            else:
                meaning = UNLABELLED
                self._left_out.add(
                    f"labels: {span.label!r} is no class of the model and is not counted; a label map can say what it means"
                )
            self._meaning[span.label] = meaning
        return meaning

    def finish(self) -> Assessment:
        """Raises UserError where there was no frame, or no label fits the stream."""
        if not self.frames:
            raise UserError("nothing to evaluate: not one message could be used")
        self._labels.check_inside(self._first_ns, self._last_ns)
        names = {number: person for person, number in self._people.items()}
        rows = {names[number]: each for number, each in self._log.people().items()}
        self._log.close()
        lines = {
            person: Timeline(each["stamp_ns"], each["truth"], each["predicted"], each["scores"])
            for person, each in rows.items()
        }
        judged = [line for line in lines.values() if (line.truth != UNLABELLED).any()]
        missing, period_s = self._steps.share_missing()
        values = {
            "stream": {
                "first_stamp_ns": self._first_ns,
                "last_stamp_ns": self._last_ns,
                "seconds": round((self._last_ns - self._first_ns) * 1e-9, 3),
                "frames": self.frames,
                "median_rate_hz": round(1 / period_s, 2) if period_s > 0 else None,
                "longest_gap_s": round(self._steps.worst_s, 3),
                "frames_missing_in_gaps": missing,
            },
            "labels": self._about_labels(judged),
            "metrics": {
                **(stream_metrics.summarise(judged, self.classes) if judged else {}),
                "id_switches": self._switches.count if self._without_boxes < self.frames else None,
                "id_switches_of_labelled_people": sum(self._roll.switches.values()),
            },
            "id_switch_events": self._switches.events,
            "people": [self._about_person(person, rows[person]) for person in rows],
        }
        return Assessment(values, lines, self._moments.finish())

    def _about_labels(self, judged: list[Timeline]) -> dict[str, Any] | None:
        if not self._judged:
            return None
        frames = sum(int((line.truth != UNLABELLED).sum()) for line in judged)
        return {
            "source": self._labels.source,
            "spans": len(self._labels.spans),
            "labelled_person_frames": frames,
            "answered_s": {
                label: {answer: round(seconds, 3) for answer, seconds in answers.most_common()}
                for label, answers in sorted(self._answered.items())
            },
            "frames_with_a_label_and_nobody_tracked": self._without_anyone,
        }

    def _about_person(self, person: str, rows: np.ndarray) -> dict[str, Any]:
        def runs(field: str) -> list[list[Any]]:
            found = []
            for label, first, end in stream_metrics.segments(rows[field]):
                if label != UNLABELLED:
                    stop = rows["stamp_ns"][min(end, len(rows) - 1)]
                    found.append(
                        [
                            self._seconds(rows["stamp_ns"][first]),
                            self._seconds(stop),
                            self.classes[label] if label >= 0 else UNKNOWN_LABEL,
                        ]
                    )
            return found

        tracks = sorted(set(rows["track"].tolist()) - {_ABSENT})
        return {
            "person": person,
            "tracks": tracks,
            "frames": len(rows),
            "begin_s": self._seconds(rows["stamp_ns"][0]),
            "end_s": self._seconds(rows["stamp_ns"][-1]),
            "truth": runs("truth"),
            "predicted": runs("predicted"),
            "mean_confidence": round(float(rows["confidence"].mean(dtype=np.float64)), 4),
        }

    def _seconds(self, stamp_ns: int) -> float:
        return round(int(stamp_ns - self._first_ns) * 1e-9, 3)
