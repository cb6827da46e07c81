"""Training as a list of phases: in each some parts of a network learn one thing, the others are frozen. It is logged, and
goes on where it was cut short."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.training.loop import CHECKPOINT, Progress

LOG = "phases.json"

# (network, batch) -> loss, logits (n, K), targets (n,)
Objective = Callable[[nn.Module, Any], tuple[Tensor, Tensor, Tensor]]


def half_cosine(highest: float, epochs: int) -> Callable[[int], float]:
    """Learning rates that fall from `highest` towards 0 in `epochs`."""
    return lambda epoch: highest * 0.5 * (1 + math.cos(math.pi * epoch / epochs))


def every_part(network: nn.Module) -> tuple[str, ...]:
    """Names of all that can learn, for a phase's `moves`."""
    return tuple(name for name, _ in network.named_children())


@dataclass(frozen=True)
class Phase:
    """One stretch of training.

    :param name: for the log
    :param epochs: at most
    :param moves: names of the network's parts that learn, as prefixes of parameter names; everything else is frozen
    :param objective: what is learned; with the network in evaluation mode it is measured on the validation batches
    :param optimiser: parameters -> optimiser
    :param rates: epoch -> learning rate; None: the optimiser's own, a tenth of it after `plateau` epochs without a better
        validation loss
    :param plateau: see above
    :param patience: stop after so many epochs without a better validation loss, and take the best weights; 0: never
    :param begin: called with the network before the first epoch
    :param average: decay of a moving average of the weights, which is validated and is what the phase leaves; 0: none
    """

    name: str
    epochs: int
    moves: tuple[str, ...]
    objective: Objective
    optimiser: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
    rates: Callable[[int], float] | None = None
    plateau: int = 5
    patience: int = 0
    begin: Callable[[nn.Module], None] = lambda network: None
    average: float = 0.0


@dataclass
class _Place:
    """Where a run is: the phase, its finished epochs and steps, and what early stopping and the learning rate know of it."""

    phase: int = 0
    epoch: int = 0
    step: int = 0
    best_loss: float = float("inf")
    since_best: int = 0
    rate: float = 0.0
    log: list[dict] = field(default_factory=list)
    history: list[dict] = field(default_factory=list)
    seconds: float = 0.0


class PhaseTrainer:
    """`fit` runs all phases, from the checkpoint in `out` if there is one. The same seed gives the same network."""

    def __init__(
        self,
        network: nn.Module,
        phases: Sequence[Phase],
        batches: Callable[[int], Iterable[Any]],
        validation: Sequence[Any],
        *,
        seed: int,
        out: Path,
        fingerprint: str,
        clip_norm: float = 0.0,
    ) -> None:
        """
        :param batches: number of an epoch, counted through all phases -> its batches
        :param clip_norm: longest gradient; 0 for any
        """
        self.network, self.phases = network, tuple(phases)
        self._batches, self._validation, self._seed = batches, validation, seed
        self._out, self._fingerprint, self._clip_norm = out, fingerprint, clip_norm
        self._place = _Place()
        self._best: dict[str, Tensor] | None = None
        self._average: nn.Module | None = None  # of the weights, in a phase that has one

    @property
    def epochs(self) -> int:
        """Of all phases, at most."""
        return sum(phase.epochs for phase in self.phases)

    @property
    def history(self) -> list[Progress]:
        return [Progress(**each) for each in self._place.history]

    @property
    def seconds(self) -> float:
        """Of training, also before it was resumed."""
        return self._place.seconds

    @property
    def log(self) -> list[dict]:
        """Of each phase that began: its name, what moved, and the last losses."""
        return self._place.log

    def fit(self, report: Callable[[str, Progress], None] = lambda phase, progress: None) -> None:
        """Train to the end; `report` is called after each epoch."""
        optimiser_state = self._resume()
        while self._place.phase < len(self.phases):
            self._run(self.phases[self._place.phase], optimiser_state, report)
            optimiser_state = None
            self._place.phase, self._place.epoch, self._place.step = self._place.phase + 1, 0, 0
            self._save(None)
        for parameter in self.network.parameters():
            parameter.requires_grad_(True)

    def _run(self, phase: Phase, optimiser_state: dict | None, report: Callable[[str, Progress], None]) -> None:
        place = self._place
        moved = self._freeze(phase)
        optimiser = phase.optimiser([p for p in self.network.parameters() if p.requires_grad])
        if optimiser_state is not None:
            optimiser.load_state_dict(optimiser_state)
        if place.epoch == 0:
            torch.manual_seed(self._seed * 100_003 + 50_021 + place.phase)
            phase.begin(self.network)
            place.best_loss, place.since_best, self._best = float("inf"), 0, None
            self._average = copy.deepcopy(self.network) if phase.average else None
            place.rate = optimiser.param_groups[0]["lr"]
            place.log.append({"phase": phase.name, "moves": moved, "epochs": 0})
        while place.epoch < phase.epochs and not (phase.patience and place.since_best >= phase.patience):
            began = time.monotonic()
            progress, loss = self._epoch(phase, optimiser)
            self._judge(phase, loss)
            place.seconds += time.monotonic() - began
            place.log[-1] |= {
                "epochs": place.epoch,
                "training_loss": progress.loss,
                "validation_loss": loss,
                "validation_accuracy": progress.val_accuracy,
                "rate": place.rate,
            }
            place.history.append(asdict(progress))
            self._save(optimiser)
            report(phase.name, progress)
        if phase.patience and self._best is not None:
            self.network.load_state_dict(self._best)
        elif self._average is not None:
            self.network.load_state_dict(self._average.state_dict())
        self._average = None

    def _freeze(self, phase: Phase) -> list[str]:
        """Let what the phase moves learn, and nothing else. Returns its top-level names."""
        moved = set()
        for name, parameter in self.network.named_parameters():
            learns = any(name == part or name.startswith(part + ".") for part in phase.moves)
            parameter.requires_grad_(learns)
            moved |= {name.partition(".")[0]} if learns else set()
        if not moved:
            raise UserError(f"phase {phase.name!r} moves nothing: the network has no part {', '.join(phase.moves)}")
        return sorted(phase.moves)

    def _epoch(self, phase: Phase, optimiser: torch.optim.Optimizer) -> tuple[Progress, float]:
        """One pass over the training batches, then the validation; returns progress and validation loss."""
        place = self._place
        number = sum(each.epochs for each in self.phases[: place.phase]) + place.epoch
        for group in optimiser.param_groups:
            group["lr"] = phase.rates(place.epoch) if phase.rates else place.rate
        torch.manual_seed(self._seed * 100_003 + number)  # drop-out does not depend on where a run was resumed
        self.network.train()
        losses = []
        for batch in self._batches(number):
            loss, *_ = phase.objective(self.network, batch)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            if self._clip_norm:
                nn.utils.clip_grad_norm_(self.network.parameters(), self._clip_norm)
            optimiser.step()
            place.step += 1
            self._follow(phase.average)
            losses.append(loss.item())
        loss, accuracy = self._validate(phase)
        place.epoch += 1
        return Progress(number + 1, self.epochs, float(np.mean(losses)), accuracy), loss

    @torch.no_grad()
    def _follow(self, average: float) -> None:
        """Bring the moving average of the weights nearer to them: quickly at first, then by 1 - `average` a step."""
        if self._average is not None:
            keep = min(average, self._place.step / (self._place.step + 10))
            torch._foreach_lerp_([*self._average.parameters()], [*self.network.parameters()], 1 - keep)

    @torch.inference_mode()
    def _validate(self, phase: Phase) -> tuple[float, float]:
        """Mean loss and accuracy over the validation clips; NaN without any."""
        network = (self._average or self.network).eval()
        losses, right, clips = [], 0, 0
        for batch in self._validation:
            loss, logits, targets = phase.objective(network, batch)
            losses.append(loss.item() * len(targets))
            right, clips = right + int((logits.argmax(-1) == targets).sum()), clips + len(targets)
        return (sum(losses) / clips, right / clips) if clips else (float("nan"), float("nan"))

    def _judge(self, phase: Phase, loss: float) -> None:
        """Keep the best weights, lower the learning rate where nothing gets better."""
        place = self._place
        if loss < place.best_loss:
            place.best_loss, place.since_best = loss, 0
            judged = self._average or self.network
            self._best = copy.deepcopy(judged.state_dict()) if phase.patience else None
        else:
            place.since_best += 1
            if phase.rates is None and place.since_best % phase.plateau == 0:
                place.rate /= 10

    def _save(self, optimiser: torch.optim.Optimizer | None) -> None:
        self._out.mkdir(parents=True, exist_ok=True)
        (self._out / LOG).write_text(json.dumps(self._place.log, indent=2) + "\n")
        partial = self._out / (CHECKPOINT + ".part")
        torch.save(
            {
                "fingerprint": self._fingerprint,
                "network": self.network.state_dict(),
                "best": self._best,
                "average": self._average.state_dict() if self._average else None,
                "optimiser": optimiser.state_dict() if optimiser else None,
                "place": asdict(self._place),
            },
            partial,
        )
        partial.replace(self._out / CHECKPOINT)

    def _resume(self) -> dict | None:
        """Read the checkpoint, if there is one; returns the optimiser's state."""
        path = self._out / CHECKPOINT
        if not path.is_file():
            return None
        saved = torch.load(path, weights_only=True)
        if saved["fingerprint"] != self._fingerprint:
            raise UserError(f"{path} is of another recipe, seed or data; choose another --out, or delete it to start afresh")
        self.network.load_state_dict(saved["network"])
        self._best, self._place = saved["best"], _Place(**saved["place"])
        if saved["average"] is not None:
            self._average = copy.deepcopy(self.network)
            self._average.load_state_dict(saved["average"])
        return saved["optimiser"]
