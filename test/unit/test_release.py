"""The release script, and what ROS's own release tools make of package.xml and CHANGELOG.rst."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WHO = ("--maintainer", "Ada <&> Co", "--email", "ada@example.org", "--repository", "https://example.org/ada/pose")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of what a release writes to."""
    for name in ("package.xml", "CHANGELOG.rst"):
        shutil.copy(ROOT / name, tmp_path)
    text = (tmp_path / "CHANGELOG.rst").read_text()
    if "\nForthcoming\n" not in text:  # just after a release
        (tmp_path / "CHANGELOG.rst").write_text(text.replace("^\n\n", "^\n\nForthcoming\n-----------\n* New.\n\n", 1))
    return tmp_path


def release(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "release.py"), "--folder", str(folder), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_prepared_release_passes_its_check_and_is_read_by_ros_tools(package: Path) -> None:
    manifests = pytest.importorskip("catkin_pkg.package", reason="catkin_pkg is not installed (colcon brings it)")
    changelogs = pytest.importorskip("catkin_pkg.changelog")
    done = release(
        package, "prepare", "1.2.3", *WHO, "--bugtracker", "https://example.org/ada/pose/issues", "--date", "2030-01-31"
    )
    assert done.returncode == 0, done.stderr
    assert "git tag 1.2.3" in done.stdout
    assert release(package, "check", "1.2.3").stderr == ""
    warnings: list[str] = []
    manifest = manifests.parse_package(str(package), warnings=warnings)
    assert not warnings and manifest.version == "1.2.3"
    assert [(who.name, who.email) for who in manifest.maintainers] == [("Ada <&> Co", "ada@example.org")]
    assert {url.type: url.url for url in manifest.urls} == {
        "repository": "https://example.org/ada/pose",
        "bugtracker": "https://example.org/ada/pose/issues",
    }
    changelog = changelogs.get_changelog_from_path(str(package / "CHANGELOG.rst"), "pose_attention_ros")
    version, date, entries = next(changelog.foreach_version())
    assert (version, str(date)[:10]) == ("1.2.3", "2030-01-31") and len(entries) > 0


def test_the_next_release_replaces_and_adds_nothing_twice(package: Path) -> None:
    assert release(package, "prepare", "1.2.3", *WHO).returncode == 0
    again = release(package, "prepare", "1.2.3", *WHO)
    assert again.returncode == 1
    assert again.stderr == "release: CHANGELOG.rst has a section 1.2.3 already: choose the next version\n"
    nothing_new = release(package, "prepare", "1.2.4", *WHO)
    assert nothing_new.returncode == 1 and "has 0 sections Forthcoming with entries, expected 1" in nothing_new.stderr
    text = (package / "CHANGELOG.rst").read_text()
    (package / "CHANGELOG.rst").write_text(text.replace("^\n\n", "^\n\nForthcoming\n-----------\n* New.\n\n", 1))
    assert release(package, "prepare", "1.2.4", *WHO).returncode == 0
    manifest = (package / "package.xml").read_text()
    assert manifest.count("<url ") == 1 and manifest.count("<maintainer ") == 1 and "<version>1.2.4<" in manifest


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (("1.2", *WHO), "VERSION '1.2': expected three numbers"),
        (("v1.2.3", *WHO), "VERSION 'v1.2.3': expected three numbers"),
        (("1.2.3", *WHO, "--email", "ada@pose.invalid"), "--email 'ada@pose.invalid': expected an address that can be"),
        (("1.2.3", *WHO, "--repository", "git@example.org:ada"), "--repository 'git@example.org:ada': expected an address"),
        (("1.2.3", *WHO, "--maintainer", " "), "--maintainer ' ': expected a name"),
    ],
)
def test_what_cannot_be_released_is_refused_and_nothing_written(arguments: tuple, complaint: str, package: Path) -> None:
    before = (package / "package.xml").read_bytes(), (package / "CHANGELOG.rst").read_bytes()
    done = release(package, "prepare", *arguments)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and complaint in done.stderr
    assert before == ((package / "package.xml").read_bytes(), (package / "CHANGELOG.rst").read_bytes())


def test_a_tag_that_is_not_the_version_is_named(package: Path) -> None:
    assert release(package, "prepare", "1.2.3", *WHO).returncode == 0
    told = release(package, "check", "v1.2.3")
    assert told.returncode == 1
    assert told.stderr == (
        "release: the tag is 'v1.2.3', package.xml states version 1.2.3: tag it 1.2.3, or prepare v1.2.3\n"
    )


def test_what_was_never_prepared_says_all_that_is_missing(package: Path) -> None:
    manifest = (package / "package.xml").read_text()
    start, end = manifest.index("<maintainer"), manifest.index("</maintainer>")
    (package / "package.xml").write_text(f'{manifest[:start]}<maintainer email="nobody@x.invalid">Nobody{manifest[end:]}')
    told = release(package, "check", "0.0.9").stderr.splitlines()
    assert any("the tag is '0.0.9'" in line for line in told) and any("no maintainer" in line for line in told)
    assert any("CHANGELOG.rst begins with 'Forthcoming'" in line for line in told)


def test_the_changelog_is_as_ros_tools_like_it() -> None:
    """What catkin_generate_changelog, catkin_tag_changelog and bloom read: entries as bullets below a known heading."""
    changelogs = pytest.importorskip("catkin_pkg.changelog", reason="catkin_pkg is not installed (colcon brings it)")
    versions = pytest.importorskip("catkin_pkg.package_version")
    text = (ROOT / "CHANGELOG.rst").read_text(encoding="utf-8")
    assert text.startswith("^" * 40 + "\nChangelog for package pose_attention_ros\n" + "^" * 40 + "\n")
    renamed = changelogs_renamed(text) if versions.get_forthcoming_label(text) else text
    changelog = changelogs.populate_changelog_from_rst(changelogs.Changelog("pose_attention_ros"), renamed)
    titles = re.findall(r"^(\d\S+) \(", renamed, re.MULTILINE)
    assert [version for version, _, entries in changelog.foreach_version() if entries] == titles


def changelogs_renamed(text: str) -> str:
    """The changelog as catkin_tag_changelog leaves it."""
    from catkin_pkg.cli.tag_changelog import rename_section

    return rename_section(text, "Forthcoming", "9.9.9 (2030-01-31)")
