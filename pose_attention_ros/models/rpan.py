"""Recurrent Pose-Attention Network (Du, Wang, Qiao, ICCV 2017): an LSTM that looks, in the convolutional cube of each frame,
where each joint is. Equation numbers are the paper's.

N people or clips, T frames, K = K1 * K2 places of the cube, D its channels, J joints, P body parts, A width of the
attention, H width of the LSTM. Joints are needed in training alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from pose_attention_ros.core.body.layouts import Layout, layout
from pose_attention_ros.core.config import setting
from pose_attention_ros.models.comparator import (
    Comparator,
    ComparatorConfig,
    StepResult,
    even_joints,
    loss_of_all_steps,
    memberships,
    spread,
)

# The paper's five parts (its figure 3): joints of a part share {A_h, A_c, b}.
_LIMB_PARTS = {"elbow": "elbow", "wrist": "wrist", "hand": "wrist", "knee": "knee", "ankle": "ankle", "foot": "ankle"}
PARTS = ("torso", "elbow", "wrist", "knee", "ankle")
WITHOUT, SHARE_ALL, SEPARATE_JOINT, HUMAN_PART = "without", "share-all", "separate-joint", "human-part"


@dataclass(frozen=True)
class RpanConfig(ComparatorConfig):
    """Shape of the network. The defaults are the paper's for PennAction."""

    attention: str = setting(
        HUMAN_PART,
        "what shares {A_h, A_c, b} (the paper's table 1)",
        choices=(WITHOUT, SHARE_ALL, SEPARATE_JOINT, HUMAN_PART),
    )
    pooling: str = setting("concat", "PartPool of (5)", choices=("concat", "mean", "max"))
    width: int = setting(128, "width A of the attention; the paper has 32 for Sub-JHMDB", low=1)
    hidden: int = setting(1024, "width H of the LSTM; the paper has 512 for Sub-JHMDB", low=1)
    channels: int = setting(384, "channels D of the cube", low=1)
    rows: int = setting(14, "rows K1 of the cube", low=1)
    columns: int = setting(14, "columns K2 of the cube", low=1)
    pool: int = setting(1, "rows and columns of the cube that are averaged to one place before the attention", low=1)
    reduced: int = setting(0, "channels that the cube is brought to by principal components; 0: all as they are", low=0)
    rate_hz: float = setting(
        4.0, "frames a second that are read; the paper reads 8 a video, at equal interval", unit="Hz", low=0.1
    )


def part_of_joint(table: Layout, attention: str) -> tuple[int, ...]:
    """Row of the part that each heat map belongs to: one a joint, or a single one where no joint guides the attention."""
    if attention == SHARE_ALL:
        return (0,)
    if attention == SEPARATE_JOINT:
        return tuple(range(len(table.joints)))
    return tuple(PARTS.index(_LIMB_PARTS.get(joint.rpartition("_")[2], "torso")) for joint in table.joints)


class PoseAttentionCell(nn.Module):
    """(2)-(5): where each joint is, given what the LSTM has seen so far, and the features there."""

    def __init__(self, parts: tuple[int, ...], channels: int, hidden: int, width: int, pooling: str) -> None:
        """:param parts: part of each of the J heat maps"""
        super().__init__()
        self.count, self.width, self.pooling = max(parts) + 1, width, pooling
        self.look = nn.Linear(channels, self.count * width)  # A_c^P and b^P, one block a part
        self.guide = nn.Linear(hidden, self.count * width, bias=False)  # A_h^P
        self.joint = nn.Parameter(torch.randn(len(parts), width) * width**-0.5)  # v^J
        rows = [[joint for joint, own in enumerate(parts) if own == part] for part in range(self.count)]
        self.register_buffer("membership", memberships(rows, len(parts)).T, persistent=False)  # (J, P)

    @property
    def pooled_size(self) -> int:
        """Features of S_t in units of the cube's channels."""
        return self.count if self.pooling == "concat" else 1

    def forward(self, seen: Tensor, cube: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """seen (N, K, P * A) = A_c C_t(k) + b, cube (N, D, K), hidden h_{t-1} (N, H) -> S_t (N, pooled_size * D),
        a_t^J (N, J, K); each map sums to 1."""
        activity = torch.tanh(seen + self.guide(hidden)[:, None])
        own = torch.einsum("jp,ja->paj", self.membership, self.joint).flatten(0, 1)  # v^J in the rows of its part
        maps = (activity @ own).softmax(1)  # (2), (3)                                    (N, K, J)
        parts = cube @ (maps @ self.membership)  # (4)                                     (N, D, P)
        if self.pooling == "concat":
            pooled = parts.flatten(1)
        else:
            pooled = parts.mean(-1) if self.pooling == "mean" else parts.amax(-1)
        return pooled, maps.transpose(1, 2)  # (5)


class RpanOutput(NamedTuple):
    """After every frame: logits (N, T, classes); maps (N, T, J, K1, K2), each sums to 1, or None without attention."""

    logits: Tensor
    maps: Tensor | None


class Rpan(Comparator):
    """See the module's text."""

    kind = "rpan"
    pixels = "cube"

    def __init__(self, config: RpanConfig, classes: int) -> None:
        super().__init__()
        self.config = config
        self.pixels_shape = (config.channels, config.rows, config.columns)
        self.grid = (config.rows // config.pool, config.columns // config.pool)  # places of the attention
        self.channels = config.reduced or config.channels
        self.register_buffer("middle", torch.zeros(config.channels))
        self.register_buffer("mix", torch.eye(config.channels)[: self.channels])  # set from the training data
        size = 1
        if config.attention != WITHOUT:
            parts = part_of_joint(layout(config.layout), config.attention)
            self.attention = PoseAttentionCell(parts, self.channels, config.hidden, config.width, config.pooling)
            size = self.attention.pooled_size
        self.lstm = nn.LSTMCell(size * self.channels, config.hidden)  # (6)-(9)
        self.classify = nn.Linear(config.hidden, classes)  # U_y, b_y of (10)

    @property
    def guided(self) -> bool:
        """Whether there is a heat map a joint, which the pose loss can teach."""
        return self.config.attention in (SEPARATE_JOINT, HUMAN_PART)

    @property
    def state_size(self) -> int:
        return 2 * self.config.hidden

    def fit_scales(self, features: Tensor, pixels: Tensor | None = None) -> None:
        places = self._pooled(pixels.flatten(0, 1)).flatten(2).transpose(1, 2).flatten(0, 1)  # (N * T * K, D)
        if not self.config.reduced:
            self.mix.copy_(torch.diag(1 / spread(places)))
            return
        # The components of the largest spread, each divided by it, largest first.
        self.middle.copy_(places.mean(0))
        values, vectors = torch.linalg.eigh((places - self.middle).T @ (places - self.middle) / len(places))  # (D,), (D, D)
        chosen = slice(-self.channels, None)
        self.mix.copy_((vectors[:, chosen] / values[chosen].clamp(min=1e-6).sqrt()).T.flip(0))

    def forward(self, cubes: Tensor) -> RpanOutput:
        """cubes (N, T, D, K1, K2), as `prepare` gives them -> outputs after every frame."""
        people, ticks = cubes.shape[:2]
        flat = cubes.flatten(3)  # (N, T, D, K)
        hidden, memory = cubes.new_zeros(2, people, self.config.hidden)  # (N, H) each
        seen = self._look(flat)  # of all frames at once: (N, T, K, P * A)
        logits, maps = [], []
        for t in range(ticks):
            hidden, memory, each = self._advance(flat[:, t], None if seen is None else seen[:, t], hidden, memory)
            logits.append(self.classify(hidden))
            maps.append(each)
        if seen is None:
            return RpanOutput(torch.stack(logits, 1), None)
        return RpanOutput(torch.stack(logits, 1), torch.stack(maps, 1).unflatten(-1, self.grid))

    def step(self, features: Tensor, state: Tensor, pixels: Tensor | None = None) -> StepResult:
        hidden, memory = state.chunk(2, -1)
        flat = self.prepare(pixels).flatten(2)
        hidden, memory, maps = self._advance(flat, self._look(flat), hidden, memory)
        # A joint counts as much as its map is sharp.
        peaks = maps.amax(-1) if self.guided else even_joints(features)
        joints = peaks / peaks.sum(-1, keepdim=True)
        return StepResult(self.classify(hidden), joints, torch.zeros_like(hidden[:, 0]), torch.cat([hidden, memory], -1))

    def after(self, features: Tensor, at: Tensor, pixels: Tensor | None = None) -> Tensor:
        logits = self(pixels).logits
        return logits[torch.arange(len(logits), device=at.device)[:, None], at]

    def prepare(self, pixels: Tensor) -> Tensor:
        """Cubes (B, D, K1, K2) as the extractor gives them -> (B, D', *grid), each channel of about unit spread."""
        pooled = self._pooled(pixels)
        return (self.mix @ (pooled.flatten(2) - self.middle[:, None])).unflatten(-1, self.grid)

    def example_pixels(self, *lead: int) -> Tensor:
        around = torch.linalg.pinv(self.mix) @ torch.randn(*lead, self.channels, self.config.rows * self.config.columns)
        return (around + self.middle[:, None]).unflatten(-1, self.pixels_shape[1:])

    def _pooled(self, cubes: Tensor) -> Tensor:
        return functional.avg_pool2d(cubes, self.config.pool) if self.config.pool > 1 else cubes

    def _look(self, flat: Tensor) -> Tensor | None:
        """A_c C(k) + b, which no earlier frame changes: (..., D, K) -> (..., K, P * A)."""
        return None if self.config.attention == WITHOUT else self.attention.look(flat.transpose(-1, -2))

    def _advance(
        self, flat: Tensor, seen: Tensor | None, hidden: Tensor, memory: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """One frame: h_t, r_t (N, H) and the maps (N, J, K)."""
        pooled, maps = (flat.mean(-1), None) if seen is None else self.attention(seen, flat, hidden)
        return *self.lstm(pooled, (hidden, memory)), maps


def pose_targets(joints: Tensor, there: Tensor, image_size: tuple[int, int], grid: tuple[int, int], std_px: float) -> Tensor:
    """M of (13): a Gaussian at each joint, brought to the cube's size by the mean over each place, and normalised.

    :param joints: (..., J, 2) x and y in pixels of the image; :param there: (..., J) bool
    :param image_size: width and height in pixels; :param grid: rows K1 and columns K2; :param std_px: the paper's is 5
    :returns: (..., J, K1, K2), each sums to 1, or is 0 for a joint that is missing or far outside of the image
    """

    def profile(position: Tensor, pixels: int, places: int) -> Tensor:
        at = torch.arange(pixels, device=position.device, dtype=position.dtype) + 0.5
        bump = torch.exp(-0.5 * ((at - position[..., None]) / std_px).square())
        return functional.adaptive_avg_pool1d(bump.flatten(0, -2)[:, None], places).squeeze(1).unflatten(0, bump.shape[:-1])

    across = profile(joints[..., 0], image_size[0], grid[1])
    down = profile(joints[..., 1], image_size[1], grid[0])
    maps = down[..., :, None] * across[..., None, :]
    total = maps.sum((-1, -2), keepdim=True)
    return torch.where(there[..., None, None] & (total > 1e-8), maps / total.clamp(min=1e-8), torch.zeros_like(maps))


def rpan_loss(output: RpanOutput, targets: Tensor, maps: Tensor | None, *, action: float = 1.0, pose: float = 1.0) -> Tensor:
    """(11) without the weight decay, which is the optimiser's: the mean over the clips of (12) and (13).

    :param targets: (N,) class of each clip; :param maps: M (N, T, J, K1, K2), 0 where a joint is missing (it does not
        count); None, or an output without maps a joint: only (12)
    """
    total = action * loss_of_all_steps(output.logits, targets)  # (12)
    if maps is not None:
        known = (maps.sum((-1, -2), keepdim=True) > 0).to(maps.dtype)
        total = total + pose * ((maps - output.maps).square() * known).sum() / len(targets)  # (13)
    return total


def estimated_joints(maps: Tensor, image_size: tuple[int, int]) -> Tensor:
    """The pose that falls off: maps (..., J, K1, K2) -> (..., J, 2), pixels x and y of the middle of each highest place."""
    rows, columns = maps.shape[-2:]
    best = maps.flatten(-2).argmax(-1)
    place = torch.stack([best % columns, best // columns], -1).to(maps.dtype) + 0.5
    return place * torch.tensor([image_size[0] / columns, image_size[1] / rows], dtype=maps.dtype, device=maps.device)
