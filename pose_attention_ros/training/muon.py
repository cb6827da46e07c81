"""Muon (Jordan et al. 2024): an optimiser for matrices whose steps change all directions alike.

The momentum of each matrix is brought near to the closest orthogonal matrix before it is applied, so that directions which
the loss seldom asks for are learnt as fast as the others. PyTorch's own Muon does that in bfloat16, which many processors
only emulate; here it is single precision.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # of the quintic iteration, by its authors
_ITERATIONS = 5
_AS_ADAM = 0.2  # root mean square of a step's entries, as of AdamW's (Liu et al. 2025): one learning rate serves both
_SMALLEST = 8  # rows and columns of a matrix that is worth it


class Muon(torch.optim.Optimizer):
    """For matrices (R, C); with Nesterov's momentum and AdamW's weight decay."""

    def __init__(self, params: Iterable[Tensor], lr: float, weight_decay: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                mean = state.setdefault("momentum", torch.zeros_like(matrix))
                mean.lerp_(matrix.grad, 1 - group["momentum"])
                step = orthogonal(matrix.grad.lerp(mean, group["momentum"]))
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(step, alpha=-group["lr"] * _AS_ADAM * max(matrix.shape) ** 0.5)


def orthogonal(matrix: Tensor) -> Tensor:
    """(R, C) with its singular values brought near to 1 (between 0.7 and 1.2)."""
    a, b, c = _NEWTON_SCHULZ
    wide = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(_ITERATIONS):
        square = wide @ wide.T
        wide = a * wide + (b * square + c * square @ square) @ wide
    return wide.T if matrix.shape[0] > matrix.shape[1] else wide


def optimisers(network: nn.Module, learning_rate: float, weight_decay: float, *, muon: bool) -> list[torch.optim.Optimizer]:
    """AdamW of all parameters or, with `muon`, that for the weights between hidden layers and AdamW for the others."""
    named = list(network.named_parameters())
    hidden = [p for name, p in named if muon and p.ndim == 2 and min(p.shape) >= _SMALLEST and "classify" not in name]
    taken = {id(p) for p in hidden}
    rest = [p for _, p in named if id(p) not in taken]
    found: list[torch.optim.Optimizer] = [torch.optim.AdamW(rest, lr=learning_rate, weight_decay=weight_decay, fused=True)]
    return [Muon(hidden, learning_rate, weight_decay), *found] if hidden else found
