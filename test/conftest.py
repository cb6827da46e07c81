"""Fixtures for every kind of test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real videos, photos and data beside the checkout, or $POSE_ATTENTION_SHARED; skips where it is absent."""
    folder = Path(os.environ.get("POSE_ATTENTION_SHARED") or Path(__file__).resolve().parents[2] / "shared")
    if not (folder / "videos").is_dir():
        pytest.skip(f"real videos and photos are not on this machine: {folder} (set POSE_ATTENTION_SHARED)")
    return folder
