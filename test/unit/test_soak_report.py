"""The soak report sees growth, drift, and rejected messages, and nothing where there is none."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.soak_report import report_of, table_of

MINUTES = 10


def samples(mb: float = 0.0, ms: float = 0.0, threads: float = 0.0, rejected: int = 0) -> list[dict[str, Any]]:
    """A run whose memory, latency, threads grow by so much a minute; its first minute is a start that takes memory."""

    def at(second: int) -> dict[str, Any]:
        minute = second / 60
        use = {
            "memory_mb": 100 + mb * minute - 30 * (minute < 1),
            "resident_mb": 150 + 20 * (minute > 5),
            "threads": round(14 + threads * minute),
            "files": 20,
        }
        return {
            "elapsed_s": float(second),
            "load": 1.0,
            "use": {"/soak/pose": use},
            "latencies_ms": {"/soak": [30 + ms * minute + spread for spread in (-2, 0, 2)]},
            "counts": {"soak/pose": {"processed": second, "dropped": 0, "rejected": rejected * (second > 300)}},
        }

    return [at(second) for second in range(10, 60 * MINUTES + 1, 10)]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({}, None),
        ({"mb": 0.05}, None),
        ({"mb": 1.0}, "memory of soak/pose grew"),
        ({"ms": 3.0}, "latency of soak went"),
        ({"ms": 0.1}, None),
        ({"threads": 0.5}, "threads of soak/pose grew"),
        ({"rejected": 2}, "soak/pose rejected 2"),
    ],
)
def test_what_grows_is_told(change: dict[str, float], complaint: str | None) -> None:
    report = report_of(samples(**change))
    assert [complaint in failure for failure in report["failures"]] == [True] if complaint else not report["failures"]
    table = table_of({"machine": "this one", "minutes": MINUTES, **report})
    assert (complaint or "every limit is kept") in table


def test_growth_counts_after_the_warm_up() -> None:
    told = report_of(samples(mb=1.0))
    assert told["warm_up_s"] == 120 and told["processes"]["soak/pose"]["growth_percent"] == pytest.approx(6.2, abs=0.5)
    assert told["graphs"]["soak"]["drift_ms_per_minute"] == pytest.approx(0, abs=1e-6)
    assert report_of(samples(ms=3.0))["graphs"]["soak"]["drift_ms_per_minute"] == pytest.approx(3, abs=0.01)
