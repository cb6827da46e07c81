"""The causal streams against plain statements of what they read and how."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pose_attention_ros.core.errors import UserError  # noqa: E402
from pose_attention_ros.models.pan import PanConfig, PoseAttentionNetwork, running_maximum  # noqa: E402
from pose_attention_ros.models.streams import CausalConvolution, FrameInputs  # noqa: E402

pytestmark = pytest.mark.training

TICKS, JOINTS = 9, 4


def features(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    each = rng.standard_normal((2, TICKS, JOINTS, 5)).astype(np.float32)
    each[..., -1] = 1
    each[0, 2, 1] = 0  # a joint that was not seen
    return each


def test_distances_and_motion_are_those_of_the_features():
    shown = features()
    distances, one, three = (each.numpy() for each in FrameInputs(JOINTS, (1, 3), 10.0)(torch.from_numpy(shown)))
    apart = np.linalg.norm(shown[1, 4, 0, :2] - shown[1, 4, 2, :2])
    assert distances.shape == (2, TICKS, 6) and distances[1, 4, 1] == pytest.approx(apart / 2 - 1, abs=1e-5)
    assert distances[0, 2].astype(bool).tolist() == [False, True, True, False, False, True]  # pairs 01 02 03 12 13 23
    np.testing.assert_allclose(one, shown[..., 2:4].reshape(2, TICKS, -1) * 2 / 10, atol=1e-5)
    moved = shown[:, 3:6, :, 2:4].sum(1) / 10  # over three ticks of a tenth of a second
    np.testing.assert_allclose(three[:, 5], moved.reshape(2, -1) * 2 / 3**0.5, atol=1e-5)
    np.testing.assert_allclose(three[:, 0], one[:, 0] / 3**0.5, atol=1e-5)  # what there is at a stream's beginning


@pytest.mark.parametrize("dilation", [1, 2])
def test_a_convolution_reads_this_tick_and_earlier_ones(dilation):
    torch.manual_seed(0)
    layer = CausalConvolution(3, 2, 3, dilation)
    layer.norm.running_mean.uniform_(-1, 1), layer.norm.running_var.uniform_(0.5, 2)
    values = torch.randn(1, TICKS, 3)
    found = layer.eval()(values, None)[0].detach().numpy()
    weight = layer.mix.weight.detach().numpy().reshape(2, 3, 3)  # width, tap, input
    for t in range(TICKS):
        taps = [values[0, t - (2 - k) * dilation].numpy() if t >= (2 - k) * dilation else np.zeros(3) for k in range(3)]
        raw = sum(weight[:, k] @ taps[k] for k in range(3))
        norm = (raw - layer.norm.running_mean.numpy()) / np.sqrt(layer.norm.running_var.numpy() + layer.norm.eps)
        np.testing.assert_allclose(found[t], np.where(norm > 0, norm, 0.2 * norm), atol=1e-5)


def test_training_counts_the_ticks_inside_only():
    torch.manual_seed(0)
    layer, values = CausalConvolution(3, 2), torch.randn(2, TICKS, 3)
    inside = torch.arange(TICKS) < torch.tensor([TICKS, 4])[:, None]
    layer(values, inside.flatten().nonzero().squeeze(-1))
    rows = layer.mix(values[inside])
    torch.testing.assert_close(layer.norm.running_mean, rows.mean(0))  # the first step's statistics are its own
    torch.testing.assert_close(layer.norm.running_var, rows.var(0))


def test_a_later_tick_changes_no_earlier_answer():
    torch.manual_seed(0)
    config = PanConfig(layout="common13", width=8, heads=2, hidden=0, streams=4, running_max=True, head=6)
    network = PoseAttentionNetwork(config, 3).eval()
    shown = torch.randn(1, TICKS, 13, 5).abs()
    with torch.inference_mode():
        before = network(shown)
        shown[:, 6] += 1
        after = network(shown)
    torch.testing.assert_close(before.logits[:, :6], after.logits[:, :6])
    torch.testing.assert_close(before.frame_energy[:, :6], after.frame_energy[:, :6])
    assert not torch.allclose(before.logits[:, 6:], after.logits[:, 6:])


def test_a_running_maximum_only_rises():
    values = torch.randn(2, 50, 3)
    found = running_maximum(values)
    np.testing.assert_allclose(found, np.maximum(np.maximum.accumulate(values.numpy(), 1), 0))


def test_without_streams_there_is_a_recurrence():
    with pytest.raises(UserError, match="hidden is 0"):
        PanConfig(hidden=0)
