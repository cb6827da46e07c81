"""Train RPAN, Where to Focus or temporal attention from a recipe, with its result and model directory in --out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pose_attention_ros.cli.train_pan import DATA_DIR, data_files, print_accuracy, train_splits

if TYPE_CHECKING:
    from pose_attention_ros.training.recipe import Recipe


def run(args: argparse.Namespace) -> int:
    from pose_attention_ros.training.comparators.run import TRAINING, load_comparator_recipe
    from pose_attention_ros.training.recipe import model_name

    kind = model_name(args.recipe, TRAINING)
    recipe = load_comparator_recipe(args.recipe, kind)
    return train_splits(recipe, args, lambda split, out: train(kind, recipe, args, split, out))


def train(kind: str, recipe: Recipe, args: argparse.Namespace, official_split: int | None, out: Path) -> dict:
    """One run to its end; returns result.json's content."""
    from tqdm import tqdm

    from pose_attention_ros.training.comparators.run import Data, make_trainer
    from pose_attention_ros.training.loop import Progress
    from pose_attention_ros.training.report import finish

    files = {
        name: DATA_DIR / name
        if path == DATA_DIR / f"{name}.npz" and not path.is_file() and (DATA_DIR / name).is_dir()
        else path
        for name, path in data_files(list(recipe.data), args.data).items()
    }
    with tqdm(unit="clip", desc="features of the images", leave=False, mininterval=2) as bar:
        data = Data.load(recipe, kind, files, official_split, advance=bar.update)
    corpus = data.corpus
    if official_split is not None:
        print(f"official split {official_split}")
    print(
        f"{len(corpus.classes)} classes; "
        + ", ".join(f"{split} {len(corpus.part(split))} clips" for split in ("train", "val", "test"))
    )
    trainer = make_trainer(kind, data, args.seed, out)
    with tqdm(total=trainer.epochs, unit="epoch", desc="training", mininterval=2) as bar:

        def report(phase: str, progress: Progress) -> None:
            bar.update(progress.epoch - bar.n)
            bar.write(
                f"epoch {progress.epoch:3d}/{progress.epochs}  {phase}  loss {progress.loss:.3f}  validation "
                f"{progress.val_accuracy:.1%}"
            )

        trainer.fit(report)
    network = trainer.network.eval()
    result = finish(
        network,
        recipe,
        corpus,
        [trainer.history],
        args.seed,
        trainer.seconds,
        out,
        export=not args.numbers_only,
        scores_of=lambda split, known, view: data.score(network, split, known),
        extra=data.extractor,
    )
    print_accuracy(result)
    if not args.numbers_only:
        print(f"model in {out / recipe.model_id}")
    return result
