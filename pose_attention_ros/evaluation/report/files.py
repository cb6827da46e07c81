"""The files that an evaluation leaves behind, and what it tells the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.evaluation.report.junit import Suite, write_junit
from pose_attention_ros.evaluation.report.page import bag_report
from pose_attention_ros.evaluation.report.thresholds import Check
from pose_attention_ros.evaluation.report.thumbnails import Picture


def write_result(
    out: Path, values: dict[str, Any], pictures: Sequence[Picture], checks: Sequence[Check], junit: Path | None = None
) -> list[str]:
    """Write result.json, report.html and the JUnit file into `out`; returns lines that sum it up.

    :raises UserError: they cannot be written
    """
    junit = junit or out / "junit.xml"
    values["limits_missed"] = [str(each) for each in checks if not each.passed]
    write_texts(
        out,
        {
            "result.json": json.dumps(values, indent=2) + "\n",
            "report.html": bag_report(values, pictures, values["model"]["classes"], checks),
        },
    )
    write_junit(junit, [Suite(values["bag"], checks, values["timings"]["wall_s"])])
    return [*summary_lines(values), *check_lines(checks), f"written to {out}: result.json, report.html; {junit}"]


def write_texts(out: Path, texts: dict[str, str]) -> None:
    """Files by name. Raises UserError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (out / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write to {out}: {error.strerror or error}") from None


def check_lines(checks: Sequence[Check]) -> list[str]:
    return [f"{'met   ' if each.passed else 'MISSED'} {each}" for each in checks]


def summary_lines(values: dict[str, Any]) -> list[str]:
    """A few lines for a terminal."""
    metrics, timings, stream = values["metrics"], values["timings"], values["stream"]
    lines = [
        f"{values['bag']}: {stream['frames']} frames, {stream['seconds']:.1f} s, {len(values['people'])} people"
        + (f", {timings['times_real_time']:.1f} times real time" if timings["times_real_time"] else "")
    ]
    lines += judged_lines(metrics)
    lines += [f"left out, {count} times: {reason}" for reason, count in values["left_out"].items()]
    return lines


def judged_lines(metrics: dict[str, Any]) -> list[str]:
    """The main numbers that need labels."""
    if "frame_accuracy" not in metrics:
        return []

    def text(value: float | None, digits: int = 2) -> str:
        return "-" if value is None else f"{value:.{digits}f}"

    return [
        f"frame accuracy {text(metrics['frame_accuracy'], 3)}, macro F1 {text(metrics['macro_f1'], 3)}, mAP "
        f"{text(metrics['frame_map'], 3)}, segmental F1 {text(metrics['segmental_f1']['0.50'], 3)} (50 % overlap)",
        f"time to label {text(metrics['seconds_to_label']['median'])} s (median), missed "
        f"{text(metrics['missed_segments'])}, false labels a minute {text(metrics['false_labels_per_idle_minute'])}, "
        f"label changes a minute {text(metrics['label_changes_per_minute'])}",
    ]
