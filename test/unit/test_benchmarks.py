"""The compared recognisers are what their papers describe: the published parameter counts, and shapes that fit."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
pytest.importorskip("benchmarks.peers", reason="benchmarks/ is not installed; run from a checkout")

from benchmarks.ddnet import DDNet  # noqa: E402
from benchmarks.peers import PEERS, export, parameters  # noqa: E402
from benchmarks.stgcn import STGCN, partitions  # noqa: E402
from pose_attention_ros.core.body.layouts import layout  # noqa: E402

pytestmark = pytest.mark.training

# The 25 joints of Kinect v2, counted from 1; joint 21 is the middle of the shoulders.
# fmt: off
NTU_LIMBS = ((1, 2), (2, 21), (3, 21), (4, 3), (5, 21), (6, 5), (7, 6), (8, 7), (9, 21), (10, 9), (11, 10), (12, 11),
             (13, 1), (14, 13), (15, 14), (16, 15), (17, 1), (18, 17), (19, 18), (20, 19), (22, 23), (23, 8), (24, 25),
             (25, 12))
# fmt: on


@pytest.mark.parametrize("filters, published", [(64, 1_800_469), (32, 489_429), (16, 149_557)])
def test_ddnet_has_the_published_number_of_parameters(filters, published):
    """As the authors' own summaries for J-HMDB (15 joints, 21 classes) print it: with the statistics of batch norms."""
    network = DDNet(15, 21, filters)
    statistics = sum(buffer.numel() for name, buffer in network.named_buffers() if "running" in name)
    assert parameters(network) + statistics == published


def test_stgcn_has_the_published_number_of_parameters():
    network = STGCN([(a - 1, b - 1) for a, b in NTU_LIMBS], 25, 20, 60)
    assert round(parameters(network) / 1e6, 1) == 3.1


def test_partitions_of_a_chain_of_joints():
    """0 - 1 - 2 with centre 0: neighbours as near, nearer, farther; every column of their sum is 1."""
    near, nearer, farther = partitions([(0, 1), (1, 2)], 3, 0)
    np.testing.assert_allclose((near + nearer + farther).sum(0), 1)
    np.testing.assert_allclose(near, np.diag([1 / 2, 1 / 3, 1 / 2]), atol=1e-6)
    assert np.argwhere(nearer).tolist() == [[0, 1], [1, 2]] and np.argwhere(farther).tolist() == [[1, 0], [2, 1]]


@pytest.mark.parametrize("name", PEERS)
def test_onnx_form_gives_the_same_numbers_for_any_number_of_people(name, tmp_path):
    import onnxruntime

    torch.manual_seed(0)
    table, peer = layout("common13"), PEERS[name]
    network = peer.make(table, 7).eval()
    export(network, peer, table, tmp_path / "peer.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "peer.onnx"), providers=["CPUExecutionProvider"])
    ticks = peer.window or 5
    features = torch.rand(3, ticks, 13, 5)
    with torch.inference_mode():
        wanted = network(features)
    if peer.window:
        found = session.run(["logits"], {"features": features.numpy()})[0]
    else:
        state = np.zeros((3, session.get_inputs()[1].shape[1]), np.float32)
        for tick in range(ticks):
            found, state = session.run(["logits", "next_state"], {"features": features[:, tick].numpy(), "state": state})
        wanted = getattr(wanted, "logits", wanted)[:, -1]
    np.testing.assert_allclose(found, wanted.numpy(), atol=2e-4, rtol=1e-3)
