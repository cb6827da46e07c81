"""The recognisers that are compared: how each is made, what it reads of a stream, and how it becomes ONNX."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks import ddnet, stgcn
from benchmarks.gru import PlainGRU
from pose_attention_ros.core.body.layouts import Layout
from pose_attention_ros.core.types import FEATURE_NAMES
from pose_attention_ros.models.export import export_step
from pose_attention_ros.models.pan import PanConfig, PoseAttentionNetwork


@dataclass(frozen=True)
class Peer:
    """One recogniser of the table.

    :param make: layout, number of classes -> network
    :param window: frames it reads at once; 0 where it takes one tick after another and keeps a state
    :param learning_rate: highest learning rate of AdamW
    :param clips: settings of the recipe's augmentation that suit it better
    """

    title: str
    make: Callable[[Layout, int], nn.Module]
    window: int
    learning_rate: float
    clips: Mapping[str, float] = field(default_factory=dict)


# A network without a mask takes a hidden joint for one in the middle of the body: its papers hide none.
_NOTHING_HIDDEN = {"joint_drop": 0.0, "offset": 0.02}


def _stgcn(layout: Layout, classes: int) -> nn.Module:
    return stgcn.STGCN(
        layout.limb_indices.tolist(), len(layout.joints), layout.index("left_hip"), classes, len(FEATURE_NAMES)
    )


PEERS = {
    "pan": Peer(
        "Pose-Attention Network (ours)",
        lambda layout, classes: PoseAttentionNetwork(PanConfig(layout=layout.name), classes),
        0,
        3e-3,
    ),
    "gru": Peer("plain GRU", lambda layout, classes: PlainGRU(len(layout.joints), len(FEATURE_NAMES), classes), 0, 3e-3),
    "ddnet": Peer(
        "DD-Net, 64 filters",
        lambda layout, classes: ddnet.DDNet(len(layout.joints), classes, 64),
        ddnet.FRAMES,
        1e-3,
        _NOTHING_HIDDEN,
    ),
    "ddnet32": Peer(
        "DD-Net, 32 filters",
        lambda layout, classes: ddnet.DDNet(len(layout.joints), classes, 32),
        ddnet.FRAMES,
        1e-3,
        _NOTHING_HIDDEN,
    ),
    "stgcn": Peer("ST-GCN", _stgcn, stgcn.FRAMES, 1e-3, _NOTHING_HIDDEN),
}


def parameters(network: nn.Module) -> int:
    """Trained numbers, without the statistics of batch norms."""
    return sum(parameter.numel() for parameter in network.parameters())


class _Step(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, state: Tensor) -> tuple[Tensor, ...]:
        return self.network.step(features, state)


def export(network: nn.Module, peer: Peer, layout: Layout, path: Path) -> None:
    """Write the network as ONNX for any number of people: one tick of a streaming one, else one window."""
    if isinstance(network, PoseAttentionNetwork):
        export_step(network, path)
        return
    features = torch.randn(2, *((peer.window,) if peer.window else ()), len(layout.joints), len(FEATURE_NAMES)).abs()
    if peer.window:
        module, inputs, outputs = network, {"features": features}, ["logits"]
    else:
        state = torch.zeros(2, network.gru.hidden_size)
        module, inputs, outputs = _Step(network), {"features": features, "state": state}, ["logits", "next_state"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            str(path),
            input_names=list(inputs),
            output_names=outputs,
            dynamo=True,
            verbose=False,
            external_data=False,
            dynamic_shapes=tuple({0: torch.export.Dim("people", min=1)} for _ in inputs),
        )
