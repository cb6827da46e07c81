"""The scripts behind the make targets: what they say when something is missing, and that they do nothing twice."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def run(script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A script in a shell without ROS and without an environment of its own."""
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("ROS_", "_ROS", "PYTHON", "VENV", "AMENT", "COLCON"))
    }
    command = [sys.executable, str(SCRIPTS / script)] if script.endswith(".py") else [str(SCRIPTS / script)]
    return subprocess.run(
        [*command, *arguments], env={**environment, **variables}, capture_output=True, text=True, timeout=300
    )


def test_a_folder_of_somebody_else_is_never_removed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    done = run("ros_env.py", "--venv", str(tmp_path))
    assert done.returncode == 1 and "was not made by this script" in done.stderr and len(done.stderr.splitlines()) == 1
    assert (tmp_path / "precious").read_text() == "mine"


def test_a_missing_compiler_is_named_with_its_package(tmp_path: Path) -> None:
    done = run("ros_env.py", "--venv", str(tmp_path / "venv"), PATH=str(tmp_path))
    assert done.returncode == 1 and "sudo apt install g++ make" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "venv").exists()


def test_a_sourced_ros_of_another_python_is_not_mixed_in(tmp_path: Path) -> None:
    """-I -S: a Python that sees its standard library only."""
    command = [sys.executable, "-I", "-S", "-B", str(SCRIPTS / "ros_env.py"), "--venv", str(tmp_path / "venv")]
    environment = {"PATH": os.environ["PATH"], "ROS_DISTRO": "jazzy"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert "cannot import rclpy: choose its Python with PYTHON=" in done.stderr


@pytest.mark.parametrize(
    "name, letter", [("größe", "ö"), ("日本", "日"), ("a:b", ":"), ("it's", "'"), ("a$HOME", "$"), ("two words", " ")]
)
def test_a_path_that_ros_cannot_build_in_is_refused_before_anything_is_made(name: str, letter: str, tmp_path: Path) -> None:
    done = run("ros_env.py", "--venv", str(tmp_path / name / "venv"))
    assert done.returncode == 1 and f"holds {letter!r}: ROS 2's build tools" in done.stderr
    assert len(done.stderr.splitlines()) == 1 and not (tmp_path / name).exists()


def test_a_checkout_in_such_a_path_is_refused_too(tmp_path: Path) -> None:
    checkout = tmp_path / "größe" / "scripts"
    shutil.copytree(SCRIPTS, checkout)
    done = subprocess.run(
        ["make", "-f", str(SCRIPTS.parent / "Makefile"), "build", f"PYTHON={sys.executable}"],
        cwd=checkout.parent,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode and "holds 'ö': ROS 2's build tools" in done.stderr
    assert sorted(path.name for path in checkout.parent.iterdir()) == ["scripts"]


def test_all_that_is_due_is_installed_together_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import ros_env

    done: list[list[str]] = []
    environment = ros_env.Environment(tmp_path, "jazzy", wheels=True)
    environment.state = {"steps": {}}
    environment.steps({"cpu": "1", "train": "1", "test": "1"}, done.append)
    environment.steps({"cpu": "1", "train": "1", "test": "2", "lint": "1"}, done.append)
    environment.steps({"lint": "1", "cpu": "1"}, done.append)
    assert done == [["cpu", "train", "test"], ["test", "lint"]]

    def fails(_names: list[str]) -> None:
        raise ros_env.SetupError("no network")

    with pytest.raises(ros_env.SetupError):
        environment.steps({"cpu": "2"}, fails)
    again = ros_env.Environment(tmp_path, "jazzy", wheels=True)
    assert again.state["steps"] == {"train": "1", "test": "2", "lint": "1"}, "what failed is due again"


def test_where_pip_finds_packages_uv_looks_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import ros_env

    (tmp_path / "pip.conf").write_text(
        "[global]\ntimeout = 7\nfind-links = /nowhere\nextra-index-url =\n  https://a.example/simple\n  https://b.example/simple\n"
    )
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_FIND_LINKS", "/here /there")  # goes before the file's
    environment = ros_env.Environment(tmp_path, "jazzy", wheels=True)
    environment.python = Path(sys.executable)
    options = [
        option for option in environment.configured() if option.partition("=")[0] not in ("--constraint", "--index-url")
    ]
    links, indexes = ["--find-links=/here", "--find-links=/there"], ["a", "b"]
    assert sorted(options) == sorted([*links, *(f"--extra-index-url=https://{name}.example/simple" for name in indexes)])


def test_what_is_fitted_to_this_environment_is_not_in_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """uv links what it installs to its cache."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import ros_env

    include = "/opt/python/cp311-cp311/include/python3.11"
    cached, installed = tmp_path / "cached.cmake", tmp_path / "share" / "x" / "installed.cmake"
    cached.write_text(include)
    installed.parent.mkdir(parents=True)
    installed.hardlink_to(cached)
    environment = ros_env.Environment(tmp_path, "jazzy", wheels=True)
    environment.python = Path(sys.executable)
    environment.fit_wheels()
    assert installed.read_text() == sysconfig.get_path("include") and cached.read_text() == include


def test_make_hands_a_path_with_a_space_on_whole(tmp_path: Path) -> None:
    told = subprocess.run(
        ["make", "-n", "venv", f"VENV={tmp_path}/two words/.venv", "PYTHON=python3"],
        cwd=SCRIPTS.parent,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert '--venv "$VENV"' in told.stdout and told.returncode == 0
    shown = subprocess.run(
        ["make", "-f", "Makefile", "-p", "-n", "help", f"VENV={tmp_path}/two words/.venv"],
        cwd=SCRIPTS.parent,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert f"VENV := {tmp_path}/two words/.venv" in shown.stdout


def test_a_program_starts_by_a_python_in_a_path_with_a_space(tmp_path: Path) -> None:
    """As CMake makes it of the template: a `#!` line could not name such a Python."""
    python = tmp_path / "two words" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (tmp_path / "greeter.py").write_text("import sys\ndef main():\n    print(sys.argv[1:])\n    return 3\n")
    program = tmp_path / "greet it"
    text = (SCRIPTS / "program.in").read_text()
    for name, value in (("Python3_EXECUTABLE", str(python)), ("PROGRAM_KIND", "run_tool"), ("PROGRAM_MODULE", "greeter")):
        text = text.replace(f"@{name}@", value)
    program.write_text(text)
    program.chmod(0o755)
    paths = os.pathsep.join((str(tmp_path), str(SCRIPTS.parent)))
    done = subprocess.run(
        [program, "a b", "$HOME"], env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (3, "['a b', '$HOME']\n"), done.stderr


def test_with_ros_says_what_to_do_first(tmp_path: Path) -> None:
    done = run("with_ros", "true", OUT=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == f"with_ros: {tmp_path}/install/setup.bash is missing: run 'make build' first\n"
    assert run("with_ros").returncode == 2


def test_with_ros_hands_arguments_on_unchanged(tmp_path: Path) -> None:
    (tmp_path / "install").mkdir()
    (tmp_path / "install" / "setup.bash").write_text("test $# -eq 0 && export SOURCED=yes\n")
    show = 'printf "%s|" "$SOURCED" "$@"; exit 3'
    done = run("with_ros", "sh", "-c", show, "sh", "two words", "$HOME", "*", OUT=str(tmp_path))
    assert (done.returncode, done.stdout) == (3, "yes|two words|$HOME|*|")


@pytest.mark.skipif(Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi").exists(), reason="opencv-doc is installed")
@pytest.mark.parametrize("content", [None, b"", b"not the video"])
def test_a_sample_that_is_missing_or_altered_is_not_taken(content: bytes | None, tmp_path: Path) -> None:
    """Without a package manager it can only be refused."""
    if content is not None:
        (tmp_path / "vtest.avi").write_bytes(content)
    done = run("sample_video.py", "--cache", str(tmp_path), PATH=str(tmp_path))
    assert done.returncode == 1 and done.stdout == ""
    assert "there is no apt-get here; name a video of your own with SOURCE=..." in done.stderr


def test_the_cached_sample_is_used(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "vtest.avi").symlink_to(shared / "videos" / "opencv_vtest.avi")
    assert run("sample_video.py", "--cache", str(tmp_path), PATH="").stdout == f"{tmp_path / 'vtest.avi'}\n"


def test_make_help_lists_every_target_under_a_heading() -> None:
    done = subprocess.run(["make", "help"], cwd=SCRIPTS.parent, capture_output=True, text=True, timeout=60)
    targets = re.search(r"^\.PHONY: (.+)$", (SCRIPTS.parent / "Makefile").read_text(), re.MULTILINE)[1].split()
    listed = re.findall(r"^  ([a-z0-9-]+) +\S", done.stdout, re.MULTILINE)
    headings = re.findall(r"^[A-Z].+$", done.stdout, re.MULTILINE)
    assert sorted(listed) == sorted(targets) and len(headings) >= 4, done.stdout


def test_a_tool_that_is_not_installed_is_told_with_the_remedy(tmp_path: Path) -> None:
    done = run("in_venv", "ruff", VENV=str(tmp_path))
    assert done.returncode == 1 and "run 'make hooks' first" in done.stderr and len(done.stderr.splitlines()) == 1


def test_the_hooks_of_a_commit_are_tools_that_setup_py_pins() -> None:
    hooks = yaml.safe_load((SCRIPTS.parent / ".pre-commit-config.yaml").read_text())["repos"]
    lint = re.search(r'"lint": \[(.+)\]', (SCRIPTS.parent / "setup.py").read_text())[1]
    for hook in (hook for repository in hooks for hook in repository["hooks"]):
        script, tool, *_ = hook["entry"].split()
        assert (SCRIPTS.parent / script).is_file() and f'"{tool}==' in lint, hook["entry"]
