"""`pose-attention train CONFIG.yaml`: a recogniser from a recipe, with its result and model directory in --out."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

from pose_attention_ros.core.errors import UserError

DATA_DIR = Path("out/data")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, metavar="CONFIG.yaml", help="a recipe, such as config/train/everyday.yaml")
    parser.add_argument("--seed", type=int, default=0, help="everything random follows from it (default 0)")
    parser.add_argument("--out", type=Path, metavar="DIR",
                        help="results; a run that was cut short there goes on (default out/train/<recipe>-<seed>)")
    parser.add_argument("--data", action="append", default=[], metavar="[NAME=]FILE.npz",
                        help=f"data set file, in place of {DATA_DIR}/<name>.npz; may be given several times")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there as well")


def run(args: argparse.Namespace) -> int:
    _need("torch", "onnx", "onnxscript", "safetensors", "matplotlib")
    from tqdm import tqdm

    from pose_attention_ros.training.corpus import load_corpus
    from pose_attention_ros.training.loop import Progress, Trainer
    from pose_attention_ros.training.recipe import load_recipe
    from pose_attention_ros.training.report import RESULT, finish

    recipe = load_recipe(args.recipe)
    out = args.out or Path("out/train") / f"{args.recipe.stem}-{args.seed}"
    corpus = load_corpus(recipe, data_files(list(recipe.data), args.data))
    print(f"{len(corpus.classes)} classes; " + ", ".join(
        f"{split} {len(corpus.part(split))} clips" for split in ("train", "val", "test")))
    trainer = Trainer(recipe, corpus, args.seed, out)
    steps = recipe.train.epochs * max(recipe.train.streams_per_epoch // recipe.train.batch, 1)
    with tqdm(total=steps, unit="step", desc="training", mininterval=2) as bar:
        def report(progress: Progress) -> None:
            bar.write(f"epoch {progress.epoch:3d}/{progress.epochs}  loss {progress.loss:.3f}  validation "
                      f"{progress.val_accuracy:.1%}, as estimated {progress.val_accuracy_estimated:.1%}")
        trainer.fit(report, bar.update)
    result = finish(trainer.average, recipe, corpus, trainer.history, args.seed, trainer.seconds, out)
    text = (out / RESULT).read_text()
    if args.json:
        args.json.write_text(text)
    for split in ("val", "test"):
        print(f"{split}: accuracy {result[split]['accuracy']:.1%}, macro F1 {result[split]['macro_f1']:.3f}; as estimated "
              f"{result[split + '_as_estimated']['accuracy']:.1%}")
    print(f"model in {out / recipe.model_id}, numbers in {out / RESULT}")
    return 0


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


def _need(*modules: str) -> None:
    """Say what is missing before an hour of training, not after it."""
    absent = [module for module in modules if importlib.util.find_spec(module) is None]
    if absent:
        raise UserError(f"training needs {', '.join(absent)}: pip install 'pose_attention_ros[train]'")
