"""Training of the pose network on one CPU, one GPU, or several of either.

The same seed, recipe and photos give the same model, also where a run was cut short and resumed.
"""

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
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.pose_images import Photo
from pose_attention_ros.inference.recogniser import find_model
from pose_attention_ros.models.pose_bundle import load_pose_network
from pose_attention_ros.models.pose_cnn import Maps, PoseCnn, grow
from pose_attention_ros.models.pose_losses import pose_loss
from pose_attention_ros.models.posenet_weights import start_backbone
from pose_attention_ros.training.loop import CHECKPOINT
from pose_attention_ros.training.pose_batches import PoseBatch, PoseBatches
from pose_attention_ros.training.pose_processes import Processes
from pose_attention_ros.training.pose_recipe import PoseRecipe, PoseTrainConfig
from pose_attention_ros.training.pose_validate import validation_loss, validation_score

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PoseProgress:
    """One finished epoch."""

    epoch: int
    epochs: int
    loss: float
    val_loss: float
    val_ap: float
    minutes: float


class PoseTrainer:
    """Network, its moving average, optimiser and history; `fit` runs to the end, from a checkpoint if there is one."""

    def __init__(
        self,
        recipe: PoseRecipe,
        train: list[Photo],
        val: list[Photo],
        seed: int,
        out: Path,
        processes: Processes | None = None,
    ) -> None:
        self._recipe, self._out = recipe, out
        self._processes = processes or Processes(0, 1, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
        if recipe.train.batch % (self._processes.count * recipe.train.parts):
            raise UserError(
                f"batch is {recipe.train.batch}, expected a multiple of the {self._processes.count} processes times "
                f"{recipe.train.parts} parts"
            )
        self._val = val[:: math.ceil(len(val) / recipe.train.val_photos)] if val else []
        self._fingerprint = fingerprint(recipe, train, seed)
        torch.manual_seed(seed)
        torch.set_num_threads(recipe.train.threads)
        self._batches = PoseBatches(train, recipe, seed, self._processes.rank, self._processes.count)
        network = begin(recipe)
        network.stages[: recipe.train.frozen_stages].requires_grad_(False)
        self.network = network.to(self._processes.device, memory_format=torch.channels_last)  # a tenth faster on a CPU
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self._optimiser = torch.optim.AdamW(_groups(self.network, recipe.train), lr=recipe.train.learning_rate)
        self._step, self._seconds = 0, 0.0
        self.history: list[PoseProgress] = []

    @property
    def steps(self) -> int:
        """Of the whole run."""
        return len(self._batches)

    @property
    def seconds(self) -> float:
        """Time spent on training so far, also before it was resumed."""
        return self._seconds

    def fit(
        self,
        report: Callable[[PoseProgress], None] = lambda progress: None,
        tick: Callable[[int, float], None] = lambda steps, loss: None,
        until: int | None = None,
    ) -> None:
        """Train to the end, or to step `until`. `report` is called after each epoch, `tick` after each step with the steps
        done and the loss."""
        self._resume()
        tick(self._step, math.nan)
        end = min(until or self.steps, self.steps)
        began, before, losses = time.monotonic(), self._seconds, []
        wrapped, free = None, None
        for batch in self._loader(end):
            if free != self._backbone_learns():
                free = self._backbone_learns()
                for layer in list(self.network.backbone)[self._recipe.train.frozen_layers :]:
                    layer.requires_grad_(free)
                for layer in list(self.network.backbone)[: self._recipe.train.frozen_layers]:
                    layer.requires_grad_(False)
                wrapped = self._processes.wrap(self.network)
            losses.append(self._update(wrapped, batch))
            self._seconds = before + time.monotonic() - began
            tick(1, losses[-1])
            if self._step % self._batches.per_epoch == 0:
                report(self._end_epoch(float(np.mean(losses))))
                losses.clear()
            if self._step % self._recipe.train.save_every == 0 or self._step == end:
                self._save()

    def _loader(self, end: int) -> DataLoader:
        loaders = self._recipe.train.loaders
        ahead = {"num_workers": loaders, "prefetch_factor": 4, "pin_memory": self._on_gpu} if loaders else {}
        return DataLoader(Subset(self._batches, range(self._step, max(end, self._step))), batch_size=None, **ahead)

    @property
    def _on_gpu(self) -> bool:
        return self._processes.device.type == "cuda"

    def _backbone_learns(self) -> bool:
        return self._step >= self._recipe.train.head_only * self.steps

    def _update(self, wrapped: nn.Module, batch: PoseBatch) -> float:
        config = self._recipe.train
        for group in self._optimiser.param_groups:
            group["lr"] = config.learning_rate * schedule(self._step / self.steps, config, backbone=group["backbone"])
        self.network.train()
        self.network.stages[: config.frozen_stages].eval()
        if config.frozen_statistics:
            self.network.backbone.eval()
        self._optimiser.zero_grad(set_to_none=True)
        parts = (torch.tensor_split(maps, config.parts) for maps in (batch.image, *batch.target, *batch.weight))
        losses = [self._add_gradients(wrapped, *part) for part in zip(*parts)]
        nn.utils.clip_grad_norm_(self.network.parameters(), config.clip_norm)
        self._optimiser.step()
        self._step += 1
        self._follow(min(config.average, self._step / (self._step + 10)))
        return float(np.mean(losses))

    def _add_gradients(self, wrapped: nn.Module, image: Tensor, *maps: Tensor) -> float:
        """Of one of a step's equal parts.

        :param maps: of the target, then their weights, confidence before affinity
        :returns: the part's loss
        """
        config, device = self._recipe.train, self._processes.device
        image, *maps = (each.to(device, non_blocking=True) for each in (image, *maps))
        with torch.autocast(device.type, torch.bfloat16, enabled=self._on_gpu and config.mixed_precision):
            _, stages = wrapped(image.float() / 255)
        stages = [Maps(*(each.float() for each in stage)) for stage in stages]
        loss = pose_loss(stages, Maps(*maps[:2]), Maps(*maps[2:]), config.emphasis)
        (loss / config.parts).backward()
        return loss.item()

    @torch.no_grad()
    def _follow(self, keep: float) -> None:
        """Move the average, of batch norm's statistics too, towards the network."""
        for mean, new in zip(self.average.state_dict().values(), self.network.state_dict().values()):
            if mean.dtype.is_floating_point:
                mean.lerp_(new, 1 - keep)

    def _end_epoch(self, loss: float) -> PoseProgress:
        val_loss = ap = math.nan
        if self._processes.leads and self._val:
            val_loss = validation_loss(self.average, self._val, self._recipe)
            ap = validation_score(self.average, self._val, self._recipe).ap
        self._processes.wait()
        progress = PoseProgress(
            self._step // self._batches.per_epoch, self._recipe.train.epochs, loss, val_loss, ap, self._seconds / 60
        )
        self.history.append(progress)
        return progress

    def _save(self) -> None:
        if not self._processes.leads:
            return
        self._out.mkdir(parents=True, exist_ok=True)
        partial = self._out / (CHECKPOINT + ".part")
        torch.save(
            {
                "fingerprint": self._fingerprint,
                "step": self._step,
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self._optimiser.state_dict(),
                "seconds": self._seconds,
                "history": [dataclasses.asdict(each) for each in self.history],
            },
            partial,
        )
        partial.replace(self._out / CHECKPOINT)

    def _resume(self) -> None:
        path = self._out / CHECKPOINT
        if not path.is_file():
            return
        saved = torch.load(path, weights_only=True, map_location=self._processes.device)
        if saved["fingerprint"] != self._fingerprint:
            raise UserError(f"{path} is of another recipe, seed or data; choose another --out, or delete it to start afresh")
        self.network.load_state_dict(saved["network"])
        self.average.load_state_dict(saved["average"])
        self._optimiser.load_state_dict(saved["optimiser"])
        self._step, self._seconds = saved["step"], saved["seconds"]
        self.history = [PoseProgress(**each) for each in saved["history"]]
        _log.info("resumed %s at step %d of %d", path, self._step, self.steps)


def begin(recipe: PoseRecipe) -> PoseCnn:
    """The network that training begins with. Raises UserError or ModelError where the weights to begin with are not there,
    or are of a network of another shape."""
    if recipe.start_from:
        network = load_pose_network(find_model(recipe.start_from))
        wanted = recipe.model
        if dataclasses.replace(network.config, stages=wanted.stages) != wanted or network.config.stages > wanted.stages:
            raise UserError(
                f"start_from: {recipe.start_from} is {network.config}, expected the recipe's {wanted}, or fewer stages"
            )
        if network.config.stages < wanted.stages:
            network = grow(network, wanted.stages, copy=recipe.train.new_stages == "copy")
        return network.requires_grad_(True)
    network = PoseCnn(recipe.model)
    if recipe.start_backbone_from:
        start_backbone(network.backbone, Path(recipe.start_backbone_from))
    return network


def _groups(network: PoseCnn, config: PoseTrainConfig) -> list[dict]:
    """Parameters by their learning rate and decay: biases and norms are not decayed."""
    groups = []
    for backbone in (True, False):
        own = [value for name, value in network.named_parameters() if name.startswith("backbone.") == backbone]
        groups += [
            {
                "params": [value for value in own if value.ndim > 1],
                "backbone": backbone,
                "weight_decay": config.weight_decay,
            },
            {"params": [value for value in own if value.ndim <= 1], "backbone": backbone, "weight_decay": 0.0},
        ]
    return groups


def schedule(done: float, config: PoseTrainConfig, *, backbone: bool = False) -> float:
    """Share of the highest learning rate after the share `done` of all steps: linear rise, then a half cosine to 0. The
    backbone's is `backbone_rate` of that, and rises on its own where it begins to learn."""
    rate = 0.5 * (1 + math.cos(math.pi * max(0.0, (done - config.warm_up) / max(1e-9, 1 - config.warm_up))))
    begin = config.head_only if backbone else 0.0
    if config.warm_up:
        rate *= min(1.0, max(0.0, done - begin) / config.warm_up)
    return rate * (config.backbone_rate if backbone else 1.0)


def fingerprint(recipe: PoseRecipe, photos: list[Photo], seed: int) -> str:
    """What a run depends on, as a hash."""
    digest = hashlib.sha256(json.dumps([dataclasses.asdict(recipe), seed], sort_keys=True, default=str).encode())
    for photo in photos:
        digest.update(photo.path.name.encode())
        digest.update(photo.keypoints_px.tobytes())
    return digest.hexdigest()
