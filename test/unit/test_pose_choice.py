"""The page of pose estimators is made anew from one command: the table goes between its marks, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.pose_choice import MARKS, marked, write_page
from pose_attention_ros.core.errors import UserError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pose_choice.md"


def test_the_table_goes_between_the_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE.read_text())
    before, after = marked(page)
    write_page(page, "| new |")
    assert page.read_text() == f"{before}{MARKS[0]}\n\n| new |\n\n{MARKS[1]}{after}"
    write_page(page, "| newer |")
    assert marked(page) == (before, after) and "| new |" not in page.read_text()


def test_a_page_without_marks_is_one_line(tmp_path):
    (tmp_path / "page.md").write_text("nothing")
    for name, message in (("page.md", "lacks the lines <!-- measured: begin -->"), ("none.md", "cannot be read")):
        with pytest.raises(UserError, match=message):
            marked(tmp_path / name)
