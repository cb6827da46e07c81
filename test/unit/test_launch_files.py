"""Launch files and parameter files, as far as they can be checked without `launch`: all that they name exists.

The real thing, run by `launch` itself where it is installed, is test/e2e/test_launch.py.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PIPELINE = ROOT / "launch" / "pipeline.launch.py"
RECORD = ROOT / "launch" / "record.launch.py"
BOARD = ROOT / "pose_attention_ros" / "launching" / "board.py"
LAUNCH_FILES = sorted((ROOT / "launch").glob("*.launch.py"))
PARAMETER_FILES = sorted((ROOT / "config").glob("*.yaml"))
# fmt: off
COMMON = {"required", "respawn", "frame_id", "calibration", "layout", "namespace", "use_sim_time", "params_file",
          "log_level", "source", "image_topic", "pose_backend", "model",
          "composed", "overlay", "autostart"}
# fmt: on


def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def calls(tree: ast.AST, name: str) -> list[ast.Call]:
    """Every call of the function or method called `name`."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)) == name
    ]


def text(node: ast.AST) -> str:
    assert isinstance(node, ast.Constant) and isinstance(node.value, str), ast.unparse(node)
    return node.value


def built_nodes() -> list[str]:
    """The nodes that CMakeLists.txt makes programs for."""
    loop = re.search(r"foreach\(node ([\w ]+)\)", (ROOT / "CMakeLists.txt").read_text())
    assert loop
    return loop.group(1).split()


def started_nodes() -> set[str]:
    """The nodes that the pipeline may start: keys that its table `wanted` gets."""
    tree, named = tree_of(PIPELINE), set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Subscript)
            and getattr(node.value, "id", "") == "wanted"
            and isinstance(node.slice, ast.Constant)
        ):
            named.add(text(node.slice))
        if isinstance(node, ast.AugAssign) and getattr(node.target, "id", "") == "wanted":
            named |= {text(key) for key in node.value.keys}
    return named


def launch_function(name: str, *with_them: str, file: Path = PIPELINE) -> Callable:
    """A function of a launch file that needs nothing of `launch`, but perhaps others of the file."""
    wanted = [node for node in tree_of(file).body if isinstance(node, ast.FunctionDef) and node.name in (name, *with_them)]
    for definition in wanted:
        definition.args.args[0].annotation = None
    names: dict[str, Any] = {
        "CONFIG": ROOT / "config",
        "PROFILE_VARIABLES": ("OLD", "NEW"),
        "Path": Path,
        "ArgumentError": ValueError,
        "OPTIONAL": ("overlay", "hri_bridge"),
        "os": os,
        "ends_with_launch": lambda: {"ENDS_WITH": "this"},
    }
    exec(compile(ast.Module(wanted, []), str(file), "exec"), names)
    return names[name]


def declared(file: Path) -> dict[str, ast.Call]:
    return {text(call.args[0]): call for call in calls(tree_of(file), "DeclareLaunchArgument")}


def settings_fields(node: str) -> dict[str, dataclasses.Field]:
    pytest.importorskip("rclpy", reason="the nodes' parameters are read from the nodes, which need ROS 2")
    module = importlib.import_module(f"pose_attention_ros.nodes.{node}")
    kind = next(value for value in vars(module).values() if getattr(value, "default_name", None) == node)
    return {field.name: field for field in dataclasses.fields(kind.settings_type)}


def test_the_launch_files_are_there() -> None:
    assert [file.name.split(".")[0] for file in LAUNCH_FILES] == ["nano", "pi", "pipeline", "record", "replay"]


def test_every_started_program_is_built_and_is_a_node() -> None:
    started = started_nodes()
    assert started == {"camera", "pose", "skeleton_graph", "action", "pipeline", "overlay", "web", "hri_bridge", "recorder"}
    assert started <= set(built_nodes())
    for name in built_nodes():
        tree = tree_of(ROOT / "pose_attention_ros" / "nodes" / f"{name}.py")
        assert any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body), name


def test_every_message_is_built() -> None:
    listed = re.findall(r"^  (msg/\w+\.msg)$", (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(f"msg/{file.name}" for file in (ROOT / "msg").glob("*.msg"))


@pytest.mark.parametrize("file", [*LAUNCH_FILES, BOARD], ids=lambda file: file.name)
def test_every_argument_is_explained(file: Path) -> None:
    for name, call in declared(file).items():
        options = {option.arg: option.value for option in call.keywords}
        constants = [part.value for part in ast.walk(options["description"]) if isinstance(part, ast.Constant)]
        assert len("".join(constants)) > 10, name


def test_every_argument_that_is_read_is_declared() -> None:
    tree, names = tree_of(PIPELINE), set(declared(PIPELINE))
    read = {text(call.args[0]) for name in ("on", "number", "parameter_file") for call in calls(tree, name)}
    read |= {text(option.value) for call in calls(tree, "parameters") for option in call.keywords}
    read |= {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "args"
    } - {"near_misses", "number", "on", "parameter_file", "parameters"}
    assert read == names
    assert names >= COMMON


ALL = ["camera", "pose", "skeleton_graph", "action", "overlay"]


@pytest.mark.parametrize(
    ("named", "wanted", "here"),
    [
        ("", ALL, ALL),
        ("camera", ALL, ["camera"]),
        (" action , pose", ALL, ["pose", "action"]),
        ("pipeline", ["pipeline", "overlay"], ["pipeline"]),
    ],
)
def test_an_argument_chooses_the_nodes_of_this_machine(named: str, wanted: list[str], here: list[str]) -> None:
    assert launch_function("on_this_machine")(SimpleNamespace(nodes=named, source="0"), wanted) == here


@pytest.mark.parametrize(
    ("named", "complaint"),
    [
        ("camera", r"^nodes is 'camera', expected some of pose, action, not camera; a camera needs source:=\.\.\.$"),
        ("pose,posse", r"^nodes is 'pose,posse', expected some of pose, action, not posse$"),
    ],
)
def test_a_node_that_is_not_there_is_refused(named: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        launch_function("on_this_machine")(SimpleNamespace(nodes=named, source=""), ["pose", "action"])


def test_a_dds_profile_is_found_in_config_or_by_its_path(tmp_path: Path) -> None:
    environment, ours = launch_function("environment"), ROOT / "config" / "fastdds_network.xml"
    assert environment(SimpleNamespace(dds_profile="")) == {"ENDS_WITH": "this"}
    for given in ("fastdds_network.xml", str(ours)):
        found = environment(SimpleNamespace(dds_profile=given))
        assert found == {"ENDS_WITH": "this", "OLD": str(ours), "NEW": str(ours)}
    with pytest.raises(ValueError, match=r"none\.xml is no file"):
        environment(SimpleNamespace(dds_profile=str(tmp_path / "none.xml")))


@pytest.mark.parametrize(
    ("files", "hints"),
    [
        ({"present": "0-3\n", "online": "0-3\n", "cpu0/cpufreq/scaling_governor": "schedutil\n"}, []),
        ({"present": "0-5\n", "online": "0-1,4\n"}, ["3 of 6 processor cores are switched off"]),
        ({"present": "0\n", "online": "0\n", "cpu0/cpufreq/scaling_governor": "powersave\n"}, ["sudo jetson_clocks"]),
        ({}, []),
    ],
)
def test_the_nanos_power_mode_is_hinted_at(tmp_path: Path, files: dict[str, str], hints: list[str]) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    told = launch_function("power_hints", "cores", file=ROOT / "launch" / "nano.launch.py")(tmp_path)
    assert len(told) == len(hints) and all(hint in line for hint, line in zip(hints, told))


@pytest.mark.parametrize(
    "file", [file for file in LAUNCH_FILES if file not in (PIPELINE, RECORD)], ids=lambda file: file.name
)
def test_a_profile_only_presets_arguments_of_the_pipeline(file: Path) -> None:
    shared = BOARD if calls(tree_of(file), "on_board") else file
    assert {*declared(file), *declared(shared)} - {"csi"} <= set(declared(PIPELINE))
    assert '"pipeline.launch.py"' in shared.read_text()


def test_the_recorder_that_is_launched_is_built_and_knows_its_parameters() -> None:
    (node,) = calls(tree_of(RECORD), "Node")
    options = {option.arg: option.value for option in node.keywords}
    name = text(options["name"])
    assert name in built_nodes() and text(options["executable"]) == f"{name}_node"
    (table,) = [
        value.value
        for value in ast.walk(tree_of(RECORD))
        if isinstance(value, ast.Assign) and getattr(value.targets[0], "id", "") == "parameters"
    ]
    given = {text(key) for key in table.keys} - {"use_sim_time"}
    read = {
        value.attr
        for value in ast.walk(tree_of(RECORD))
        if isinstance(value, ast.Attribute) and getattr(value.value, "id", "") == "args"
    } - {"on", "number"}
    read |= {text(call.args[0]) for name in ("on", "number") for call in calls(tree_of(RECORD), name)}
    assert read == set(declared(RECORD))
    assert given <= set(settings_fields(name))


@pytest.mark.parametrize("file", LAUNCH_FILES, ids=lambda file: file.name)
def test_every_file_that_is_named_exists(file: Path) -> None:
    for name in re.findall(r'"(\w+\.(?:yaml|launch\.py))"', file.read_text()):
        assert any((ROOT / folder / name).is_file() for folder in ("config", "launch")), name


@pytest.mark.parametrize("file", LAUNCH_FILES, ids=lambda file: file.name)
def test_a_launch_file_only_launches(file: Path) -> None:
    """No network, no subprocesses: what it may import is all it can do. Of ours that is what launch files share."""
    for tree in (tree_of(file), *map(tree_of, sorted((ROOT / "pose_attention_ros" / "launching").glob("*.py")))):
        modules = {
            node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
            for node in ast.walk(tree)
            if isinstance(node, (ast.Import, ast.ImportFrom))
        }
        roots = {
            ".".join(module.split(".")[:2]) if module.startswith("pose_attention_ros") else module.split(".")[0]
            for module in modules
        }
        assert roots <= {
            "__future__",
            "collections",
            "dataclasses",
            "difflib",
            "functools",
            "launch",
            "launch_ros",
            "os",
            "pathlib",
            "pose_attention_ros.launching",
            "signal",
            "threading",
            "time",
            "types",
            "typing",
            "yaml",
        }


@pytest.mark.parametrize(
    ("node", "parameters"),
    [
        (
            "camera",
            ("source", "topic", "loop", "pace", "acknowledge", "measure_answers", "frame_id", "calibration", "wait_for"),
        ),
        (
            "pipeline",
            (
                "source",
                "topic",
                "loop",
                "pace",
                "acknowledge",
                "image_transport",
                "image_reliability",
                "estimator",
                "model",
                "frame_id",
                "calibration",
                "layout",
                "wait_for",
            ),
        ),
        ("pose", ("image_transport", "estimator", "image_reliability")),
        ("skeleton_graph", ("layout",)),
        ("action", ("model", "image_transport", "image_reliability")),
        ("overlay", ("image_transport", "image_reliability")),
        ("recorder", ("image_transport", "out", "overwrite")),
    ],
)
def test_the_parameters_that_arguments_set_exist(node: str, parameters: tuple[str, ...]) -> None:
    assert {"autostart", *parameters} <= set(settings_fields(node))


@pytest.mark.parametrize("file", PARAMETER_FILES, ids=lambda file: file.name)
def test_a_parameter_file_fits_the_nodes(file: Path) -> None:
    """Names exist, values are accepted, and what equals the default is not repeated."""
    from pose_attention_ros.core.config import checked

    profiles = yaml.safe_load(file.read_text())
    for key, section in profiles.items():
        assert key.startswith("/**/"), f"{key}: would not match in a namespace"
        fields = settings_fields(key[len("/**/") :])
        assert set(section) == {"ros__parameters"}
        for name, value in section["ros__parameters"].items():
            assert name in fields, f"{key} has no parameter {name}"
            assert checked(fields[name], value) != fields[name].default, f"{key}: {name} repeats the default"


@pytest.mark.parametrize("file", PARAMETER_FILES, ids=lambda file: file.name)
def test_the_composed_form_has_the_same_profile(file: Path) -> None:
    profiles = {key[len("/**/") :]: section["ros__parameters"] for key, section in yaml.safe_load(file.read_text()).items()}
    composed = profiles.pop("pipeline")
    apart = {name: value for section in profiles.values() for name, value in section.items()}
    assert composed == apart
