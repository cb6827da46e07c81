"""The two attentions of the Pose-Attention Network (Li & Wang 2020, section 2.3): over joints, and over moments.

N people, T ticks, V joints, D width of a joint's embedding, G heads, H width of the recurrent state.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

# Added to a joint's score if it is there: e**-30 is nothing, and rows without any joint still sum to 1.
PRESENT_BONUS = 30.0
# A moment's score lies between this and its negative. It stays far below in trained networks (`everyday`: 4.6), and bounded
# scores need no running maximum to keep their exponentials finite.
HIGHEST_ENERGY = 10.0


class JointsAttention(nn.Module):
    """(13)-(15): which joints of one frame matter. Each head u_w gives its own weights and its own vector."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.key = nn.Linear(width, width, bias=False)  # W_w
        self.query = nn.Linear(width, heads, bias=False)  # u_w, one row a head

    def forward(self, joints: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """joints h_it (B, V, D), mask (B, V, 1) -> s_i (B, G * D), weights (B, G, V); each head's weights sum to 1.

        Rows of joints, and a softmax over the last axis, cost a runtime least.
        """
        rows = torch.tanh(self.key(joints.flatten(0, 1)))  # (14)                        (B V, D)
        scores = torch.addmm(mask.flatten(0, 1), rows, self.query.weight.T, beta=PRESENT_BONUS)  # + j . u_w  (B V, G)
        weights = scores.unflatten(0, mask.shape[:2]).transpose(1, 2).softmax(-1)  # (13)  (B, G, V)
        return (weights @ joints).flatten(-2), weights  # (15)


class PoseAttention(nn.Module):
    """(10)-(12): which moments matter, for every prefix of the stream, at once or tick by tick.

    The paper's score of moment i, e_i = u_i . u_s, may lose `decay` for every tick that has passed since, so that
    the past fades; `decay` 0 is the paper's form. The two forms below are equal on every prefix.
    """

    def __init__(self, width: int, decay: float) -> None:
        super().__init__()
        self.key = nn.Linear(width, width, bias=False)  # W_s
        self.query = nn.Linear(width, 1, bias=False)  # u_s
        self.decay = decay

    def energy(self, states: Tensor) -> Tensor:
        """(11) and the exponent of (10): h_i (..., H) -> e_i (..., 1)."""
        return self.query(torch.tanh(self.key(states))).clamp(-HIGHEST_ENERGY, HIGHEST_ENERGY)

    def prefixes(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """h (N, T, H) -> v after every tick (N, T, H), e (N, T): row t attends to the ticks up to t."""
        energy = self.energy(states)[..., 0]
        ticks = torch.arange(states.shape[1], device=states.device)
        elapsed = ticks[:, None] - ticks  # (T, T)
        faded = energy[:, None, :] - self.decay * elapsed.to(energy.dtype)
        weights = faded.masked_fill(elapsed < 0, -torch.inf).softmax(-1)  # (10)          (N, T, T)
        return weights @ states, energy  # (12)

    def step(self, state: Tensor, total: Tensor, mass: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One more tick: h (N, H), and of the ticks before n = sum exp(e) h (N, H) and d = sum exp(e) (N, 1), where e is
        the faded score. Before the first tick both are 0.

        Returns v (N, H), e (N, 1), and the new n, d.
        """
        energy = self.energy(state)
        keep, take = math.exp(-self.decay), energy.exp()
        total, mass = keep * total + take * state, keep * mass + take
        return total / mass, energy, total, mass
