"""The documents: links lead somewhere, code blocks are right as far as can be said without running them, lines are short."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest
import yaml

from pose_attention_ros.cli.main import VERBS, parser_for

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "models").glob("*/README.md"),
        *(ROOT / "benchmarks").glob("*.md"),
        *(ROOT / ".github").rglob("*.md"),
    ]
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^(?: {4}|\t).*\n)+", re.MULTILINE)
PROSE_WIDTH = 125
TO_BE_WRAPPED = {"models/everyday/README.md"}  # somebody is writing it; whoever wraps it takes this out


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))


@cache
def anchors(file: Path) -> set[str]:
    """The anchors that a code host and Sphinx give a page's headings."""
    found: dict[str, int] = {}
    names = set()
    for heading in re.findall(r"^#+ (.+)$", FENCE.sub("", file.read_text(encoding="utf-8")), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()).replace(" ", "-")
        names.add(f"{slug}-{found[slug]}" if slug in found else slug)
        found[slug] = found.get(slug, 0) + 1
    return names


@pytest.mark.parametrize("file", PAGES, ids=name_of)
def test_links_lead_somewhere(file: Path) -> None:
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(file.read_text(encoding="utf-8"))):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        there = (file.parent / path).resolve() if path else file
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(there)):
            wrong.append(target)
    assert not wrong, f"{name_of(file)} links {wrong}"


def blocks(file: Path) -> Iterator[tuple[str, str]]:
    """(language, text) of every code block; an indented one has the language ''."""
    text = file.read_text(encoding="utf-8")
    yield from FENCE.findall(text)
    for block in INDENTED.findall(FENCE.sub("", text)):
        yield "", re.sub(r"^(?: {4}|\t)", "", block, flags=re.MULTILINE)


@pytest.mark.parametrize("file", PAGES, ids=name_of)
def test_code_blocks_are_code(file: Path) -> None:
    for language, text in blocks(file):
        if language == "python":
            compile(text, name_of(file), "exec")
        elif language in ("yaml", "json"):
            yaml.safe_load(text)
        elif language == "bash" and shutil.which("bash"):
            script = re.sub(r"<[\w ]+>", "name", text)
            done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, f"{name_of(file)}: {done.stderr}\n{text}"


def commands(file: Path) -> Iterator[str]:
    """Every line of a code block that a shell would run, continued lines joined; what stands in sentences too."""
    for language, text in blocks(file):
        if language in ("", "bash"):
            yield from re.sub(r"\\\n\s*", " ", text).splitlines()
    yield from re.findall(r"`((?:pose-attention|ros2|make) [^`\n]+)`", FENCE.sub("", file.read_text(encoding="utf-8")))


@cache
def command_parser():
    return parser_for(*VERBS)


def faults_of(command: str) -> str:
    """What is wrong with the commands of this package in a line; '' where nothing is."""
    words = re.sub(r"\s#.*$", "", command.strip().removeprefix("$ "))
    if found := re.search(r"\bpose-attention ([^;&|>]+)", words):
        given = shlex.split(found[1])
        if given[0] in VERBS and len(given) > 2 and not {"...", "VERB"} & set(given):
            try:
                command_parser().parse_args(given)
            except SystemExit:
                return "these arguments are refused"
    if found := re.search(r"\bros2 launch pose_attention_ros (\S+)(.*)", words):
        known = "".join(
            path.read_text()
            for path in [*(ROOT / "launch").glob("*.py"), *(ROOT / "pose_attention_ros" / "launching").glob("*.py")]
        )
        if not (ROOT / "launch" / found[1]).is_file():
            return f"there is no {found[1]}"
        strangers = [name for name in re.findall(r"(?<!\S)(\w+):=", found[2]) if f'"{name}"' not in known]
        return f"no arguments {', '.join(strangers)}" if strangers else ""
    if found := re.search(r"\bros2 run pose_attention_ros (\S+)", words):
        node = found[1].removesuffix("_node")
        program = found[1] == "pose-attention" or (ROOT / f"pose_attention_ros/nodes/{node}.py").is_file()
        return "" if program else "no such program"
    if found := re.match(r"make ([a-z0-9-]+)", words):
        targets = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()
        return "" if found[1] in targets else f"there is no target {found[1]}"
    return ""


@pytest.mark.parametrize("file", PAGES, ids=name_of)
def test_commands_exist_and_take_their_arguments(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = [f"{command.strip()}: {fault}" for command in commands(file) if (fault := faults_of(command))]
    assert not wrong, f"{name_of(file)}:\n" + "\n".join(wrong) + capsys.readouterr().err


@pytest.mark.parametrize("file", PAGES, ids=name_of)
def test_lines_of_prose_are_short(file: Path) -> None:
    text = FENCE.sub("", file.read_text(encoding="utf-8"))
    long = [
        line
        for line in text.splitlines()
        if len(line) > PROSE_WIDTH and not line.startswith(("|", "    ", "![", "<")) and "](" not in line
    ]
    assert not long or name_of(file) in TO_BE_WRAPPED, f"{name_of(file)}: " + "\n".join(long)


def test_files_that_contributors_are_sent_to_are_there() -> None:
    table = (ROOT / "CONTRIBUTING.md").read_text().partition("## Where to look")[2].partition("\n## ")[0]
    names = [name for row in table.splitlines() if row.startswith("|") for name in re.findall(r"`([\w./*]+)`", row)]
    lost = [
        name
        for name in names
        if "/" in name and not any([*ROOT.glob(name.rstrip("/")), *(ROOT / "pose_attention_ros").glob(name.rstrip("/"))])
    ]
    assert len(names) > 20 and not lost, lost


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_every_page_is_in_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "tools"))
    from project_pages import PROJECT_PAGES

    listed = set()
    for page in (ROOT / "docs").glob("*.md"):
        for toc in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(), re.DOTALL):
            listed |= {re.sub(r".*<(.+)>", r"\1", line) for line in toc.splitlines() if line and not line.startswith(":")}
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"}
    assert pages == {name for name in listed if not name.startswith("generated/")}
    lost = [
        page
        for page in PROJECT_PAGES.values()
        if not any(fnmatch(f"generated/project/{page}", pattern) for pattern in listed)
    ]
    assert not lost, f"in no toctree: {lost}"


@pytest.mark.slow
def test_the_pictures_are_those_of_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "tools"))
    import arrows

    for name, picture in arrows.PICTURES.items():
        assert (ROOT / "docs" / "pictures" / name).read_text() == picture(), f"run: python docs/tools/arrows.py ({name})"
