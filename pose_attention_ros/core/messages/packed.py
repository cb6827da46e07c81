"""SkeletonArray and SkeletonGraphArray as they travel (CDR, little endian), read and written in arrays at once.

Everybody in a message has the same joints, so that behind its head each person is one row of a table. Whatever is laid out
otherwise (another byte order, rows of different lengths, damage) is not read here but field by field, which says what is
wrong. Alignment counts from behind the four bytes that name the encoding. N people, V joints.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from pose_attention_ros.core.body.layouts import LAYOUTS, Layout
from pose_attention_ros.core.messages.records import checked_graphs, checked_skeletons
from pose_attention_ros.core.types import FEATURE_NAMES, SkeletonGraphs, Skeletons

_ENCODING = b"\0\1\0\0"  # CDR, little endian
_AT = len(_ENCODING)
_FLOAT, _COUNT = np.dtype("<f4"), np.dtype("<u4")
_SLACK = 3  # bytes that a writer may leave behind the last field


class _Head(NamedTuple):
    """What stands before the people, and where they begin."""

    stamp_ns: int
    frame_id: str
    layout: Layout
    image_size: tuple[int, int]
    people: int
    at: int


def skeletons_of_bytes(raw: bytes) -> Skeletons | None:
    """The record of a serialised SkeletonArray; None where it must be read field by field.

    :raises MessageError: scores outside 0..1, a box that is not finite
    """
    head = _read_head(raw, ())
    if head is None:
        return None
    joints = len(head.layout.joints)
    table = _rows(raw, head, np.dtype((_COUNT, 7 + 3 * joints)))
    if table is None or (table[:, 5] != 2 * joints).any() or (table[:, 6 + 2 * joints] != joints).any():
        return None
    values = table.view(_FLOAT)
    keypoints_px, scores = values[:, 6 : 6 + 2 * joints], values[:, 7 + 2 * joints :]
    return checked_skeletons(
        head.stamp_ns,
        head.frame_id,
        head.layout,
        head.image_size,
        keypoints_px.reshape(-1, joints, 2),
        scores,
        values[:, 1:5],
        values[:, 0],
    )


def bytes_of_skeletons(people: Skeletons) -> bytes:
    """The serialised SkeletonArray."""
    joints = len(people.layout.joints)
    table = np.empty((len(people), 7 + 3 * joints), _FLOAT)
    counts = table.view(_COUNT)
    table[:, 0], table[:, 1:5] = people.person_scores, people.boxes_xyxy
    counts[:, 5], table[:, 6 : 6 + 2 * joints] = 2 * joints, people.keypoints_px.reshape(len(people), 2 * joints)
    counts[:, 6 + 2 * joints], table[:, 7 + 2 * joints :] = joints, people.scores
    return _head(people, ()) + table.tobytes()


def graphs_of_bytes(raw: bytes) -> SkeletonGraphs | None:
    """The record of a serialised SkeletonGraphArray; None where it must be read field by field.

    :raises MessageError: an id given twice, NaN
    """
    head = _read_head(raw, FEATURE_NAMES)
    if head is None:
        return None
    joints = len(head.layout.joints)
    rows = _rows(raw, head, _graph_row(joints))
    if rows is None or any((rows[name] != count).any() for name, count in _graph_counts(joints).items()):
        return None
    if (rows["mask"] > 1).any():
        return None
    return checked_graphs(
        head.stamp_ns,
        head.frame_id,
        head.layout,
        head.image_size,
        rows["track_id"],
        rows["nodes"].reshape(-1, joints, 2),
        rows["features"].reshape(-1, joints, len(FEATURE_NAMES)),
        rows["mask"] > 0,
        rows["age"],
        rows["root_px"],
        rows["scale_px"],
        rows["box_xyxy"],
    )


def bytes_of_graphs(graphs: SkeletonGraphs) -> bytes:
    """The serialised SkeletonGraphArray."""
    joints, people = len(graphs.layout.joints), len(graphs)
    row = _graph_row(joints)
    rows = np.zeros(people, row)
    for name, count in _graph_counts(joints).items():
        rows[name] = count
    rows["track_id"], rows["age"], rows["mask"] = graphs.track_ids, graphs.ages_s, graphs.mask
    rows["nodes"] = graphs.nodes.reshape(-1, joints * 2)
    rows["features"] = graphs.features.reshape(-1, joints * len(FEATURE_NAMES))
    rows["root_px"], rows["scale_px"], rows["box_xyxy"] = graphs.roots_px, graphs.scales_px, graphs.boxes_xyxy
    head = _head(graphs, FEATURE_NAMES)
    if not people:
        return head
    return head + bytes((_AT - len(head)) % row.alignment) + rows.tobytes()[: people * row.itemsize - _behind(row)]


@cache
def _graph_row(joints: int) -> np.dtype:
    """One SkeletonGraph as it lies in memory, up to where the next one begins."""
    fields: list[tuple] = [("track_id", "<i8"), ("age", "<f4")]
    for name, kind, count in (("nodes", "<f4", 2), ("features", "<f4", len(FEATURE_NAMES)), ("mask", "u1", 1)):
        fields += [(name + "_count", "<u4"), (name, kind, (count * joints,))]
    fields += [("root_px", "<f4", (2,)), ("scale_px", "<f4"), ("box_xyxy", "<f4", (4,))]
    return np.dtype(fields, align=True)


def _graph_counts(joints: int) -> dict[str, int]:
    return {"nodes_count": 2 * joints, "features_count": len(FEATURE_NAMES) * joints, "mask_count": joints}


def _behind(row: np.dtype) -> int:
    """Bytes of a row behind its last field."""
    fields: Mapping[str, Any] = row.fields or {}
    return row.itemsize - max((offset + kind.itemsize for kind, offset, *_ in fields.values()), default=row.itemsize)


def _rows(raw: bytes, head: _Head, row: np.dtype) -> np.ndarray | None:
    """The table of the people, where it is exactly what is left of the message."""
    at = head.at + (_AT - head.at) % row.alignment if head.people else head.at
    end = at + head.people * row.itemsize
    unwritten = _behind(row) if head.people else 0
    if not 0 <= len(raw) - (end - unwritten) <= _SLACK:
        return None
    return np.frombuffer(raw if len(raw) >= end else bytes(raw) + bytes(unwritten), row, head.people, at)


def _read_head(raw: bytes, names: tuple[str, ...]) -> _Head | None:
    """`names`: of the feature channels, which stand behind the layout."""
    try:
        if raw[:_AT] != _ENCODING:
            return None
        seconds, nanoseconds = struct.unpack_from("<iI", raw, _AT)
        frame_id, at = _text_at(raw, _AT + 8)
        layout_name, at = _text_at(raw, at)
        if names:
            count, at = struct.unpack_from("<I", raw, at)[0], at + 4
            if count != len(names):
                return None
            for name in names:
                found, at = _text_at(raw, at)
                if found != name:
                    return None
        width, height, people = struct.unpack_from("<III", raw, at)
    except (struct.error, UnicodeDecodeError):
        return None
    if layout_name not in LAYOUTS:
        return None
    stamp_ns = seconds * 1_000_000_000 + nanoseconds
    return _Head(stamp_ns, frame_id, LAYOUTS[layout_name], (width, height), people, at + 12)


def _text_at(raw: bytes, at: int) -> tuple[str, int]:
    """A text, and where the next field of four bytes begins. Raises struct.error where it does not end as texts do."""
    end = at + 4 + struct.unpack_from("<I", raw, at)[0]
    if end - 1 < at + 4 or end > len(raw) or raw[end - 1]:
        raise struct.error("a text without an end")
    return bytes(raw[at + 4 : end - 1]).decode(), end + -end % 4


def _text(text: str) -> bytes:
    content = text.encode() + b"\0"
    return struct.pack("<I", len(content)) + content + bytes(-len(content) % 4)


def _head(record: Skeletons | SkeletonGraphs, names: tuple[str, ...]) -> bytes:
    seconds, nanoseconds = divmod(record.stamp_ns, 1_000_000_000)
    channels = struct.pack("<I", len(names)) + b"".join(map(_text, names)) if names else b""
    return b"".join(
        (
            _ENCODING,
            struct.pack("<iI", seconds, nanoseconds),
            _text(record.frame_id),
            _text(record.layout.name),
            channels,
            struct.pack("<III", *record.image_size, len(record)),
        )
    )
