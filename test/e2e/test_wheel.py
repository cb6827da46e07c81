"""What `pip install` brings to people without ROS: source distribution, wheel, a program that labels a video anywhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = ("config", "launch", "models", "msg", "srv")
# Pythons to try with everything installed anew from the package index, by path: takes minutes and the network.
PYTHONS = "POSE_ATTENTION_PYTHONS"
BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """Output of a program that sees nothing of the checkout and of a sourced ROS."""
    hidden = ("PYTHONPATH", "AMENT_PREFIX_PATH", "POSE_ATTENTION_MODELS", "VIRTUAL_ENV")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env={**environment, **variables}, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as it is made from the source distribution, which is made from a copy of the checkout."""
    folder = tmp_path_factory.mktemp("distribution")
    checkout = folder / "checkout"
    leave = shutil.ignore_patterns("__pycache__", ".*", "out", "build", "install", "log", "*.egg-info", "docs", "test")
    shutil.copytree(ROOT, checkout, ignore=leave)
    source = folder / run(sys.executable, "-c", BUILD, "build_sdist", folder, cwd=checkout).splitlines()[-1]
    shutil.unpack_archive(source, folder, filter="data")
    unpacked = folder / source.name.removesuffix(".tar.gz")
    assert (unpacked / "CMakeLists.txt").is_file() and (unpacked / "scripts" / "program.in").is_file(), "for colcon"
    return folder / run(sys.executable, "-c", BUILD, "build_wheel", folder, cwd=unpacked).splitlines()[-1]


def test_the_wheel_carries_every_model_recipe_and_parameter_file(wheel: Path) -> None:
    wanted = {
        f"share/pose_attention_ros/{file.relative_to(ROOT).as_posix()}": file
        for name in SHARED
        for file in (ROOT / name).rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
        carried = {name.partition(".data/data/")[2]: name for name in names if ".data/data/" in name}
        assert set(carried) == {*wanted, "share/pose_attention_ros/package.xml"}
        for place, file in wanted.items():
            assert content.read(carried[place]) == file.read_bytes(), place
    modules = {name for name in names if name.endswith(".py") and ".data/" not in name}
    assert modules == {file.relative_to(ROOT).as_posix() for file in (ROOT / "pose_attention_ros").rglob("*.py")}


def labels_a_video(program: Path, video: Path, folder: Path, **variables: str) -> None:
    """The installed program, started where nothing of the checkout is, knows its models and tells what people do."""
    listed = run(program, "models", "list", cwd=folder, **variables)
    assert all(name in listed for name in ("everyday", "pose_cnn", "movenet_multipose"))
    run(program, "run", "--source", video, "--max-frames", "40", "--out", "results", cwd=folder, **variables)
    summary = json.loads((folder / "results" / "summary.json").read_text())
    assert summary["frames"] == 40 and summary["model"] == "everyday"
    assert sum(track["frames"] > 30 for track in summary["tracks"]) == 3
    assert (folder / "results" / "annotated.mp4").stat().st_size > 10_000


def test_the_wheel_in_an_empty_environment_labels_a_video(
    wheel: Path, shared: Path, movenet_weights: Path, tmp_path: Path
) -> None:
    """Only what the package asks for comes from the environment of the tests: the package is the wheel's."""
    place = tmp_path / "environment"
    venv.create(place, with_pip=False, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(place)}))
    python = place / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    ask = "from pose_attention_ros.inference import package_paths; print(package_paths.package_share())"
    where = run(python, "-c", ask, cwd=tmp_path)
    assert where == f"{place / 'share' / 'pose_attention_ros'}\n"
    labels_a_video(place / "bin" / "pose-attention", shared / "videos" / "felixchenfy_exercise.avi", tmp_path)


@pytest.mark.skipif(PYTHONS not in os.environ, reason=f"takes minutes and the network: {PYTHONS}=python3.10:python3.13")
@pytest.mark.parametrize("python", os.environ.get(PYTHONS, "").split(os.pathsep))
def test_everything_from_the_package_index(python: str, wheel: Path, shared: Path, tmp_path: Path) -> None:
    """Environment, requirements and weights made anew, as on a machine that never saw the package."""
    place = tmp_path / "environment"
    run(python, "-m", "venv", place, cwd=tmp_path)
    run(place / "bin" / "pip", "install", "-q", f"pose_attention_ros[cpu] @ {wheel.as_uri()}", cwd=tmp_path)
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    run(place / "bin" / "pose-attention", "models", "fetch", cwd=tmp_path, **cache)
    labels_a_video(place / "bin" / "pose-attention", shared / "videos" / "felixchenfy_exercise.avi", tmp_path, **cache)
