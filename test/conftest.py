"""Fixtures for every kind of test."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import hypothesis
import pytest

# A busy machine must not fail a property test for its time.
hypothesis.settings.register_profile("any-machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("any-machine")

# A program in the background of a shell without job control ignores SIGINT, and so would all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real videos, photos and data beside the checkout, or $POSE_ATTENTION_SHARED; skips if it is absent."""
    folder = Path(os.environ.get("POSE_ATTENTION_SHARED") or Path(__file__).resolve().parents[2] / "shared")
    if not (folder / "videos").is_dir():
        pytest.skip(f"real videos and photos are not on this machine: {folder} (set POSE_ATTENTION_SHARED)")
    return folder


@pytest.fixture(scope="session")
def movenet_weights() -> Path:
    """MoveNet's weights in the user's cache, fetched where they are not there yet."""
    from pose_attention_ros.inference import weights

    return weights.fetch("movenet_multipose")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that train come first: one that takes half a minute and comes last leaves the other processor idle."""
    items.sort(key=lambda item: item.get_closest_marker("training") is None)
