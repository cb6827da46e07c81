"""The network against the paper's equations, written out in plain numpy from docs of the method (Li & Wang 2020)."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pose_attention_ros.core.body.layouts import PARTS, layout  # noqa: E402
from pose_attention_ros.models.attention import HIGHEST_ENERGY, JointsAttention, PoseAttention  # noqa: E402
from pose_attention_ros.models.human_graph import HumanGraphNetwork  # noqa: E402
from pose_attention_ros.models.losses import IGNORE, OTHER, pan_loss, pose_loss, tick_loss  # noqa: E402
from pose_attention_ros.models.pan import PanConfig, PanOutput, PoseAttentionNetwork, gru_step  # noqa: E402

pytestmark = pytest.mark.training

LAYOUT = layout("common13")
V = len(LAYOUT.joints)


def relu(x):
    return np.maximum(x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def weights_of(module) -> dict[str, np.ndarray]:
    return {name: value.detach().double().numpy() for name, value in module.state_dict().items()}


def normalised(adjacency):
    """D~^-1/2 A~ D~^-1/2 of (1), with D~ as a matrix."""
    with_self = adjacency + np.eye(len(adjacency))
    root = np.diag(1 / np.sqrt(with_self.sum(1)))
    return root @ with_self @ root


def limbs():
    matrix = np.zeros((V, V))
    for a, b in LAYOUT.limbs:
        matrix[LAYOUT.joints.index(a), LAYOUT.joints.index(b)] = matrix[LAYOUT.joints.index(b), LAYOUT.joints.index(a)] = 1
    return matrix


@pytest.mark.parametrize("assignment", ["relu", "softmax"])
@pytest.mark.parametrize("missing", [(), (0, 9)])
def test_graph_network_is_equations_1_to_5(assignment, missing):
    torch.manual_seed(1)
    network = HumanGraphNetwork(LAYOUT, 5, 8, assignment=assignment).double()
    x = np.random.default_rng(0).standard_normal((V, 5))
    x[list(missing)] = 0
    mask = np.ones(V)
    mask[list(missing)] = 0
    w, a = weights_of(network), limbs()
    spread = normalised(a)
    one_hot = np.concatenate([x, np.eye(V)], 1)  # nodes with their names
    h1 = relu(spread @ (one_hot @ np.concatenate([w["lift.weight"].T, w["joint_name"]]) + w["lift.bias"]))  # (1)
    z = relu(spread @ (h1 @ w["embed.weight"].T + w["embed.bias"]))  # (5)
    g = spread @ (h1 @ w["assign.weight"].T + w["assign.bias"]) + w["part_prior"]
    s = (relu(g) if assignment == "relu" else softmax(g)) * mask[:, None]  # (2)
    x2 = s.T @ z  # (3)
    a2 = s.T @ a @ s  # (4)
    h2 = relu(normalised(a2) @ (x2 @ w["part.weight"].T + w["part.bias"]))  # (1) between parts
    expected = relu(np.concatenate([z, s @ h2], 1) @ w["join.weight"].T + w["join.bias"])
    with torch.no_grad():
        found = network(torch.from_numpy(x[None]), torch.from_numpy(mask[None, :, None]))[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_parts_start_as_body_parts():
    torch.manual_seed(0)
    network = HumanGraphNetwork(LAYOUT, 5, 16)
    soft = network.embed_and_assign(torch.randn(4, V, 16).relu() * 0.1, torch.ones(4, V, 1))[1].mean(0)
    assert [PARTS[k] for k in soft.argmax(-1).tolist()] == [PARTS[k] for k in LAYOUT.part_indices]


def test_gru_is_equations_6_to_9():
    torch.manual_seed(2)
    gru = torch.nn.GRU(6, 4, batch_first=True).double()
    x, w = np.random.default_rng(1).standard_normal((9, 6)), weights_of(gru)
    (w_f, w_1, w_h), (u_f, u_1, u_c) = np.split(w["weight_ih_l0"], 3), np.split(w["weight_hh_l0"], 3)
    (b_f, b_1, b_h), (c_f, c_1, c_c) = np.split(w["bias_ih_l0"], 3), np.split(w["bias_hh_l0"], 3)
    h = np.zeros(4)
    expected = []
    for x_t in x:
        f = sigmoid(w_f @ x_t + b_f + u_f @ h + c_f)  # (9)
        s = sigmoid(-(w_1 @ x_t + b_1 + u_1 @ h + c_1))  # (7): the library's gate is 1 - s, so W_s = -W_1
        candidate = np.tanh(w_h @ x_t + b_h + f * (u_c @ h + c_c))  # (8)
        h = s * candidate + (1 - s) * h  # (6)
        expected.append(h)
    with torch.no_grad():
        found = gru(torch.from_numpy(x[None]))[0][0].numpy()
        memory = torch.zeros(1, 4).double()
        for x_t, wanted in zip(x, expected):
            memory = gru_step(gru, torch.from_numpy(x_t[None]), memory)
            np.testing.assert_allclose(memory[0].numpy(), wanted, atol=1e-12)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("heads", [1, 3])
def test_joints_attention_is_equations_13_to_15(heads):
    torch.manual_seed(3)
    attention = JointsAttention(6, heads).double()
    h, w = np.random.default_rng(2).standard_normal((V, 6)), weights_of(attention)
    mask = np.ones(V)
    mask[3] = 0
    there = np.flatnonzero(mask)
    vectors, weights = [], []
    for u_w in w["query.weight"]:
        j = np.tanh(h[there] @ w["key.weight"].T)  # (14)
        a = softmax(j @ u_w)  # (13)
        vectors.append(a @ h[there])  # (15)
        weights.append(a)
    with torch.no_grad():
        s, a = attention(torch.from_numpy(h[None]), torch.from_numpy(mask[None, :, None]))
    np.testing.assert_allclose(s[0].numpy(), np.concatenate(vectors), atol=1e-12)
    np.testing.assert_allclose(a[0].numpy()[:, there], np.array(weights), atol=1e-12)
    np.testing.assert_allclose(a[0].numpy()[:, 3], 0, atol=1e-12)


@pytest.mark.parametrize("decay", [0.0, 0.07])
def test_pose_attention_is_equations_10_to_12_on_every_prefix(decay):
    torch.manual_seed(4)
    attention = PoseAttention(6, decay).double()
    h, w = np.random.default_rng(3).standard_normal((20, 6)), weights_of(attention)
    with torch.no_grad():
        prefixes, energy = attention.prefixes(torch.from_numpy(h[None]))
        total, mass = torch.zeros(1, 6).double(), torch.zeros(1, 1).double()
        for t in range(20):
            u = np.tanh(h[: t + 1] @ w["key.weight"].T)  # (11)
            e = (u @ w["query.weight"].T)[:, 0]
            a = softmax(e - decay * (t - np.arange(t + 1)))  # (10)
            v = a @ h[: t + 1]  # (12)
            np.testing.assert_allclose(prefixes[0, t].numpy(), v, atol=1e-12)
            np.testing.assert_allclose(energy[0, : t + 1].numpy(), e, atol=1e-12)
            running, e_t, total, mass = attention.step(torch.from_numpy(h[t : t + 1]), total, mass)
            np.testing.assert_allclose(running[0].numpy(), v, atol=1e-12)
            np.testing.assert_allclose(e_t.item(), e[-1], atol=1e-12)


def test_moments_scores_are_bounded_and_a_long_stream_stays_finite():
    """The exponentials of the step are sums of what was seen so far, without a running maximum."""
    attention = PoseAttention(6, 0.0)
    with torch.no_grad():
        attention.query.weight.fill_(1e4)
        states = torch.randn(1, 500, 6, generator=torch.Generator().manual_seed(0))
        prefixes, energy = attention.prefixes(states)
        total, mass = torch.zeros(1, 6), torch.full((1, 1), 1e6 * float(energy.max().exp()))  # a million strong moments
        for t in range(500):
            seen, e_t, total, mass = attention.step(states[:, t], total, mass)
            assert abs(e_t.item()) <= HIGHEST_ENERGY
            assert torch.isfinite(seen).all()
    assert energy.abs().max() == HIGHEST_ENERGY
    assert torch.isfinite(prefixes).all()


def test_loss_is_equations_16_to_18():
    rng = np.random.default_rng(5)
    v, s = rng.standard_normal((2, 3, 4)), rng.standard_normal((2, 3, 4))
    y = np.array([[1, 1, 1], [3, 3, 3]])
    pose = -np.mean([np.log(softmax(v[p, t])[y[p, t]]) for p in range(2) for t in range(3)])
    joints = -np.mean([np.log(softmax(s[p, t])[y[p, t]]) for p in range(2) for t in range(3)])
    output = PanOutput(torch.from_numpy(v), torch.from_numpy(s), torch.zeros(2, 3), torch.zeros(2, 3))
    found = pan_loss(output, torch.from_numpy(y), torch.ones(2, 3).double(), joints_weight=0.25)
    np.testing.assert_allclose(found.item(), pose + 0.25 * joints, atol=1e-12)


@pytest.mark.parametrize("last_tick", [0.0, 0.4, 1.0])
def test_the_last_tick_of_a_clip_makes_its_share_of_the_loss(last_tick):
    torch.manual_seed(1)
    logits = torch.randn(3, 5, 4, dtype=torch.float64)
    targets = torch.tensor([[1, 1, 1, 1, 1], [2, 2, 2, IGNORE, IGNORE], [IGNORE] * 5])
    weights = torch.rand(3, 5, dtype=torch.float64)
    each = -logits.log_softmax(-1)
    everywhere = [(weights[0, t], each[0, t, 1]) for t in range(5)] + [(weights[1, t], each[1, t, 2]) for t in range(3)]
    mean = sum(w * loss for w, loss in everywhere) / sum(w for w, _ in everywhere)
    ends = (each[0, 4, 1] + each[1, 2, 2]) / 2
    found = pose_loss(logits, targets, weights, last_tick=last_tick)
    assert found.item() == pytest.approx(((1 - last_tick) * mean + last_tick * ends).item())


def test_loss_of_ticks_without_a_class():
    logits = torch.tensor([[[4.0, 0.0], [9.0, 0.0], [0.0, 0.0]]])
    ones = torch.ones(1, 3)
    only_first = tick_loss(logits, torch.tensor([[0, IGNORE, IGNORE]]), ones)
    np.testing.assert_allclose(only_first.item(), -np.log(sigmoid(4.0)), rtol=1e-5)
    other = tick_loss(logits, torch.tensor([[OTHER, IGNORE, IGNORE]]), ones)
    np.testing.assert_allclose(other.item(), -(np.log(sigmoid(4.0)) + np.log(sigmoid(-4.0))) / 2, rtol=1e-5)
    assert tick_loss(logits, torch.full((1, 3), IGNORE), ones).item() == 0


@pytest.mark.parametrize("switch", ["graph_convolution", "pooling", "joints_attention", "pose_attention"])
def test_each_part_can_be_left_out_and_gradients_reach_what_is_there(switch):
    torch.manual_seed(6)
    network = PoseAttentionNetwork(PanConfig(width=8, heads=2, hidden=8, dropout=0.0, **{switch: False}), 3)
    features = torch.randn(2, 6, V, 5).abs()
    pan_loss(network(features), torch.ones(2, 6, dtype=torch.long), torch.ones(2, 6), joints_weight=0.3).backward()
    silent = {name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    left_out = {"joints_attention": "joints_attention.", "pose_attention": "pose_attention."}.get(switch, "nothing")
    assert all(name.startswith(left_out) for name in silent), silent


def test_gradients_reach_every_parameter_and_size_is_bounded():
    torch.manual_seed(7)
    network = PoseAttentionNetwork(PanConfig(), 20)
    features = torch.randn(2, 8, V, 5).abs()
    pan_loss(network(features), torch.zeros(2, 8, dtype=torch.long), torch.ones(2, 8), joints_weight=0.3).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
    assert sum(p.numel() for p in network.parameters()) <= 500_000


def test_renaming_the_joints_changes_nothing():
    """A graph network sees a graph: joints in another order, with everything that belongs to them, give the same action."""
    torch.manual_seed(8)
    network = PoseAttentionNetwork(PanConfig(width=8, heads=2, hidden=8), 3).double().eval()
    features = torch.randn(1, 5, V, 5).double().abs()
    order = torch.from_numpy(np.random.default_rng(0).permutation(V))
    with torch.no_grad():
        before = network(features)
        graph = network.graph
        for name in ("links", "spread"):
            getattr(graph, name).copy_(getattr(graph, name)[order][:, order].clone())
        for parameter in (graph.joint_name, graph.part_prior):
            parameter.copy_(parameter[order].clone())
        after = network(features[:, :, order])
    np.testing.assert_allclose(after.logits, before.logits, atol=1e-10)
    np.testing.assert_allclose(after.joint_attention, before.joint_attention[..., order], atol=1e-10)


def test_mirror_of_a_symmetric_network():
    """The human graph is its own mirror image: with names and parts made symmetric, so is the network."""
    torch.manual_seed(9)
    network = HumanGraphNetwork(LAYOUT, 5, 8).double()
    mirror = torch.from_numpy(LAYOUT.mirror)
    swap_parts = [0, 1, 3, 2, 5, 4]
    with torch.no_grad():
        network.joint_name.copy_((network.joint_name + network.joint_name[mirror]) / 2)
        network.assign.weight.copy_((network.assign.weight + network.assign.weight[swap_parts]) / 2)
        network.assign.bias.copy_((network.assign.bias + network.assign.bias[swap_parts]) / 2)
        x = torch.randn(2, V, 5).double()
        there = torch.ones(2, V, 1).double()
        np.testing.assert_allclose(network(x[:, mirror], there), network(x, there)[:, mirror], atol=1e-10)
