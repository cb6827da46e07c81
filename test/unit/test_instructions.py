"""The quick benchmark: what it makes of counts, and that its workloads run."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
pytest.importorskip("benchmarks.instructions", reason="benchmarks/ is not installed; run from a checkout")

from benchmarks.instructions import environment, judged, main, table, total_of  # noqa: E402
from benchmarks.stages import STAGES  # noqa: E402

HERE = {"python": "3.11"}


@pytest.mark.parametrize("count, verdict", [(1_100, "dearer"), (1_020, "as before"), (985, "as before"), (900, "cheaper")])
def test_a_count_is_judged_against_the_baseline(count, verdict):
    rows = judged({"a": count}, {"a": 0.5}, {"environment": HERE, "instructions": {"a": 1_000}}, HERE)
    assert rows["a"]["verdict"] == verdict and rows["a"]["ratio"] == count / 1_000
    assert verdict in table(rows)


def test_nothing_is_judged_where_the_baseline_is_of_something_else_or_a_stage_is_new():
    baseline = {"environment": {"python": "3.13"}, "instructions": {"a": 1_000}}
    assert judged({"a": 5_000}, {"a": 0.5}, baseline, HERE)["a"]["verdict"] == ""
    assert judged({"b": 5_000}, {"b": 0.5}, {**baseline, "environment": HERE}, HERE)["b"]["verdict"] == ""
    assert judged({}, {"a": 0.5}, {**baseline, "environment": HERE}, HERE)["a"] == {
        "instructions": None,
        "baseline": 1_000,
        "ratio": None,
        "ms": 0.5,
        "verdict": "",
    }


def test_the_sum_of_a_dump_is_read():
    assert total_of("version: 1\nevents: Ir\nsummary: 1234\nfn=main\n1 5\ntotals: 1234\n") == 1234
    with pytest.raises(ValueError, match="totals"):
        total_of("version: 1\n")


def test_a_stage_that_is_not_there_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--stages", "nonsense"])
    assert "nonsense" in capsys.readouterr().err


@pytest.mark.parametrize("stage", [name for name in STAGES if "messages" not in name and "20" not in name])
def test_a_workload_runs(stage):
    workload = STAGES[stage]()
    workload.run()
    assert workload.frames > 0 and environment()["numpy"]
