"""Train the pose network from a recipe.

`torchrun --nproc-per-node N -m pose_attention_ros.cli.main train ...` uses N processes, each with a GPU where there are any.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from pose_attention_ros.cli.options import write_json
from pose_attention_ros.cli.train_pan import DATA_DIR
from pose_attention_ros.core.errors import UserError


def run(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from pose_attention_ros.training.pose_batches import read_part
    from pose_attention_ros.training.pose_loop import PoseProgress, PoseTrainer
    from pose_attention_ros.training.pose_processes import Processes
    from pose_attention_ros.training.pose_recipe import load_pose_recipe

    recipe = load_pose_recipe(args.recipe)
    out = args.out or Path("out/train") / f"{args.recipe.stem}-{args.seed}"
    folders = data_folders(list(recipe.data), args.data)
    processes = Processes.join()
    train, val = read_part("train", recipe, folders), read_part("val", recipe, folders)
    trainer = PoseTrainer(recipe, train, val, args.seed, out, processes)
    if processes.leads:
        print(
            f"train {len(train)} photos, {sum(photo.people for photo in train)} people; val {len(val)}; "
            f"{processes.count} process(es) on {processes.device}"
        )
    with tqdm(total=trainer.steps, unit="step", desc="training", mininterval=5, disable=not processes.leads) as bar:

        def tick(steps: int, loss: float) -> None:
            bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)
            bar.update(steps)

        def report(progress: PoseProgress) -> None:
            if processes.leads:
                bar.write(
                    f"epoch {progress.epoch:3d}/{progress.epochs}  loss {progress.loss:.3f}  validation loss "
                    f"{progress.val_loss:.3f}  AP {progress.val_ap:.3f}  {progress.minutes:.1f} min"
                )

        trainer.fit(report, tick)
    if processes.leads:
        result = _finish(trainer, recipe, args, out)
        write_json(args.json, result)
    processes.leave()
    return 0


def _finish(trainer, recipe, args: argparse.Namespace, out: Path) -> dict:
    from pose_attention_ros.models.pose_bundle import save_pose_model
    from pose_attention_ros.training.report import RESULT

    result = {
        "seed": args.seed,
        "minutes": trainer.seconds / 60,
        "history": [dataclasses.asdict(progress) for progress in trainer.history],
    }
    write_json(out / RESULT, result)
    if not args.numbers_only:
        extra = {"recipe": args.recipe.name, "seed": args.seed, "training_minutes": round(trainer.seconds / 60, 1)}
        save_pose_model(trainer.average, recipe.model_id, recipe.train.input_size, out / recipe.model_id, extra)
        print(f"model in {out / recipe.model_id}")
    print(f"numbers in {out / RESULT}")
    return result


def data_folders(names: list[str], given: list[str]) -> dict[str, Path]:
    """Data set name -> folder. Raises UserError for a name that the recipe does not use, or a folder that is not there."""
    folders = {name: DATA_DIR / name for name in names}
    for text in given:
        name, _, path = text.rpartition("=")
        if (not name and len(names) > 1) or (name and name not in folders):
            raise UserError(f"--data {text}: the recipe reads {', '.join(names)}; say which, as {names[0]}=DIR")
        folders[name or names[0]] = Path(path)
    for name, folder in folders.items():
        if not folder.is_dir():
            raise UserError(f"no folder {folder} for the photos of {name}; give one with --data {name}=DIR")
    return folders
