"""A compared recogniser's streaming step as ONNX, checked against torch over a stream."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pose_attention_ros.models.comparator import Comparator
from pose_attention_ros.models.export import STEP_INPUTS, STEP_OUTPUTS, checked, open_session, random_features, write_onnx

_CHECKED_TICKS = 12


class _Step(nn.Module):
    def __init__(self, network: Comparator) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, state: Tensor, pixels: Tensor | None = None) -> tuple[Tensor, ...]:
        return tuple(self.network.step(features, state, pixels))


def export_comparator(network: Comparator, path: Path) -> float:
    """Write the step: features (N, V, C), state (N, S) and, where the network reads them, pixels (N, *pixels_shape) ->
    STEP_OUTPUTS, for any N. Returns the largest difference from torch. Raises ModelError where it is above the tolerance."""
    network = network.eval()
    people = torch.export.Dim("people", max=1024)
    names = (*STEP_INPUTS, *(("pixels",) if network.pixels else ()))
    arguments = (random_features(3, 2, network)[:, 0], torch.zeros(3, network.state_size))
    if network.pixels:
        arguments += (network.example_pixels(3),)
    write_onnx(_Step(network), arguments, path, names, STEP_OUTPUTS, {name: {0: people} for name in names})
    return checked(path, _difference(network, path))


def _difference(network: Comparator, path: Path) -> float:
    """Over a stream of two people, from zeros on, as a share of what is above 1 (an LSTM's memory); probabilities rather
    than logits, which a window's logarithm may take far down."""
    session, features = open_session(path), random_features(2, _CHECKED_TICKS, network)
    pixels = network.example_pixels(2, _CHECKED_TICKS) if network.pixels else None
    state, wanted_state = np.zeros((2, network.state_size), np.float32), torch.zeros(2, network.state_size)
    worst = 0.0
    for tick in range(_CHECKED_TICKS):
        now = None if pixels is None else pixels[:, tick]
        inputs = {"features": features[:, tick].numpy(), "state": state}
        found = session.run(None, inputs if now is None else {**inputs, "pixels": now.numpy()})
        with torch.inference_mode():
            wanted = network.step(features[:, tick], wanted_state, now)
        state, wanted_state = found[-1], wanted.next_state
        chances = torch.from_numpy(found[0]).softmax(-1), wanted.logits.softmax(-1)
        pairs = (chances, *((torch.from_numpy(f), w) for f, w in zip(found[1:], wanted[1:])))
        worst = max(worst, *(float(((f - w).abs() / w.abs().clamp(min=1)).max()) for f, w in pairs))
    return worst
