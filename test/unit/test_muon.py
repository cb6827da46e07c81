"""Muon: orthogonal steps, and which weights it takes."""

from __future__ import annotations

from functools import partial

import pytest

torch = pytest.importorskip("torch")

from pose_attention_ros.models.pan import PanConfig, PoseAttentionNetwork  # noqa: E402
from pose_attention_ros.training.muon import Muon, optimisers, orthogonal  # noqa: E402

pytestmark = pytest.mark.training


@pytest.mark.parametrize("shape", [(20, 50), (50, 20), (16, 16)])
def test_singular_values_of_a_step_are_about_one(shape):
    torch.manual_seed(0)
    left, right = torch.linalg.qr(torch.randn(shape[0], 8)).Q, torch.linalg.qr(torch.randn(shape[1], 8)).Q
    uneven = left @ torch.diag(torch.logspace(0, 1.5, 8)) @ right.T
    values = torch.linalg.svdvals(orthogonal(uneven))[:8]
    assert 0.6 < values.min() and values.max() < 1.3


def test_directions_seldom_asked_for_are_learnt_as_fast():
    torch.manual_seed(0)
    uneven = torch.diag(torch.logspace(0, -1.5, 12))  # how much the loss asks for each input
    wanted = torch.randn(12, 12)

    def error_after(make, rate: float) -> float:
        matrix = torch.nn.Parameter(torch.zeros(12, 12))
        optimiser = make([matrix], lr=rate)
        for step in range(150):
            for group in optimiser.param_groups:
                group["lr"] = rate * (1 - step / 150)
            loss = ((matrix - wanted) @ uneven).square().sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return float((matrix - wanted)[:, -4:].detach().abs().mean())  # of the inputs least asked for

    muon = error_after(lambda matrices, lr: Muon(matrices, lr, 0.0), 0.3)
    assert muon < 0.5 * min(error_after(partial(torch.optim.SGD, momentum=0.9), rate) for rate in (0.03, 0.1, 0.3))


def test_hidden_matrices_go_to_muon_and_every_weight_to_one_optimiser():
    network = PoseAttentionNetwork(PanConfig(streams=8, hidden=0, width=8, head=8), 3)
    muon, adam = optimisers(network, 1e-3, 0.0, muon=True)
    taken = [{id(p) for group in each.param_groups for p in group["params"]} for each in (muon, adam)]
    assert not taken[0] & taken[1]
    assert len(taken[0] | taken[1]) == len(list(network.parameters()))
    assert id(network.streams.trunk[0].mix.weight) in taken[0]
    assert id(network.classify.weight) in taken[1]
    assert len(optimisers(network, 1e-3, 0.0, muon=False)) == 1
