"""Labels of a recording from a CSV file or from a topic that was recorded with the rest."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from pose_attention_ros.bags.opening import Bag
from pose_attention_ros.bags.stream_labels import EVERYBODY, Span, StreamLabels
from pose_attention_ros.bags.types import ACTIONS, STRING
from pose_attention_ros.core.errors import MessageError, UserError
from pose_attention_ros.core.messages.records import ns_of
from pose_attention_ros.core.time.stamps import LeftOut
from pose_attention_ros.core.types import UNKNOWN_LABEL

COLUMNS = ("start_s", "end_s", "label")
_OPTIONAL = ("person", "x_px", "y_px")
# Times from here on are stamps (seconds since 1970), smaller ones count from the first message that is evaluated.
_ABSOLUTE_S = 1e8
_ONE_SPAN_NS = 1_000_000_000  # equal labels of a topic no further apart are one


def read_labels(path: Path, left_out: LeftOut) -> StreamLabels:
    """A CSV file with the columns start_s, end_s, label and, if wished, person, x_px, y_px.

    :raises UserError: it cannot be read, lacks a column, or no row of it can be used
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = (line for line in file if line.strip() and not line.startswith("#"))
            table = csv.DictReader(lines, skipinitialspace=True)
            names = [name.strip() for name in table.fieldnames or ()]
            absent = [name for name in COLUMNS if name not in names]
            if absent:
                found = ",".join(names)[:100]
                raise UserError(
                    f"labels {path} lack the column {', '.join(absent)}; expected "
                    f"{','.join(COLUMNS)}[,{','.join(_OPTIONAL)}] in the first line, found {found!r}"
                )
            odd = [name for name in names if name not in COLUMNS + _OPTIONAL]
            if odd:
                left_out.add(f"labels: columns {', '.join(odd)} mean nothing here")
            rows = [
                {(key or "").strip(): (value or "").strip() for key, value in row.items() if not isinstance(value, list)}
                for row in table
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"labels {path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    spans, absolute = [], set()
    for number, row in enumerate(rows, 1):
        try:
            spans.append(_span(row, f"row {number}"))
            absolute.add(float(row["start_s"]) >= _ABSOLUTE_S)
        except ValueError as error:
            left_out.add(f"labels: row {number} is left out: {error}")
    if not spans:
        raise UserError(f"labels {path} have no row that can be used")
    if len(absolute) > 1:
        raise UserError(f"labels {path} mix times since the beginning with times since 1970; expected one or the other")
    return StreamLabels(spans, not absolute.pop(), str(path.name), left_out)


def _span(row: dict[str, str], where: str) -> Span:
    """Raises ValueError that says what is wrong with the row."""
    try:
        start_s, end_s = float(row["start_s"]), float(row["end_s"])
    except ValueError:
        raise ValueError(f"start_s {row['start_s']!r} or end_s {row['end_s']!r} is not a number") from None
    if not (math.isfinite(start_s) and math.isfinite(end_s) and 0 <= start_s < end_s):
        raise ValueError(f"it goes from {row['start_s']} to {row['end_s']} s, expected 0 <= start_s < end_s")
    point = None
    if row.get("x_px") and row.get("y_px"):
        point = (float(row["x_px"]), float(row["y_px"]))
    person = row.get("person", EVERYBODY)
    if person and not person.isdigit() and point is None:
        raise ValueError(f"person {person!r} is no track number; give x_px and y_px, a place on that person at start_s")
    return Span(round(start_s * 1e9), round(end_s * 1e9), row["label"] or UNKNOWN_LABEL, person, point, where)


def labels_of_topic(bag: Bag, topic: str, left_out: LeftOut) -> StreamLabels:
    """Labels that were recorded with the rest.

    std_msgs/String: each message holds, for everybody, from its time of recording to the next one's; an empty one ends the
    label. ActionLabelArray (another recogniser, or corrected answers): the label of each track at each stamp.

    :raises UserError: no such topic, of another type, or empty
    """
    there = bag.topics.get(topic) or bag.topics.get("/" + topic.lstrip("/"))
    if there is None or there.msgtype not in (STRING, ACTIONS):
        found = f"is {there.msgtype}" if there else f"is not in the bag, which has {', '.join(sorted(bag.topics))}"
        raise UserError(f"labels topic {topic!r} {found}; expected {STRING} or {ACTIONS}")
    messages = []
    for _, recorded_ns, raw in bag.messages([there.name]):
        try:
            messages.append((recorded_ns, bag.read(there.name, raw)))
        except MessageError as error:
            left_out.add(f"{there.name}: unusable message: {error}")
    spans = _spoken(messages, bag.end_ns, topic) if there.msgtype == STRING else _answered(messages, topic)
    if not spans:
        raise UserError(f"labels topic {topic!r} says nothing")
    return StreamLabels(spans, False, topic, left_out)


def _spoken(messages: Sequence[tuple[int, object]], end_ns: int, topic: str) -> list[Span]:
    ends = [recorded_ns for recorded_ns, _ in messages[1:]] + [end_ns]
    return [
        Span(begin, end, message.data.strip(), where=f"{topic} message {i}")
        for i, ((begin, message), end) in enumerate(zip(messages, ends), 1)
        if message.data.strip() and end > begin
    ]


def _answered(messages: Iterable[tuple[int, object]], topic: str) -> list[Span]:
    open_spans: dict[int, Span] = {}
    spans = []
    for _, message in messages:
        stamp = ns_of(message.header.stamp)
        for person in message.actions:
            span = open_spans.get(person.track_id)
            if span is not None and stamp - span.end_ns <= _ONE_SPAN_NS:
                span = replace(span, end_ns=max(stamp, span.start_ns + 1))
                if span.label == person.label:
                    open_spans[person.track_id] = span
                    continue
            if span is not None:
                spans.append(span)
            open_spans[person.track_id] = Span(
                stamp, stamp + 1, person.label, str(person.track_id), None, f"{topic} track {person.track_id}"
            )
    return spans + list(open_spans.values())
