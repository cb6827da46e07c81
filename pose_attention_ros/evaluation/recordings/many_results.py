"""One result, one page and one JUnit file out of the outcomes of many recordings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from pose_attention_ros.evaluation import stream_metrics
from pose_attention_ros.evaluation.recordings.durations import Durations
from pose_attention_ros.evaluation.recordings.many_recordings import Outcome
from pose_attention_ros.evaluation.report import page
from pose_attention_ros.evaluation.report.junit import Suite
from pose_attention_ros.evaluation.report.thresholds import Check


def merged(outcomes: Sequence[Outcome], wall_s: float) -> dict[str, Any]:
    """Plain values: numbers pooled over all people of all recordings, and a line for each."""
    good = [outcome for outcome in outcomes if not outcome.error]
    kinds = Counter(tuple(outcome.values["model"]["classes"]) for outcome in good)
    classes = kinds.most_common(1)[0][0] if kinds else ()
    same = [outcome for outcome in good if tuple(outcome.values["model"]["classes"]) == classes]
    lines = [line for outcome in same for line in outcome.lines]
    stages: dict[str, Durations] = {}
    for outcome in good:
        for name, durations in outcome.durations.items():
            stages.setdefault(name, Durations()).merge(durations)
    left_out: Counter[str] = Counter()
    for outcome in good:
        left_out.update({f"{outcome.name}: {reason}": count for reason, count in outcome.values["left_out"].items()})
    left_out.update({f"{outcome.name}: {outcome.error}": 1 for outcome in outcomes if outcome.error})
    left_out.update(
        {
            f"{outcome.name}: its model has other classes; its numbers are not pooled": 1
            for outcome in good
            if outcome not in same
        }
    )
    answered: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome in good:
        for label, answers in (outcome.values["labels"] or {}).get("answered_s", {}).items():
            answered[label].update(answers)
    switches = [outcome.values["metrics"]["id_switches"] for outcome in good]
    return {
        "bags": [_line(outcome) for outcome in outcomes],
        "evaluated": len(good),
        "failed": len(outcomes) - len(good),
        "seconds": round(sum(outcome.values["stream"]["seconds"] for outcome in good), 3),
        "frames": sum(outcome.values["stream"]["frames"] for outcome in good),
        "model": {"classes": list(classes)},
        "metrics": {
            **(stream_metrics.summarise(lines, classes) if lines else {}),
            "id_switches": sum(each for each in switches if each is not None),
        },
        "labels": {
            "answered_s": {
                label: {answer: round(seconds, 3) for answer, seconds in answers.most_common()}
                for label, answers in sorted(answered.items())
            }
        },
        "left_out": dict(left_out),
        "timings": {"wall_s": round(wall_s, 3), "stages_ms": {name: stage.summary_ms() for name, stage in stages.items()}},
    }


def _line(outcome: Outcome) -> dict[str, Any]:
    if outcome.error:
        return {"bag": outcome.name, "error": outcome.error}
    values = outcome.values
    return {
        "bag": outcome.name,
        "input": values["input"]["kind"],
        "seconds": values["stream"]["seconds"],
        "frames": values["stream"]["frames"],
        "people": len(values["people"]),
        "metrics": {
            name: values["metrics"].get(name)
            for name in ("frame_accuracy", "macro_f1", "frame_map", "missed_segments", "id_switches")
        },
        "left_out": sum(values["left_out"].values()),
        "limits_missed": values["limits_missed"],
    }


def suites(outcomes: Sequence[Outcome], checks: Sequence[Check], noun: str) -> list[Suite]:
    """A suite a recording (which is a `noun`), and one for all together where that has limits."""
    each = [
        Suite(outcome.name, outcome.checks, outcome.values.get("timings", {}).get("wall_s", 0.0), outcome.error)
        for outcome in outcomes
    ]
    return [*each, Suite(f"all {noun}s", checks)] if checks else each


def fleet_report(values: Mapping[str, Any], checks: Sequence[Check], folder: str, noun: str) -> str:
    """The page of all recordings, each a `noun`, with a link to the report of each."""
    subtitle = (
        f"{values['evaluated']} of {len(values['bags'])} {noun}s evaluated, {values['seconds'] / 60:.1f} minutes, "
        f"{values['frames']} frames"
    )
    whole = values["timings"]["stages_ms"].get("all_stages", {})
    tiles = page.judged_tiles(values["metrics"])
    if whole.get("p95"):
        tiles.append(("time for a frame", f"{whole['p95']:.1f} ms", f"95th percentile; median {whole['p50']:.1f}"))
    tiles.append(("failed", str(values["failed"]), f"{noun}s that could not be evaluated"))
    return page.page(
        f"{folder}: action recognition",
        [
            page.header(folder, subtitle, checks),
            page.tiles(tiles),
            _table(values["bags"], noun),
            page.judgement(values["metrics"], values["model"]["classes"]),
            page.answered(values["labels"]),
            page.checks_table(checks),
            page.left_out(values["left_out"]),
        ],
    )


def _table(bags: Sequence[Mapping[str, Any]], noun: str) -> str:
    rows = []
    for bag in bags:
        if "error" in bag:
            rows.append(
                f'<tr class="no"><td>{escape(bag["bag"])}</td><td class="error" colspan="7">{escape(bag["error"])}</td></tr>'
            )
            continue
        metrics = bag["metrics"]
        missed = f"{len(bag['limits_missed'])} limits missed" if bag["limits_missed"] else ""
        rows.append(
            f'<tr><td><a class="name" href="{quote(bag["bag"])}/report.html">{escape(bag["bag"])}</a></td>'
            f"<td>{bag['seconds']:.1f}</td><td>{bag['people']}</td><td>{page.percent(metrics['frame_accuracy'])}</td>"
            f"<td>{page.number(metrics['macro_f1'], 2)}</td><td>{page.percent(metrics['missed_segments'])}</td>"
            f"<td>{bag['left_out']}</td><td>{missed}</td></tr>"
        )
    return (
        f'<section><h2>{noun.capitalize()}s</h2><table class="numbers"><thead><tr><th>{noun}</th><th>seconds</th>'
        "<th>people</th><th>frame accuracy</th><th>macro F1</th><th>missed</th><th>left out</th><th></th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></section>"
    )
