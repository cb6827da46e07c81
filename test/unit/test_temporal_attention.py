"""Temporal attention against its paper's equations in plain numpy: refinement over steps rather than frames, the averaging
of the last steps, the fusion of the streams, and the streaming form."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pose_attention_ros.core.errors import UserError  # noqa: E402
from pose_attention_ros.models.temporal_attention import (  # noqa: E402
    Refinement,
    TemporalAttention,
    TemporalAttentionConfig,
    temporal_attention_loss,
)

pytestmark = pytest.mark.training

SMALL = TemporalAttentionConfig(width=6, motion_lags=(1, 2), window=5, hidden=4, steps=4, averaged=2)
HERE = torch.ones(2, 5, dtype=torch.bool)


def refinement(attention: bool = True, layers: int = 2) -> Refinement:
    torch.manual_seed(0)
    module = Refinement(3, 2, hidden=4, layers=layers, attention=attention).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module


def frames_of(seed: int = 1, clips: int = 2, ticks: int = 5) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((clips, ticks, 3)))


def skeletons(seed: int, clips: int, ticks: int) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((clips, ticks, 13, 5)).astype(np.float32)
    features[..., -1] = rng.uniform(0.2, 1, features.shape[:-1])
    return torch.from_numpy(features * (rng.uniform(size=features.shape[:-1]) < 0.8)[..., None].astype(np.float32))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def lstm(w, prefix, x, h, c):
    gates = w[f"{prefix}.weight_ih"] @ x + w[f"{prefix}.bias_ih"] + w[f"{prefix}.weight_hh"] @ h + w[f"{prefix}.bias_hh"]
    i, f, g, o = np.split(gates, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def by_hand(module: Refinement, v: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """(3)-(7) for one clip v (W, D): logits (R, K), weights (R, W)."""
    w = {name: value.numpy() for name, value in module.state_dict().items()}
    state = [[np.zeros(4), np.zeros(4)] for _ in module.cells]
    logits, weights = [], []
    for _ in range(steps):
        if module.attention:
            e = np.array(
                [
                    np.tanh(
                        w["of_memory.weight"][0] @ state[-1][0] + w["of_frame.weight"][0] @ frame + w["of_frame.bias"][0]
                    )
                    for frame in v
                ]
            )  # (5)
            a = softmax(e)  # (6)
        else:
            a = np.full(len(v), 1 / len(v))  # the baseline
        x = sum(weight * frame for weight, frame in zip(a, v))  # (4)
        for layer in range(len(state)):
            state[layer] = lstm(w, f"cells.{layer}", x, *state[layer])  # (3)
            x = state[layer][0]
        logits.append(w["classify.weight"] @ x + w["classify.bias"])  # (7)
        weights.append(a)
    return np.array(logits), np.array(weights)


@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.parametrize("layers", [1, 2])
def test_it_is_equations_3_to_7(attention, layers):
    module, v = refinement(attention, layers), frames_of()
    with torch.no_grad():
        logits, weights = module(v, HERE, 6)
    for clip in range(len(v)):
        wanted = by_hand(module, v[clip].numpy(), 6)
        np.testing.assert_allclose(logits[clip], wanted[0], atol=1e-10)
        np.testing.assert_allclose(weights[clip], wanted[1], atol=1e-10)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-12)


def test_the_steps_are_of_refinement_not_of_frames():
    """More steps than frames, each sees all frames; the order of the frames means nothing, the number of steps does."""
    module, v = refinement(), frames_of()
    with torch.no_grad():
        logits, weights = module(v, HERE, 9)
        turned, turned_weights = module(v.flip(1), HERE, 9)
    assert logits.shape == (2, 9, 2) and weights.shape == (2, 9, 5)
    np.testing.assert_allclose(turned, logits, atol=1e-12)
    np.testing.assert_allclose(turned_weights.flip(-1), weights, atol=1e-12)
    assert (weights[:, 1:] - weights[:, :-1]).abs().max() > 1e-3  # weighed anew at each step
    moved = v.clone()
    moved[:, 4] += 1
    with torch.no_grad():
        assert (module(moved, HERE, 1)[0] - logits[:, :1]).abs().min() > 1e-6  # the first step already saw the last frame


def test_frames_that_are_not_there_count_nothing():
    module, v = refinement(), frames_of()
    there = torch.tensor([[False, False, True, True, True]] * 2)
    with torch.no_grad():
        logits, weights = module(v, there, 3)
        short, short_weights = module(v[:, 2:], HERE[:, 2:], 3)
    np.testing.assert_allclose(logits, short, atol=1e-12)
    np.testing.assert_allclose(weights[..., 2:], short_weights, atol=1e-12)
    assert (weights[..., :2] == 0).all()


def test_prediction_is_the_mean_of_the_last_steps_fused_one_to_two():
    torch.manual_seed(2)
    network = TemporalAttention(SMALL, 3).eval()
    refined = network.refined(skeletons(3, 2, 5), HERE)
    chances, weights = network.fused(refined)
    parts = {name: logits.detach().numpy() for name, (logits, _) in refined.items()}
    last = {name: softmax(logits[:, -2:]).mean(1) for name, logits in parts.items()}
    np.testing.assert_allclose(chances.detach(), last["appearance"] / 3 + last["motion"] * 2 / 3, atol=1e-6)
    np.testing.assert_allclose(weights.detach().sum(-1), 1, atol=1e-6)
    paper = TemporalAttentionConfig()
    assert (paper.window, paper.steps, paper.averaged, paper.layers, paper.hidden) == (30, 30, 10, 2, 512)
    assert paper.stream_weights == (1 / 3, 2 / 3) and paper.streams == ("appearance", "motion")


def test_loss_is_equation_8_at_every_step_of_every_stream():
    rng = np.random.default_rng(4)
    logits, targets = rng.standard_normal((2, 2, 4, 3)), [2, 0]
    refined = {name: (torch.from_numpy(each), None) for name, each in zip(("appearance", "motion"), logits)}
    wanted = -sum(np.log(softmax(logits[s, n, t]))[targets[n]] for s in range(2) for n in range(2) for t in range(4)) / 2
    assert temporal_attention_loss(refined, torch.tensor(targets)).item() == pytest.approx(wanted, abs=1e-10)


@pytest.mark.parametrize("attention", [True, False])
def test_gradients(attention):
    module, v = refinement(attention), frames_of(clips=1, ticks=3).requires_grad_()

    def loss(v, *parameters):
        return temporal_attention_loss({"": module(v, HERE[:1, :3], 3)}, torch.tensor([1]))

    assert torch.autograd.gradcheck(loss, (v, *module.parameters()), atol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [{}, {"attention": False}, {"streams": ("motion",), "stream_weights": (1.0,)}, {"reads": "frame", "channels": 7}],
)
def test_a_tick_at_a_time_is_the_clip(changes):
    """The step with its window in the state, and `after` on whole clips, on every prefix, over more than two samples."""
    torch.manual_seed(6)
    network = TemporalAttention(dataclasses.replace(SMALL, **changes), 3).eval()
    features, state = skeletons(7, 3, 13), torch.zeros(3, network.state_size)
    pixels = torch.rand(3, 13, *network.pixels_shape) if network.pixels else None
    network.fit_scales(features, pixels)
    with torch.inference_mode():
        wanted = network.after(features, torch.arange(13).expand(3, -1), pixels)
        for t in range(13):
            out = network.step(features[:, t], state, None if pixels is None else pixels[:, t])
            state = out.next_state
            np.testing.assert_allclose(out.logits.softmax(-1), wanted[:, t].softmax(-1), atol=1e-5)
            attended = out.frame_energy.softmax(-1)
            np.testing.assert_allclose(attended.sum(-1), 1, atol=1e-5)
            assert (attended[:, : max(5 - t - 1, 0)] == 0).all()
            np.testing.assert_allclose(out.joint_attention.sum(-1), 1, atol=1e-5)


def test_a_clip_of_several_samples_has_their_mean_score():
    torch.manual_seed(8)
    network = TemporalAttention(SMALL, 3).eval()
    features = skeletons(9, 1, 12)
    with torch.inference_mode():
        found = network.after(features, torch.tensor([[11]])).softmax(-1)[0, 0]
        each = [network.fused(network.refined(features[:, begin : begin + 5], HERE[:1]))[0][0] for begin in (0, 5, 7)]
    np.testing.assert_allclose(found, torch.stack(each).mean(0), atol=1e-6)


@pytest.mark.parametrize(
    "changes, named",
    [({"averaged": 5}, "averaged"), ({"streams": ("smell",)}, "streams"), ({"stream_weights": (1.0,)}, "stream_weights")],
)
def test_settings_that_contradict_each_other_are_refused(changes, named):
    with pytest.raises(UserError, match=named):
        dataclasses.replace(SMALL, **changes)
