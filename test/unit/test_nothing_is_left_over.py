"""Nothing lies in the package that only tests use: what it defines is used by its own code, or by who starts it."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "pose_attention_ros"
USERS = [
    file
    for part in (PACKAGE, ROOT / "launch", ROOT / "benchmarks", ROOT / "scripts", ROOT / "docs")
    for file in sorted(part.rglob("*.py"))
]
CALLED_BY_OTHERS = {"get_next"}  # by the quantiser of ONNX Runtime
STARTERS = (ROOT / "CMakeLists.txt", ROOT / "scripts" / "program.in")


def uses(tree: ast.Module) -> Iterator[str]:
    """Names that a file reads, and those in strings such as "package.module:function"; no words of a sentence."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield node.name.rpartition(".")[2]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value:
            yield from re.findall(r"\w+", node.value)


def defined(tree: ast.Module, ours: set[str]) -> Iterator[str]:
    """Functions, classes and constants of a file, and the methods of classes whose bases are all ours: a foreign base calls
    what it asks for itself."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name))
        if isinstance(node, ast.ClassDef) and {ast.unparse(base) for base in node.bases} <= ours:
            yield from (method.name for method in node.body if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)))


def test_the_package_uses_what_it_defines() -> None:
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in USERS}
    used = Counter(name for tree in trees.values() for name in uses(tree))
    used.update(word for file in STARTERS for word in re.findall(r"\w+", file.read_text(encoding="utf-8")))
    ours = {
        node.name
        for file, tree in trees.items()
        if PACKAGE in file.parents
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.bases
    }
    needless = {
        name
        for tree in trees.values()
        for name in defined(tree, ours)
        if not used[name] and name not in CALLED_BY_OTHERS and not re.fullmatch(r"__\w+__", name)
    }
    unused = [
        f"{file.relative_to(ROOT)}: {name}"
        for file, tree in trees.items()
        if PACKAGE in file.parents
        for name in defined(tree, ours)
        if name in needless
    ]
    assert not unused, "used by tests alone, or by nothing:\n" + "\n".join(unused)
