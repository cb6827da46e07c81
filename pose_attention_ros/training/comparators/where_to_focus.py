"""How Where to Focus is trained: the six steps of the paper's algorithm 1 (Das et al. 2019), each with what moves in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from pose_attention_ros.core.config import setting
from pose_attention_ros.models.where_to_focus import ATTENTION, PARTS, WhereToFocus, focus_loss
from pose_attention_ros.training.comparators.phases import Phase, half_cosine
from pose_attention_ros.training.comparators.settings import ComparatorTraining
from pose_attention_ros.training.comparators.views import TickBatch, random_sub_sequences, rows, seen_so_far


@dataclass(frozen=True)
class FocusTraining(ComparatorTraining):
    """The defaults are the paper's for NTU; it leaves the lengths of the pre-training open (early stopping ends it)."""

    part_epochs: int = setting(40, "step 2: passes in which each part's network is taught alone, at most", low=1)
    pose_epochs: int = setting(40, "step 3: passes in which the pose LSTM is taught alone, at most", low=1)
    joint_epochs: int = setting(10, "step 5: N1 passes in which all is taught together", low=0)
    tune_epochs: int = setting(25, "step 6: N2 passes with the pose LSTM frozen", low=0)
    learning_rate: float = setting(5e-4, "of Adam, at first; it falls where the validation loss does not", low=0)
    falls: bool = setting(False, "it falls to 0 along half a cosine in each step instead")
    average: float = setting(0.0, "decay of the moving average of the weights that each step leaves; 0: none", low=0, high=1)
    prefixes: float = setting(0.0, "share of the training clips of which a beginning alone is shown", low=0, high=1)
    plateau: int = setting(5, "epochs without a better validation loss after which the learning rate falls", low=1)
    patience: int = setting(10, "epochs without a better validation loss after which pre-training ends", low=0)
    even: float = setting(1e-5, "l1 of (5); the paper has 1e-4 for N-UCLA", low=0)
    weight_decay: float = setting(1e-3, "l2 of (5)", low=0)


@dataclass(frozen=True)
class _Shown:
    """One sub-sequence of each clip, or of its beginning: a random one in training, else the middle frames. Poses and, where
    they are read, crops."""

    prefixes: float

    def __call__(self, network: WhereToFocus, batch: TickBatch) -> tuple[Tensor, Tensor | None]:
        ticks = seen_so_far(batch.ticks, self.prefixes) if network.training else batch.ticks
        index = random_sub_sequences(ticks, network.config.frames, network.training)
        poses = rows(network.with_motion(batch.features), index)
        return poses, None if batch.pixels is None else rows(batch.pixels, index)


class _PartAlone:
    def __init__(self, part: str, shown: _Shown) -> None:
        self._part, self._shown = part, shown

    def __call__(self, network: WhereToFocus, batch: TickBatch) -> tuple[Tensor, Tensor, Tensor]:
        logits = network.part_alone(self._part, *self._shown(network, batch))
        return functional.cross_entropy(logits, batch.targets), logits, batch.targets


class _PoseAlone:
    def __init__(self, shown: _Shown) -> None:
        self._shown = shown

    def __call__(self, network: WhereToFocus, batch: TickBatch) -> tuple[Tensor, Tensor, Tensor]:
        logits = network.pose_alone(self._shown(network, batch)[0])
        return functional.cross_entropy(logits, batch.targets), logits, batch.targets


class _Together:
    """(5)."""

    def __init__(self, even: float, shown: _Shown) -> None:
        self._even, self._shown = even, shown

    def __call__(self, network: WhereToFocus, batch: TickBatch) -> tuple[Tensor, Tensor, Tensor]:
        logits, weights = network.together(*self._shown(network, batch))
        return focus_loss(logits, batch.targets, weights, self._even), logits, batch.targets


def focus_phases(network: WhereToFocus, config: FocusTraining) -> Sequence[Phase]:
    """Algorithm 1. Step 1, the start from networks trained on other data, is the extractor's weights, or none for joints;
    step 4 is how step 5 begins. A network of one part, or without attention, leaves out what it does not have."""

    def adam(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, config.learning_rate, weight_decay=config.weight_decay)

    def phase(name: str, epochs: int, moves: Sequence[str], objective, patience: int = 0, **more) -> Phase:
        rates = half_cosine(config.learning_rate, epochs) if config.falls else None
        return Phase(
            name, epochs, tuple(moves), objective, adam, rates, config.plateau, patience, average=config.average, **more
        )

    attends, shown = network.config.aggregate == ATTENTION, _Shown(config.prefixes)
    used = PARTS if network.config.aggregate not in PARTS else (network.config.aggregate,)
    parts = [f"parts.{part}" for part in used]
    steps = [
        phase(
            f"step 2: {part} alone",
            config.part_epochs,
            (f"parts.{part}", f"part_classify.{part}"),
            _PartAlone(part, shown),
            config.patience,
        )
        for part in used
    ]
    if attends:
        steps.append(
            phase(
                "step 3: pose LSTM alone", config.pose_epochs, ("pose", "pose_classify"), _PoseAlone(shown), config.patience
            )
        )
    together, frozen = [*parts, "classify"], ["attention"] if attends else []
    steps.append(
        phase(
            "step 5: all together",
            config.joint_epochs,
            [*together, *frozen, *(["pose"] if attends else [])],
            _Together(config.even, shown),
            begin=lambda network: network.attention.start_evenly(),
        )
    )
    steps.append(phase("step 6: pose LSTM frozen", config.tune_epochs, [*together, *frozen], _Together(config.even, shown)))
    return steps
