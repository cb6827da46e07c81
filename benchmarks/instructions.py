"""Instructions and milliseconds a frame of our stages: python -m benchmarks.instructions [--stages TEXT] [--store]

Instructions are counted by callgrind (Debian's package `valgrind`), in a process of its own: they are the same within a
hundredth however busy the machine is, so that a change shows where milliseconds are noise. They are compared with a stored
baseline, and each stage gets a verdict. Another Python, NumPy, ONNX Runtime, LiteRT or kind of processor counts otherwise;
then nothing is judged. Exit code 1 where a stage got dearer.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.stages import STAGES

BASELINE = Path(__file__).with_name("baseline.json")
TOLERANCE = 0.03  # two counts of the same code differ by less
# Large copies by vectors, never by `rep movsb`: callgrind counts each byte of it as an instruction, and which of the two is
# taken depends on where the arrays happen to lie.
_TUNABLES = "glibc.cpu.x86_rep_movsb_threshold=1073741824"
# What turns callgrind's counting on for the work and off again: all else runs four times as fast meanwhile.
_SWITCH = """
#include <valgrind/callgrind.h>
void begin(void) { CALLGRIND_START_INSTRUMENTATION; CALLGRIND_ZERO_STATS; }
void end(void) { CALLGRIND_DUMP_STATS; CALLGRIND_STOP_INSTRUMENTATION; }
"""


def main(argv: list[str] | None = None) -> int:
    """0; 1 where a stage got dearer; 2 where nothing can be counted here."""
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--stages", default="", metavar="TEXT", help="only those with this in their name")
    parser.add_argument("--store", action="store_true", help="the counts become the baseline")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the numbers for programs")
    args = parser.parse_args(argv)
    names = [name for name in STAGES if args.stages in name]
    if not names:
        parser.error(f"--stages is {args.stages!r}, expected a part of one of: {'; '.join(STAGES)}")
    times_ms = _times(names)
    counts = _counts(names) if shutil.which("valgrind") else {}
    baseline = json.loads(BASELINE.read_text()) if BASELINE.is_file() else {"environment": {}, "instructions": {}}
    here = environment()
    rows = judged(counts, times_ms, baseline, here)
    print(table(rows))
    if not counts:
        print("valgrind is not here (apt install valgrind): no instructions were counted and nothing was judged")
    elif here != baseline["environment"] and not args.store:
        print(f"not judged: the baseline is of {_told(baseline['environment'])}, this is {_told(here)}")
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps({"environment": here, "stages": rows}, indent=2) + "\n")
    if args.store and counts:
        kept = baseline["instructions"] if here == baseline["environment"] else {}
        BASELINE.write_text(json.dumps({"environment": here, "instructions": kept | counts}, indent=2) + "\n")
        print(f"stored in {BASELINE}")
        return 0
    return 2 if not counts else int(any(row["verdict"] == "dearer" for row in rows.values()))


def judged(
    counts: dict[str, int], times_ms: dict[str, float], baseline: dict[str, Any], here: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """A row for each stage; its verdict is "dearer", "cheaper", "as before", or "" without anything to compare with."""
    known = baseline["instructions"] if baseline["environment"] == here else {}
    rows = {}
    for name in times_ms:
        count, before = counts.get(name), known.get(name)
        ratio = count / before if count and before else None
        verdict = (
            ""
            if ratio is None
            else ("dearer" if ratio > 1 + TOLERANCE else "cheaper" if ratio < 1 - TOLERANCE else "as before")
        )
        rows[name] = {
            "instructions": count,
            "baseline": before,
            "ratio": ratio and round(ratio, 4),
            "ms": round(times_ms[name], 4),
            "verdict": verdict,
        }
    return rows


def table(rows: dict[str, dict[str, Any]]) -> str:
    """For a terminal."""
    lines = [f"{'a frame of':36s}{'M instructions':>16s}{'baseline':>10s}{'ratio':>8s}{'ms':>9s}  verdict"]
    for name, row in rows.items():
        count, before = (f"{value / 1e6:.3f}" if value else "-" for value in (row["instructions"], row["baseline"]))
        ratio = f"{row['ratio']:.3f}" if row["ratio"] else "-"
        lines.append(f"{name:36s}{count:>16s}{before:>10s}{ratio:>8s}{row['ms']:>9.3f}  {row['verdict'] or '-'}")
    return "\n".join(lines)


def environment() -> dict[str, str]:
    """What the number of instructions depends on beside our own code."""
    from importlib.metadata import version

    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").is_file() else ""
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "numpy": version("numpy"),
        "onnxruntime": version("onnxruntime"),
        "litert": version("ai-edge-litert"),
        "machine": platform.machine(),
        "vectors": "avx2" if " avx2" in info else "avx" if " avx" in info else "",
    }


def _told(environment: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in environment.items()) or "nothing"


def _command(names: list[str], switch: str = "", before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """A process of its own that does the work of these stages, with nothing random in it."""
    code = f"import sys; from benchmarks.instructions import work; sys.exit(work({names!r}, {switch!r}))"
    quiet = {
        **os.environ,
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "GLIBC_TUNABLES": _TUNABLES,
    }
    done = subprocess.run([*before, sys.executable, "-c", code], env=quiet, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"benchmarks.instructions: {(done.stderr.strip().splitlines() or ['it ended'])[-1]}")
    return done


def _times(names: list[str]) -> dict[str, float]:
    return dict(zip(names, json.loads(_command(names).stdout.splitlines()[-1])))


def _counts(names: list[str]) -> dict[str, int]:
    """Instructions a frame."""
    with tempfile.TemporaryDirectory() as folder:
        source, switch, out = (Path(folder) / name for name in ("switch.c", "switch.so", "count"))
        source.write_text(_SWITCH)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", str(switch), str(source)], check=True)
        done = _command(
            names, str(switch), ("valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}")
        )
        totals = [total_of(out.with_name(f"count.{number}").read_text()) for number in range(1, len(names) + 1)]
    frames = json.loads(done.stdout.splitlines()[-1])
    return {name: round(total / of) for name, total, of in zip(names, totals, frames)}


def total_of(dump: str) -> int:
    """The instructions of a file that callgrind wrote. Raises ValueError where it has no sum."""
    found = re.search(r"^(?:totals|summary): (\d+)", dump, re.MULTILINE)
    if found is None:
        raise ValueError("callgrind's file has no line `totals:`")
    return int(found[1])


def work(names: list[str], switch: str = "") -> int:
    """In the child process: each stage's work between `begin` and `end` of the library `switch`, its last line says of how
    many frames; without one three times by the clock, the last line gives milliseconds a frame."""
    import ctypes
    import gc

    counting = ctypes.CDLL(switch) if switch else None
    told: list[float] = []
    for name in names:
        if counting is None:
            told.append(min(_seconds(STAGES[name]()) for _ in range(3)) * 1e3)
            continue
        workload = STAGES[name]()
        gc.collect()
        gc.disable()  # where it strikes is chance
        counting.begin()
        workload.run()
        counting.end()
        gc.enable()
        told.append(workload.frames)
    print(json.dumps(told))
    return 0


def _seconds(workload: Any) -> float:
    began = time.perf_counter()
    workload.run()
    return (time.perf_counter() - began) / workload.frames


if __name__ == "__main__":
    sys.exit(main())
