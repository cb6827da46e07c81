"""Where to Focus against its paper's equations in plain numpy, its regulariser, its sub-sequences and streaming form."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pose_attention_ros.core.body.layouts import layout  # noqa: E402
from pose_attention_ros.models.where_to_focus import (  # noqa: E402
    PARTS,
    WhereToFocus,
    WhereToFocusConfig,
    distances,
    focus_loss,
    part_rows,
)

pytestmark = pytest.mark.training

SMALL = WhereToFocusConfig(part_width=4, hidden=3, attention_width=4, frames=3, sub_sequences=2, window=8, dropout=0.0)
JOINTS = len(layout("common13").joints)


def network_of(**changes) -> WhereToFocus:
    torch.manual_seed(0)
    network = WhereToFocus(dataclasses.replace(SMALL, **changes), 3).double().eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return network


def poses_of(seed: int = 1, clips: int = 2, ticks: int = 3) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((clips, ticks, JOINTS, 5)))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def lstm_by_hand(w: dict, x: np.ndarray) -> np.ndarray:
    """Three stacked LSTMs over x (T, inputs) -> hidden states of the last (T, H)."""
    for layer in range(3):
        h = c = np.zeros(3)
        states = []
        for frame in x:
            gates = (
                w[f"pose.lstm.weight_ih_l{layer}"] @ frame
                + w[f"pose.lstm.bias_ih_l{layer}"]
                + w[f"pose.lstm.weight_hh_l{layer}"] @ h
                + w[f"pose.lstm.bias_hh_l{layer}"]
            )
            i, f, g, o = np.split(gates, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            states.append(h)
        x = np.array(states)
    return x


def part_by_hand(w: dict, part: str, x: np.ndarray) -> np.ndarray:
    """g of (1): x (T, inputs) -> (D,)."""
    values = np.maximum(x @ w[f"parts.{part}.read.weight"].T + w[f"parts.{part}.read.bias"], 0)
    for layer in range(2):
        kernel, bias = (w[f"parts.{part}.convolutions.{layer}.{name}"] for name in ("weight", "bias"))
        padded = np.pad(values, ((1, 1), (0, 0)))
        values = values + np.maximum(
            np.stack([sum(kernel[:, :, k] @ padded[t + k] for k in range(3)) + bias for t in range(len(values))]), 0
        )
    return values.mean(0)


@pytest.mark.parametrize("aggregate", ["attention", "sum", "concat", "right_hand"])
@pytest.mark.parametrize("reads", ["skeleton", "crops"])
def test_it_is_equations_1_to_4(aggregate, reads):
    network, poses = network_of(aggregate=aggregate, reads=reads, channels=6), poses_of()
    crops = torch.from_numpy(np.random.default_rng(2).standard_normal((2, 3, 3, 6))) if reads == "crops" else None
    with torch.no_grad():
        output = network(poses, crops)
    w = {name: value.numpy() for name, value in network.state_dict().items()}
    for clip in range(2):
        inputs = (
            [poses[clip][:, rows].reshape(3, -1).numpy() for rows in part_rows("common13")]
            if crops is None
            else crops[clip].numpy().transpose(1, 0, 2)
        )
        g = [part_by_hand(w, part, x) for part, x in zip(PARTS, inputs)]  # (1)
        h = lstm_by_hand(w, poses[clip].reshape(3, -1).numpy()).ravel()  # h^s: all time steps, one behind the other
        s = (
            w["attention.score.weight"] @ np.tanh(w["attention.dense.weight"] @ h + w["attention.dense.bias"])
            + w["attention.score.bias"]
        )  # (2)
        a = softmax(s)  # (3)
        whole = {
            "attention": sum(weight * each for weight, each in zip(a, g)),
            "sum": sum(g),  # (4)
            "concat": np.concatenate(g),
            "right_hand": g[1],
        }[aggregate]
        np.testing.assert_allclose(output.part_weights[clip], a, atol=1e-10)
        np.testing.assert_allclose(output.logits[clip], w["classify.weight"] @ whole + w["classify.bias"], atol=1e-10)
        for row, part in enumerate(PARTS):
            alone = w[f"part_classify.{part}.weight"] @ g[row] + w[f"part_classify.{part}.bias"]
            np.testing.assert_allclose(output.part_logits[clip, row], alone, atol=1e-10)
        np.testing.assert_allclose(
            output.pose_logits[clip], w["pose_classify.weight"] @ h + w["pose_classify.bias"], atol=1e-10
        )


def test_parts_are_the_hands_and_the_whole_body():
    joints = layout("common13").joints
    left, right, body = ([joints[row] for row in rows] for rows in part_rows("common13"))
    assert left == ["left_elbow", "left_wrist"] and right == ["right_elbow", "right_wrist"] and body == list(joints)
    hands = part_rows("kinect20")
    assert [layout("kinect20").joints[row] for row in hands[0]] == ["left_elbow", "left_wrist", "left_hand"]


def test_the_loss_is_cross_entropy_and_the_regulariser():
    rng = np.random.default_rng(3)
    logits, weights, targets = rng.standard_normal((2, 3)), rng.dirichlet(np.ones(3), 2), [1, 2]
    entropy = -np.mean([np.log(softmax(logits[n]))[targets[n]] for n in range(2)])
    uneven = np.mean([((1 - weights[n]) ** 2).sum() for n in range(2)])
    arguments = torch.from_numpy(logits), torch.tensor(targets), torch.from_numpy(weights)
    assert focus_loss(*arguments, 0.1).item() == pytest.approx(entropy + 0.1 * uneven, abs=1e-10)
    assert focus_loss(*arguments[:2], None, 0.1).item() == pytest.approx(entropy, abs=1e-10)


def test_the_regulariser_draws_the_parts_together():
    """Of all weights that sum to one, equal ones cost least; its gradient lowers the highest."""
    scores = torch.tensor([[2.0, 0.0, -1.0]], dtype=torch.double, requires_grad=True)
    logits, target = torch.zeros(1, 3).double(), torch.tensor([0])
    for _ in range(400):
        loss = focus_loss(logits, target, scores.softmax(-1), 1.0)
        (gradient,) = torch.autograd.grad(loss, scores)
        scores = (scores - gradient).detach().requires_grad_()
    np.testing.assert_allclose(scores.detach().softmax(-1), 1 / 3, atol=1e-2)


def test_attention_starts_evenly():
    network = network_of()
    network.attention.start_evenly()
    np.testing.assert_allclose(network(poses_of()).part_weights.detach(), 1 / 3, atol=1e-12)
    assert network.attention.dense.weight.std() > 0
    network(poses_of()).logits[:, 0].sum().backward()
    assert network.attention.score.weight.grad.abs().max() > 0  # and it can leave the start


@pytest.mark.parametrize("aggregate", ["attention", "concat"])
def test_gradients(aggregate):
    network, poses = network_of(aggregate=aggregate), poses_of(clips=1).requires_grad_()

    def loss(poses, *parameters):
        output = network(poses)
        return focus_loss(
            output.logits + output.pose_logits + output.part_logits.sum(1), torch.tensor([1]), output.part_weights, 0.1
        )

    chosen = [p for name, p in network.named_parameters() if "part" not in name or "left_hand" in name]
    assert torch.autograd.gradcheck(loss, (poses, *chosen), atol=1e-5, fast_mode=True)


def test_sub_sequences_take_one_frame_of_each_stretch():
    network = network_of(frames=4, sub_sequences=3, window=24)
    for seen in (1, 3, 12, 24, 40):
        there = min(seen, 24)
        rows = network.sub_sequences(torch.tensor([[float(seen)]]))[0].numpy() - (24 - there)
        assert rows.shape == (3, 4) and rows.min() >= 0 and rows.max() < there
        for stretch in range(4):
            assert (rows[:, stretch] >= np.floor(stretch * there / 4)).all()
            assert (rows[:, stretch] <= np.ceil((stretch + 1) * there / 4)).all()
        if there == 24:
            assert len(np.unique(rows)) == 12  # each time other frames


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aggregate": "sum"},
        {"aggregate": "concat"},
        {"reads": "crops", "channels": 6},
        {"motion_lags": (1, 3), "distances": True},
        {"motion_lags": (2,), "reads": "crops", "channels": 6},
    ],
)
def test_a_tick_at_a_time_is_the_clip(changes):
    network = network_of(**changes).float()
    features, state = poses_of(5, 3, 12).float(), torch.zeros(3, network.state_size)
    pixels = torch.rand(3, 12, 3, 6) if network.pixels else None
    network.fit_scales(features, pixels)
    with torch.inference_mode():
        wanted = network.after(features, torch.arange(12).expand(3, -1), pixels)
        for t in range(12):
            out = network.step(features[:, t], state, None if pixels is None else pixels[:, t])
            state = out.next_state
            np.testing.assert_allclose(out.logits, wanted[:, t], atol=1e-5)
            np.testing.assert_allclose(out.joint_attention.sum(-1), 1, atol=1e-5)
            attended = out.frame_energy.softmax(-1)
            np.testing.assert_allclose(attended[:, -min(t + 1, 8) :], 1 / min(t + 1, 8), atol=1e-5)


@pytest.mark.parametrize("aggregate", ["attention", "sum", "concat", "right_hand"])
def test_what_each_step_of_the_training_computes_is_a_part_of_the_whole(aggregate):
    network, poses = network_of(aggregate=aggregate), poses_of()
    whole, (logits, weights) = network(poses), network.together(poses)
    torch.testing.assert_close(logits, whole.logits)
    assert (weights is not None) == (aggregate == "attention")
    if weights is not None:
        torch.testing.assert_close(weights, whole.part_weights)
    torch.testing.assert_close(network.pose_alone(poses), whole.pose_logits)
    for row, part in enumerate(PARTS):
        torch.testing.assert_close(network.part_alone(part, poses), whole.part_logits[:, row])


def test_distances_and_motion_are_those_of_the_joints():
    network, poses = network_of(motion_lags=(2,), distances=True), poses_of(ticks=5)
    poses[..., 4] = 1
    poses[0, :, 1] = 0  # missing throughout
    pairs = [(i, j) for i in range(JOINTS) for j in range(i + 1, JOINTS)]
    found, moving = distances(poses), network.with_motion(poses)
    for column, (i, j) in enumerate(pairs):
        wanted = np.hypot(*np.moveaxis((poses[1, :, i, :2] - poses[1, :, j, :2]).numpy(), -1, 0))
        np.testing.assert_allclose(found[1, :, column], wanted, atol=1e-2)
        assert (found[0, :, column] == 0).all() == (1 in (i, j))
    np.testing.assert_allclose(moving[1, 4, :, 5:], poses[1, 4, :, :2] - poses[1, 2, :, :2])
    np.testing.assert_allclose(moving[1, 1, :, 5:], poses[1, 1, :, :2] - poses[1, 0, :, :2])  # since the first tick


def test_the_answer_is_the_mean_of_the_sub_sequences_logits():
    network, features = network_of(), poses_of(6, 2, 8)
    with torch.no_grad():
        found = network.after(features, torch.tensor([[7], [7]]))[:, 0]
        rows = network.sub_sequences(torch.tensor([[8.0]]))[0]
        each = [network(features[:, rows[s]]).logits for s in range(2)]
    np.testing.assert_allclose(found, torch.stack(each).mean(0), atol=1e-10)


def test_paper_settings():
    ntu = WhereToFocusConfig()
    assert (ntu.hidden, ntu.frames, ntu.sub_sequences, ntu.dropout, ntu.aggregate) == (512, 20, 5, 0.5, "attention")
