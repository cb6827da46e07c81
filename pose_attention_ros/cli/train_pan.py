"""Train the Pose-Attention Network from a recipe, with its result and model directory in --out."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pose_attention_ros.cli.options import write_json
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.dataset import SkeletonDataset

if TYPE_CHECKING:
    from pose_attention_ros.training.recipe import Recipe

MEMBER_SEEDS = 1000  # from the seed of one member of a committee to the next
DATA_DIR = Path("out/data")


def run(args: argparse.Namespace) -> int:
    from pose_attention_ros.training.recipe import load_recipe

    recipe = load_recipe(args.recipe)
    return train_splits(recipe, args, lambda split, out: train(recipe, args, split, out))


def train_splits(recipe: Recipe, args: argparse.Namespace, train_one: Callable[[int | None, Path], dict]) -> int:
    """`train_one(official split, folder)` for every split that is asked for; the mean is the result of several."""
    from pose_attention_ros.training.report import RESULT, mean_result

    out = args.out or Path("out/train") / f"{args.recipe.stem}-{args.seed}"
    splits = (args.official_split,) if args.official_split is not None else recipe.official_splits
    if args.official_split is not None and args.out is None:
        out /= f"split{args.official_split}"
    for path in data_files(list(recipe.data), args.data).values() if len(splits) > 1 else ():
        if path.is_file():
            data = SkeletonDataset.load(path)
            for split in splits:  # told now, not after the first split's training
                data.divided(split)
    if len(splits) < 2:
        result = train_one(splits[0] if splits else None, out)
    else:
        result = mean_result({split: train_one(split, out / f"split{split}") for split in splits})
        write_json(out / RESULT, result)
        print_accuracy(result, f"mean of {len(splits)} official splits, ")
    write_json(args.json, result)
    print(f"numbers in {out / RESULT}")
    return 0


def train(recipe: Recipe, args: argparse.Namespace, official_split: int | None, out: Path, part: int = 0) -> dict:
    """One run to its end, or its result where `out` holds it already; returns result.json's content.

    :param part: which share of the training groups the first network keeps back for validation
    """
    from tqdm import tqdm

    from pose_attention_ros.models.committee import Committee
    from pose_attention_ros.training.corpus import load_corpus
    from pose_attention_ros.training.loop import Progress, Trainer
    from pose_attention_ros.training.members import Member, committee_scores, fit_members
    from pose_attention_ros.training.report import finish

    files = data_files(list(recipe.data), args.data)
    count = recipe.train.members
    members = [
        Member(args.seed + MEMBER_SEEDS * i, out / f"member{i}" if count > 1 else out, part + i) for i in range(count)
    ]
    corpora = [load_corpus(recipe, files, official_split=official_split, part=member.part) for member in members]
    corpus = corpora[0]
    if official_split is not None:
        print(f"official split {official_split}")
    print(
        f"{len(corpus.classes)} classes; "
        + ", ".join(f"{split} {len(corpus.part(split))} clips" for split in ("train", "val", "test"))
    )
    trainers = [Trainer(recipe, each, member.seed, member.folder) for each, member in zip(corpora, members)]
    with tqdm(total=sum(trainer.steps for trainer in trainers), unit="step", desc="training", mininterval=2) as bar:

        def report(progress: Progress) -> None:
            estimated = progress.val_accuracy_estimated
            bar.write(
                f"epoch {progress.epoch:3d}/{progress.epochs}  loss {progress.loss:.3f}  validation "
                f"{progress.val_accuracy:.1%}" + (f", as estimated {estimated:.1%}" if estimated is not None else "")
            )

        if min(count, args.jobs) > 1:
            fit_members(recipe, files, official_split, members, args.jobs, bar.update)
            bar.reset()
        for trainer in trainers:  # those that are finished are only read
            trainer.fit(report, bar.update)
    networks = [trainer.average for trainer in trainers]
    network = Committee(networks) if count > 1 else networks[0]
    scores_of = committee_scores(network, [*zip(networks, corpora)], recipe) if count > 1 else None
    result = finish(
        network,
        recipe,
        corpus,
        [trainer.history for trainer in trainers],
        args.seed,
        sum(trainer.seconds for trainer in trainers),
        out,
        export=not args.numbers_only,
        scores_of=scores_of,
    )
    print_accuracy(result)
    if not args.numbers_only:
        print(f"model in {out / recipe.model_id}")
    return result


def print_accuracy(result: dict, of: str = "") -> None:
    for split in (split for split in ("val", "test") if split in result):
        estimated = result.get(f"{split}_as_estimated")
        print(
            f"{of}{split}: accuracy {result[split]['accuracy']:.1%}, macro F1 {result[split]['macro_f1']:.3f}"
            + (f"; as estimated {estimated['accuracy']:.1%}" if estimated else "")
        )


def data_files(names: list[str], given: list[str]) -> dict[str, Path]:
    """Data set name -> file. Raises UserError for a name that the recipe does not use."""
    files = {name: DATA_DIR / f"{name}.npz" for name in names}
    for text in given:
        name, _, path = text.rpartition("=")
        if not name and len(names) > 1:
            raise UserError(f"--data {text}: the recipe reads {', '.join(names)}; say which, as NAME={text}")
        if name and name not in files:
            raise UserError(f"--data {text}: the recipe has no data set {name!r}; it reads {', '.join(names)}")
        files[name or names[0]] = Path(path)
    return files
