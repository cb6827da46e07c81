"""Charts of the report as SVG text: time lines, confusion table, curves and bars. No scripts, no fonts, no links."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from pose_attention_ros.core.types import UNKNOWN_LABEL

WIDTH = 1080
_LEFT = 96  # room for names
_LANE, _GAP = 20, 16
_INK, _FAINT, _UNKNOWN = "#3d4752", "#e3e7eb", "#d3d9df"


def class_colour(index: int) -> str:
    """A colour of its own for each class: hues apart by the golden angle, two lightnesses in turn."""
    hue = (0.58 + index * 0.381966) % 1
    red, green, blue = colorsys.hls_to_rgb(hue, 0.56 if index % 2 else 0.44, 0.62)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def colours(classes: Sequence[str]) -> dict[str, str]:
    """class name -> colour; unknown is grey."""
    return {**{name: class_colour(k) for k, name in enumerate(classes)}, UNKNOWN_LABEL: _UNKNOWN}


def _svg(width: float, height: float, parts: Sequence[str], title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, text: str, size: float = 12, anchor: str = "start", fill: str = _INK, more: str = "") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}" fill="{fill}" {more}>'
        f"{escape(text)}</text>"
    )


def timeline(people: Sequence[Mapping[str, Any]], seconds: float, tones: Mapping[str, str], marks: Sequence[float]) -> str:
    """Truth above answer for every person over the time of the recording; `marks` are the moments shown below."""
    seconds = max(seconds, 1e-3)
    scale = (WIDTH - _LEFT - 12) / seconds
    parts, y = [], 22.0
    step = _nice_step(seconds)
    height = 22 + len(people) * (2 * _LANE + _GAP + 3) + 8
    tick = 0.0
    while tick <= seconds + 1e-6:
        x = _LEFT + tick * scale
        parts.append(f'<line x1="{x:.1f}" y1="16" x2="{x:.1f}" y2="{height - 6:.1f}" stroke="{_FAINT}"/>')
        parts.append(_text(x, 12, f"{tick:g} s", 10.5, "middle", "#7a8590"))
        tick += step
    for person in people:
        name = f"person {person['person']}" if str(person["person"]).isdigit() else str(person["person"])
        parts.append(_text(0, y + _LANE + 2, name, 12.5, more='font-weight="600"'))
        lanes = (("truth", "truth"), ("predicted", "answer")) if person["truth"] else (("predicted", "answer"),)
        for lane, (field, label) in enumerate(lanes):
            top = y + lane * (_LANE + 3)
            parts.append(_text(_LEFT - 6, top + _LANE * 0.7, label, 10, "end", "#7a8590"))
            names = {UNKNOWN_LABEL: "no class"} if field == "truth" else {}
            parts += [_run(run, names.get(run[2], run[2]), top, scale, tones) for run in person[field]]
        y += 2 * _LANE + _GAP + 3
    for number, mark in enumerate(marks, 1):
        x = _LEFT + mark * scale
        parts.append(f'<path d="M{x:.1f} {height - 8:.1f} l-5 8 h10 z" fill="#c4322b"><title>moment {number}</title></path>')
    return _svg(WIDTH, height + 2, parts, "time line of truth and answer")


def _run(run: Sequence[Any], name: str, top: float, scale: float, tones: Mapping[str, str]) -> str:
    begin, end, label = run
    x, width = _LEFT + begin * scale, max((end - begin) * scale, 0.6)
    tone = tones.get(label, _UNKNOWN)
    box = (
        f'<rect x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{_LANE}" rx="2.5" fill="{tone}">'
        f"<title>{escape(name)}: {begin:.2f} to {end:.2f} s</title></rect>"
    )
    if width > 6.4 * len(name) + 6:
        fill = "#6b7680" if label == UNKNOWN_LABEL else "#fff"
        box += _text(x + width / 2, top + _LANE * 0.7, name.replace("_", " "), 10.5, "middle", fill)
    return box


def _nice_step(seconds: float) -> float:
    return next(
        (step for step in (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600) if seconds / step <= 14),
        seconds / 10,
    )


def confusion(table: Sequence[Sequence[float]], classes: Sequence[str]) -> str:
    """Seconds by truth (row) and answer (column); the last of each is "none" or "unknown". Shades are shares of the row."""
    count = len(classes)
    rows = [i for i in range(count + 1) if sum(table[i]) > 0]
    columns = sorted({*rows, *(j for j in range(count + 1) if sum(row[j] for row in table) > 0)})
    cell, left, top = 40, 118, 92
    parts = [_text(left, 12, "answered", 11, fill="#7a8590"), _text(0, top - 6, "shown", 11, fill="#7a8590")]
    for place, j in enumerate(columns):
        x = left + place * cell + cell / 2
        name = "unknown" if j == count else classes[j].replace("_", " ")
        parts.append(_text(x + 4, top - 8, name, 11, more=f'transform="rotate(-42 {x + 4:.1f} {top - 8})"'))
    for line, i in enumerate(rows):
        total, y = sum(table[i]), top + line * cell
        name = "no class" if i == count else classes[i].replace("_", " ")
        parts.append(_text(left - 8, y + cell / 2 + 4, name, 11.5, "end"))
        for place, j in enumerate(columns):
            share, x = table[i][j] / total, left + place * cell
            right = i == j
            tone = f"rgba({'34,120,84' if right else '196,50,43'},{0.08 + 0.87 * share:.3f})" if share > 0 else "#f4f6f8"
            parts.append(
                f'<rect x="{x}" y="{y}" width="{cell - 2}" height="{cell - 2}" rx="3" fill="{tone}">'
                f"<title>{table[i][j]:.1f} of {total:.1f} s</title></rect>"
            )
            if share >= 0.005:
                parts.append(
                    _text(
                        x + cell / 2 - 1,
                        y + cell / 2 + 3,
                        f"{100 * share:.0f}",
                        11,
                        "middle",
                        "#fff" if share > 0.45 else _INK,
                    )
                )
    return _svg(left + len(columns) * cell + 60, top + len(rows) * cell + 4, parts, "confusion table, per cent of the row")


def curve(lines: Mapping[str, Sequence[tuple[float, float]]], x_label: str, y_label: str, x_high: float) -> str:
    """Lines of (x, y) with y a share in [0, 1]."""
    width, height, left, bottom = 430, 270, 44, 40
    plot_w, plot_h = width - left - 14, height - bottom - 14
    parts = []
    for i in range(5):
        y = 14 + plot_h * i / 4
        parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{left + plot_w}" y2="{y:.1f}" stroke="{_FAINT}"/>')
        parts.append(_text(left - 6, y + 4, f"{100 - 25 * i}", 10.5, "end", "#7a8590"))
        x = left + plot_w * i / 4
        parts.append(_text(x, 14 + plot_h + 15, f"{x_high * i / 4:g}", 10.5, "middle", "#7a8590"))
    for place, (name, points) in enumerate(lines.items()):
        tone = ("#1f6fb2", "#c77f1a", "#2b8a57")[place % 3]
        path = " ".join(f"{left + plot_w * x / x_high:.1f},{14 + plot_h * (1 - y):.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{tone}" stroke-width="2.4" stroke-linejoin="round"/>')
        parts += [
            f'<circle cx="{left + plot_w * x / x_high:.1f}" cy="{14 + plot_h * (1 - y):.1f}" r="3" fill="{tone}">'
            f"<title>{name}: {100 * y:.0f} % at {x:g}</title></circle>"
            for x, y in points
        ]
        parts.append(_text(left + plot_w - 4, 14 + plot_h - 8 - 16 * place, name, 11.5, "end", tone, 'font-weight="600"'))
    parts.append(_text(left + plot_w / 2, height - 6, x_label, 11, "middle"))
    parts.append(_text(12, 14 + plot_h / 2, y_label, 11, "middle", more=f'transform="rotate(-90 12 {14 + plot_h / 2:.1f})"'))
    return _svg(width, height, parts, y_label)


def bars(values: Sequence[tuple[str, float, str]], tone: str = "#1f6fb2", width: float = 400, left: float = 120) -> str:
    """Rows of (name, share in [0, 1], text)."""
    parts = []
    for i, (name, share, text) in enumerate(values):
        y = i * 22
        length = max((width - left - 60) * min(max(share, 0), 1), 1)
        parts.append(_text(left - 8, y + 14, name.replace("_", " "), 11.5, "end"))
        parts.append(f'<rect x="{left}" y="{y + 3}" width="{length:.1f}" height="14" rx="3" fill="{tone}"/>')
        parts.append(_text(left + length + 6, y + 14, text, 11, fill="#7a8590"))
    return _svg(width, 22 * len(values) + 4, parts, "bars")


def strip(weights: Sequence[float], ages_s: Sequence[float]) -> str:
    """Attention over the moments of the evidence window, the newest on the right."""
    width, height = 180.0, 34.0
    top, span = max(max(weights), 1e-9), max(max(ages_s), 1e-6)
    each = max(width / max(len(weights), 1) - 1, 1)
    parts = []
    for weight, age in zip(weights, ages_s):
        x, tall = (width - each) * (1 - age / span), 1 + 20 * weight / top
        parts.append(
            f'<rect x="{x:.1f}" y="{height - 11 - tall:.1f}" width="{each:.1f}" height="{tall:.1f}" fill="#7a3fa0">'
            f"<title>{age:.2f} s before: {100 * weight:.1f} %</title></rect>"
        )
    parts += [_text(0, height, f"-{span:.1f} s", 9, fill="#7a8590"), _text(width, height, "now", 9, "end", "#7a8590")]
    return _svg(width, height + 2, parts, "attention over time")
