"""Fixtures of the unit tests."""

from __future__ import annotations

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


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """`colcon test` after `rosdep install` alone: a test that fails for want of a package of pip is skipped, and says so."""
    report = (yield).get_result()
    absent = absent_package(call.excinfo.value) if call.excinfo is not None and report.failed else None
    if absent is not None:
        report.outcome = "skipped"
        report.longrepr = (str(item.fspath), 0, f"Skipped: {absent} is not installed and has no rosdep key: see docs/pc.md")
