"""What a running process holds, read from /proc: memory, threads, open files. Linux only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


class ProcessUse(NamedTuple):
    """memory_mb: resident memory of the process's own (anonymous: what leaks); resident_mb: with files and shared memory."""

    memory_mb: float
    resident_mb: float
    threads: int
    files: int


def process_use(pid: int) -> ProcessUse:
    """What the process holds now. Raises ProcessLookupError where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        files = len(os.listdir(f"/proc/{pid}/fd"))
        return ProcessUse(_mb(fields["RssAnon"]), _mb(fields["VmRSS"]), int(fields["Threads"]), files)
    except (OSError, KeyError):  # a process that has ended has no memory fields
        raise ProcessLookupError(f"no process {pid}") from None


def _mb(field: str) -> float:
    return int(field.split()[0]) / 1024
