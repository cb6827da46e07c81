"""The report of an evaluation as one HTML file that needs nothing else: charts are SVG, pictures are inside."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from pose_attention_ros.core.types import UNKNOWN_LABEL
from pose_attention_ros.evaluation.metrics import NO_CLASS
from pose_attention_ros.evaluation.report import charts as svg
from pose_attention_ros.evaluation.report.style import STYLE
from pose_attention_ros.evaluation.report.thresholds import Check
from pose_attention_ros.evaluation.report.thumbnails import Picture
from pose_attention_ros.evaluation.stream_metrics import UNLABELLED

_PEOPLE_SHOWN = 16
_JOINTS_SHOWN = 4


def page(title: str, sections: Sequence[str]) -> str:
    """A whole document."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>{''.join(sections)}</main></body></html>\n"
    )


def bag_report(
    values: Mapping[str, Any], pictures: Sequence[Picture], classes: Sequence[str], checks: Sequence[Check]
) -> str:
    """The report of one recording."""
    return page(
        f"{values['bag']}: action recognition",
        [
            header(values["bag"], _subtitle(values), checks),
            tiles(_headline(values)),
            _timeline(values, pictures, classes),
            judgement(values["metrics"], classes),
            answered(values["labels"]),
            _moments(values, pictures, classes),
            speed(values),
            checks_table(checks),
            left_out(values["left_out"]),
            _details(values),
        ],
    )


def header(title: str, subtitle: str, checks: Sequence[Check]) -> str:
    """Name, what it is, and the verdict where there are thresholds."""
    badge = ""
    if checks:
        failed = sum(not each.passed for each in checks)
        badge = (
            f'<span class="badge bad">{failed} of {len(checks)} limits missed</span>'
            if failed
            else f'<span class="badge good">all {len(checks)} limits met</span>'
        )
    return f"<header><div><h1>{escape(title)}</h1><p>{subtitle}</p></div>{badge}</header>"


def _subtitle(values: Mapping[str, Any]) -> str:
    stream, model = values["stream"], values["model"]
    labels = values["labels"]
    truth = f"labels from <b>{escape(labels['source'])}</b>" if labels else "no labels: nothing is judged"
    return (
        f"{stream['seconds']:.1f} s of <b>{escape(values['input']['topic'])}</b> ({values['input']['kind']}, "
        f"{stream['frames']} frames), model <b>{escape(model['model_id'])}</b> ({model['sha256'][:8]}), {truth}"
    )


def tiles(entries: Sequence[tuple[str, str, str]]) -> str:
    """Rows of (what, number, note)."""
    cells = "".join(
        f'<div class="tile"><div class="what">{escape(what)}</div><div class="number">{escape(number)}</div>'
        f'<div class="note">{escape(note)}</div></div>'
        for what, number, note in entries
    )
    return f'<div class="tiles">{cells}</div>'


def _headline(values: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    metrics, timings = values["metrics"], values["timings"]
    entries = judged_tiles(metrics)
    switches = metrics.get("id_switches")
    entries.append(("people", str(len(values["people"])), f"{switches} id switches" if switches is not None else ""))
    whole = timings["stages_ms"]["all_stages"]
    if whole["p95"]:
        entries.append(("time for a frame", f"{whole['p95']:.1f} ms", f"95th percentile; median {whole['p50']:.1f}"))
    age = values["recorded"]["age_ms"]
    if values["input"]["kind"] == "actions" and age["p95"] is not None:
        entries.append(("age of results", f"{age['p95']:.0f} ms", f"95th percentile; median {age['p50']:.0f}"))
    if timings["times_real_time"]:
        entries.append(("speed", f"{timings['times_real_time']:.1f} x", "real time, this evaluation"))
    return entries


def judged_tiles(metrics: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The numbers that need labels; none without."""
    if "frame_accuracy" not in metrics:
        return []
    delay, f1 = metrics["seconds_to_label"], metrics["segmental_f1"]
    return [
        ("frame accuracy", percent(metrics["frame_accuracy"]), f"while acting {percent(metrics['acting_accuracy'])}"),
        ("macro F1", number(metrics["macro_f1"], 2), f"mAP {number(metrics['frame_map'], 2)}"),
        ("segments", number(f1["0.50"], 2), f"F1 at 50 % overlap; {number(f1['0.10'], 2)} at 10 %"),
        ("time to label", number(delay["median"], 1, " s"), f"median; missed {percent(metrics['missed_segments'])}"),
        ("false labels", number(metrics["false_labels_per_idle_minute"], 1), "a minute without an action"),
    ]


def _timeline(values: Mapping[str, Any], pictures: Sequence[Picture], classes: Sequence[str]) -> str:
    people = sorted(values["people"], key=lambda person: -person["frames"])[:_PEOPLE_SHOWN]
    tones = svg.colours(classes)
    first = values["stream"]["first_stamp_ns"]
    marks = [(picture.moment.stamp_ns - first) * 1e-9 for picture in pictures]
    shown = sorted({run[2] for person in people for run in (*person["truth"], *person["predicted"])})
    legend = "".join(
        f'<span class="key"><i style="background:{tones[name]}"></i>{escape(name.replace("_", " "))}</span>'
        for name in shown
    )
    more = len(values["people"]) - len(people)
    note = f"<p>{more} people seen for a shorter time are not drawn; the JSON file has them.</p>" if more > 0 else ""
    chart = svg.timeline(sorted(people, key=_by_name), values["stream"]["seconds"], tones, marks)
    return f'<section><h2>Time line</h2><div class="legend">{legend}</div><div class="wide">{chart}</div>{note}</section>'


def _by_name(person: Mapping[str, Any]) -> tuple[int, str]:
    """Track numbers in order, names after them."""
    name = str(person["person"])
    return (int(name), "") if name.isdigit() else (1 << 62, name)


def judgement(metrics: Mapping[str, Any], classes: Sequence[str]) -> str:
    """Confusion table, early recognition, F1 of each class; empty without labels."""
    if "frame_accuracy" not in metrics:
        return ""
    table = metrics["confusion_s"]
    early = {
        name: [(100 * float(fraction), value) for fraction, value in points.items() if value is not None]
        for name, points in (
            ("published label", metrics["early_recognition"]["label"]),
            ("best score", metrics["early_recognition"]["best_score"]),
        )
    }
    curves = (
        svg.curve({name: points for name, points in early.items() if points}, "seen of the action, %", "right, %", 100)
        if any(early.values())
        else ""
    )
    scores = [
        (classes[k], 2 * table[k][k] / (sum(table[k]) + sum(row[k] for row in table)), sum(table[k]))
        for k in range(len(classes))
        if sum(table[k]) > 0
    ]
    f1 = svg.bars([(name, score, f"{score:.2f}  ({seconds:.0f} s)") for name, score, seconds in scores]) if scores else ""
    delays = metrics["seconds_to_label"]
    facts = [
        ("time to label, 90th percentile", number(delays["p90"], 1, " s")),
        ("time to release a label, median", number(metrics["seconds_to_release"]["median"], 1, " s")),
        ("label changes a minute", number(metrics["label_changes_per_minute"], 1)),
        ("share of idle time with a label", percent(metrics["false_share_of_idle_time"])),
        ("labelled actions", str(metrics["segments"])),
        ("labelled time", number(metrics["minutes"], 1, " min")),
    ]
    left = (
        f"<figure>{svg.confusion(table, classes)}<figcaption>Truth against answer, per cent of the time each class was "
        f"shown</figcaption></figure><figure>{f1}<figcaption>F1 of each class (seconds shown)</figcaption></figure>"
    )
    right = f"<figure>{curves}<figcaption>Early recognition</figcaption></figure>{facts_table(facts)}"
    return (
        f'<section><h2>How right</h2><div class="row"><div class="column">{left}</div><div class="column">{right}</div>'
        "</div></section>"
    )


def answered(labels: Mapping[str, Any] | None) -> str:
    """What was answered while each label held, also those that are no class of the model; empty without labels."""
    rows = [(label, answers) for label, answers in (labels or {}).get("answered_s", {}).items() if sum(answers.values()) > 0]
    if not rows:
        return ""
    body = "".join(
        f"<tr><td>{escape(label.replace('_', ' '))}</td><td>{sum(answers.values()):.1f} s</td><td>"
        + escape(
            ", ".join(
                f"{answer.replace('_', ' ')} {percent(seconds / sum(answers.values()))}"
                for answer, seconds in answers.items()
            )
        )
        + "</td></tr>"
        for label, answers in rows
    )
    return (
        '<section><h2>Answers to each label</h2><table class="facts"><thead><tr><th>label</th><th>shown</th><th>answers'
        f"</th></tr></thead><tbody>{body}</tbody></table></section>"
    )


def _moments(values: Mapping[str, Any], pictures: Sequence[Picture], classes: Sequence[str]) -> str:
    if not pictures:
        return ""
    cards = "".join(
        _card(place, picture, classes, values["stream"]["first_stamp_ns"]) for place, picture in enumerate(pictures, 1)
    )
    title = "Worst moments" if values["labels"] else "Surest moments"
    hint = "The longest and surest mistakes first." if values["labels"] else "One of each label that was given."
    return (
        f'<section><h2>{title}</h2><p class="hint">{hint} Bright joints drew the most attention; the bars say at which '
        f'moments the answer looked.</p><div class="cards">{cards}</div></section>'
    )


def _card(place: int, picture: Picture, classes: Sequence[str], first_ns: int) -> str:
    moment = picture.moment
    person = next(each for each in moment.actions.people if each.track_id == moment.track_id)
    names = {NO_CLASS: UNKNOWN_LABEL, UNLABELLED: ""}
    answer = names.get(moment.predicted) or classes[moment.predicted]
    truth = names.get(moment.truth, None)
    truth = classes[moment.truth] if truth is None else ("no class" if moment.truth == NO_CLASS else "")
    image = (
        f'<img alt="person" src="data:image/jpeg;base64,{base64.b64encode(picture.jpeg).decode()}">'
        if picture.jpeg
        else '<div class="noimage">neither image nor skeleton is known</div>'
    )
    joints = np.argsort(-person.joint_attention, kind="stable")[:_JOINTS_SHOWN]
    top = max(float(person.joint_attention.max()), 1e-6)
    rows = svg.bars(
        [
            (
                moment.actions.layout.joints[j],
                float(person.joint_attention[j]) / top * 0.9,
                f"{100 * person.joint_attention[j]:.0f} %",
            )
            for j in joints
        ],
        "#c77f1a",
        250,
        92,
    )
    ages = (person.frame_stamps_ns[-1] - person.frame_stamps_ns) * 1e-9
    wrong = f' <span class="wrong">shown: {escape(truth.replace("_", " "))}</span>' if truth else ""
    seconds = (moment.end_ns - moment.begin_ns) * 1e-9
    return (
        f'<article>{image}<div class="words"><h3>{place}. {escape(answer.replace("_", " "))} '
        f"<small>{moment.confidence:.0%}</small>{wrong}</h3><p>person {escape(moment.person)} at "
        f"{(moment.stamp_ns - first_ns) * 1e-9:.1f} s, for {seconds:.1f} s</p>{rows}"
        f"{svg.strip(person.frame_attention.tolist(), ages.tolist())}</div></article>"
    )


def speed(values: Mapping[str, Any]) -> str:
    """Latency by stage, ages and drops."""
    timings = values["timings"]
    live, recorded = timings["live_on_this_machine"], values["recorded"]
    rows = [(name.replace("_", " "), stage) for name, stage in timings["stages_ms"].items() if stage["count"]]
    if live["age_ms"]["count"] and values["input"]["kind"] != "actions":
        rows.append(("age of a result, had it run live here", live["age_ms"]))
    if recorded["age_ms"]["count"]:
        rows.append(("age of the message when it was recorded", recorded["age_ms"]))
    body = "".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(f"<td>{number(stage[key], 2)}</td>" for key in ("p50", "p95", "p99", "worst"))
        + "</tr>"
        for name, stage in rows
    )
    stream, dropped = values["stream"], recorded["dropped"]
    facts = [
        ("frames missing in pauses of the recording", str(stream["frames_missing_in_gaps"])),
        ("longest pause", number(stream["longest_gap_s"], 2, " s")),
    ]
    if values["input"]["kind"] != "actions":
        facts.append(("frames this machine would drop live", f"{live['dropped_frames']} ({percent(live['dropped_share'])})"))
    if dropped:
        facts.append(
            (
                f"images of {dropped['frames_topic']} without a result",
                f"{dropped['without_result']} of {dropped['frames']} ({percent(dropped['share'])})",
            )
        )
    facts += [(f"dropped, as {node} tells", str(count)) for node, count in recorded.get("dropped_by_nodes", {}).items()]
    if timings["frames_per_second"]:
        facts.append(("frames a second, this evaluation", number(timings["frames_per_second"], 1)))
    return (
        f'<section><h2>How fast</h2><div class="row"><table class="numbers"><thead><tr><th>milliseconds</th>'
        f"<th>median</th><th>95 %</th><th>99 %</th><th>worst</th></tr></thead>"
        f"<tbody>{body}</tbody></table>{facts_table(facts)}</div>"
        "</section>"
    )


def facts_table(facts: Sequence[tuple[str, str]]) -> str:
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in facts)
    return f'<table class="facts"><tbody>{rows}</tbody></table>'


def checks_table(checks: Sequence[Check]) -> str:
    """Limits and what was found; empty without thresholds."""
    if not checks:
        return ""
    rows = "".join(
        f'<tr class="{"ok" if each.passed else "no"}"><td>{escape(each.name)}</td><td>'
        f"{'at least' if each.limit == 'min' else 'at most'} {each.bound:g}</td><td>{number(each.found, 4)}</td>"
        f"<td>{'met' if each.passed else 'missed'}</td></tr>"
        for each in checks
    )
    return (
        f'<section><h2>Limits</h2><table class="numbers limits"><thead><tr><th>what</th><th>wanted</th><th>found</th>'
        f"<th></th></tr></thead><tbody>{rows}</tbody></table></section>"
    )


def left_out(reasons: Mapping[str, int]) -> str:
    """What could not be used, and why."""
    if not reasons:
        return '<section><h2>Left out</h2><p class="hint">Nothing: every message and every label was used.</p></section>'
    rows = "".join(f'<tr><td class="count">{count}</td><td>{escape(reason)}</td></tr>' for reason, count in reasons.items())
    return f'<section><h2>Left out</h2><table class="facts"><tbody>{rows}</tbody></table></section>'


def _details(values: Mapping[str, Any]) -> str:
    short = {key: value for key, value in values.items() if key != "people"}
    return f"<details><summary>All numbers</summary><pre>{escape(json.dumps(short, indent=1))}</pre></details>"


def percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def number(value: float | None, digits: int, unit: str = "") -> str:
    return "-" if value is None else f"{value:.{digits}f}{unit}"
