"""The members of a committee: each keeps back another part of the training groups, so that together they have learnt from
all of it and each is validated on clips that it never saw. They are trained side by side, a process each."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from pose_attention_ros.models.bundle import Network
from pose_attention_ros.models.pan import PoseAttentionNetwork
from pose_attention_ros.training.corpus import Corpus, load_corpus
from pose_attention_ros.training.loop import Trainer
from pose_attention_ros.training.recipe import Recipe
from pose_attention_ros.training.report import ScoresOf
from pose_attention_ros.training.validate import ClipScores, score_clips


@dataclass(frozen=True)
class Member:
    """One network of a run: its seed, its folder, and which part of the training groups it is validated on."""

    seed: int
    folder: Path
    part: int


def fit_members(
    recipe: Recipe,
    files: Mapping[str, Path],
    official_split: int | None,
    members: Sequence[Member],
    jobs: int,
    done: Callable[[int], None],
) -> None:
    """Train each of `members` to its end, `jobs` at a time; their checkpoints hold the result.

    :param done: called with the steps of each member that is finished
    """
    fit = partial(_fit, recipe, files, official_split)
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for steps in pool.map(fit, members):
            done(steps)


def _fit(recipe: Recipe, files: Mapping[str, Path], official_split: int | None, member: Member) -> int:
    corpus = load_corpus(recipe, files, official_split=official_split, part=member.part)
    trainer = Trainer(recipe, corpus, member.seed, member.folder)
    trainer.fit()
    return trainer.steps


def committee_scores(committee: Network, members: Sequence[tuple[PoseAttentionNetwork, Corpus]], recipe: Recipe) -> ScoresOf:
    """How a committee's clips are scored: validation clips by the member that did not learn from them, others by all."""

    def scores_of(split: str, known: bool, view: int | None) -> ClipScores:
        if split != "val":
            corpus = members[0][1]
            return score_clips(committee, corpus.part(split, known=known), corpus, recipe, view)
        each = [score_clips(network, corpus.part(split, known=known), corpus, recipe, view) for network, corpus in members]
        return ClipScores(
            *(np.concatenate([getattr(scores, name) for scores in each]) for name in ("logits", "truth", "data"))
        )

    return scores_of
