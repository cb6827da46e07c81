"""The reference pages say what the code says: every message, node, parameter, topic, verb and option is on them."""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from test_parameters import NODES, node_class

from pose_attention_ros.cli.main import VERBS, parser_for
from pose_attention_ros.core.actions.recogniser import ModelSpec
from pose_attention_ros.data.dataset import Clip, SkeletonDataset

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Name -> text of every page, as `make docs` writes it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs" / "tools"))
        import reference

        folder = tmp_path_factory.mktemp("reference")
        reference.write(folder)
    return {file.stem: file.read_text() for file in folder.glob("*.md")}


def section(page: str, heading: str) -> str:
    return page.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


@pytest.mark.parametrize("name", NODES)
def test_every_parameter_of_a_node_stands_there(pages: dict[str, str], name: str) -> None:
    text = section(pages["parameters"], name)
    for field in dataclasses.fields(node_class(name).settings_type):
        assert f"| `{field.name}` | `{str(repr(field.default)).replace('|', chr(92) + '|')}` |" in text, field.name


def test_every_message_stands_there_word_for_word(pages: dict[str, str]) -> None:
    for file in [*ROOT.glob("msg/*.msg"), *ROOT.glob("srv/*.srv")]:
        assert file.read_text().strip() in pages["messages"], file.name


def test_every_verb_and_option_stands_there(pages: dict[str, str]) -> None:
    def walk(parser: argparse.ArgumentParser) -> None:
        below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        for choice in (choice for action in below for choice in action.choices.values()):
            walk(choice)
        if not below:
            text = section(pages["verbs"], parser.prog)
            for option in (name for action in parser._actions for name in action.option_strings):
                assert option in ("-h", "--help") or f"`{option}`" in text, f"{parser.prog} {option}"

    walk(parser_for(*VERBS))


def test_every_topic_of_the_code_has_its_type_and_quality_of_service(pages: dict[str, str]) -> None:
    rows = dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", pages["topics"], re.MULTILINE))
    for topic, kind in (("skeletons", "SkeletonArray"), ("actions", "ActionLabelArray"), ("image_raw", "Image")):
        assert rows[topic].startswith(f"{kind} | reliable")
    assert "latched" in rows["action_model"] and "latched" in rows["source_status"]
    assert len(rows) >= 15 and all(row.split(" | ")[2:] != ["", ""] for row in rows.values())


def test_every_field_of_a_model_stands_there(pages: dict[str, str]) -> None:
    for field in dataclasses.fields(ModelSpec):
        assert f"`{field.name}`" in pages["model_directory"], field.name
    for key in json.loads((ROOT / "models" / "everyday" / "model.json").read_text()):
        assert f"`{key}`" in pages["model_directory"], key


def test_every_array_of_a_data_set_stands_there_with_its_shape_and_type(pages: dict[str, str], tmp_path: Path) -> None:
    clip = Clip(np.ones((3, 2, 2), np.float32), np.ones((3, 2), np.float32), "wave")
    SkeletonDataset.from_clips([clip], ("left_wrist", "right_wrist")).save(tmp_path / "data.npz")
    rows = dict(re.findall(r"^\| `(\w+)` \| (\([^)]+\) \w+) \|", pages["data_set_file"], re.MULTILINE))
    with np.load(tmp_path / "data.npz") as file:
        assert set(rows) == set(file.files)
        for name, array in file.items():
            kind = "str" if array.dtype.kind == "U" else array.dtype.name
            shape, said = rows[name].rsplit(" ", 1)
            assert (len([side for side in shape.strip("()").split(",") if side.strip()]), said) == (array.ndim, kind), name


def test_the_reference_names_every_page_by_its_title(pages: dict[str, str]) -> None:
    first = (ROOT / "docs" / "reference.md").read_text()
    for name, text in pages.items():
        assert f"| {text.partition(chr(10))[0].removeprefix('# ')} |" in first, f"the site links {name} there by its title"
        assert f"\ngenerated/reference/{name}\n" in first
