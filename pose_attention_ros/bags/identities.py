"""Who is who in a labelled recording: which track a labelled person has, and where a tracker changed its mind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pose_attention_ros.bags.stream_labels import EVERYBODY, Span, StreamLabels

_RETURN_NS = 2_000_000_000  # a track that begins so soon after another ended, at its place, is most likely the same person
_NEAR = 0.5  # "at its place": this share of the person's size
_EVENTS = 50  # told one by one, at most


@dataclass
class IdSwitches:
    """Counts tracks that begin where another has just ended. Needs no truth, and so may be wrong about two people who
    take each other's place behind a pillar."""

    count: int = 0
    events: list[dict[str, float]] = field(default_factory=list)
    _last: dict[int, tuple[int, np.ndarray]] = field(default_factory=dict)
    successor: dict[int, int] = field(default_factory=dict)

    def add(self, stamp_ns: int, boxes: Mapping[int, np.ndarray]) -> None:
        """boxes: track id -> (4,) left, top, right, bottom of everybody in one frame."""
        for track_id, box in boxes.items():
            if track_id not in self._last:
                self._begin(stamp_ns, track_id, box, boxes)
        for track_id, box in boxes.items():
            self._last[track_id] = (stamp_ns, box)
        if len(self._last) > len(boxes) + 32:
            self._last = {i: entry for i, entry in self._last.items() if stamp_ns - entry[0] <= _RETURN_NS}

    def _begin(self, stamp_ns: int, track_id: int, box: np.ndarray, present: Mapping[int, np.ndarray]) -> None:
        nearest, gone = _NEAR, None
        for other, (seen_ns, last_box) in self._last.items():
            if other in present or stamp_ns - seen_ns > _RETURN_NS:
                continue
            size = max(*(last_box[2:] - last_box[:2]), 1.0)
            way = float(np.hypot(*((box[:2] + box[2:] - last_box[:2] - last_box[2:]) / 2))) / size
            if way < nearest:
                nearest, gone = way, other
        if gone is not None:
            self.count += 1
            self.successor[gone] = track_id
            if len(self.events) < _EVENTS:
                self.events.append(
                    {
                        "from_track": gone,
                        "to_track": track_id,
                        "stamp_ns": stamp_ns,
                        "gap_s": round((stamp_ns - self._last[gone][0]) * 1e-9, 3),
                    }
                )


class Roll:
    """Finds the track of each person whom the labels name, frame by frame."""

    def __init__(self, labels: StreamLabels) -> None:
        self._labels = labels
        self._track: dict[str, int] = {}  # named person -> track
        self._anchored: dict[str, str] = {}  # named person -> the span whose point was used last
        self.switches: dict[str, int] = dict.fromkeys(labels.people, 0)

    def tracks(
        self, stamp_ns: int, boxes: Mapping[int, np.ndarray], present: frozenset[int], successor: Mapping[int, int]
    ) -> dict[int, str]:
        """track id -> person, for the named people who are in view."""
        found: dict[int, str] = {}
        for person in self._labels.people:
            span = self._labels.at(person, stamp_ns)
            if person.isdigit():
                track: int | None = int(person)
            else:
                track = self._follow(person, span, boxes, present, successor)
            if track is not None and track in present:
                found[track] = person
        return found

    def _follow(
        self,
        person: str,
        span: Span | None,
        boxes: Mapping[int, np.ndarray],
        present: frozenset[int],
        successor: Mapping[int, int],
    ) -> int | None:
        before = self._track.get(person)
        track = before
        for _ in range(len(successor)):
            if track is None or track in present or track not in successor:
                break
            track = successor[track]
        if span is not None and span.point_px is not None and self._anchored.get(person) != span.where:
            at_point = _at(span.point_px, boxes)
            if at_point is not None:
                track = at_point
                self._anchored[person] = span.where
        if track is not None:
            self._track[person] = track
            if before is not None and track != before:
                self.switches[person] += 1
        return track


def _at(point: tuple[float, float], boxes: Mapping[int, np.ndarray]) -> int | None:
    """The track whose box holds the point, of several the one whose middle is nearest."""
    place = np.array(point)
    inside = [
        (float(np.hypot(*((box[:2] + box[2:]) / 2 - place))), track_id)
        for track_id, box in boxes.items()
        if (box[:2] <= place).all() and (place <= box[2:]).all()
    ]
    return min(inside)[1] if inside else None


def truth_of(labels: StreamLabels, person: str | None, stamp_ns: int) -> Span | None:
    """What is labelled for a person; what holds for everybody where nothing is said of this one."""
    span = labels.at(person, stamp_ns) if person is not None else None
    return span or labels.at(EVERYBODY, stamp_ns)
