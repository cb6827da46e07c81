"""The reference pages, written from the code: messages, topics, parameters, verbs, model directory, data set file.

`write(folder)` makes them; docs/conf.py calls it, so that the site never shows what the code was some time ago. The nodes'
parameters are read off their classes: where rclpy or the built messages cannot be imported, that page says so.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import importlib
import inspect
import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if not (ROOT / "package.xml").is_file():  # the documents were copied elsewhere, as rosdoc2 does
    ROOT = next(folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "pose_attention_ros").is_dir())
PROFILES = {
    "result_profile": "reliable, keeps {}",
    "latched_profile": "reliable, transient local (latched), keeps 1",
    "sensor_profile": "best effort or as the publisher offers, keeps {}",
}
OTHERS = ("of an optional package, or by a parameter", "reliable")
DEPTHS = {"result_profile": "10", "sensor_profile": "1"}


def cell(text: object) -> str:
    """Text for a cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(map(cell, row)) + " |" for row in rows)]) + "\n"


# Messages and services ---------------------------------------------------------------------------------------------------
def messages_page() -> str:
    """Every message and service, word for word: each field says its unit and shape."""
    parts = ["# Messages and services\n", "`ros2 interface show pose_attention_ros/msg/ActionLabel` prints the same.\n"]
    for file in sorted([*ROOT.glob("msg/*.msg"), *ROOT.glob("srv/*.srv")]):
        parts += [f"## {file.stem}\n", f"```text\n{file.read_text(encoding='utf-8').strip()}\n```\n"]
    return "\n".join(parts)


# Topics ------------------------------------------------------------------------------------------------------------------
def constants(tree: ast.Module) -> dict[str, str]:
    """Texts and numbers that a module names at its top."""
    return {
        target.id: str(node.value.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def declared_topics() -> dict[str, tuple[str, str]]:
    """Topic -> (type, quality of service) of every `advertise` and `listen` of the package whose topic is written down."""
    trees = {
        file: ast.parse(file.read_text(encoding="utf-8"))
        for part in ("nodes", "ros")
        for file in sorted((ROOT / "pose_attention_ros" / part).glob("*.py"))
    }
    given = {}  # class -> texts that it is made with
    for tree in trees.values():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            given.setdefault(call.func.id, []).extend(
                value.value for value in call.args if isinstance(value, ast.Constant) and isinstance(value.value, str)
            )
    found: dict[str, tuple[str, str]] = {}
    for tree in trees.values():
        named = constants(tree)
        for owner, call in calls(tree):
            if len(call.args) < 2:
                continue
            kind, where = ast.unparse(call.args[0]), call.args[1]
            profile = next((value for value in call.args[2:] if isinstance(value, ast.Call)), None)
            ending = "/compressed" if isinstance(where, ast.BinOp) else ""
            topics = (
                [where.value]
                if isinstance(where, ast.Constant)
                else [named[where.id]]
                if getattr(where, "id", None) in named
                else [text + ending for text in given.get(owner, [])]
            )
            for topic in topics:
                if re.fullmatch(r"[A-Z]\w*", kind) and (call.func.attr == "advertise" or topic not in found):
                    found[topic] = (kind, quality(profile, named))
    return found


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Each call of `advertise`, `listen` or `_listen`, with the class that it stands in."""
    for owner in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        for call in (node for node in ast.walk(owner) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Attribute) and call.func.attr in ("advertise", "listen", "_listen"):
                yield owner.name, call


def quality(profile: ast.Call | None, named: dict[str, str]) -> str:
    name = profile.func.id if profile is not None and isinstance(profile.func, ast.Name) else "result_profile"
    values = [*profile.args, *(keyword.value for keyword in profile.keywords)] if profile is not None else []
    depth = next((named.get(ast.unparse(value), ast.unparse(value)) for value in values), DEPTHS.get(name, "1"))
    return PROFILES.get(name, PROFILES["result_profile"]).format(depth)


def topics_page() -> str:
    """Who publishes and who subscribes: from the SROS2 policy, which a test compares with the running nodes."""
    says: dict[str, dict[str, list[str]]] = {}
    policy = ElementTree.parse(ROOT / "config" / "sros2_policy.xml").getroot()
    for profile in policy.iter("profile"):
        for group in profile.findall("topics"):
            for way in ("publish", "subscribe"):
                for topic in group if group.get(way) == "ALLOW" else ():
                    says.setdefault(topic.text or "", {}).setdefault(way, []).append(profile.get("node", ""))
    kinds = declared_topics()
    ours = [topic for topic in says if topic not in ("/parameter_events", "/rosout", "/clock") and not topic.startswith("~")]
    rows = [
        (
            f"`{topic}`",
            *kinds.get(topic, OTHERS),
            ", ".join(says[topic].get("publish", [])),
            ", ".join(node for node in says[topic].get("subscribe", []) if node != "robot"),
        )
        for topic in sorted(ours)
    ]
    services = sorted(
        {service.text or "" for group in policy.iter("services") for service in group if "/" not in (service.text or "~/")}
    )
    own = f"\nServices of our own: {', '.join(f'`{name}`' for name in services)}.\n" if services else ""
    return (
        "# Topics and quality of service\n\n" + "Names are relative to the node's namespace. *Keeps* is the depth of "
        "the queue. How images are received, and how to override: [topics and messages](../../messages.md).\n\n"
        + table(("topic", "type", "quality of service", "published by", "subscribed by"), rows)
        + own
    )


# Parameters --------------------------------------------------------------------------------------------------------------
def node_classes() -> dict[str, type]:
    """Name -> class of every node, in the order of the files."""
    found = {}
    for file in sorted((ROOT / "pose_attention_ros" / "nodes").glob("*.py")):
        if "default_name = " in file.read_text(encoding="utf-8"):
            module = importlib.import_module(f"pose_attention_ros.nodes.{file.stem}")
            for kind in vars(module).values():
                if inspect.isclass(kind) and kind.__module__ == module.__name__ and "default_name" in vars(kind):
                    found[kind.default_name] = kind
    return found


def limits(about: dict) -> str:
    """Range, choices and unit of a setting."""
    low, high = about["low"], about["high"]
    span = (
        ""
        if low is None and high is None
        else f"at least {low}"
        if high is None
        else f"at most {high}"
        if low is None
        else f"{low} to {high}"
    )
    return " ".join(filter(None, (", ".join(map(str, about["choices"])) or span, about["unit"])))


def parameters_page() -> str:
    parts = [
        "# Parameters of every node\n",
        "`ros2 run pose_attention_ros pose_node --help` prints those of a node. "
        "*Live*: may change while the node is active; the others while it is unconfigured.\n",
    ]
    try:
        nodes = node_classes()
    except ImportError as error:
        return "\n".join([*parts, f"Left out here: this page was made without ROS 2 and the built messages ({error}).\n"])
    for name, kind in nodes.items():
        summary = (inspect.getmodule(kind).__doc__ or "").strip().splitlines()[0]
        rows = [
            (
                f"`{field.name}`",
                f"`{field.default!r}`",
                limits(field.metadata),
                "yes" if field.metadata["live"] else "",
                field.metadata["doc"],
            )
            for field in dataclasses.fields(kind.settings_type)
        ]
        parts += [f"## {name}\n", f"{summary}\n", table(("parameter", "default", "range", "live", "what"), rows)]
    return "\n".join(parts)


# Verbs -------------------------------------------------------------------------------------------------------------------
def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parser of every verb and of what stands below it."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield parser
    for action in below:
        for one in dict.fromkeys(action.choices.values()):
            yield from parsers(one)


def verbs_page() -> str:
    from pose_attention_ros.cli.main import VERBS, parser_for

    parts = [
        "# The command `pose-attention`\n",
        "`pose-attention VERB --help` prints the same. Every error that you can mend is one line, and the exit code 1.\n",
    ]
    for parser in parsers(parser_for(*VERBS)):
        parts += [f"## {parser.prog}\n", f"{cell(parser.description or '')}\n"]
        rows = []
        for action in parser._actions:
            if action.help == argparse.SUPPRESS or isinstance(action, argparse._HelpAction):
                continue
            names = ", ".join(f"`{name}`" for name in action.option_strings) or f"`{action.metavar or action.dest}`"
            default = "" if action.default in (None, False, argparse.SUPPRESS, (), []) else f"`{action.default}`"
            text = (action.help or "") % {**vars(action), "prog": parser.prog} if action.help else ""
            choices = f" ({', '.join(map(str, action.choices))})" if action.choices else ""
            rows.append((names, default, text + (choices if choices.strip(" ()") not in text else "")))
        parts.append(table(("argument", "default", "what"), rows) if rows else "No arguments.\n")
    return "\n".join(parts)


# Files -------------------------------------------------------------------------------------------------------------------
def documented(text: str, of: object) -> list[tuple[str, str]]:
    """(name, meaning) of each `:param name: meaning` of a docstring; continuation lines belong to it."""
    found = re.findall(r":param ([\w, ]+): (.+?)(?=\n\s*:|\n\s*\n|\Z)", inspect.cleandoc(text), re.DOTALL)
    assert found, f"{of} documents no field"
    return [(f"`{name}`", " ".join(meaning.split())) for name, meaning in found]


def model_page() -> str:
    from pose_attention_ros.core.actions.recogniser import ModelSpec

    everyday = ROOT / "models" / "everyday"
    keys = json.loads((everyday / "model.json").read_text(encoding="utf-8"))
    files = ", ".join(f"`{file.name}`" for file in sorted(everyday.iterdir()))
    return (
        "# The model directory\n\nA robot needs nothing else of a model. Everything is checked by sha256 and loaded "
        f"without pickle.\n\nFiles of `models/everyday`: {files}.\n\n"
        "`model.json` says, and `core.actions.recogniser.ModelSpec` holds:\n\n"
        + table(("field", "meaning"), documented(ModelSpec.__doc__ or "", ModelSpec))
        + f"\nThe keys of `models/everyday/model.json`: {', '.join(f'`{key}`' for key in keys)}.\n"
    )


def data_page() -> str:
    from pose_attention_ros.data import dataset

    says = dict(documented(dataset.SkeletonDataset.__doc__ or "", dataset.SkeletonDataset))
    rows = []
    for name in dataset._ARRAYS:
        shape, _, meaning = says[f"`{name}`"].partition("; ")
        rows.append((f"`{name}`", shape, meaning, "yes" if name in dataset._OPTIONAL else ""))
    return (
        "# The data set file\n\n"
        + inspect.cleandoc(dataset.__doc__ or "")
        + "\n\n"
        + table(("array", "shape and type", "what", "may be absent"), rows)
        + "\n`pose-attention data inspect FILE.npz` checks a file and counts its clips.\n"
    )


PAGES = {
    "messages": messages_page,
    "topics": topics_page,
    "parameters": parameters_page,
    "verbs": verbs_page,
    "model_directory": model_page,
    "data_set_file": data_page,
}


def write(folder: Path) -> None:
    """Every page into `folder`; a page that is the same already is left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        file, text = folder / f"{name}.md", page()
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(ROOT / "docs" / "generated" / "reference")
