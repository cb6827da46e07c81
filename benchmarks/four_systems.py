"""The four systems on joints alone: accuracy of finished runs, parameters, time of a tick, and delay, as one table.

    for seed in 0 1 2; do pose-attention train config/train/penn_temporal_attention.yaml --seed $seed --numbers-only \
        --out out/systems/penn_temporal_attention-$seed; done                    # likewise the other recipes and data sets
    python -m benchmarks.four_systems --runs out/systems --json out/systems.json

Reads every RUNS/<recipe>-<seed>/result.json. The time of a tick is that of the recipe's network with random weights, as
ONNX Runtime steps it for one person on one thread that does not spin: the median of calls taken in turns.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from pose_attention_ros.inference.recogniser import load_recogniser
from pose_attention_ros.models.bundle import Bundle, save_bundle
from pose_attention_ros.models.kinds import make_network
from pose_attention_ros.training.comparators.run import TRAINING, load_comparator_recipe
from pose_attention_ros.training.recipe import load_recipe, model_name

RECIPES = Path("config/train")
CALLS, WARM_UP = 300, 30
EARLY = ("0.2", "0.5")  # shares of a clip


def accuracies(runs: Path) -> dict[str, dict[int, dict]]:
    """Recipe -> seed -> result.json's content."""
    found: dict[str, dict[int, dict]] = {}
    for path in sorted(runs.glob("*-*/result.json")):
        name, _, seed = path.parent.name.rpartition("-")
        found.setdefault(name, {})[int(seed)] = json.loads(path.read_text())
    return found


def stepper(name: str, classes: int, folder: Path):
    """A call that steps one person, and the recogniser."""
    path = RECIPES / f"{name}.yaml"
    kind = model_name(path, ["pan", *TRAINING])
    recipe = load_recipe(path) if kind == "pan" else load_comparator_recipe(path, kind)
    torch.manual_seed(0)
    network = make_network(kind, recipe.model, classes).eval()
    save_bundle(network, Bundle(name, tuple(f"class {i}" for i in range(classes)), 1.0, 0.5), folder / name)
    recogniser = load_recogniser(str(folder / name))
    spec, rng = recogniser.spec, np.random.default_rng(0)
    features = rng.uniform(0.1, 1, (1, len(spec.layout.joints), len(spec.features))).astype(np.float32)
    state = np.zeros((1, spec.state_size), np.float32)

    def call() -> None:
        nonlocal state
        state = recogniser.step(features, state).state

    return call, spec, sum(parameter.numel() for parameter in network.parameters())


def medians_ms(calls: dict[str, object]) -> dict[str, float]:
    """Of each, in turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(WARM_UP + CALLS):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            if turn >= WARM_UP:
                times[name].append(time.perf_counter() - began)
    return {name: 1e3 * float(np.median(each)) for name, each in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=Path, required=True, metavar="DIR")
    parser.add_argument("--also", nargs="*", default=["penn", "jhmdb14"], metavar="RECIPE", help="timed without a run there")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = accuracies(args.runs)
    rows, calls = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for name in [*args.also, *found]:
            runs = found.get(name, {})
            classes = len(next(iter(runs.values()))["classes"]) if runs else 15
            calls[name], spec, parameters = stepper(name, classes, Path(folder))
            tests = [run["test"]["accuracy"] for run in runs.values()]
            rows[name] = {
                "kind": spec.kind,
                "seeds": sorted(runs),
                "accuracy": tests,
                "parameters": parameters,
                "mean": float(np.mean(tests)) if tests else None,
                "spread": float(np.std(tests, ddof=1)) if len(tests) > 1 else None,
                "window_s": spec.frame_window / spec.rate_hz,
                "state_bytes": 4 * spec.state_size,
                "early": {
                    share: float(np.mean([run["test"]["accuracy_by_observed_fraction"][share] for run in runs.values()]))
                    for share in EARLY
                    if runs
                },
            }
        for name, milliseconds in medians_ms(calls).items():
            rows[name]["ms_a_tick"] = milliseconds
    for name, row in rows.items():
        mean = f"{100 * row['mean']:.1f}" if row["mean"] is not None else "-"
        print(
            f"{name:30s} {mean:>6s} {row['spread'] or '':} {row['parameters']:>9,} {row['ms_a_tick']:8.3f} ms  "
            f"{row['window_s']:.1f} s  {row['early']}"
        )
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
