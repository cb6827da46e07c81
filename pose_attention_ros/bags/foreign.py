"""MCAP files of other recorders: without the ROS 2 profile, and with channels beside that are no ROS 2 messages.

rosbags refuses them. Here they are shown to it as if the profile were there and the foreign schemas empty; each of these
changes keeps its length, so that all offsets in the file stay true (https://mcap.dev/spec).
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_MAGIC = b"\x89MCAP0\r\n"
_HEADER, _SCHEMA = 0x01, 0x03
_ROS2 = struct.pack("<I", 4) + b"ros2"
_ENCODINGS = (b"ros2msg", b"ros2idl", b"omgidl", b"")  # of schemas, that rosbags knows
_LARGEST_SCHEMA = 1 << 24
_LONGEST_PROFILE = 64


def profile_of(path: Path) -> str | None:
    """The profile that an MCAP file states: ros2, ros1, what its recorder wrote; None for another or a damaged file."""
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                return None
            opcode, length = struct.unpack("<BQ", file.read(9))
            content = file.read(min(length, 1 << 16))
            if opcode != _HEADER or len(content) < 8:
                return None
            length = struct.unpack_from("<I", content)[0]
            profile = content[4 : 4 + length].decode(errors="replace")
            return profile if length <= _LONGEST_PROFILE and profile.isprintable() else None  # else damaged
    except (OSError, struct.error):
        return None


class ForeignMcap:
    """Path-like object, as rosbags takes it: an MCAP file of another profile, of which the ROS 2 messages can be read."""

    suffix = ".mcap"

    def __init__(self, path: Path) -> None:
        """:raises OSError: it cannot be read"""
        self.path = path
        self._changes = {len(_MAGIC) + 9: _ROS2, **dict(_empty_schemas(path))}

    def exists(self) -> bool:
        return self.path.exists()

    def stat(self) -> os.stat_result:
        return self.path.stat()

    def is_dir(self) -> bool:
        return False

    def __str__(self) -> str:
        return str(self.path)

    def open(self, mode: str = "rb") -> io.BufferedReader:
        return io.BufferedReader(_Changed(self.path, self._changes), 1 << 16)


class _Changed(io.RawIOBase):
    """A file in which some bytes are others: {offset: bytes}."""

    def __init__(self, path: Path, changes: dict[int, bytes]) -> None:
        self._file, self._changes = path.open("rb"), changes

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        begin = self._file.tell()
        data = bytearray(self._file.read(len(buffer)))
        for at, changed in self._changes.items():
            first, last = max(at, begin), min(at + len(changed), begin + len(data))
            if first < last:
                data[first - begin : last - begin] = changed[first - at : last - at]
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def readable_schema(content: bytes) -> bytes:
    """A schema record as it is, or with an empty encoding and a text of spaces, as long as it was, where rosbags does not
    know its encoding. Raises struct.error for a damaged one."""
    name = 6 + struct.unpack_from("<I", content, 2)[0]
    encoding = struct.unpack_from("<I", content, name)[0]
    if content[name + 4 : name + 4 + encoding] in _ENCODINGS:
        return content
    rest = len(content) - name - 8
    return content[:name] + struct.pack("<II", 0, rest) + b" " * rest


def _empty_schemas(path: Path) -> Iterator[tuple[int, bytes]]:
    """(offset, content) of the schema records outside the chunks whose encoding rosbags does not know, with an empty one."""
    size = path.stat().st_size
    with path.open("rb") as file:
        at = len(_MAGIC)
        while at + 9 <= size:
            file.seek(at)
            opcode, length = struct.unpack("<BQ", file.read(9))
            if at + 9 + length > size:  # it breaks off here
                return
            if opcode == _SCHEMA and length <= _LARGEST_SCHEMA:
                content = file.read(length)
                if (empty := readable_schema(content)) != content:
                    yield at + 9, empty
            at += 9 + length
