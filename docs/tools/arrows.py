"""Two pictures that are drawn from the code: which folder imports which, and which node hears which topic of which.

`python docs/tools/arrows.py` writes docs/pictures/folders.svg and docs/pictures/nodes.svg; `make docs` does so too.
"""

from __future__ import annotations

import ast
import graphlib
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "pose_attention_ros"
WIDTH, HEIGHT, COLUMN, ROW = 112, 38, 150, 66  # of a box; and from one to the next, px
# Where the nodes of a running graph are drawn: column, row.
# fmt: off
NODES = {"camera": (0, 0), "pose": (1, 0), "skeleton_graph": (2, 0), "action": (3, 0), "overlay": (1, 2), "web": (2, 2),
         "recorder": (3, 2)}
# fmt: on
STAGES = ("camera", "pose", "skeleton_graph", "action")


def imported_folders(package: Path) -> dict[str, set[str]]:
    """Folder -> the other folders of the package that its files import."""
    found: dict[str, set[str]] = {folder.parent.name: set() for folder in package.glob("*/__init__.py")}
    for folder, targets in found.items():
        for file in (package / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                modules = (
                    [alias.name for alias in node.names]
                    if isinstance(node, ast.Import)
                    else (
                        [f"{node.module}.{alias.name}" for alias in node.names] if isinstance(node, ast.ImportFrom) else []
                    )
                )
                targets |= {module.split(".")[1] for module in modules if module.startswith(f"{PACKAGE}.")}
        targets &= set(found)
        targets.discard(folder)
    return found


def without_shortcuts(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The same graph without the arrows that a longer way implies."""
    reach: dict[str, set[str]] = {}
    for name in graphlib.TopologicalSorter(graph).static_order():
        reach[name] = graph[name].union(*(reach[target] for target in graph[name]))
    return {
        name: {target for target in targets if not any(target in reach[other] for other in targets)}
        for name, targets in graph.items()
    }


def levels(graph: Mapping[str, set[str]]) -> dict[str, int]:
    """How many arrows lie below each name on the longest way."""
    level: dict[str, int] = {}
    for name in graphlib.TopologicalSorter(graph).static_order():
        level[name] = 1 + max((level[target] for target in graph[name]), default=-1)
    return level


def folders_picture(package: Path = ROOT / PACKAGE) -> str:
    """SVG: every folder that has code, those that know most on the left; an arrow says "imports"."""
    graph = without_shortcuts(imported_folders(package))
    level = levels(graph)
    top = max(level.values())
    columns: dict[int, list[str]] = {}
    for name in sorted(graph, key=lambda name: (-len(graph[name]), name)):
        columns.setdefault(top - level[name], []).append(name)
    most = max(map(len, columns.values()))
    place = {
        name: (column, 1.6 + row + (most - len(names)) / 2)
        for column, names in columns.items()
        for row, name in enumerate(names)
    }
    arrows = [(name, target, "") for name in sorted(graph) for target in sorted(graph[name])]
    return drawn(place, arrows, "Folders of the package; an arrow points to what is imported")


def heard(policy: Path) -> list[tuple[str, str, str]]:
    """(who publishes, who subscribes, topics) for the nodes of NODES, from the SROS2 policy, which a test holds true."""
    says: dict[str, dict[str, set[str]]] = {}
    for profile in ElementTree.parse(policy).getroot().iter("profile"):
        topics = says.setdefault(profile.get("node", ""), {"publish": set(), "subscribe": set()})
        for group in profile.findall("topics"):
            for way in topics:
                if group.get(way) == "ALLOW":
                    topics[way] |= {topic.text or "" for topic in group}
    found = []
    for one in NODES:
        for other in NODES:
            both = {
                topic
                for topic in says[one]["publish"] & says[other]["subscribe"]
                if not topic.startswith(("/", "~")) and "/" not in topic
            } - {"action_model", "source_status"}
            if one != other and both:
                found.append((one, other, ", ".join(sorted(both))))
    return found


def nodes_picture(policy: Path = ROOT / "config" / "sros2_policy.xml") -> str:
    """SVG: the nodes of a running graph and the topics between its stages; those that only look on stand below."""
    place: dict[str, tuple[float, float]] = {name: (column * 1.5, row) for name, (column, row) in NODES.items()}
    place["your robot"] = (4 * 1.5, 0)
    arrows = []
    for one, other, topics in heard(policy):
        if one in STAGES and other in STAGES:
            if STAGES.index(other) == STAGES.index(one) + 1:
                arrows.append((one, other, topics))
        elif one in STAGES:
            arrows.append((one, other, ""))
    return drawn(place, [*arrows, ("action", "your robot", "actions")], "Nodes and the topics between them")


def drawn(
    place: Mapping[str, tuple[float, float]], arrows: Iterable[tuple[str, str, str]], title: str, gap: float = 1.0
) -> str:
    """An SVG of boxes at (column, row) and arrows with a word each."""
    wide = round(max(x for x, _ in place.values()) * COLUMN * gap + WIDTH + 20)
    high = round(max(y for _, y in place.values()) * ROW + HEIGHT + (120 if len(place) > 9 else 20))
    centre = {name: (10 + x * COLUMN * gap + WIDTH / 2, 10 + y * ROW + HEIGHT / 2) for name, (x, y) in place.items()}
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" '
        'font-family="sans-serif" font-size="14">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{wide}" height="{high}" fill="#ffffff"/>',
        '<defs><marker id="head" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto">'
        '<path d="M0,0 L9,4 L0,8 z" fill="#5b6b7b"/></marker></defs>',
    ]
    for one, other, word in arrows:
        (x1, y1), (x2, y2) = centre[one], centre[other]
        columns = abs(x2 - x1) / COLUMN / gap
        if columns > 1.5 and abs(y2 - y1) < 2 * ROW and not word:  # round the boxes between them
            side = 1 if y2 > y1 else -1  # below them, or above
            y1, y2, far = y1 + side * HEIGHT / 2, y2 + side * HEIGHT / 2, side * 26 * columns
            bend = f"C{x1:.0f},{y1 + far:.0f} {x2:.0f},{y2 + far:.0f}"
        else:
            if abs(x2 - x1) >= WIDTH and (len(place) > 9 or y1 == y2):
                x1, x2 = x1 + WIDTH / 2, x2 - WIDTH / 2
            else:
                y1, y2 = y1 + HEIGHT / 2, y2 - HEIGHT / 2
            bend = "L"
        lines.append(
            f'<path d="M{x1:.0f},{y1:.0f} {bend} {x2:.0f},{y2:.0f}" fill="none" stroke="#5b6b7b" '
            'stroke-width="1.4" marker-end="url(#head)"/>'
        )
        if word:
            lines.append(
                f'<text x="{(x1 + x2) / 2:.0f}" y="{(y1 + y2) / 2 - 7:.0f}" text-anchor="middle" font-size="11" '
                f'fill="#33414f">{escape(word)}</text>'
            )
    for name, (x, y) in centre.items():
        small = ' font-size="12.5"' if len(name) > 12 else ""  # or it would fill its box from edge to edge
        lines.append(
            f'<rect x="{x - WIDTH / 2:.0f}" y="{y - HEIGHT / 2:.0f}" width="{WIDTH}" height="{HEIGHT}" rx="7" '
            f'fill="#eef3f8" stroke="#2f5d8a"/><text x="{x:.0f}" y="{y + 5:.0f}" text-anchor="middle" '
            f'fill="#12263a"{small}>{escape(name)}</text>'
        )
    return "\n".join([*lines, "</svg>", ""])


PICTURES = {"folders.svg": folders_picture, "nodes.svg": nodes_picture}


def main() -> None:
    for name, picture in PICTURES.items():
        file, text = ROOT / "docs" / "pictures" / name, picture()
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
