"""The pose network: a depthwise-separable backbone and a two-branch, multi-stage head.

Source: Li and Wang, "Pose-Attention Network" (2020), 2.1; the head is that of Cao et al., "Realtime Multi-Person 2D Pose
Estimation using Part Affinity Fields" (2017), with separable 3x3 convolutions. Branch S gives joint confidence maps, branch
L part-affinity fields. Stage 1 sees the features F; every later stage F and the maps of the stage before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pose_attention_ros.core.body.layouts import LAYOUTS, layout
from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.errors import UserError

# (width, stride) of the twelve layers: MobileNet v1 at 0.75 whose last down-sampling is left out.
BACKBONE: tuple[tuple[int, int], ...] = ((24, 2), (48, 1), (96, 2), (96, 1), (192, 2), (192, 1)) + 6 * ((384, 1),)
# From this layer on MobileNet would have run at half the resolution; a dilation of 2 keeps what its kernels saw.
DILATED_FROM = 7
STRIDE = 8
MAX_STAGES = 6
_CONVOLUTIONS = 3  # 3x3 separable ones per branch and stage


@dataclass(frozen=True)
class PoseCnnConfig(Settings):
    layout: str = setting("openpose18", "joints and limbs that the maps are of", choices=tuple(LAYOUTS))
    stages: int = setting(2, "stages of the head; fewer can be chosen at export", low=1, high=MAX_STAGES)
    width: int = setting(128, "channels of the head's convolutions", low=8, high=1024)
    first_stage_width: int = setting(512, "channels before the maps of stage 1 (OpenPose's)", low=8, high=2048)
    dilation: int = setting(
        2, "of the backbone's layers whose stride is left out; 2 keeps what pretrained ones see", low=1, high=2
    )
    activation_limit: float = setting(
        6.0, "the backbone's activations end here (ReLU6); 0 for the paper's plain ReLU", low=0, high=100
    )


class Maps(NamedTuple):
    """What one stage says, at an eighth of the input's size: map cell (i, j) is centred at input pixel (8 j + 4, 8 i + 4).

    confidence (N, V + 1, h, w): the layout's joints, then the background
    affinity (N, 2 L, h, w): x and y of limb l are channels 2 l and 2 l + 1, from the limb's first joint to its second
    """

    confidence: Tensor
    affinity: Tensor


class Rectifier(nn.Module):
    """max(0, x), and at most `limit` where that is not 0."""

    def __init__(self, limit: float = 0.0) -> None:
        super().__init__()
        self.limit = limit

    def forward(self, x: Tensor) -> Tensor:
        return F.hardtanh(x, 0.0, self.limit, inplace=True) if self.limit else F.relu(x, inplace=True)


class ConvUnit(nn.Module):
    """Convolution without bias, batch norm, activation. `padding` is (left, right), and (top, bottom).

    At stride 2, the padding (0, 1) makes an output cell look further right and down than (1, 1) does; see `_padding`.
    """

    def __init__(
        self,
        channels_in: int,
        channels: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        groups: int = 1,
        dilation: int = 1,
        padding: tuple[int, int] | None = None,
        limit: float = 0.0,
    ) -> None:
        super().__init__()
        even = dilation * (kernel // 2)
        self.padding = padding or (even, even)
        symmetric = self.padding[0] == self.padding[1]
        self.conv = nn.Conv2d(
            channels_in, channels, kernel, stride, self.padding[0] if symmetric else 0, dilation, groups, bias=False
        )
        self.norm = nn.BatchNorm2d(channels)
        self.activation = Rectifier(limit)

    def forward(self, x: Tensor) -> Tensor:
        before, after = self.padding
        if before != after:
            x = F.pad(x, (before, after, before, after))
        if self._learns_folded():
            return self.activation(self._folded(x, self.conv.padding, self.conv.dilation))
        return self.activation(self.norm(self.conv(x)))

    def in_phases(self, x: Tensor) -> Tensor:
        """As `forward` of a dilated 3x3 unit, on what `_to_phases` made: there its taps are neighbours."""
        if self._learns_folded():
            return self.activation(self._folded(x, 1, 1))
        return self.activation(self.norm(F.conv2d(x, self.conv.weight, None, 1, 1, 1, self.conv.groups)))

    def _learns_folded(self) -> bool:
        """Its norm keeps its statistics while its weights learn: then the norm costs no pass of its own."""
        return torch.is_grad_enabled() and not self.norm.training and self.norm.weight.requires_grad

    def _folded(self, x: Tensor, padding: int | tuple[int, ...], dilation: int | tuple[int, ...]) -> Tensor:
        scale = self.norm.weight * torch.rsqrt(self.norm.running_var + self.norm.eps)
        shift = self.norm.bias - self.norm.running_mean * scale
        weight = self.conv.weight * scale[:, None, None, None]
        return F.conv2d(x, weight, shift, self.conv.stride, padding, dilation, self.conv.groups)


def separable(
    channels_in: int,
    channels: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    padding: tuple[int, int] | None = None,
    limit: float = 0.0,
) -> nn.Sequential:
    """3x3 depthwise, then 1x1 pointwise; batch norm and activation after each."""
    return nn.Sequential(
        ConvUnit(
            channels_in, channels_in, 3, stride=stride, groups=channels_in, dilation=dilation, padding=padding, limit=limit
        ),
        ConvUnit(channels_in, channels, limit=limit),
    )


def _padding(layer: int, stride: int) -> tuple[int, int] | None:
    """Paddings of the three down-sampling layers such that map cell j looks at the middle of its eight pixels (at 8 j + 3
    of 0 to 7; all symmetric would give 8 j, all TensorFlow's SAME 8 j + 7)."""
    if stride == 1:
        return None
    return (0, 1) if layer < 4 else (1, 1)


class Backbone(nn.Sequential):
    """Image (N, 3, H, W), RGB in [0, 1] -> features (N, 384, H/8, W/8)."""

    def __init__(self, config: PoseCnnConfig) -> None:
        layers: list[nn.Module] = []
        channels = 3
        for number, (width, stride) in enumerate(BACKBONE):
            options = {"stride": stride, "padding": _padding(number, stride), "limit": config.activation_limit}
            if number == 0:
                layers.append(ConvUnit(channels, width, 3, **options))
            else:
                dilation = config.dilation if number >= DILATED_FROM else 1
                layers.append(separable(channels, width, dilation=dilation, **options))
            channels = width
        super().__init__(*layers)
        self._dilation = config.dilation

    def forward(self, image: Tensor) -> Tensor:
        x, layers = image, list(self)
        for layer in layers[:DILATED_FROM]:
            x = layer(x)
        rows, columns = x.shape[-2:]
        phases = torch.is_grad_enabled() and self._dilation == 2 and rows % 2 == columns % 2 == 0
        x = _to_phases(x) if phases else x
        for layer in layers[DILATED_FROM:]:
            x = layer[1](layer[0].in_phases(x)) if phases else layer(x)
        return _from_phases(x) if phases else x


def _to_phases(x: Tensor) -> Tensor:
    """(N, C, 2 h, 2 w) -> (4 N, C, h, w): even and odd rows and columns as images of their own. A convolution of dilation 2
    is one of dilation 1 on each, whose gradients cost a fifth on a CPU."""
    images, channels, height, width = x.shape
    x = x.reshape(images, channels, height // 2, 2, width // 2, 2).permute(0, 3, 5, 2, 4, 1)
    return x.reshape(4 * images, height // 2, width // 2, channels).permute(0, 3, 1, 2)


def _from_phases(x: Tensor) -> Tensor:
    """What `_to_phases` made, as it was."""
    images, channels, height, width = x.shape
    x = x.permute(0, 2, 3, 1).reshape(images // 4, 2, 2, height, width, channels).permute(0, 3, 1, 4, 2, 5)
    return x.reshape(images // 4, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)


class Branch(nn.Sequential):
    """Three separable 3x3 convolutions, one 1x1, and the 1x1 that gives the maps."""

    def __init__(self, channels_in: int, width: int, last_width: int, maps: int) -> None:
        widths = [channels_in] + _CONVOLUTIONS * [width]
        super().__init__(
            *(separable(a, b) for a, b in pairwise(widths)), ConvUnit(width, last_width), nn.Conv2d(last_width, maps, 1)
        )


class Stage(nn.Module):
    """Branches S and L on one input."""

    def __init__(self, channels_in: int, width: int, last_width: int, joints: int, limbs: int) -> None:
        super().__init__()
        self.confidence = Branch(channels_in, width, last_width, joints + 1)
        self.affinity = Branch(channels_in, width, last_width, 2 * limbs)

    def forward(self, x: Tensor) -> Maps:
        return Maps(self.confidence(x), self.affinity(x))


class PoseCnn(nn.Module):
    """Image (N, 3, H, W), RGB in [0, 1], H and W multiples of 8 -> features and the maps of every stage."""

    def __init__(self, config: PoseCnnConfig) -> None:
        super().__init__()
        self.config = config
        self.layout = layout(config.layout)
        joints, limbs = len(self.layout.joints), len(self.layout.limbs)
        self.backbone = Backbone(config)
        features = BACKBONE[-1][0]
        later = features + joints + 1 + 2 * limbs
        self.stages = nn.ModuleList(
            Stage(
                later if number else features,
                config.width,
                config.width if number else config.first_stage_width,
                joints,
                limbs,
            )
            for number in range(config.stages)
        )
        _initialise(self)

    def forward(self, image: Tensor, stages: int | None = None) -> tuple[Tensor, list[Maps]]:
        """Features (N, 384, H/8, W/8) and the maps of the first `stages` stages (default: all). Raises UserError."""
        check_size(tuple(image.shape[-2:]))
        features = self.backbone(image)
        return features, list(self.head(features, stages))

    def head(self, features: Tensor, stages: int | None = None) -> Iterator[Maps]:
        """The maps, stage after stage."""
        x = features
        for stage in self.stages[:stages]:
            maps = stage(x)
            yield maps
            x = torch.cat((features, *maps), 1)


def grow(network: PoseCnn, stages: int, *, copy: bool) -> PoseCnn:
    """A network of `stages` stages whose first ones, and backbone, are those of `network`; the first stages say the same.

    :param copy: the further stages begin as copies of its last one, else with random weights. Stage 1 sees no maps, so of a
        network of one stage nothing can be copied.
    :raises UserError: `network` has more stages already, or one where copies are asked for
    """
    own = len(network.stages)
    if stages < own:
        raise UserError(f"the network has {own} stages, expected at most {stages}")
    if copy and own == 1 < stages:
        raise UserError(
            "the network has one stage, expected two or more: only from stage 2 on do stages have one shape; "
            "let the further ones begin fresh"
        )
    grown = PoseCnn(dataclasses.replace(network.config, stages=stages))
    weights = network.state_dict()
    if copy:
        last = network.stages[-1].state_dict()
        weights |= {f"stages.{stage}.{name}": value for stage in range(own, stages) for name, value in last.items()}
    grown.load_state_dict(weights, strict=copy)
    return grown


def check_size(size: tuple[int, int]) -> None:
    """Raises UserError where height or width is not a multiple of STRIDE."""
    if any(side % STRIDE or side < STRIDE for side in size):
        raise UserError(f"the image is {size[1]}x{size[0]} px, expected sides that are multiples of {STRIDE}")


def _initialise(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:  # the maps: mostly empty
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)
