"""What a prediction costs: our streaming step, its window-recomputing form and the peers, in ONNX Runtime on one core.

    python -m benchmarks.recogniser --model everyday --recipes config/train/penn.yaml --json out/benchmarks/recogniser.json

Everything is measured in turns within one run, so that a busy machine disturbs all alike; the median counts.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.peers import PEERS, export, parameters
from pose_attention_ros.core.action_stage import ActionStage
from pose_attention_ros.core.actions.recogniser import ModelSpec
from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.types import FEATURE_NAMES, SkeletonGraphs
from pose_attention_ros.inference.recogniser import find_model, load_recogniser

WINDOWS = (30, 60)
PEOPLE = 10
_CLASSES = 15  # of a recipe's network, whose data are not read
WARM_UP = 50


@dataclass(frozen=True)
class Contender:
    """One row: an ONNX file, the inputs of one prediction, and what it keeps of a person between predictions."""

    title: str
    path: Path
    inputs: Mapping[str, np.ndarray]
    parameters: int
    kept_bytes: int
    streaming: bool
    accuracy_of: str


def session(path: Path):
    """As the package runs a recogniser: one thread that does not spin."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def bound(path: Path, inputs: Mapping[str, np.ndarray]) -> Callable[[], None]:
    """A prediction on bound buffers, ready to be timed."""
    from onnxruntime import OrtValue

    one = session(path)
    binding = one.io_binding()
    for name, value in inputs.items():
        binding.bind_ortvalue_input(name, OrtValue.ortvalue_from_numpy(value))
    for name, value in zip([node.name for node in one.get_outputs()], one.run(None, dict(inputs))):
        binding.bind_ortvalue_output(name, OrtValue.ortvalue_from_numpy(value.astype(np.float32)))
    return lambda: one.run_with_iobinding(binding)


def contenders(folder: Path, model: Path, spec: ModelSpec) -> list[Contender]:
    """Our model's two forms, and the peers for the same layout and number of classes, exported to `folder`."""
    import torch

    torch.manual_seed(0)
    joints, channels = len(spec.layout.joints), len(FEATURE_NAMES)
    ours = json.loads((model / "model.json").read_text())
    rng = np.random.default_rng(0)

    def features(*shape: int) -> np.ndarray:
        return rng.uniform(0.1, 1, (*shape, joints, channels)).astype(np.float32)

    rows = [
        Contender(
            f"{spec.model_id}, streaming step",
            model / ours["weights"],
            {"features": features(1), "state": np.zeros((1, spec.state_size), np.float32)},
            ours["parameters"],
            4 * spec.state_size,
            True,
            "pan",
        )
    ]
    for ticks in WINDOWS:
        rows.append(
            Contender(
                f"{spec.model_id}, {ticks} frames recomputed",
                model / ours["clip_weights"],
                {"features": features(1, ticks)},
                ours["parameters"],
                4 * ticks * joints * channels,
                False,
                "pan",
            )
        )
    for name, peer in PEERS.items():
        if name == "pan":
            continue
        network, path = peer.make(spec.layout, len(spec.classes)), folder / f"{name}.onnx"
        export(network, peer, spec.layout, path)
        if peer.window:
            inputs, kept = {"features": features(1, peer.window)}, 4 * peer.window * joints * channels
        else:
            inputs = {"features": features(1), "state": np.zeros((1, network.gru.hidden_size), np.float32)}
            kept = 4 * network.gru.hidden_size
        title = peer.title + (f", {peer.window} frames" if peer.window else ", streaming step")
        rows.append(Contender(title, path, inputs, parameters(network), kept, not peer.window, name))
    return rows


def of_recipe(folder: Path, recipe_file: Path) -> list[Contender]:
    """A recipe's network with random weights, alone and as the committee that it asks for: step and window form."""
    import torch

    from pose_attention_ros.models.committee import Committee
    from pose_attention_ros.models.export import export_clip, export_step
    from pose_attention_ros.models.pan import PoseAttentionNetwork
    from pose_attention_ros.training.recipe import load_recipe

    torch.manual_seed(0)
    recipe = load_recipe(recipe_file)
    table = layout(recipe.model.layout)
    members = [PoseAttentionNetwork(recipe.model, _CLASSES) for _ in range(recipe.train.members)]
    networks = {recipe_file.stem: members[0]}
    if len(members) > 1:
        networks[f"{recipe_file.stem}, committee of {len(members)}"] = Committee(members)
    shape, rng = (len(table.joints), len(FEATURE_NAMES)), np.random.default_rng(0)
    rows = []
    for name, network in networks.items():
        step, clip = folder / f"{name}-step.onnx", folder / f"{name}-clip.onnx"
        export_step(network, step)
        export_clip(network, clip)
        size = session(step).get_inputs()[1].shape[1]
        features = rng.uniform(0.1, 1, (1, max(WINDOWS), *shape)).astype(np.float32)
        inputs = {"features": features[:, 0], "state": np.zeros((1, size), np.float32)}
        rows.append(Contender(f"{name}: streaming step", step, inputs, parameters(network), 4 * size, True, ""))
        rows += [
            Contender(
                f"{name}: {ticks} frames recomputed",
                clip,
                {"features": features[:, :ticks]},
                parameters(network),
                4 * ticks * shape[0] * shape[1],
                False,
                "",
            )
            for ticks in WINDOWS
        ]
    return rows


def in_turns(
    calls: Mapping[str, Callable[[], None]],
    seconds: float,
    warm_up: int = WARM_UP,
    rounds: int = 40,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, np.ndarray]:
    """Milliseconds of each call by `clock` (s), taken in turns: in each round every one has about the same time."""
    quick = {}
    for name, call in calls.items():
        for _ in range(warm_up):
            began = clock()
            call()
            quick[name] = max(clock() - began, 1e-6)
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            for _ in range(max(int(seconds / rounds / len(calls) / quick[name]), 3)):
                began = clock()
                call()
                times[name].append(1e3 * (clock() - began))
    return {name: np.array(values) for name, values in times.items()}


def _memory(path: str, inputs: dict[str, np.ndarray]) -> int:
    def peak_kib() -> int:
        return next(
            int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
        )

    import onnxruntime  # noqa: F401  its own size is not the model's

    before = peak_kib()
    one = session(Path(path))
    for _ in range(20):
        one.run(None, inputs)
    return peak_kib() - before


def memory_mib(row: Contender) -> float:
    """Growth of a fresh process's peak memory by loading the model and predicting: weights, buffers, graph."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return round(pool.submit(_memory, str(row.path), dict(row.inputs)).result() / 1024, 1)


def growth(recogniser, early: int = 100, late: int = 10_000, repeats: int = 30) -> dict[str, float]:
    """Milliseconds of the whole action stage around frame `early` and around frame `late` of a stream, in turns."""
    spec = recogniser.spec
    rng = np.random.default_rng(0)
    features = rng.uniform(0.1, 1, (1, len(spec.layout.joints), len(FEATURE_NAMES))).astype(np.float32)

    def show(stage: ActionStage, frame: int) -> float:
        graphs = SkeletonGraphs(
            round(frame / spec.rate_hz * 1e9),
            "",
            spec.layout,
            (640, 480),
            [1],
            features[..., :2],
            features,
            features[..., -1] > 0,
            [frame / spec.rate_hz],
            np.zeros((1, 2)),
            [1],
            np.zeros((1, 4)),
        )
        began = time.perf_counter()
        stage(graphs)
        return 1e3 * (time.perf_counter() - began)

    old, at = ActionStage(recogniser), 0
    while at < late:
        show(old, at)
        at += 1
    times: dict[str, list[float]] = {"early": [], "late": []}
    for _ in range(repeats):
        young = ActionStage(recogniser)
        for frame in range(early - 10):
            show(young, frame)
        for frame in range(early - 10, early + 40):
            times["early"].append(show(young, frame))
            times["late"].append(show(old, at))
            at += 1
    early_ms, late_ms = (float(np.median(times[name])) for name in ("early", "late"))
    return {
        f"frame_{early}_ms": round(early_ms, 4),
        f"frame_{late}_ms": round(late_ms, 4),
        "ratio": round(late_ms / early_ms, 3),
    }


def accuracies(files: list[Path]) -> dict[str, dict[str, str]]:
    """{data set: {peer: "mean ± spread (seeds)"}} of what benchmarks.train_peers wrote."""
    table: dict[str, dict[str, str]] = {}
    for path in files:
        result = json.loads(path.read_text())
        for peer in {run["peer"] for run in result["runs"]}:
            values = np.array([100 * run["accuracy"] for run in result["runs"] if run["peer"] == peer])
            spread = f" ± {values.std(ddof=1):.1f}" if len(values) > 1 else ""
            split = f", split {result['official_split']}" if result["official_split"] else ""
            table.setdefault(result["data"] + split, {})[peer] = f"{values.mean():.1f}{spread} ({len(values)})"
    return table


def measure(model: str, recipes: list[Path], seconds: float, accuracy_files: list[Path]) -> dict:
    """The whole table as plain values."""
    folder, recogniser = find_model(model), load_recogniser(model)
    spec = recogniser.spec
    accuracy = accuracies(accuracy_files)
    with tempfile.TemporaryDirectory() as scratch:
        rows = contenders(Path(scratch), folder, spec)
        for recipe in recipes:
            rows += of_recipe(Path(scratch), recipe)
        times = in_turns({row.title: bound(row.path, row.inputs) for row in rows}, seconds)
        memory = {row.title: memory_mib(row) for row in rows}
    state = np.zeros((PEOPLE, spec.state_size), np.float32)
    features = np.repeat(rows[0].inputs["features"], PEOPLE, 0)

    def one_by_one() -> None:
        for i in range(PEOPLE):
            recogniser.step(features[i : i + 1], state[i : i + 1])

    people = in_turns(
        {
            "single": lambda: recogniser.step(features[:1], state[:1]),
            "one by one": one_by_one,
            "batched": lambda: recogniser.step(features, state),
        },
        seconds / 3,
    )
    step_ms = float(np.median(times[rows[0].title]))
    return {
        "model": spec.model_id,
        "sha256": spec.sha256,
        "machine": platform.machine(),
        "cpu": _cpu(),
        "load_average": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "rows": [
            {
                "title": row.title,
                "parameters": row.parameters,
                "streaming": row.streaming,
                "median_ms": round(float(np.median(times[row.title])), 4),
                "fastest_tenth_ms": round(float(np.quantile(times[row.title], 0.1)), 4),
                "p95_ms": round(float(np.quantile(times[row.title], 0.95)), 4),
                "times_our_step": round(float(np.median(times[row.title])) / step_ms, 1),
                "memory_mib": memory[row.title],
                "kept_bytes_a_person": row.kept_bytes,
                "accuracy": {
                    data: values[row.accuracy_of] for data, values in accuracy.items() if row.accuracy_of in values
                },
            }
            for row in rows
        ],
        "step_with_copies_ms": round(float(np.median(people["single"])), 4),
        "ten_people": {
            "one_by_one_ms": round(float(np.median(people["one by one"])), 4),
            "batched_ms": round(float(np.median(people["batched"])), 4),
        },
        "long_stream": growth(recogniser),
    }


def _cpu() -> str:
    names = [
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores"


def print_table(result: dict) -> None:
    """As Markdown."""
    data = sorted({name for row in result["rows"] for name in row["accuracy"]})
    heads = [
        "recogniser",
        *(f"{name}, % (seeds)" for name in data),
        "parameters",
        "streaming",
        "ms a prediction",
        "x our step",
        "memory, MiB",
        "kept a person, bytes",
    ]
    print(f"{result['cpu']}, one thread, load {result['load_average']}\n")
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    for row in result["rows"]:
        cells = [
            row["title"],
            *(row["accuracy"].get(name, "-") for name in data),
            f"{row['parameters']:,}",
            "yes" if row["streaming"] else "no",
            f"{row['median_ms']:.3f}",
            f"{row['times_our_step']:.1f}",
            f"{row['memory_mib']:.1f}",
            f"{row['kept_bytes_a_person']:,}",
        ]
        print("| " + " | ".join(cells) + " |")
    people, long = result["ten_people"], result["long_stream"]
    print(
        f"\nstep with copies in and out {result['step_with_copies_ms']:.3f} ms; ten people: one by one "
        f"{people['one_by_one_ms']:.3f} ms, batched {people['batched_ms']:.3f} ms; action stage: "
        + ", ".join(f"{name} {value}" for name, value in long.items())
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="everyday", help="name under models/, or a model directory")
    parser.add_argument("--recipes", type=Path, nargs="*", default=[], help="networks of these recipes are timed as well")
    parser.add_argument("--seconds", type=float, default=30.0, help="time for the timed calls")
    parser.add_argument("--accuracy", type=Path, nargs="*", default=[], help="results of benchmarks.train_peers")
    parser.add_argument("--json", type=Path, help="write the numbers there")
    args = parser.parse_args()
    result = measure(args.model, args.recipes, args.seconds, args.accuracy)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    print_table(result)


if __name__ == "__main__":
    main()
