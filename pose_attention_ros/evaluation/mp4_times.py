"""Gives the frames of an MP4 file their real times: OpenCV's writer knows a constant rate only.

An MP4 file is boxes in boxes (ISO/IEC 14496-12): 4 bytes size, 4 bytes name, content. `moov`, which comes last in the files
of OpenCV's writer, holds the times; the frames before it stay where they are.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pose_attention_ros.core.time.clocks import LONGEST_PAUSE_S

_TICKS_A_S = (90_000, 1000)  # the finer one where it can hold the length
_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts")
_LONGEST_TICKS = 2**32 - 1


@dataclass(frozen=True)
class _Times:
    """Durations of the frames in ticks; `movie_ticks_a_s` is what the file counts its whole length in."""

    ticks: np.ndarray
    ticks_a_s: int
    movie_ticks_a_s: int

    @property
    def movie_ticks(self) -> int:
        return round(int(self.ticks.sum()) * self.movie_ticks_a_s / self.ticks_a_s)


def shown_s(stamps_ns: Sequence[int], usual_s: float) -> np.ndarray:
    """How long each frame is shown, (n,) seconds: until the next one comes. The last one, and one whose successor is not
    later or comes after LONGEST_PAUSE_S, is shown as long as most are, or `usual_s` where there is no telling."""
    steps_s = np.diff(np.asarray(stamps_ns, np.int64)) * 1e-9
    plain = (steps_s > 0) & (steps_s <= LONGEST_PAUSE_S)
    usual_s = float(np.median(steps_s[plain])) if plain.any() else usual_s
    return np.append(np.where(plain, steps_s, usual_s), usual_s)


def set_times(path: Path, seconds: np.ndarray) -> None:
    """Show the frames of `path`, an MP4 with one video track and nothing after `moov`, for `seconds` (n,) each.

    :raises ValueError: the file is built otherwise or has another number of frames; it stays as it is
    """
    with path.open("r+b") as file:
        begin, moov = _moov(file)
        # Whole ticks from the begin on, so that rounding does not add up; an even rate stays even.
        ticks_a_s = next((rate for rate in _TICKS_A_S if seconds.sum() * rate < _LONGEST_TICKS), _TICKS_A_S[-1])
        ends = np.round(np.cumsum(seconds) * ticks_a_s).astype(np.int64)
        times = _Times(np.maximum(np.diff(ends, prepend=0), 1), ticks_a_s, _movie_ticks_a_s(moov))
        if b"stts" not in moov:
            raise ValueError("it has no times of frames")
        changed = _box(b"moov", _changed(b"moov", moov, times))
        file.seek(begin)
        file.write(changed)
        file.truncate()


def _moov(file: BinaryIO) -> tuple[int, bytes]:
    """Where the last box begins, and its content. Raises ValueError where that is no `moov`."""
    end, at = file.seek(0, os.SEEK_END), 0
    while at + 8 <= end:
        file.seek(at)
        size, name = struct.unpack(">I4s", file.read(8))
        header = 8
        if size == 1:
            size, header = struct.unpack(">Q", file.read(8))[0], 16
        if size < header or at + size > end:
            break
        if name == b"moov" and at + size == end:
            return at, file.read(size - header)
        at += size
    raise ValueError("its last box is no moov")


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(content):
        size, name = struct.unpack_from(">I4s", content, at)
        if size < 8 or at + size > len(content):
            raise ValueError(f"box {name!r} has {size} bytes")
        yield name, content[at + 8 : at + size]
        at += size


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, name) + content


def _changed(name: bytes, content: bytes, times: _Times) -> bytes:
    if name in _CONTAINERS:
        return b"".join(_box(inner, _changed(inner, part, times)) for inner, part in _boxes(content))
    return _CHANGES[name](content, times) if name in _CHANGES else content


def _movie_ticks_a_s(moov: bytes) -> int:
    header = dict(_boxes(moov))[b"mvhd"]
    return struct.unpack_from(">I", header, 20 if header[0] else 12)[0]


def _with_number(content: bytes, at: int, wide: bool, number: int) -> bytes:
    packed = struct.pack(">Q" if wide else ">I", number)
    return content[:at] + packed + content[at + len(packed) :]


def _movie_header(content: bytes, times: _Times) -> bytes:
    return _with_number(content, 24 if content[0] else 16, bool(content[0]), times.movie_ticks)


def _track_header(content: bytes, times: _Times) -> bytes:
    return _with_number(content, 28 if content[0] else 20, bool(content[0]), times.movie_ticks)


def _media_header(content: bytes, times: _Times) -> bytes:
    content = _with_number(content, 20 if content[0] else 12, False, times.ticks_a_s)
    return _with_number(content, 24 if content[0] else 16, bool(content[0]), int(times.ticks.sum()))


def _edits(content: bytes, times: _Times) -> bytes:
    return _with_number(content, 8, bool(content[0]), times.movie_ticks)


def _durations(content: bytes, times: _Times) -> bytes:
    """`stts`: runs of frames of equal duration."""
    frames = sum(number for number, _ in struct.iter_unpack(">II", content[8:]))
    if frames != len(times.ticks):
        raise ValueError(f"it has {frames} frames, expected {len(times.ticks)}")
    runs = [(len(list(run)), ticks) for ticks, run in groupby(times.ticks.tolist())]
    return content[:4] + struct.pack(">I", len(runs)) + b"".join(struct.pack(">II", *run) for run in runs)


_CHANGES: dict[bytes, Callable[[bytes, _Times], bytes]] = {
    b"mvhd": _movie_header,
    b"tkhd": _track_header,
    b"mdhd": _media_header,
    b"elst": _edits,
    b"stts": _durations,
}
