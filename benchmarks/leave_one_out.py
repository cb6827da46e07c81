"""What a recipe's network knows of a data set that it has learnt nothing from: each data set is left out in turn.

    python -m benchmarks.leave_one_out config/train/everyday.yaml --epochs 18 --out out/train/leave_one_out

A data set that is left out gives neither training nor validation clips. All of its clips are then asked for the classes that
the other sets teach: as they are, as the simulated estimator shows them, and with hips, knees and ankles hidden (the classes
that arms show); and its clips of no class are told from those of the classes.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from pose_attention_ros.cli.train_pan import data_files
from pose_attention_ros.evaluation import metrics
from pose_attention_ros.evaluation.clips import Answers
from pose_attention_ros.models.losses import OTHER
from pose_attention_ros.models.pan import PoseAttentionNetwork
from pose_attention_ros.training.corpus import HELD_OUT, Corpus, Entry, load_corpus
from pose_attention_ros.training.loop import Trainer
from pose_attention_ros.training.recipe import Recipe, load_recipe
from pose_attention_ros.training.validate import ClipScores, read_clips, score

_ESTIMATED_SEED = 11  # of the simulated camera and estimator
_ROWS = ("accuracy", "accuracy_estimated", "accuracy_upper_body", "auroc_no_class")


def without(recipe: Recipe, name: str) -> Recipe:
    """The recipe that leaves data set `name` out."""
    return dataclasses.replace(recipe, leave_out=(name,))


def askable(corpus: Corpus, name: str) -> list[Entry]:
    """Clips of data set `name`, which was left out, whose class the other data sets teach; not held poses made of them."""
    taught = {entry.kind for entry in corpus.entries if entry.data != name and entry.taught}
    return [
        entry for entry in corpus.part("test", known=True) if entry.data == name and entry.kind in taught and entry.clip >= 0
    ]


def trained(recipe: Recipe, corpus: Corpus, seed: int, out: Path) -> PoseAttentionNetwork:
    """The network after training, or from its checkpoint."""
    trainer = Trainer(recipe, corpus, seed, out)
    trainer.fit(lambda done: print(f"  {out.name} {done.epoch}/{done.epochs} loss {done.loss:.3f}", flush=True))
    return trainer.average.eval()


def upper_body(entry: Entry, corpus: Corpus) -> Entry:
    """The clip with hips, knees and ankles missing."""
    low = np.array([joint.endswith(("hip", "knee", "ankle")) for joint in corpus.layout.joints])
    example = entry.example
    return dataclasses.replace(entry, example=dataclasses.replace(example, scores=np.where(low, 0, example.scores)))


def judged(network: PoseAttentionNetwork, entries: list[Entry], corpus: Corpus, recipe: Recipe) -> dict:
    """Accuracies, the recall of each class, and the area under the ROC curve against the set's clips of no class."""
    names = {entry.data for entry in entries}
    arms = {corpus.classes.index(name) for name, limb in recipe.carriers.items() if limb == "arm"}
    shown = {entry.kind for entry in entries}

    def asked(some: list[Entry], estimated_seed: int | None = None) -> ClipScores:
        return score(
            network,
            read_clips(some, corpus, recipe, estimated_seed),
            lambda clips: Answers(corpus.classes, recipe.postures, 1.0, clips, shown),
        )

    plain, estimated = (asked(entries, seed) for seed in (None, _ESTIMATED_SEED))
    halves = asked([upper_body(entry, corpus) for entry in entries if entry.kind in arms])
    nothing = asked(
        [
            entry
            for entry in corpus.entries
            if entry.data in names and entry.split == "test" and entry.kind in (OTHER, HELD_OUT)
        ]
    )
    right = plain.at_end().argmax(-1) == plain.truth
    sure = [metrics.softmax(scores.at_end()).max(-1) for scores in (plain, nothing)]
    return {
        "clips": len(entries),
        "no_class_clips": len(nothing.truth),
        "accuracy": round(float(right.mean()), 4),
        "accuracy_estimated": round(metrics.accuracy(estimated.at_end().argmax(-1), estimated.truth), 4),
        "accuracy_upper_body": metrics.rounded(metrics.accuracy(halves.at_end().argmax(-1), halves.truth))
        if len(halves.truth)
        else None,
        "auroc_no_class": metrics.rounded(metrics.area_under_roc(*sure)) if len(nothing.truth) else None,
        "recall": {
            corpus.classes[k]: [int(right[plain.truth == k].sum()), int((plain.truth == k).sum())]
            for k in np.unique(plain.truth)
        },
    }


def markdown(table: Mapping[str, dict]) -> str:
    """A row for each data set that was left out."""
    lines = [
        "| left out | clips | accuracy, % | as estimated, % | hips and legs hidden, classes of the arms, % | area "
        "under ROC, no class |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in table.items():
        values = [row[key] for key in _ROWS]
        texts = ["-" if value is None else f"{100 * value:.1f}" for value in values[:3]]
        lines.append(
            f"| {name} | {row['clips']} | {' | '.join(texts)} | " + ("-" if values[3] is None else f"{values[3]:.2f}") + " |"
        )
    lines += ["", "| left out | right of shown, by class |", "|---|---|"]
    lines += [
        f"| {name} | {', '.join(f'{label} {a}/{n}' for label, (a, n) in row['recall'].items())} |"
        for name, row in table.items()
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", action="append", default=[], metavar="[NAME=]FILE.npz")
    parser.add_argument("--leave-out", nargs="+", metavar="NAME", help="only these data sets")
    parser.add_argument("--epochs", type=int, help="in place of the recipe's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    recipe = load_recipe(args.recipe)
    if args.epochs:
        recipe = dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, epochs=args.epochs))
    torch.set_num_threads(recipe.train.threads)
    files = data_files(list(recipe.data), args.data)
    table = {}
    for name in args.leave_out or recipe.data:
        part = without(recipe, name)
        corpus = load_corpus(part, files)
        entries = askable(corpus, name)
        if not entries:
            print(f"{name}: no clip of a class that another data set teaches")
            continue
        table[name] = judged(trained(part, corpus, args.seed, args.out / name), entries, corpus, part)
        (args.out / "table.json").write_text(json.dumps(table, indent=2) + "\n")
    print(markdown(table))


if __name__ == "__main__":
    main()
