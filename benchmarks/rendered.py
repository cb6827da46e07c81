"""The compared recognisers on the rendered data set, from pixels: with and without attention, over seeds, as one report.

    pose-attention data render out/data/rendered
    python -m benchmarks.rendered --data out/data/rendered --out out/rendered

Trains config/train/rendered_*.yaml and their variants (VARIANTS), measures the test part once, and writes report.json and
report.md: accuracy, differences paired by seed with 95 % intervals, and how well RPAN's maps find the joints (PCK: within
0.2 of the longer side of the joints' box). Runs that are in --out already are not repeated. With --merge-sides what the left
and what the right hand does are one class.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.many_seeds import interval
from pose_attention_ros.data.dataset import SkeletonDataset
from pose_attention_ros.data.pixel_clips import SKELETONS_FILE
from pose_attention_ros.evaluation import metrics
from pose_attention_ros.models.rpan import Rpan, estimated_joints
from pose_attention_ros.training.comparators.run import Data, load_comparator_recipe, make_trainer
from pose_attention_ros.training.comparators.views import batch_of

RECIPES = Path("config/train")
PCK_SHARE = 0.2  # of the longer side of the box around a person's joints, as the paper's threshold on PennAction
# kind -> name of a row -> what it changes of the recipe's model; the last is the paper's own form
# fmt: off
VARIANTS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "rpan": {"Without": {"attention": "without"}, "Share-All": {"attention": "share-all"},
             "Separate-Joint": {"attention": "separate-joint"}, "Human-Part": {"attention": "human-part"}},
    "where_to_focus": {"Left hand": {"aggregate": "left_hand"}, "Right hand": {"aggregate": "right_hand"},
                       "Full body": {"aggregate": "full_body"}, "Sum": {"aggregate": "sum"},
                       "Sum + attention": {"aggregate": "attention"}},
    "temporal_attention": {"Mean of the frames": {"attention": False}, "Attention": {"attention": True}},
}
# fmt: on
# Rows whose mean accuracies the papers found to rise in this order.
# fmt: off
ORDER = {"rpan": ("Without", "Share-All", "Separate-Joint", "Human-Part"),
         "where_to_focus": ("Full body", "Sum", "Sum + attention"),
         "temporal_attention": ("Mean of the frames", "Attention")}
# fmt: on
BASELINE = {"rpan": "Without", "where_to_focus": "Sum", "temporal_attention": "Mean of the frames"}


def without_sides(labels: Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """A recipe's classes in which `wave_left_hand` and `wave_right_hand` are both `wave_one_hand`."""
    classes: dict[str, dict[str, list[str]]] = {}
    for label in sorted(set(labels)):
        action = label.replace("_left_hand", "_one_hand").replace("_right_hand", "_one_hand")
        classes.setdefault(action, {"rendered": []})["rendered"].append(label)
    return classes


def run(kind: str, data: Data, changes: Mapping[str, Any], seed: int, out: Path) -> dict:
    """One network: test accuracy, and PCK where it has a map a joint."""
    path = out / "result.json"
    if path.is_file():
        return json.loads(path.read_text())
    recipe = dataclasses.replace(data.recipe, model=dataclasses.replace(data.recipe.model, **changes))
    varied = dataclasses.replace(data, recipe=recipe)
    trainer = make_trainer(kind, varied, seed, out)
    trainer.fit()
    network = trainer.network.eval()
    scores = {split: varied.score(network, split, True) for split in ("val", "test")}
    result = {
        "seed": seed,
        "seconds": round(trainer.seconds, 1),
        "epochs": len(trainer.history),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        **{split: metrics.accuracy(each.at_end().argmax(-1), each.truth) for split, each in scores.items()},
    }
    if isinstance(network, Rpan) and network.guided:
        result["pck"] = pck(network, varied)
    path.write_text(json.dumps(result, indent=2) + "\n")
    return result


@torch.inference_mode()
def pck(network: Rpan, data: Data) -> float:
    """Share of the visible joints of the test clips that the highest place of their map is close to."""
    close, joints = 0, 0
    clips = data.prepared(network, "test")
    for begin in range(0, len(clips), 32):
        batch = batch_of(clips[begin : begin + 32])
        found = estimated_joints(network(batch.pixels).maps, data.image_size)
        seen = batch.there[..., None]
        low = torch.where(seen, batch.keypoints_px, torch.inf).amin(-2)
        high = torch.where(seen, batch.keypoints_px, -torch.inf).amax(-2)
        side = (high - low).amax(-1, keepdim=True)  # (B, T, 1)
        close += int((((found - batch.keypoints_px).norm(dim=-1) < PCK_SHARE * side) & batch.there).sum())
        joints += int(batch.there.sum())
    return close / joints


def table(results: Mapping[str, Mapping[int, dict]], baseline: str) -> dict:
    """Of each row: accuracies by seed, mean, spread, and the difference from the baseline, paired by seed."""
    rows = {}
    for name, runs in results.items():
        accuracies = [run["test"] for run in runs.values()]
        rows[name] = {
            "accuracy": {seed: run["test"] for seed, run in runs.items()},
            "mean": float(np.mean(accuracies)),
            "spread": float(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else None,
            "parameters": next(iter(runs.values()))["parameters"],
            "seconds": float(np.mean([run["seconds"] for run in runs.values()])),
        }
        pairs = [run["test"] - results[baseline][seed]["test"] for seed, run in runs.items() if seed in results[baseline]]
        if name != baseline and pairs:
            rows[name] |= {"difference": float(np.mean(pairs)), "difference_ci95": interval(pairs)}
        if all("pck" in run for run in runs.values()):
            rows[name]["pck"] = float(np.mean([run["pck"] for run in runs.values()]))
    return rows


def markdown(kind: str, rows: Mapping[str, dict]) -> str:
    """One kind's table, and whether the papers' order was found."""
    lines = [
        f"### {kind}",
        "",
        f"| {kind} | seeds | test accuracy, % | spread | difference from {BASELINE[kind]} (95 %) | PCK, % | parameters |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        spread = f"{100 * row['spread']:.1f}" if row["spread"] is not None else ""
        difference = f"{100 * row['difference']:+.1f} ± {100 * row['difference_ci95']:.1f}" if "difference" in row else ""
        found = f"{100 * row['pck']:.1f}" if "pck" in row else ""
        lines.append(
            f"| {name} | {len(row['accuracy'])} | {100 * row['mean']:.1f} | {spread} | {difference} | {found} | "
            f"{row['parameters']:,} |"
        )
    means = [rows[name]["mean"] for name in ORDER[kind] if name in rows]
    rising = all(a < b for a, b in itertools.pairwise(means))
    order = " < ".join(ORDER[kind])
    return "\n".join([*lines, "", f"The paper's order ({order}) is {'found' if rising else 'not found'}.", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("out/data/rendered"), metavar="DIR")
    parser.add_argument("--features", type=Path, default=Path("out/features"), metavar="DIR", help="cache of the features")
    parser.add_argument("--out", type=Path, default=Path("out/rendered"), metavar="DIR")
    parser.add_argument("--kinds", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--merge-sides", action="store_true", help="classes that differ by the hand alone are one")
    parser.add_argument("--extractor-weights", default="", metavar="PATH", help="in place of the recipes'")
    args = parser.parse_args()
    for kind in args.kinds:
        recipe = load_comparator_recipe(RECIPES / f"rendered_{kind}.yaml", kind)
        if args.extractor_weights:
            recipe = dataclasses.replace(
                recipe, pixels=dataclasses.replace(recipe.pixels, extractor_weights=args.extractor_weights)
            )
        if args.merge_sides:
            labels = SkeletonDataset.load(args.data / SKELETONS_FILE).labels.tolist()
            recipe = dataclasses.replace(recipe, classes=without_sides(labels))
        data = Data.load(recipe, kind, {"rendered": args.data}, cache=args.features)
        results: dict[str, dict[int, dict]] = {name: {} for name in VARIANTS[kind]}
        for seed in args.seeds:
            for name, changes in VARIANTS[kind].items():
                began = time.monotonic()
                results[name][seed] = run(kind, data, changes, seed, args.out / kind / name.replace(" ", "_") / str(seed))
                print(
                    f"{kind}, {name}, seed {seed}: {results[name][seed]['test']:.1%} ({time.monotonic() - began:.0f} s)",
                    flush=True,
                )
            rows = table({name: runs for name, runs in results.items() if runs}, BASELINE[kind])
            report = {"extractor": data.extractor["extractor"], "data_sha256": dict(data.corpus.sha256), "rows": rows}
            (args.out / f"{kind}.json").write_text(json.dumps(report, indent=2) + "\n")
        (args.out / f"{kind}.md").write_text(markdown(kind, rows))
        print(markdown(kind, rows))


if __name__ == "__main__":
    main()
