"""`pose-attention train CONFIG.yaml`: what a recipe describes, by the trainer of its model."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
from pathlib import Path

from pose_attention_ros.cli.train_pan import DATA_DIR
from pose_attention_ros.core.errors import UserError

# `name` in a recipe's `model` section (none: the first) -> module with run(args) -> int. Imported when it is asked for.
TRAINERS = {
    "pan": "pose_attention_ros.cli.train_pan",
    "pose_cnn": "pose_attention_ros.cli.train_pose",
    "rpan": "pose_attention_ros.cli.train_comparator",
    "where_to_focus": "pose_attention_ros.cli.train_comparator",
    "temporal_attention": "pose_attention_ros.cli.train_comparator",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, metavar="CONFIG.yaml", help="a recipe, such as config/train/everyday.yaml")
    parser.add_argument("--seed", type=int, default=0, help="everything random follows from it (default 0)")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="results; a run that was cut short there goes on (default out/train/<recipe>-<seed>)",
    )
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="[NAME=]FILE.npz",
        help=f"data set file, in place of {DATA_DIR}/<name>.npz; may be given several times",
    )
    parser.add_argument(
        "--official-split",
        type=int,
        metavar="N",
        help="only this one of the data's official splits (default: those that the recipe names)",
    )
    parser.add_argument("--numbers-only", action="store_true", help="leave no model directory, for tables over many seeds")
    parser.add_argument(
        "--jobs",
        type=int,
        default=2,
        metavar="N",
        help="members of a committee that are trained at once, a process each (default %(default)s)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there as well")


def run(args: argparse.Namespace) -> int:
    from pose_attention_ros.training.recipe import model_name

    _need("torch", "onnx", "onnxscript", "safetensors", "matplotlib")
    name = model_name(args.recipe, TRAINERS)
    return importlib.import_module(TRAINERS[name]).run(args)


def _need(*modules: str) -> None:
    """Say what is missing before an hour of training, not after it."""
    absent = [module for module in modules if importlib.util.find_spec(module) is None]
    if absent:
        raise UserError(f"training needs {', '.join(absent)}: pip install 'pose_attention_ros[train]'")
