"""What the doctor finds: one line each, and how it looks."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pose_attention_ros.core.errors import UserError

GOOD, NOTE, BAD = "ok", "note", "problem"


@dataclass(frozen=True)
class Finding:
    """One line of the report. state: GOOD, NOTE (works, but) or BAD; remedy: what to do, where there is something to do."""

    about: str
    state: str
    found: str
    remedy: str = ""


def imports(about: str, module: str, remedy: str, missing: str = BAD) -> Finding:
    """Import for real: a library that is there and does not load is a problem too."""
    if importlib.util.find_spec(module.split(".")[0]) is None:
        return Finding(about, missing, "not installed", remedy)
    try:
        found = importlib.import_module(module)
    except Exception as error:  # a broken library raises what it likes
        return Finding(about, BAD, f"{module} does not load: {' '.join(str(error).split())}", remedy)
    return Finding(about, GOOD, str(getattr(found, "__version__", "") or _version(module)))


def tried(about: str, attempt: Callable[[], str]) -> Finding:
    """What `attempt` says, or the UserError that it raises."""
    try:
        return Finding(about, GOOD, attempt())
    except UserError as error:
        return Finding(about, BAD, str(error))


def room(about: str, folder: Path, least_mb: int, remedy: str) -> Finding:
    """Whether `folder`, or where it would be made, can be written and holds as much."""
    there = nearest(folder)
    free_mb = shutil.disk_usage(there).free / 2**20
    if not there.is_dir() or not os.access(there, os.W_OK):
        return Finding(about, BAD, f"{there} cannot be written", remedy)
    enough = free_mb >= least_mb
    return Finding(about, GOOD if enough else BAD, f"{free_mb:.0f} MB free in {there}", "" if enough else remedy)


def nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _version(module: str) -> str:
    names = importlib.metadata.packages_distributions().get(module.split(".")[0], ())
    return f"{names[0]} {importlib.metadata.version(names[0])}" if names else "loads"
