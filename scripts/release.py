#!/usr/bin/env python3
"""Prepares a release and checks one: version, maintainer and addresses in package.xml, the section in CHANGELOG.rst.

    scripts/release.py prepare 0.2.0 --maintainer "Name" --email name@example.org --repository https://host/owner/name
    scripts/release.py check 0.2.0

`prepare` writes both files and says what to type next; it commits, tags and sends nothing. `check` compares a tag (default:
the one on this commit) with what the files say, prints a line for each thing that a release cannot go out with, and fails.
Needs only the standard library.
"""

from __future__ import annotations

import argparse
import datetime
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

ROOT = Path(__file__).resolve().parents[1]
NEXT = """Next, after a look at `git diff`:
  git commit -m "{version}" package.xml CHANGELOG.rst && git tag {version} && scripts/release.py check
  git push && git push origin {version}
  bloom-release pose_attention_ros --rosdistro DISTRIBUTION"""


class ReleaseError(Exception):
    """What does not fit, as one line that names the argument, its value and what is expected."""


def prepare(folder: Path, args: argparse.Namespace) -> None:
    """Write version, maintainer and addresses to package.xml, and date the changelog's Forthcoming section."""
    expect("VERSION", args.version, r"\d+\.\d+\.\d+", "three numbers, e.g. 0.2.0")
    expect("--maintainer", args.maintainer, r"\s*\S.*", "a name")
    expect("--email", args.email, r"[^@\s<>]+@[^@\s<>]+\.(?!invalid$)\w+", "an address that can be written to")
    expect("--date", args.date, r"\d{4}-\d\d-\d\d", "year-month-day")
    for option in ("repository", "website", "bugtracker"):
        if getattr(args, option) is not None:
            expect(f"--{option}", getattr(args, option), r"https://[^\s/]+/\S+", "an address that begins with https://")
    changelog = (folder / "CHANGELOG.rst").read_text(encoding="utf-8")
    if f"\n{args.version} (" in changelog:
        raise ReleaseError(f"CHANGELOG.rst has a section {args.version} already: choose the next version")
    title = f"{args.version} ({args.date})"
    heading = f"{title}\n{'-' * len(title)}\n"
    dated, found = re.subn(r"^Forthcoming\n-+\n(?=\n*[*-] )", heading, changelog, flags=re.MULTILINE)
    if found != 1:
        raise ReleaseError(f"CHANGELOG.rst has {found} sections Forthcoming with entries, expected 1: say what is new")
    manifest = (folder / "package.xml").read_text(encoding="utf-8")
    manifest = set_fields(manifest, args)
    ElementTree.fromstring(manifest)
    (folder / "package.xml").write_text(manifest, encoding="utf-8")
    (folder / "CHANGELOG.rst").write_text(dated, encoding="utf-8")


def set_fields(manifest: str, args: argparse.Namespace) -> str:
    """package.xml with the fields of this release; comments and layout stay."""
    manifest = re.sub(r"<version>.*?</version>", f"<version>{args.version}</version>", manifest)
    maintainer = f"<maintainer email={quoteattr(args.email)}>{escape(args.maintainer.strip())}</maintainer>"
    there = r"(?:[ \t]*<maintainer\b.*?</maintainer>\n)+"
    manifest = re.sub(there, lambda _: f"  {maintainer}\n", manifest, flags=re.DOTALL)
    for kind in ("repository", "bugtracker", "website"):  # in the order of package format 3: after the licence
        address = getattr(args, kind)
        if address is not None:
            manifest = re.sub(rf'[ \t]*<url type="{kind}">.*?</url>\n', "", manifest)
            line = f'  <url type="{kind}">{escape(address)}</url>\n'
            manifest = re.sub(r"(</license>\n)", lambda match, line=line: match[1] + line, manifest, count=1)
    return manifest


def problems(folder: Path, tag: str) -> list[str]:
    """What keeps `tag` from being a release of what lies in `folder`, one line each."""
    package = ElementTree.parse(folder / "package.xml").getroot()
    version, maintainer = package.findtext("version"), package.find("maintainer")
    found = []
    if tag != version:
        found.append(f"the tag is {tag!r}, package.xml states version {version}: tag it {version}, or prepare {tag}")
    if maintainer.get("email").endswith(".invalid"):
        found.append(f"package.xml names no maintainer that can be written to ({maintainer.get('email')}): prepare sets one")
    if not any(url.get("type") == "repository" for url in package.findall("url")):
        found.append('package.xml has no <url type="repository">: prepare sets it')
    changelog = (folder / "CHANGELOG.rst").read_text(encoding="utf-8")
    sections = re.findall(r"^(\S.*)\n-+$", changelog, re.MULTILINE)
    if not re.fullmatch(rf"{re.escape(version)} \(\d{{4}}-\d\d-\d\d\)", sections[0] if sections else ""):
        first = f"begins with {sections[0]!r}" if sections else "has no section"
        found.append(f"CHANGELOG.rst {first}, expected '{version} (YEAR-MONTH-DAY)'")
    return found


def expect(name: str, value: str, pattern: str, wanted: str) -> None:
    if not re.fullmatch(pattern, value):
        raise ReleaseError(f"{name} {value!r}: expected {wanted}")


def tag_of_this_commit(folder: Path) -> str:
    told = subprocess.run(["git", "describe", "--tags", "--exact-match"], cwd=folder, capture_output=True, text=True)
    if told.returncode:
        raise ReleaseError("this commit has no tag: name one, e.g. scripts/release.py check 0.2.0")
    return told.stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=ROOT, help="the package (default: this checkout)")
    actions = parser.add_subparsers(dest="action", required=True)
    prepared = actions.add_parser("prepare", help="write version, maintainer, addresses and changelog section")
    prepared.add_argument("version", metavar="VERSION")
    prepared.add_argument("--maintainer", required=True, help="name of who answers for the release")
    prepared.add_argument("--email", required=True)
    prepared.add_argument("--repository", required=True, metavar="URL", help="where the source is")
    prepared.add_argument("--bugtracker", metavar="URL")
    prepared.add_argument("--website", metavar="URL")
    prepared.add_argument("--date", default=datetime.date.today().isoformat(), help="default: today")
    checked = actions.add_parser("check", help="say what keeps a tag from being a release")
    checked.add_argument("tag", nargs="?", help="default: the tag on this commit")
    args = parser.parse_args()
    try:
        if args.action == "prepare":
            prepare(args.folder, args)
            print(NEXT.format(version=args.version))
            return 0
        found = problems(args.folder, args.tag or tag_of_this_commit(args.folder))
    except ReleaseError as error:
        found = [str(error)]
    for line in found:
        print(f"release: {line}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
