"""`pose-attention export teaching`: the space in which a model tells taught actions apart, from its training data."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from pose_attention_ros.cli.options import add_json, write_json
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.inference.recogniser import load_recogniser
from pose_attention_ros.inference.teaching import write_space


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, metavar="M", help="name under models/, or a model directory")
    parser.add_argument("--recipe", type=Path, required=True, metavar="RECIPE.yaml", help="the recipe it was trained with")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("out/data"),
        metavar="DIR",
        help="folder of the recipe's data set files (default: %(default)s)",
    )
    parser.add_argument("--leave-out", default="", metavar="SETS", help="data sets to leave out, separated by commas")
    parser.add_argument("--seed", type=int, default=0)
    add_json(parser)


def run(args: argparse.Namespace, folder: Path) -> int:
    """Write teaching.npz and its hash."""
    from tqdm import tqdm

    try:
        from pose_attention_ros.training.corpus import load_corpus
        from pose_attention_ros.training.recipe import load_recipe
        from pose_attention_ros.training.teaching_space import make_space
    except ImportError as error:
        raise UserError(f"export needs {error.name}: pip install 'pose_attention_ros[train]'") from None
    recipe = load_recipe(args.recipe)
    left_out = tuple(name for name in args.leave_out.split(",") if name)
    if set(left_out) - set(recipe.data):
        raise UserError(f"--leave-out is {args.leave_out!r}, expected some of {', '.join(recipe.data)}")
    recipe = dataclasses.replace(recipe, leave_out=tuple({*recipe.leave_out, *left_out}))
    corpus = load_corpus(recipe, {name: args.data / f"{name}.npz" for name in recipe.data})
    with tqdm(unit="clip", disable=None, leave=False, desc="watching") as bar:
        space = make_space(load_recogniser(str(folder)), recipe, corpus, args.seed, done=bar.update)
    path = write_space(folder, space)
    print(
        f"{path}: {path.stat().st_size / 1e6:.2f} MB, {len(space.negatives)} motions that are no taught action, "
        f"{int(space.known.sum())} of them of the model's classes"
    )
    write_json(
        args.json,
        {
            "negatives": len(space.negatives),
            "known": int(space.known.sum()),
            "size": space.basis.shape[1],
            "bytes": path.stat().st_size,
        },
    )
    return 0
