"""Fixtures of the unit tests."""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from absent_packages import absent_package
from tensorrt_fixtures import cudart, trt

__all__ = ["cudart", "trt"]

_BEFORE = 8  # short tests before the long ones, so that a share which begins a few tests sooner or later parts no file


@pytest.fixture
def with_litert() -> None:
    """Skips where LiteRT is not: what says so in words of our own, or takes another runtime, tells no missing package."""
    pytest.importorskip("ai_edge_litert", reason="ai_edge_litert is not installed and has no rosdep key: see docs/pc.md")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each process of many is given a share of the list in its order, and what one has left at the end another takes. So the
    files that train come near each share's beginning: their fixtures, which take long, are then made once and not twice."""
    shares = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    training = {item.path for item in items if item.get_closest_marker("training") is not None}
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        if item.path in training:
            files.setdefault(item.path, []).append(item)
    if shares < 2 or len(files) < shares:
        return
    others = [item for item in items if item.path not in files]
    length = -(-len(items) // shares)
    ordered: list[pytest.Item] = []
    for k in range(shares):
        long = [item for path in [*files][k::shares] for item in files[path]]
        room = max(length * (k + 1) - len(ordered) - len(long), 0) if k < shares - 1 else len(others)
        few, rest, others = others[:_BEFORE], others[_BEFORE:room], others[max(room, _BEFORE) :]
        ordered += [*few, *long, *rest]
    assert len(ordered) == len(items)
    items[:] = ordered


def pytest_runtest_setup(item: pytest.Item) -> None:
    """torch's exporter parses its 500 operators anew for each export, which is most of what a small network takes it.
    Nothing of ours adds any, so it looks once a process here."""
    if item.get_closest_marker("training") is not None:
        _parse_operators_once()


@functools.cache
def _parse_operators_once() -> None:
    registry = importlib.import_module("torch.onnx._internal.exporter._registration").ONNXRegistry
    registry.from_torchlib = staticmethod(functools.cache(registry.from_torchlib))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """`colcon test` after `rosdep install` alone: a test that fails for want of a package of pip is skipped, and says so."""
    report = (yield).get_result()
    absent = absent_package(call.excinfo.value) if call.excinfo is not None and report.failed else None
    if absent is not None:
        report.outcome = "skipped"
        report.longrepr = (str(item.fspath), 0, f"Skipped: {absent} is not installed and has no rosdep key: see docs/pc.md")
