"""What people say happens in a recording, and when: labels looked up by stamp."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import pairwise

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.time.stamps import LeftOut

EVERYBODY = ""


@dataclass(frozen=True)
class Span:
    """One labelled stretch [start_ns, end_ns). `person` is EVERYBODY, a track number, or a name; `point_px` is a place on a
    named person at its beginning; `where` says where it was written."""

    start_ns: int
    end_ns: int
    label: str
    person: str = EVERYBODY
    point_px: tuple[float, float] | None = None
    where: str = ""


@dataclass
class StreamLabels:
    """Labels of one stream; call `begin` once its first stamp is known, then `at`.

    :param spans: in any order; :param relative: whether their times count from the first stamp
    """

    spans: list[Span]
    relative: bool
    source: str
    left_out: LeftOut = field(default_factory=LeftOut)
    zero_ns: int | None = None  # the stamp that relative times count from, where it is not the first

    def begin(self, first_ns: int) -> None:
        """Place the spans on the stream's time line and take out what they disagree on."""
        first_ns = first_ns if self.zero_ns is None else self.zero_ns
        shift_ns = first_ns if self.relative else 0
        self.spans = sorted(
            (replace(span, start_ns=span.start_ns + shift_ns, end_ns=span.end_ns + shift_ns) for span in self.spans),
            key=lambda span: (span.start_ns, span.end_ns, span.label),
        )
        by_person: dict[str, list[Span]] = defaultdict(list)
        for span in self.spans:
            by_person[span.person].append(span)
        self._pieces = {person: self._disjoint(spans) for person, spans in sorted(by_person.items())}
        self._starts = {person: [piece.start_ns for piece in pieces] for person, pieces in self._pieces.items()}

    @property
    def people(self) -> list[str]:
        """Whom the labels speak of by name or number."""
        return [person for person in self._pieces if person != EVERYBODY]

    def at(self, person: str, stamp_ns: int) -> Span | None:
        """The span that holds for `person` (or EVERYBODY) at that moment."""
        pieces = self._pieces.get(person)
        if not pieces:
            return None
        i = bisect_right(self._starts[person], stamp_ns) - 1
        return pieces[i] if i >= 0 and stamp_ns < pieces[i].end_ns else None

    def check_inside(self, first_ns: int, last_ns: int) -> None:
        """Note the labels that lie outside the stream. Raises UserError where all of them do."""
        outside = [span for span in self.spans if span.end_ns <= first_ns or span.start_ns > last_ns]
        for span in outside:
            self.left_out.add(f"labels: {span.where} ({span.label}) lies outside the recording")
        if self.spans and len(outside) == len(self.spans):
            begin, end = (
                (min(span.start_ns for span in outside) - first_ns) * 1e-9,
                (max(span.end_ns for span in outside) - first_ns) * 1e-9,
            )
            raise UserError(
                f"{self.source}: all labels lie outside the recording: they go from {begin:.1f} to {end:.1f} s "
                f"after its first message, it lasts {(last_ns - first_ns) * 1e-9:.1f} s"
            )
        for span in self.spans:
            late_s = (span.end_ns - last_ns) * 1e-9
            if span not in outside and late_s > 0.5:
                self.left_out.add(f"labels: {span.where} ({span.label}) goes on for {late_s:.1f} s after the recording")

    def _disjoint(self, spans: list[Span]) -> list[Span]:
        """Pieces without overlaps; where two spans give different labels there is none."""
        edges = sorted({edge for span in spans for edge in (span.start_ns, span.end_ns)})
        pieces: list[Span] = []
        first = 0
        for start, end in pairwise(edges):
            while first < len(spans) and spans[first].end_ns <= start:
                first += 1
            holding = []
            for span in spans[first:]:
                if span.start_ns > start:
                    break
                if span.end_ns > start:
                    holding.append(span)
            labels = {span.label for span in holding}
            if len(labels) > 1:
                self.left_out.add(
                    f"labels: {' and '.join(span.where for span in holding)} overlap with different labels "
                    f"({', '.join(sorted(labels))}): {(end - start) * 1e-9:.2f} s are not counted"
                )
            elif labels and pieces and pieces[-1].end_ns == start and pieces[-1].where in {each.where for each in holding}:
                pieces[-1] = replace(pieces[-1], end_ns=end)
            elif labels:
                pieces.append(replace(holding[0], start_ns=start, end_ns=end))
        return pieces


class SpokenLabels(StreamLabels):
    """Labels that somebody gives while the stream runs: each holds for everybody until the next one."""

    def __init__(self, source: str, left_out: LeftOut) -> None:
        super().__init__([], False, source, left_out)
        self._times_ns: list[int] = []

    def say(self, now_ns: int, label: str) -> None:
        """`label` holds from now on; an empty one ends it."""
        if self.spans and self.spans[-1].end_ns > now_ns:
            self.spans[-1] = replace(self.spans[-1], end_ns=max(now_ns, self.spans[-1].start_ns + 1))
        if label:
            self.spans.append(Span(now_ns, 1 << 62, label, where=f"label {len(self.spans) + 1}"))
            self._times_ns.append(now_ns)

    def begin(self, first_ns: int) -> None:
        """Nothing is known beforehand."""

    @property
    def people(self) -> list[str]:
        return []

    def at(self, person: str, stamp_ns: int) -> Span | None:
        i = bisect_right(self._times_ns, stamp_ns) - 1
        return self.spans[i] if person == EVERYBODY and i >= 0 and stamp_ns < self.spans[i].end_ns else None

    def check_inside(self, first_ns: int, last_ns: int) -> None:
        """They were given while the stream ran."""
