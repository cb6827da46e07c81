"""The arrows between the parts of the package, read from the source: who may import whom, and who may import what."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "pose_attention_ros"

# part -> the parts it may import, besides itself
ARROWS = {
    "core": set(),
    "models": {"core"},
    "inference": {"core", "models"},
    "bags": {"core", "inference"},
    "cameras": {"core", "bags"},
    "visualization": {"core"},
    "data": {"core", "bags", "cameras"},
    "evaluation": {"core", "bags", "cameras", "inference", "data", "visualization"},
    "training": {"core", "models", "inference", "data", "evaluation"},
    "ros": {"core", "cameras", "msg", "srv", "program"},
    "web": {"core"},
    "launching": set(),
    "nodes": {"core", "bags", "inference", "cameras", "visualization", "evaluation", "ros", "msg", "srv", "web", "program"},
    "cli": {"core", "bags", "models", "inference", "cameras", "visualization", "data", "evaluation", "training", "web"},
}
# room of core -> the rooms it may import; what lies in core itself but the stages serves them all
ROOMS = {
    "body": set(),
    "people": set(),
    "time": set(),
    "actions": {"body"},
    "teaching": {"actions"},
    "messages": {"body"},
    "machine": set(),
}
FOR_EVERY_ROOM = {"types", "config", "errors", "secrets"}
# library -> the only parts, or modules, that may import it
ONLY_IN = {
    "rclpy": {"ros", "nodes"},
    "cv_bridge": {"ros", "nodes"},
    "launch": {"launching"},
    "launch_ros": {"launching"},
    "torch": {"models", "training", "inference.torch_backend"},
    "safetensors": {"models", "training", "inference.torch_backend"},
    "onnxruntime": {"inference", "models"},
    "ai_edge_litert": {"inference"},
    "tensorrt": {"inference"},
    "rosbags": {"bags"},
    # Downloads happen by `pose-attention models fetch` alone; a report's page quotes its links, a source unquotes file://.
    "urllib": {"inference.weights", "evaluation.recordings.many_results", "cameras.sources", "web.access"},
    "aiohttp": {"web"},
    "requests": set(),
    "http": set(),
    "matplotlib": {"training", "evaluation"},
    "pickle": {"data.plain_pickle"},  # reads a foreign format with an unpickler that calls nothing of it
}
# Loaded where they are used: they are heavy, or not there on every robot.
LATE = {"aiohttp", "onnxruntime", "ai_edge_litert", "tensorrt", "rosbags", "matplotlib", "cv_bridge", "scipy"}
# What each part of a robot's process is made of; none of it may load torch.
ON_A_ROBOT = (
    "core.pipeline",
    "inference.pose",
    "inference.recogniser",
    "cameras",
    "visualization.overlay",
    "evaluation.recording",
    "cli.main",
    "cli.run",
    "cli.models",
    "cli.teach",
    "cli.view",
)
RUNS_CODE = (
    "pickle.load",
    "pickle.loads",
    "eval",
    "exec",
    "os.system",
    "os.popen",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
)
ROS_MESSAGES = re.compile(r"\w+_(msgs|interfaces)$")


@dataclass(frozen=True)
class Import:
    """One imported module: where, what, and whether it is imported when its file is."""

    file: Path
    line: int
    part: str
    module: str
    target: str
    at_start: bool

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.target}"


@cache
def tree_of(file: Path) -> ast.Module:
    """A file's syntax, read once for all tests."""
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def imports_of(file: Path) -> Iterator[Import]:
    """Every import statement of a file, those inside functions too."""
    inside = file.relative_to(ROOT / PACKAGE).with_suffix("").parts
    tree = tree_of(file)
    late = {
        id(node)
        for scope in ast.walk(tree)
        if isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(scope)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: a relative import; write the full name"
            targets = [node.module or ""]
            if node.module == PACKAGE:  # `from pose_attention_ros import core` names a part, too
                targets = [f"{PACKAGE}.{alias.name}" for alias in node.names if alias.name in ARROWS] or targets
        else:
            continue
        for target in targets:
            yield Import(file, node.lineno, inside[0], ".".join(inside), target, id(node) not in late)


IMPORTS = [
    found for file in sorted((ROOT / PACKAGE).rglob("*.py")) if file.parent != ROOT / PACKAGE for found in imports_of(file)
]


def test_every_part_is_in_the_table() -> None:
    """A new folder must say whom it may import."""
    assert {found.part for found in IMPORTS} <= set(ARROWS)


def test_parts_import_only_along_the_arrows() -> None:
    wrong = []
    for found in IMPORTS:
        names = found.target.split(".")
        if names[0] == PACKAGE and len(names) > 1 and names[1] not in ARROWS[found.part] | {found.part}:
            wrong.append(str(found))
    assert not wrong, "\n".join(wrong)


def test_rooms_of_core_import_only_along_the_arrows() -> None:
    """And each is in the table."""
    rooms = {file.parent.name for file in (ROOT / PACKAGE / "core").glob("*/__init__.py")}
    assert rooms == set(ROOMS)
    wrong = []
    for found in IMPORTS:
        here, target = found.module.split("."), found.target.removeprefix(f"{PACKAGE}.").split(".")
        if here[0] == "core" and here[1] in ROOMS and target[0] == "core":
            if target[1] not in FOR_EVERY_ROOM | ROOMS[here[1]] | {here[1]}:
                wrong.append(str(found))
    assert not wrong, "\n".join(wrong)


def test_no_files_import_each_other_in_a_circle() -> None:
    """Whoever reads one file of a circle must read them all. Imports for annotations alone do not count."""
    files = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
        for file in (ROOT / PACKAGE).rglob("*.py")
    }
    imported: dict[str, set[str]] = {}
    for name, file in files.items():
        tree = tree_of(file)
        annotations = {
            id(node)
            for test in ast.walk(tree)
            if isinstance(test, ast.If) and ast.unparse(test.test).endswith("TYPE_CHECKING")
            for node in ast.walk(test)
        }
        nodes = [node for node in ast.walk(tree) if id(node) not in annotations]
        whole = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        named = {f"{node.module}.{alias.name}" for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
        targets = whole | {target if target in files else target.rpartition(".")[0] for target in named}
        imported[name] = targets & set(files) - {name}
    graphlib.TopologicalSorter(imported).prepare()  # raises CycleError, which names the files


def test_libraries_stay_where_they_belong() -> None:
    wrong = []
    for found in IMPORTS:
        library = found.target.split(".")[0]
        allowed = {"ros", "nodes"} if ROS_MESSAGES.match(library) else ONLY_IN.get(library)
        if allowed is not None and not {found.part, found.module} & allowed:
            wrong.append(str(found))
    assert not wrong, "\n".join(wrong)


def test_heavy_libraries_are_imported_where_they_are_used() -> None:
    wrong = [str(found) for found in IMPORTS if found.at_start and found.target.split(".")[0] in LATE]
    assert not wrong, "\n".join(wrong)


def test_no_file_can_run_code() -> None:
    """Models, data and parameters come from strangers: nothing is loaded in a way that runs what a pickle says, and nothing
    becomes part of a shell line."""
    wrong = []
    for file in sorted((ROOT / PACKAGE).rglob("*.py")):
        for call in (node for node in ast.walk(tree_of(file)) if isinstance(node, ast.Call)):
            name = ast.unparse(call.func)
            options = {option.arg: ast.unparse(option.value) for option in call.keywords}
            if (
                name in RUNS_CODE
                or "True" in (options.get("allow_pickle"), options.get("shell"))
                or (name == "torch.load" and options.get("weights_only") != "True")
            ):
                wrong.append(f"{file.relative_to(ROOT)}:{call.lineno} {ast.unparse(call)}")
    assert not wrong, "\n".join(wrong)


def test_no_module_shadows_generated_code() -> None:
    """The message generator owns these names inside the package."""
    taken = [
        str(path) for name in ("msg", "srv", "action") for path in (ROOT / PACKAGE).glob(f"{name}*") if path.stem == name
    ]
    assert not taken


@pytest.mark.parametrize("module", ON_A_ROBOT)
def test_a_robot_runs_without_torch_and_ros(module: str) -> None:
    """Seen in a fresh interpreter: importing this loads neither, nor what only a download needs."""
    code = (
        f"import importlib, sys; importlib.import_module('{PACKAGE}.{module}'); "
        "print([name for name in ('torch', 'rclpy', 'onnx', 'matplotlib', 'urllib.request', 'tarfile') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stdout + done.stderr
