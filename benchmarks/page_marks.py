"""Places in a page of the manual that a benchmark fills: what lies between two marks is made, the rest is written."""

from __future__ import annotations

from pathlib import Path

from pose_attention_ros.core.errors import UserError


def marks(part: str) -> tuple[str, str]:
    """The lines before and after what is made."""
    return f"<!-- {part}: begin -->", f"<!-- {part}: end -->"


def marked(page: Path, part: str) -> tuple[str, str]:
    """What lies before and after the part's place in a page. Raises UserError where it has none."""
    begin, end = marks(part)
    try:
        before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    except OSError as error:
        raise UserError(f"--docs {page} cannot be read: {error.strerror}") from None
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise UserError(f"--docs {page} lacks the lines {begin} and {end}, between which the table goes")
    return before, after


def write_part(page: Path, part: str, text: str) -> None:
    """Put `text` into the page in place of what lies between the part's marks. Raises UserError where it has none."""
    before, after = marked(page, part)
    begin, end = marks(part)
    page.write_text(f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}", encoding="utf-8")
