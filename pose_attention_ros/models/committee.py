"""Several networks of one shape side by side, whose mean answer is the model: steadier than any of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pose_attention_ros.models.pan import PanConfig, PanOutput, PoseAttentionNetwork


class Committee(nn.Module):
    """Streams as its members do; a person's state is the members' states side by side."""

    def __init__(self, members: Sequence[PoseAttentionNetwork]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    @property
    def config(self) -> PanConfig:
        """Of each member."""
        return self.members[0].config

    @property
    def state_size(self) -> int:
        return sum(member.state_size for member in self.members)

    def forward(self, features: Tensor, inside: Tensor | None = None) -> PanOutput:
        """As PoseAttentionNetwork.forward; logits are the logarithm of the mean chances."""
        return PanOutput(*_mean([tuple(member(features, inside)) for member in self.members]))

    def step(self, features: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """As PoseAttentionNetwork.step."""
        return self.embedded_step(features, state)[:4]

    @property
    def embedding_size(self) -> int:
        return sum(member.embedding_size for member in self.members)

    def embedded_step(self, features: Tensor, state: Tensor) -> tuple[Tensor, ...]:
        """As PoseAttentionNetwork.embedded_step; the members' vectors stand side by side."""
        size = self.members[0].state_size
        answers = [member.embedded_step(features, part) for member, part in zip(self.members, state.split(size, -1))]
        logits, weights, energy = _mean([answer[:3] for answer in answers])
        return logits, weights, energy, *(torch.cat([answer[k] for answer in answers], -1) for k in (3, 4))


def _mean(answers: list[tuple[Tensor, ...]]) -> list[Tensor]:
    """Logits come first: their chances are averaged; of the rest the numbers themselves."""
    logits, *others = zip(*answers)
    chances = torch.stack([each.softmax(-1) for each in logits]).mean(0)
    return [chances.clamp(min=1e-12).log(), *(torch.stack(each).mean(0) for each in others)]
