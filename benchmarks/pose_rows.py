"""Rows of numbers that grow one by one, and the files in which parts of the work keep them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

NAMES = ("seen", "cut", "tremble", "cover", "shrink", "lying", "labelled")  # what the rows of `pose_borders` are about


class Records:
    """Columns that grow by a row at a time."""

    def __init__(self) -> None:
        self._columns: dict[str, list] = {}

    def add(self, **row) -> None:
        for name, value in row.items():
            self._columns.setdefault(name, []).append(value)

    def arrays(self) -> dict[str, np.ndarray]:
        return {name: np.array(column) for name, column in self._columns.items()}


def write_raw(path: Path, rows: dict[str, dict[str, np.ndarray]]) -> None:
    """For `joined`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path, **{f"{name}/{column}": values for name, columns in rows.items() for column, values in columns.items()}
    )


def joined(files: Sequence[Path]) -> dict[str, dict[str, np.ndarray]]:
    """The rows of several raw files, shots numbered anew."""
    parts = {name: defaultdict(list) for name in NAMES}
    for i, path in enumerate(files):
        with np.load(path, allow_pickle=False) as rows:
            for key in rows.files:
                name, column = key.split("/")
                parts[name][column].append(rows[key] + 100_000 * i if column == "shot" else rows[key])
    return {name: {column: np.concatenate(values) for column, values in columns.items()} for name, columns in parts.items()}
