"""The training loop: the same seed, recipe and data give the same model."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Subset

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.evaluation import metrics
from pose_attention_ros.models.losses import pan_loss
from pose_attention_ros.models.pan import PoseAttentionNetwork
from pose_attention_ros.training.batches import Batch
from pose_attention_ros.training.clip_batches import ClipBatchMaker
from pose_attention_ros.training.corpus import Corpus
from pose_attention_ros.training.muon import optimisers
from pose_attention_ros.training.recipe import Recipe, TrainConfig
from pose_attention_ros.training.start import adopt, weights_sha256
from pose_attention_ros.training.stream_batches import StreamBatchMaker
from pose_attention_ros.training.validate import ReadClips, read_clips, score

_log = logging.getLogger(__name__)
CHECKPOINT = "checkpoint.pt"
STREAMS = "streams"  # folder beside those of the runs, for the streams that they share
_SCALE_BATCHES = 4  # batches from which the spread of the input channels is taken
_VAL_CLIPS = 400  # looked at after an epoch, at most; the result rests on all
_ESTIMATED_SEED = 7  # of the rough estimator in validation


@dataclass(frozen=True)
class Progress:
    """One finished epoch."""

    epoch: int
    epochs: int
    loss: float
    val_accuracy: float
    val_accuracy_estimated: float | None = None  # only where a recipe simulates an estimator


class Trainer:
    """Network, its moving average, optimiser and history; `fit` runs to the end, from a checkpoint if there is one."""

    def __init__(self, recipe: Recipe, corpus: Corpus, seed: int, out: Path) -> None:
        if recipe.train.prior and recipe.clips is None:
            raise UserError("train.prior is for recipes of whole clips (`clips`); streams are drawn by train.balance")
        torch.manual_seed(seed)
        torch.set_num_threads(recipe.train.threads)
        self._recipe, self._corpus, self._out = recipe, corpus, out
        self._fingerprint = fingerprint(recipe, corpus, seed)
        self._batches = (
            ClipBatchMaker(recipe, corpus, seed)
            if recipe.clips
            else StreamBatchMaker(recipe, corpus, seed, out.parent / STREAMS)
        )
        self._steps_per_epoch, self._total = self._batches.per_epoch, len(self._batches)
        self.network = PoseAttentionNetwork(recipe.model, len(corpus.classes))
        first = [self._batches[i] for i in range(min(_SCALE_BATCHES, self._total))]
        self.network.feature_scale.copy_(_channel_spread(first))
        if recipe.start_from:
            adopt(self.network, recipe.start_from, corpus.classes)
        self.average = copy.deepcopy(self.network)
        self._optimisers = optimisers(
            self.network, recipe.train.learning_rate, recipe.train.weight_decay, muon=recipe.train.muon
        )
        self._step = 0
        self._began = self._ended = time.monotonic()
        self.history: list[Progress] = []

    @property
    def steps(self) -> int:
        """Of the whole run."""
        return self._total

    @property
    def seconds(self) -> float:
        """Time spent on training, up to the last epoch, also before it was resumed."""
        return self._ended - self._began

    def fit(
        self, report: Callable[[Progress], None] = lambda progress: None, tick: Callable[[int], None] = lambda steps: None
    ) -> None:
        """Train to the end. `report` is called after each epoch, `tick` after each step with the steps done."""
        self._began = time.monotonic()
        self._resume()
        tick(self._step)
        workers = {} if self._recipe.clips else {"num_workers": 1, "prefetch_factor": 4}  # whole clips are quick to make
        loader = DataLoader(Subset(self._batches, range(self._step, self._total)), batch_size=None, **workers)
        losses = []
        for batch in loader if self._step < self._total else ():
            losses.append(self._update(batch))
            tick(1)
            if self._step % self._steps_per_epoch == 0:
                report(self._end_epoch(float(np.mean(losses))))
                losses.clear()

    def _update(self, batch: Batch) -> float:
        config = self._recipe.train
        for group in (group for optimiser in self._optimisers for group in optimiser.param_groups):
            group["lr"] = config.learning_rate * schedule(self._step / self._total, config)
        torch.manual_seed(self._step)  # drop-out does not depend on where a run was resumed
        self.network.train()
        features, targets, weights = (torch.as_tensor(a) for a in (batch.features, batch.targets, batch.weights))
        output = self.network(features, torch.as_tensor(batch.inside))
        loss = pan_loss(
            output,
            targets,
            weights,
            joints_weight=config.joints_weight,
            smoothing=config.smoothing,
            last_tick=config.last_tick,
            background=self._recipe.model.background,
        )
        self.network.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), config.clip_norm)
        for optimiser in self._optimisers:
            optimiser.step()
        self._step += 1
        keep = min(config.average, self._step / (self._step + 10))
        with torch.no_grad():
            torch._foreach_lerp_([*self.average.parameters()], [*self.network.parameters()], 1 - keep)
            for mean, now in zip(self.average.buffers(), self.network.buffers()):  # batch norm's
                mean.copy_(now)
        return loss.item()

    def _end_epoch(self, loss: float) -> Progress:
        if self._step == self._total and self._recipe.train.prior:
            forget_prior(self.average, self._corpus, self._recipe.train.prior)
        accuracies = []
        for clips in self._validation:
            scores = score(self.average, clips)
            accuracies.append(metrics.accuracy(scores.at_end().argmax(-1), scores.truth))
        progress = Progress(self._step // self._steps_per_epoch, self._recipe.train.epochs, loss, *accuracies)
        self.history.append(progress)
        self._ended = time.monotonic()
        self._save()
        return progress

    @cached_property
    def _validation(self) -> list[ReadClips]:
        """Validation clips as they are and, where the recipe simulates an estimator, as that shows them."""
        entries = self._corpus.part("val", known=True)
        entries = entries[:: len(entries) // _VAL_CLIPS + 1]
        return [
            read_clips(entries, self._corpus, self._recipe, seed)
            for seed in ((None,) if self._recipe.clips else (None, _ESTIMATED_SEED))
        ]

    def _save(self) -> None:
        self._out.mkdir(parents=True, exist_ok=True)
        partial = self._out / (CHECKPOINT + ".part")
        torch.save(
            {
                "fingerprint": self._fingerprint,
                "step": self._step,
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "seconds": self.seconds,
                "optimisers": [optimiser.state_dict() for optimiser in self._optimisers],
                "history": [dataclasses.asdict(progress) for progress in self.history],
            },
            partial,
        )
        partial.replace(self._out / CHECKPOINT)

    def _resume(self) -> None:
        path = self._out / CHECKPOINT
        if not path.is_file():
            return
        saved = torch.load(path, weights_only=True)
        if saved["fingerprint"] != self._fingerprint:
            raise UserError(
                f"{path} is of another recipe, seed, data or official split; choose another --out, or delete it "
                "to start afresh"
            )
        self.network.load_state_dict(saved["network"])
        self.average.load_state_dict(saved["average"])
        for optimiser, state in zip(self._optimisers, saved["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        self._step = saved["step"]
        self._ended = time.monotonic()
        self._began = self._ended - saved["seconds"]
        self.history = [Progress(**progress) for progress in saved["history"]]
        _log.info("resumed %s after epoch %d", path, len(self.history))


def forget_prior(network: PoseAttentionNetwork, corpus: Corpus, share: float) -> None:
    """Take `share` of the logarithm of each class's frequency in training off its answer, in place (Menon et al. 2021, logit
    adjustment after training): that a class was seen rarely then no longer counts against it."""
    targets = torch.tensor([entry.kind for entry in corpus.part("train", known=True)])
    counts = torch.bincount(targets, minlength=len(corpus.classes)).clamp(min=1)
    with torch.no_grad():
        network.classify.bias[: len(counts)] -= share * (counts / counts.sum()).log()


def fingerprint(recipe: Recipe, corpus: Corpus, seed: int) -> str:
    """What a run depends on, as a hash: recipe, data files, which clip counts for which part, seed, and the weights that it
    starts from."""
    division = [[entry.data, entry.clip, entry.split] for entry in corpus.entries]
    start = weights_sha256(recipe.start_from) if recipe.start_from else ""
    text = json.dumps([dataclasses.asdict(recipe), dict(corpus.sha256), division, start, seed], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def schedule(done: float, config: TrainConfig) -> float:
    """Share of the highest learning rate after the share `done` of all steps: linear rise, then a half cosine to 0."""
    if done < config.warm_up:
        return done / config.warm_up
    return 0.5 * (1 + math.cos(math.pi * (done - config.warm_up) / (1 - config.warm_up)))


def _channel_spread(batches: list[Batch]) -> torch.Tensor:
    """Root mean square (C,) of each channel, over the joints that are there."""
    rows = torch.cat([torch.from_numpy(batch.features[batch.features[..., -1] > 0]) for batch in batches])
    return rows.square().mean(0).sqrt().clamp(min=1e-3)
