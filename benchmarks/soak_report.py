"""Reads the samples of a soak run: growth after warm-up, drift of the latency, drops, and which limits were missed.

Growth is that of a process's own (anonymous) memory. What it maps besides, files and the middleware's segments shared with
other processes, is told with it as resident memory: the more of another's segment it has ever touched, the more that is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# Of the last fifth of the run against the first fifth after warm-up.
LIMITS = {
    "memory_growth_percent": 2.0,
    "threads_growth": 0,
    "files_growth": 0,
    "latency_growth_percent": 25.0,
    "rejected": 0,
}
_WARM_UP_SHARE, _LONGEST_WARM_UP_S = 0.2, 300.0
_SMALL_MB, _SMALL_MS = 1.0, 2.0  # differences of less are not growth


def report_of(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """:param samples: lines of soak.jsonl, see benchmarks/soak.py; at least ten
    :returns: processes {name: memory, threads, files at begin and end}, graphs {name: latency, answers, counts}, failures
    """
    warm_s = min(_LONGEST_WARM_UP_S, _WARM_UP_SHARE * samples[-1]["elapsed_s"])
    warm = [sample for sample in samples if sample["elapsed_s"] > warm_s]
    fifth = max(1, len(warm) // 5)
    first, last = warm[:fifth], warm[-fifth:]
    processes = {name.lstrip("/"): _process(name, first, last, samples) for name in samples[-1]["use"]}
    graphs = {name.lstrip("/"): _graph(name, warm, first, last) for name in samples[-1]["latencies_ms"]}
    counts = {
        name: {key: after - samples[0]["counts"].get(name, {}).get(key, 0) for key, after in values.items()}
        for name, values in samples[-1]["counts"].items()
    }
    load = [round(sample["load"], 2) for sample in (first[0], last[-1])]
    report = {"warm_up_s": warm_s, "load": load, "processes": processes, "graphs": graphs, "counts": counts}
    return {**report, "failures": list(_failures(report))}


def _process(name: str, first: list[dict], last: list[dict], samples: list[dict]) -> dict[str, Any]:
    def median(part: list[dict], key: str) -> float:
        return float(np.median([sample["use"][name][key] for sample in part]))

    told = {
        f"{key}_{when}": round(median(part, key), 2)
        for key in ("memory_mb", "resident_mb", "threads", "files")
        for when, part in (("begin", first), ("end", last))
    }
    peak = max(sample["use"][name]["resident_mb"] for sample in samples)
    return {
        **told,
        "peak_mb": round(peak, 1),
        "growth_percent": round(100 * (told["memory_mb_end"] / told["memory_mb_begin"] - 1), 2),
    }


def _graph(name: str, warm: list[dict], first: list[dict], last: list[dict]) -> dict[str, Any]:
    def percentile(part: list[dict], share: float) -> float:
        values = [value for sample in part for value in sample["latencies_ms"][name]]
        return round(float(np.percentile(values, share)), 2) if values else float("nan")

    minutes = [sample["elapsed_s"] / 60 for sample in warm for _ in sample["latencies_ms"][name]]
    values = [value for sample in warm for value in sample["latencies_ms"][name]]
    slope = float(np.polyfit(minutes, values, 1)[0]) if len(values) > 1 else float("nan")
    seconds = warm[-1]["elapsed_s"] - warm[0]["elapsed_s"]
    return {
        "answers": len(values),
        "answers_per_s": round(len(values) / seconds, 2) if seconds else None,
        "latency_ms_begin": percentile(first, 50),
        "latency_ms_end": percentile(last, 50),
        "latency_ms_p95": percentile(warm, 95),
        "latency_ms_max": percentile(warm, 100),
        "drift_ms_per_minute": round(slope, 4),
    }


def _failures(report: dict[str, Any]) -> list[str]:
    for name, told in report["processes"].items():
        grown = told["memory_mb_end"] - told["memory_mb_begin"]
        if told["growth_percent"] > LIMITS["memory_growth_percent"] and grown > _SMALL_MB:
            yield f"memory of {name} grew by {told['growth_percent']:.1f} %"
        for key in ("threads", "files"):
            if told[f"{key}_end"] - told[f"{key}_begin"] > LIMITS[f"{key}_growth"]:
                yield f"{key} of {name} grew from {told[f'{key}_begin']:g} to {told[f'{key}_end']:g}"
    for name, told in report["graphs"].items():
        begin, end = told["latency_ms_begin"], told["latency_ms_end"]
        if not end <= max(begin * (1 + LIMITS["latency_growth_percent"] / 100), begin + _SMALL_MS):
            yield f"latency of {name} went from {begin} to {end} ms"
    for name, counted in report["counts"].items():
        if counted["rejected"] > LIMITS["rejected"]:
            yield f"{name} rejected {counted['rejected']} messages"


def table_of(report: dict[str, Any]) -> str:
    """For the terminal and the documentation."""
    # fmt: off
    lines = [f"{report['machine']}; {report['minutes']:g} minutes, {report['warm_up_s']:.0f} s of them warm-up; "
             f"load of the machine {report['load'][0]:g} at the begin, {report['load'][1]:g} at the end", "",
             f"{'process':<32}{'own MB':>8}{'end':>8}{'growth':>9}{'resident':>10}{'end':>8}{'threads':>9}{'files':>7}"
             f"{'dropped':>9}"]
    # fmt: on
    for name, told in report["processes"].items():
        dropped = report["counts"].get(name, {}).get("dropped", 0)
        lines.append(
            f"{name:<32}{told['memory_mb_begin']:>8.1f}{told['memory_mb_end']:>8.1f}"
            f"{told['growth_percent']:>8.2f}%{told['resident_mb_begin']:>10.1f}{told['resident_mb_end']:>8.1f}"
            f"{told['threads_end']:>9.0f}{told['files_end']:>7.0f}{dropped:>9}"
        )
    lines += [
        "",
        f"{'graph':<18}{'answers':>9}{'a second':>10}{'ms begin':>10}{'end':>8}{'p95':>8}{'max':>9}{'ms/minute':>11}",
    ]
    for name, told in report["graphs"].items():
        lines.append(
            f"{name:<18}{told['answers']:>9}{told['answers_per_s']:>10}{told['latency_ms_begin']:>10.1f}"
            f"{told['latency_ms_end']:>8.1f}{told['latency_ms_p95']:>8.1f}{told['latency_ms_max']:>9.1f}"
            f"{told['drift_ms_per_minute']:>11.3f}"
        )
    return "\n".join([*lines, "", *(report["failures"] or ["every limit is kept"])])
