"""The members of a committee trained side by side, a process each: they share nothing but the data set files."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from pose_attention_ros.training.corpus import load_corpus
from pose_attention_ros.training.loop import Trainer
from pose_attention_ros.training.recipe import Recipe


def fit_members(recipe: Recipe, files: Mapping[str, Path], official_split: int | None, runs: Sequence[tuple[int, Path]],
                jobs: int, done: Callable[[int], None]) -> None:
    """Train each (seed, folder) of `runs` to its end, `jobs` at a time; their checkpoints hold the result.

    :param done: called with the steps of each member that is finished
    """
    fit = partial(_fit, recipe, files, official_split)
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for steps in pool.map(fit, *zip(*runs)):
            done(steps)


def _fit(recipe: Recipe, files: Mapping[str, Path], official_split: int | None, seed: int, folder: Path) -> int:
    trainer = Trainer(recipe, load_corpus(recipe, files, official_split=official_split), seed, folder)
    trainer.fit()
    return trainer.steps
