"""What a damaged storage file still holds: an MCAP file without its end, an sqlite3 file without its last pages.

A recorder that lost power leaves such files. Both kinds are written front to back, so all before the damage is whole.
"""

from __future__ import annotations

import io
import sqlite3
import struct
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from pose_attention_ros.bags.foreign import readable_schema

_MAGIC = b"\x89MCAP0\r\n"
_SCHEMA, _CHANNEL = 0x03, 0x04
_CHUNK, _CHUNK_INDEX, _MESSAGE_INDEX, _STATISTICS, _FOOTER, _DATA_END = 0x06, 0x08, 0x07, 0x0B, 0x02, 0x0F


class MendedMcap:
    """Path-like object, as rosbags takes it: an MCAP file read up to its last whole record, with an index made here.

    https://mcap.dev/spec: records are (opcode u8, length u64, content); an index record says where each chunk lies.
    """

    suffix = ".mcap"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._end, declared, summary = _scan(path)
        tail = _record(_DATA_END, bytes(4))
        summary_start = self._end + len(tail)
        if declared:  # the reader counts by the index
            summary = declared + summary
        else:
            summary += _record(_STATISTICS, bytes(46))  # zeros; with no schema beside it, the reader counts for itself
        self._tail = tail + summary + _record(_FOOTER, struct.pack("<QQI", summary_start, 0, 0)) + _MAGIC

    def exists(self) -> bool:
        return self.path.exists()

    def is_dir(self) -> bool:
        return False

    def __str__(self) -> str:
        return str(self.path)

    def open(self, mode: str = "rb") -> io.BufferedReader:
        return io.BufferedReader(_Joined(self.path, self._end, self._tail), 1 << 16)


class _Joined(io.RawIOBase):
    """The first `length` bytes of a file, then `tail`."""

    def __init__(self, path: Path, length: int, tail: bytes) -> None:
        self._file, self._length, self._tail, self._at = path.open("rb"), length, tail, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length + len(self._tail)}[whence]
        self._at = min(max(base + offset, 0), self._length + len(self._tail))
        return self._at

    def readinto(self, buffer: Any) -> int:
        if self._at < self._length:
            self._file.seek(self._at)
            data = self._file.read(min(len(buffer), self._length - self._at))
        else:
            begin = self._at - self._length
            data = self._tail[begin : begin + len(buffer)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _record(opcode: int, content: bytes) -> bytes:
    return struct.pack("<BQ", opcode, len(content)) + content


def _text(text: bytes) -> bytes:
    return struct.pack("<I", len(text)) + text


def _scan(path: Path) -> tuple[int, bytes, bytes]:
    """Where the last whole record of the data part ends, records of its schemas and channels, and index records for its
    chunks. No schemas and channels where there are no chunks, or one without an index of its messages."""
    index, size = bytearray(), path.stat().st_size
    declared, indexed = _Declared(), []
    chunk: list[Any] | None = None  # start, length, header fields, offsets of its message indices
    with path.open("rb") as file:
        at = len(file.read(len(_MAGIC)))
        while at + 9 <= size:
            file.seek(at)
            opcode, length = struct.unpack("<BQ", file.read(9))
            if at + 9 + length > size or opcode in (_DATA_END, _FOOTER):
                break
            if opcode == _MESSAGE_INDEX and chunk is not None:
                chunk[3].append((struct.unpack("<H", file.read(2))[0], at))
            elif chunk is not None:
                index += _index_of(chunk, at)
                indexed.append(bool(chunk[3]))
                declared.look_into(file, chunk)
                chunk = None
                file.seek(at + 9)
            if opcode in (_SCHEMA, _CHANNEL):
                declared.note(opcode, file.read(length))
                file.seek(at + 9)
            if opcode == _CHUNK:
                chunk = [at, 9 + length, _chunk_header(file), []]
            at += 9 + length
        if chunk is not None:
            index += _index_of(chunk, at)
            indexed.append(bool(chunk[3]))
            declared.look_into(file, chunk)
    return at, declared.records() if indexed and all(indexed) else b"", bytes(index)


class _Declared:
    """The schemas and channels of a file, as rosbags can read them, wherever they stand."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], bytes] = {}

    def note(self, opcode: int, content: bytes) -> None:
        with suppress(struct.error):
            number = struct.unpack_from("<H", content)[0]
            self._known[opcode, number] = readable_schema(content) if opcode == _SCHEMA else content

    def look_into(self, file: Any, chunk: list[Any]) -> None:
        """Into a chunk that has messages of a channel that is not known yet."""
        if all((_CHANNEL, channel) in self._known for channel, _ in chunk[3]):
            return
        from rosbags.rosbag2.storage_mcap import decompress

        start, _, (_, _, size, compression, compressed), _ = chunk
        file.seek(start + 9 + 40 + len(compression))
        with suppress(Exception):  # of the decompressors: it is damaged
            content, at = decompress(file.read(compressed), compression.decode(), size, 0), 0
            while at + 9 <= len(content):
                opcode, length = struct.unpack_from("<BQ", content, at)
                if opcode in (_SCHEMA, _CHANNEL):
                    self.note(opcode, content[at + 9 : at + 9 + length])
                at += 9 + length

    def records(self) -> bytes:
        """Schemas before channels."""
        return b"".join(_record(opcode, content) for (opcode, _), content in sorted(self._known.items()))


def _chunk_header(file: Any) -> tuple[int, int, int, bytes, int]:
    """First and last time, size, compression, compressed size of the chunk whose content `file` stands at."""
    first, last, size, _, name_length = struct.unpack("<QQQII", file.read(32))
    return first, last, size, file.read(name_length), struct.unpack("<Q", file.read(8))[0]


def _index_of(chunk: list[Any], end: int) -> bytes:
    start, length, (first, last, size, compression, compressed), offsets = chunk
    places = b"".join(struct.pack("<HQ", channel, offset) for channel, offset in offsets)
    content = (
        struct.pack("<QQQQ", first, last, start, length)
        + _text(places)
        + struct.pack("<Q", end - start - length)
        + _text(compression)
        + struct.pack("<QQ", compressed, size)
    )
    return _record(_CHUNK_INDEX, content)


class _Connection(NamedTuple):
    """As rosbags' own, as far as it is needed here."""

    id: int
    topic: str
    msgtype: str
    msgdef: Any
    msgcount: int


class MendedSqlite:
    """The rows of a damaged sqlite3 bag in the order in which they were written; the interface is rosbags' reader's."""

    def __init__(self, path: Path) -> None:
        """:raises sqlite3.Error: not even its topics can be read"""
        self._database = sqlite3.connect(
            f"{path.absolute().as_uri()}?immutable=1", uri=True, check_same_thread=False
        )  # read ahead by another thread, one at a time
        self._database.execute("PRAGMA writable_schema=1")  # else sqlite refuses a file shorter than its header says
        self._database.text_factory = lambda data: data.decode(errors="replace")
        definitions = self._definitions()
        rows = self._database.execute("SELECT id, name, type FROM topics").fetchall()
        counts: dict[int, int] = dict.fromkeys((row[0] for row in rows), 0)
        self.start_time, self.end_time = 2**63 - 1, 0
        for topic_id, stamp in self._rows("topic_id, timestamp", ""):
            counts[topic_id] = counts.get(topic_id, 0) + 1
            self.start_time, self.end_time = min(self.start_time, stamp), max(self.end_time, stamp + 1)
        self.connections = [_Connection(i, name, kind, definitions.get(kind), counts[i]) for i, name, kind in rows]

    def _definitions(self) -> dict[str, Any]:
        from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat

        formats = {"ros2msg": MessageDefinitionFormat.MSG, "ros2idl": MessageDefinitionFormat.IDL}
        query = "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
        try:
            return {
                kind: MessageDefinition(formats[encoding], text)
                for kind, encoding, text in self._database.execute(query)
                if encoding in formats
            }
        except sqlite3.Error:
            return {}  # before Iron, or damaged

    def _rows(self, columns: str, where: str, values: Collection[int] = ()) -> Iterator[tuple]:
        """Rows in file order until the damage. `columns` and `where` are fixed texts of this class."""
        try:
            yield from self._database.execute(f"SELECT {columns} FROM messages {where} ORDER BY id", tuple(values))
        except sqlite3.DatabaseError:
            return

    def messages(
        self, connections: Collection[Any] = (), start: int | None = None, stop: int | None = None
    ) -> Iterator[tuple[Any, int, bytes]]:
        wanted = {connection.id: connection for connection in connections or self.connections}
        where = f"WHERE topic_id IN ({','.join('?' * len(wanted))})"
        for topic_id, stamp, data in self._rows("topic_id, timestamp, data", where, wanted):
            if (start is None or stamp >= start) and (stop is None or stamp < stop):
                yield wanted[topic_id], stamp, data

    def close(self) -> None:
        self._database.close()
