"""The two attentions of the Pose-Attention Network (Li & Wang 2020, section 2.3): over joints, and over moments.

N people, T ticks, V joints, D width of a joint's embedding, G heads, H width of the recurrent state.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Taken off a missing joint's score: e**-100 is nothing, and rows without any joint still sum to 1.
MISSING_PENALTY = 100.0


class JointsAttention(nn.Module):
    """(13)-(15): which joints of one frame matter. Each head u_w gives its own weights and its own vector."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.key = nn.Linear(width, width, bias=False)  # W_w
        self.query = nn.Linear(width, heads, bias=False)  # u_w, one row a head

    def forward(self, joints: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """joints h_it (B, V, D), mask (B, V) -> s_i (B, G * D), weights (B, V, G); each head's weights sum to 1."""
        scores = self.query(torch.tanh(self.key(joints)))  # (14), j . u_w               (B, V, G)
        weights = (scores - MISSING_PENALTY * (1 - mask[..., None])).softmax(-2)  # (13)
        return (weights.transpose(-1, -2) @ joints).flatten(-2), weights  # (15)


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
        """(11) and the exponent of (10): h_i (..., H) -> e_i (...)."""
        return self.query(torch.tanh(self.key(states)))[..., 0]

    def prefixes(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """h (N, T, H) -> v after every tick (N, T, H), e (N, T): row t attends to the ticks up to t."""
        energy = self.energy(states)
        ticks = torch.arange(states.shape[1], device=states.device)
        elapsed = ticks[:, None] - ticks  # (T, T)
        faded = energy[:, None, :] - self.decay * elapsed.to(energy.dtype)
        weights = faded.masked_fill(elapsed < 0, -torch.inf).softmax(-1)  # (10)          (N, T, T)
        return weights @ states, energy  # (12)

    def step(self, state: Tensor, total: Tensor, mass: Tensor, peak: Tensor) -> tuple[Tensor, ...]:
        """One more tick: h (N, H), and of the ticks before n (N, H), d (N, 1), m (N, 1), where m is the highest faded
        score, d = sum exp(e - m) and n = sum exp(e - m) h. Before the first tick all are 0; from then on d is at least 1.

        Returns v (N, H), e (N, 1), and the new n, d, m.
        """
        energy = self.query(torch.tanh(self.key(state)))
        faded = torch.where(mass > 0, peak - self.decay, energy)
        peak = torch.maximum(faded, energy)
        keep, take = torch.exp(faded - peak), torch.exp(energy - peak)
        total, mass = keep * total + take * state, keep * mass + take
        return total / mass, energy, total, mass, peak
