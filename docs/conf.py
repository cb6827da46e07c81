"""Sphinx: the manual as a site (`make docs`). What is generated lies in docs/generated/, which git ignores.

Pages link as they do on a code host. What they link outside this folder (README, model cards, CONTRIBUTING) becomes a page
of the site; links to other files of the repository become plain names.
"""

import os
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

HERE = next(folder for folder in map(Path, (globals().get("__file__", "."), os.getcwd(), "docs")) if folder)
HERE = HERE.resolve().parent if HERE.is_file() else HERE.resolve()
# rosdoc2 copies the pages and reads this file, where it lies, from a conf.py of its own: that one names the place.
WRAPPER = Path(globals().get("__file__", "")).resolve()
NAMED = re.findall(r'open\("(/[^"]+)/docs/conf\.py"\)', WRAPPER.read_text(encoding="utf-8")) if WRAPPER.is_file() else []
FOLDERS = (HERE, *HERE.parents, *map(Path, NAMED), *Path.cwd().parents)
ROOT = next((folder for folder in FOLDERS if (folder / "package.xml").is_file()), HERE.parent)
SOURCE = HERE if (HERE / "index.md").is_file() else ROOT / "docs"
sys.path[:0] = [str(ROOT / "docs" / "tools"), str(ROOT)]

about = ElementTree.parse(ROOT / "package.xml").getroot()
project = about.findtext("name")
author = about.find("maintainer").text
release = version = about.findtext("version")
extensions = ["myst_parser"]
html_theme = "furo"
html_static_path = [str(ROOT / "docs" / "style")]
html_css_files = ["site.css"]
html_title = "Pose attention for ROS 2"
html_show_sourcelink = False
html_show_copyright = False
exclude_patterns = ["tools", "style"]
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
suppress_warnings = ["misc.highlighting_failure"]
nitpicky = False
rosdoc2_settings = dict.fromkeys(
    (
        "enable_autodoc",
        "enable_intersphinx",
        "automatically_extend_intersphinx_mapping",
        "override_theme",
        "support_markdown",
        "enable_breathe",
        "enable_exhale",
        "init_using_package_xml",
    ),
    False,
)

from project_pages import PROJECT_PAGES  # noqa: E402

LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def fitted(text, folder, page_folder):
    """`text` of a page in `folder` of the repository, with links that hold in `page_folder` of the site's source."""

    def link(match):
        picture, words, target, anchor = match[1], match[2], match[3], match[4] or ""
        if re.match(r"[a-z]+:", target):
            return match[0]
        file = (folder / target).resolve()
        name = os.path.relpath(file, ROOT)
        if name in PROJECT_PAGES:
            new = SOURCE / "generated" / "project" / f"{PROJECT_PAGES[name]}.md"
        elif file.is_relative_to(ROOT / "docs"):
            new = SOURCE / file.relative_to(ROOT / "docs")
        else:
            return f"{words} (`{name}`)" if words.strip("`") != name else f"`{name}`"
        return f"{picture}[{words}]({os.path.relpath(new, page_folder)}{anchor})"

    return LINK.sub(link, text)


def generate(app):
    """Reference pages from the code, pictures from the code, and the pages of PROJECT_PAGES."""
    import arrows
    import reference

    reference.write(SOURCE / "generated" / "reference")
    if SOURCE == ROOT / "docs":
        arrows.main()
    pages = SOURCE / "generated" / "project"
    pages.mkdir(parents=True, exist_ok=True)
    for name, page in PROJECT_PAGES.items():
        text = fitted((ROOT / name).read_text(encoding="utf-8"), (ROOT / name).parent, pages)
        file = pages / f"{page}.md"
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def read(app, docname, source):
    """Links of a page of docs/ that point outside it; and the titles on the reference's first page become links."""
    if not docname.startswith("generated/"):
        page = SOURCE / f"{docname}.md"
        source[0] = fitted(source[0], (ROOT / "docs" / docname).parent, page.parent)
    if docname == "reference":
        for file in (SOURCE / "generated" / "reference").glob("*.md"):
            title = file.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
            source[0] = source[0].replace(f"| {title} |", f"| [{title}](generated/reference/{file.name}) |")


def setup(app):
    app.connect("builder-inited", generate)
    app.connect("source-read", read)
