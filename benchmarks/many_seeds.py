"""A recipe over several seeds, and its ablations: means, spreads and 95 % confidence intervals as one table.

    python -m benchmarks.many_seeds config/train/jhmdb14.yaml --seeds 0 1 2 3 4 --out out/seeds/jhmdb14
    python -m benchmarks.many_seeds config/train/jhmdb14.yaml --ablations --seeds 0 1 2 --out out/ablations/jhmdb14

Each run is `pose-attention train RECIPE --seed N --numbers-only`, the ablations with one switch of the model turned. Runs
that are in --out already are not repeated, so --out is of one recipe, its data and its splits; a run that was cut short goes
on. --out/table.json holds what is finished.

A recipe of several members trains, here, one network a seed, and measures the committees of neighbouring seeds: with five
seeds and three members those of 0-1-2, 1-2-3, 2-3-4, 3-4-0 and 4-0-1. Each network so belongs to three committees, which are
not independent of each other: their spread is a little too small. Separate ones would cost three times the time.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from pose_attention_ros.cli.train_pan import data_files, train
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.dataset import file_sha256
from pose_attention_ros.models.committee import Committee
from pose_attention_ros.models.pan import PoseAttentionNetwork
from pose_attention_ros.training.corpus import load_corpus
from pose_attention_ros.training.loop import CHECKPOINT
from pose_attention_ros.training.members import committee_scores
from pose_attention_ros.training.recipe import Recipe, load_recipe
from pose_attention_ros.training.report import RESULT, finish, mean_result

FULL = "full"
_RUNS_OF = "runs_of.sha256"
# What a variant changes: settings of the model, or of the training.
VARIANTS = {
    FULL: {},
    "without graph convolution": {"graph_convolution": False},
    "without pooling": {"pooling": False},
    "without joints-attention": {"joints_attention": False},
    "with the joints loss": {"joints_weight": 0.3},
    "without the joints loss": {"joints_weight": 0.0},
    "ReLU assignment": {"assignment": "relu"},
    "pose-attention beside the maximum": {"pose_attention": True, "running_max": True},
    "pose-attention alone": {"pose_attention": True, "running_max": False},
    "the maximum alone": {"pose_attention": False, "running_max": True},
    "a GRU after the streams": {"hidden": 96},
    "without motion": {"motion_lags": ()},
    "every tick alike": {"last_tick": 0.0},
    "without the mirrored view": {"mirrored": False},
    "without the streams: the paper's network": {
        "streams": 0,
        "hidden": 96,
        "head": 0,
        "running_max": False,
        "pose_attention": True,
        "width": 32,
    },
}
# Quantile 0.975 of Student's t by degrees of freedom.
_T = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26, 10: 2.23, 11: 2.20, 14: 2.14}


def changed(recipe: Recipe, changes: dict) -> Recipe:
    """The recipe with other settings of model and training."""
    model = {name: value for name, value in changes.items() if hasattr(recipe.model, name)}
    rest = {name: value for name, value in changes.items() if name not in model}
    return dataclasses.replace(
        recipe, model=dataclasses.replace(recipe.model, **model), train=dataclasses.replace(recipe.train, **rest)
    )


def claim(out: Path, recipe: Recipe, data: list[str], splits: tuple[int | None, ...]) -> None:
    """Mark `out` as this recipe's. Raises UserError where it holds runs of other settings, data or splits."""
    files = {name: file_sha256(path) for name, path in data_files(list(recipe.data), data).items()}
    text = json.dumps([dataclasses.asdict(recipe), files, splits], sort_keys=True, default=str)
    digest, mark = hashlib.sha256(text.encode()).hexdigest(), out / _RUNS_OF
    if mark.is_file() and mark.read_text() != digest:
        raise UserError(f"{out} holds runs of another recipe, data or splits; choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    mark.write_text(digest)


def variants_of(recipe: Recipe) -> list[str]:
    """The full model, and those of VARIANTS that differ from it."""
    return [name for name, changes in VARIANTS.items() if name == FULL or changed(recipe, changes) != recipe]


def run(recipe: Recipe, data: list[str], splits: tuple[int | None, ...], seed: int, out: Path) -> dict:
    """result.json's content of one run, or of its official splits together. Seed N keeps back part N for validation."""
    results = {}
    for split in splits:
        folder = out / f"split{split}" if len(splits) > 1 else out
        if (folder / RESULT).is_file():
            results[split] = json.loads((folder / RESULT).read_text())
        else:
            args = argparse.Namespace(data=data, seed=seed, numbers_only=True, jobs=1)
            results[split] = train(recipe, args, split, folder, seed)
    return results[splits[0]] if len(splits) == 1 else mean_result(results)


def committee(
    recipe: Recipe, data: list[str], splits: tuple[int | None, ...], seeds: list[int], single: Path, out: Path
) -> dict:
    """result.json's content of the committee of the networks that `seeds` have trained under `single`."""
    results = {}
    for split in splits:
        part = f"split{split}" if len(splits) > 1 else "."
        if not (out / part / RESULT).is_file():
            files = data_files(list(recipe.data), data)
            corpora = [load_corpus(recipe, files, official_split=split, part=seed) for seed in seeds]
            runs = [single / f"seed{seed}" / part for seed in seeds]
            members = [_trained(recipe, len(corpora[0].classes), run / CHECKPOINT) for run in runs]
            network = Committee(members)
            seconds = sum(json.loads((run / RESULT).read_text())["seconds"] for run in runs)
            (out / part).mkdir(parents=True, exist_ok=True)
            finish(
                network,
                recipe,
                corpora[0],
                [],
                seeds[0],
                seconds,
                out / part,
                export=False,
                scores_of=committee_scores(network, [*zip(members, corpora)], recipe),
            )
        results[split] = json.loads((out / part / RESULT).read_text())
    return results[splits[0]] if len(splits) == 1 else mean_result(results)


def _trained(recipe: Recipe, classes: int, checkpoint: Path) -> PoseAttentionNetwork:
    network = PoseAttentionNetwork(recipe.model, classes)
    network.load_state_dict(torch.load(checkpoint, weights_only=True)["average"])
    return network.eval()


def interval(values: list[float]) -> float:
    """Half the width of the 95 % confidence interval of the mean of `values`."""
    if len(values) < 2:
        return float("nan")
    freedom = max(k for k in _T if k <= len(values) - 1)
    return _T[freedom] * float(np.std(values, ddof=1)) / len(values) ** 0.5


def summary(results: dict[str, dict[int, dict]]) -> dict:
    """By variant: test accuracy of each seed, mean, spread, and the paired difference from the full model."""
    table = {}
    for name, runs in results.items():
        accuracy = {seed: result["test"]["accuracy"] for seed, result in runs.items()}
        early = [result["test"]["accuracy_by_observed_fraction"] for result in runs.values()]
        table[name] = {
            "accuracy": accuracy,
            "mean": float(np.mean([*accuracy.values()])),
            "spread": float(np.std([*accuracy.values()], ddof=1)) if len(accuracy) > 1 else None,
            "validation": float(np.mean([result["val"]["accuracy"] for result in runs.values()])),
            "early": {fraction: float(np.mean([each[fraction] for each in early])) for fraction in early[0]},
            **{
                key: float(np.mean([result["test"][key] for result in runs.values()]))
                for key in ("area_under_observed_fraction", "calibration_error", "calibration_error_uncalibrated")
            },
            "parameters": next(iter(runs.values()))["parameters"],
            "seconds": float(np.mean([result["seconds"] for result in runs.values()])),
        }
        full = results.get(FULL, {})
        pairs = list(_pairs(runs, full)) if name != FULL else []
        if pairs:
            table[name] |= {"difference": float(np.mean(pairs)), "difference_ci95": interval(pairs), "pairs": len(pairs)}
    return table


def _pairs(runs: dict[int, dict], full: dict[int, dict]) -> Iterator[float]:
    """Differences in test accuracy, of the same seed and official split."""
    for seed in runs.keys() & full.keys():
        parts, whole = ([*result.get("official_splits", {"": result}).items()] for result in (runs[seed], full[seed]))
        whole = dict(whole)
        yield from (part["test"]["accuracy"] - whole[split]["test"]["accuracy"] for split, part in parts if split in whole)


def markdown(table: dict) -> str:
    """Accuracy, accuracy at each observed fraction, and calibration, as three tables."""
    lines = [
        "| variant | seeds | test accuracy, % | spread | difference (95 % interval) | validation, % | parameters | "
        "minutes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in table.items():
        spread = f"{100 * row['spread']:.2f}" if row["spread"] is not None else ""
        difference = f"{100 * row['difference']:+.2f} ± {100 * row['difference_ci95']:.2f}" if "difference" in row else ""
        lines.append(
            f"| {name} | {len(row['accuracy'])} | {100 * row['mean']:.2f} | {spread} | {difference} | "
            f"{100 * row['validation']:.1f} | {row['parameters']:,} | {row['seconds'] / 60:.1f} |"
        )
    fractions = list(next(iter(table.values()))["early"])
    lines += [
        "",
        f"| variant | {' | '.join(f'{float(fraction):.0%}' for fraction in fractions)} | area |",
        "|---" * (len(fractions) + 2) + "|",
    ]
    for name, row in table.items():
        early = " | ".join(f"{100 * row['early'][fraction]:.1f}" for fraction in fractions)
        lines.append(f"| {name} | {early} | {100 * row['area_under_observed_fraction']:.1f} |")
    lines += ["", "| variant | ECE as trained | ECE with the temperature | accuracy of each seed, % |", "|---|---|---|---|"]
    for name, row in table.items():
        each = ", ".join(f"{100 * accuracy:.2f}" for accuracy in row["accuracy"].values())
        lines.append(f"| {name} | {row['calibration_error_uncalibrated']:.3f} | {row['calibration_error']:.3f} | {each} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--ablations", action="store_true", help="every variant, not only the full model")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, help="only these")
    parser.add_argument("--official-splits", type=int, nargs="+", help="in place of the recipe's")
    parser.add_argument("--epochs", type=int, help="in place of the recipe's")
    parser.add_argument("--data", action="append", default=[], metavar="[NAME=]FILE.npz")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    recipe = load_recipe(args.recipe)
    members, recipe = recipe.train.members, changed(recipe, {"members": 1})
    if args.epochs:
        recipe = changed(recipe, {"epochs": args.epochs})
    splits = tuple(args.official_splits or recipe.official_splits or (None,))
    claim(args.out, recipe, args.data, splits)
    names = args.variants or (variants_of(recipe) if args.ablations else [FULL])
    results: dict[str, dict[int, dict]] = {}
    for seed in args.seeds:
        for name in names:
            folder = args.out / name.replace(" ", "_") / f"seed{seed}"
            results.setdefault(name, {})[seed] = run(changed(recipe, VARIANTS[name]), args.data, splits, seed, folder)
            table = summary(results)
            (args.out / "table.json").write_text(json.dumps(table, indent=2) + "\n")
    if 1 < members <= len(args.seeds) and names == [FULL]:
        for i, seed in enumerate(args.seeds if len(args.seeds) > members else args.seeds[:1]):
            chosen = [args.seeds[(i + k) % len(args.seeds)] for k in range(members)]
            folder = args.out / "committee" / f"seeds{'-'.join(map(str, chosen))}"
            found = committee(recipe, args.data, splits, chosen, args.out / FULL, folder)
            results.setdefault(f"{members} members", {})[seed] = found
        table = summary(results)
        (args.out / "table.json").write_text(json.dumps(table, indent=2) + "\n")
    print(markdown(table))


if __name__ == "__main__":
    main()
