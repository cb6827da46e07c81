"""What a recipe's network knows of a data set that it has learnt nothing from: each data set is left out in turn.

    python -m benchmarks.leave_one_out config/train/everyday.yaml --epochs 6 --out out/leave_one_out/everyday

A data set that is left out gives neither training nor validation clips. Its test part is then asked for the classes which
the other sets teach; beside it the same clips are asked of a network trained as long on all sets.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np
import torch

from pose_attention_ros.cli.train_pan import data_files
from pose_attention_ros.evaluation import metrics
from pose_attention_ros.models.pan import PoseAttentionNetwork
from pose_attention_ros.training.corpus import Corpus, Entry, load_corpus
from pose_attention_ros.training.loop import Trainer
from pose_attention_ros.training.recipe import Recipe, load_recipe
from pose_attention_ros.training.validate import score_clips

_ESTIMATED_SEED = 11  # of the simulated camera and estimator


def without(corpus: Corpus, name: str) -> Corpus:
    """The corpus whose training and validation clips are of the other data sets."""
    return dataclasses.replace(corpus, entries=tuple(entry for entry in corpus.entries
                                                     if entry.data != name or entry.split == "test"))


def askable(corpus: Corpus, name: str) -> list[Entry]:
    """Test clips of data set `name` whose class the other data sets teach."""
    taught = {entry.example.target for entry in corpus.part("train") if entry.data != name}
    return [entry for entry in corpus.part("test", known=True) if entry.data == name and entry.example.target in taught]


def trained(recipe: Recipe, corpus: Corpus, seed: int, out: Path) -> PoseAttentionNetwork:
    """The network after training, or from its checkpoint."""
    trainer = Trainer(recipe, corpus, seed, out)
    trainer.fit(lambda done: print(f"  {out.name} {done.epoch}/{done.epochs} loss {done.loss:.3f}", flush=True))
    return trainer.average.eval()


def judged(network: PoseAttentionNetwork, entries: list[Entry], corpus: Corpus, recipe: Recipe) -> dict:
    """Accuracy as annotated and through the simulated camera and estimator, and the recall of each class."""
    plain, estimated = (score_clips(network, entries, corpus, recipe, seed) for seed in (None, _ESTIMATED_SEED))
    right = plain.at_end().argmax(-1) == plain.truth
    return {"clips": len(entries), "accuracy": round(float(right.mean()), 4),
            "accuracy_estimated": round(metrics.accuracy(estimated.at_end().argmax(-1), estimated.truth), 4),
            "recall": {corpus.classes[k]: [int(right[plain.truth == k].sum()), int((plain.truth == k).sum())]
                       for k in np.unique(plain.truth)}}


def markdown(table: dict[str, dict[str, dict]]) -> str:
    """A row for each data set that was left out."""
    lines = ["| left out | test clips | learnt from all, % | left out, % | as estimated: all, % | left out, % |",
             "|---|---|---|---|---|---|"]
    for name, row in table.items():
        values = [row[form][key] for key in ("accuracy", "accuracy_estimated") for form in ("all", "left out")]
        lines.append(f"| {name} | {row['all']['clips']} | {' | '.join(f'{100 * value:.1f}' for value in values)} |")
    lines += ["", "| left out | recall of each class when left out, right of shown |", "|---|---|"]
    lines += [f"| {name} | {', '.join(f'{label} {a}/{n}' for label, (a, n) in row['left out']['recall'].items())} |"
              for name, row in table.items()]
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
    corpus = load_corpus(recipe, data_files(list(recipe.data), args.data))
    whole = trained(recipe, corpus, args.seed, args.out / "all")
    table = {}
    for name in args.leave_out or recipe.data:
        network = trained(recipe, without(corpus, name), args.seed, args.out / name)
        entries = askable(corpus, name)
        table[name] = {"all": judged(whole, entries, corpus, recipe), "left out": judged(network, entries, corpus, recipe)}
        (args.out / "table.json").write_text(json.dumps(table, indent=2) + "\n")
    print(markdown(table))


if __name__ == "__main__":
    main()
