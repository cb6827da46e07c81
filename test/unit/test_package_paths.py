"""Models and parameter files are found from a checkout, from an install space, and where the user says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pose_attention_ros.inference import package_paths

ROOT = Path(__file__).resolve().parents[2]
ASK = "from pose_attention_ros.inference import package_paths as l; print(l.package_share(), l.models_dir(), l.config_dir())"


def answer(code: Path, **variables: str) -> list[str]:
    """The three folders as a fresh interpreter finds them whose code lies in `code`."""
    hidden = ("AMENT_PREFIX_PATH", package_paths.MODELS_VARIABLE)
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        env={**environment, "PYTHONPATH": str(code), **variables},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.stdout.split() if done.returncode == 0 else [done.stderr.strip().splitlines()[-1]]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Code in an install prefix, as colcon lays it out on Ubuntu; returns the folder for PYTHONPATH."""
    code = tmp_path / "prefix" / "local" / "lib" / "python3.10" / "dist-packages"
    for module in ("__init__.py", "inference/__init__.py", "inference/package_paths.py"):
        target = code / package_paths.PACKAGE / module
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / package_paths.PACKAGE / module, target)
    return code


def share_in(prefix: Path) -> Path:
    share = prefix / "share" / package_paths.PACKAGE
    share.mkdir(parents=True)
    shutil.copy(ROOT / "package.xml", share)
    return share


def test_a_checkout_is_its_own_share() -> None:
    assert answer(ROOT) == [str(ROOT), str(ROOT / "models"), str(ROOT / "config")]


def test_installed_code_finds_its_own_prefix(installed: Path, tmp_path: Path) -> None:
    share, other = share_in(tmp_path / "prefix"), share_in(tmp_path / "other").parents[1]
    assert answer(installed, AMENT_PREFIX_PATH=str(other)) == [str(share), str(share / "models"), str(share / "config")]


def test_code_apart_from_its_share_finds_it_by_the_index(installed: Path, tmp_path: Path) -> None:
    share = share_in(tmp_path / "other")
    assert answer(installed, AMENT_PREFIX_PATH=f"/absent:{share.parents[1]}")[0] == str(share)


def test_code_without_a_share_says_where_it_looked(installed: Path) -> None:
    assert answer(installed)[0].startswith("FileNotFoundError: no share folder of pose_attention_ros above ")


def test_the_user_may_keep_models_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(package_paths.MODELS_VARIABLE, "~/my models")
    assert package_paths.models_dir() == Path.home() / "my models"
