"""The page of pose estimators is made anew from one command: tables go between their marks, and nothing else changes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import pose_page
from benchmarks.page_marks import marked, marks, write_part
from pose_attention_ros.core.errors import UserError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pose_choice.md"


@pytest.mark.parametrize("part", pose_page.PARTS)
def test_a_table_goes_between_its_marks(tmp_path, part):
    page = tmp_path / "page.md"
    page.write_text(PAGE.read_text())
    before, after = marked(page, part)
    begin, end = marks(part)
    write_part(page, part, "| new |")
    assert page.read_text() == f"{before}{begin}\n\n| new |\n\n{end}{after}"
    write_part(page, part, "| newer |")
    assert marked(page, part) == (before, after) and "| new |" not in page.read_text()


def test_a_page_without_marks_is_one_line(tmp_path):
    (tmp_path / "page.md").write_text("nothing")
    for name, message in (("page.md", "lacks the lines <!-- zoom: begin -->"), ("none.md", "cannot be read")):
        with pytest.raises(UserError, match=message):
            marked(tmp_path / name, "zoom")


@pytest.mark.slow
def test_the_command_puts_a_table_into_the_page(shared, movenet_weights, tmp_path):
    """A part that takes little, on three frames."""
    page = tmp_path / "page.md"
    page.write_text(PAGE.read_text())
    words = ["--parts", "zoom", "--videos", shared / "videos", "--most-frames", "8", "--docs", page, "--out", tmp_path]
    command = [sys.executable, "-m", "benchmarks.pose_page", *map(str, words)]
    told = subprocess.run(command, cwd=PAGE.parents[1], capture_output=True, text=True, timeout=300, check=True)
    before, after = marked(PAGE, "zoom")
    made = page.read_text().removeprefix(before).removesuffix(after)
    assert "| `off` |" in made and "8 frames of a video" in made and "people a frame" in told.stdout
