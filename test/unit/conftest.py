"""Fixtures of the unit tests."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator
from typing import Any

import pytest
from absent_packages import absent_package
from tensorrt_fixtures import cudart, trt

__all__ = ["cudart", "trt"]


@pytest.fixture
def with_litert() -> None:
    """Skips where LiteRT is not: what says so in words of our own, or takes another runtime, tells no missing package."""
    pytest.importorskip("ai_edge_litert", reason="ai_edge_litert is not installed and has no rosdep key: see docs/pc.md")


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
