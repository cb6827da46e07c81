"""RPAN against its paper's equations in plain numpy, its part sharing, its loss, and its streaming form."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pose_attention_ros.core.body.layouts import layout  # noqa: E402
from pose_attention_ros.models.rpan import (  # noqa: E402
    HUMAN_PART,
    PARTS,
    SEPARATE_JOINT,
    SHARE_ALL,
    WITHOUT,
    Rpan,
    RpanConfig,
    RpanOutput,
    estimated_joints,
    part_of_joint,
    pose_targets,
    rpan_loss,
)

pytestmark = pytest.mark.training

LAYOUT = layout("common13")
SMALL = RpanConfig(width=3, hidden=5, channels=4, rows=2, columns=3)
GUIDED = (SHARE_ALL, SEPARATE_JOINT, HUMAN_PART)


def network_of(classes: int = 3, seed: int = 0, **changes) -> Rpan:
    torch.manual_seed(seed)
    network = Rpan(dataclasses.replace(SMALL, **changes), classes).double().eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return network


def cubes_of(seed: int = 1, people: int = 2, ticks: int = 4) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((people, ticks, 4, 2, 3)))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_hand(network: Rpan, cubes: np.ndarray, pooling: str) -> tuple[np.ndarray, np.ndarray]:
    """(2)-(10) joint by joint and place by place, for one clip (T, D, K1, K2) -> logits (T, classes), maps (T, J, K)."""
    w = {name: value.numpy() for name, value in network.state_dict().items()}
    parts = part_of_joint(LAYOUT, network.config.attention)
    width, hidden = network.config.width, network.config.hidden
    h, r, logits, maps = np.zeros(hidden), np.zeros(hidden), [], []
    for cube in cubes.reshape(len(cubes), cubes.shape[1], -1):  # (D, K)
        features = {part: np.zeros(len(cube)) for part in sorted(set(parts))}
        frame = []
        for joint, part in enumerate(parts):
            rows = slice(part * width, (part + 1) * width)
            a_c, b = w["attention.look.weight"][rows], w["attention.look.bias"][rows]
            a_h, v = w["attention.guide.weight"][rows], w["attention.joint"][joint]
            score = np.array([v @ np.tanh(a_h @ h + a_c @ cube[:, k] + b) for k in range(cube.shape[1])])  # (2)
            a = np.exp(score) / np.exp(score).sum()  # (3)
            features[part] += sum(a[k] * cube[:, k] for k in range(cube.shape[1]))  # (4)
            frame.append(a)
        stacked = np.stack([features[part] for part in sorted(features)])
        s = {"concat": stacked.ravel(), "mean": stacked.mean(0), "max": stacked.max(0)}[pooling]
        if pooling == "concat":  # the network's order: all channels of a part's place in the cube's channel order
            s = stacked.T.ravel()
        gates = w["lstm.weight_ih"] @ s + w["lstm.bias_ih"] + w["lstm.weight_hh"] @ h + w["lstm.bias_hh"]
        i, f, g, o = np.split(gates, 4)
        r = sigmoid(f) * r + sigmoid(i) * np.tanh(g)  # (6)-(8)
        h = sigmoid(o) * np.tanh(r)  # (9)
        logits.append(w["classify.weight"] @ h + w["classify.bias"])  # (10)
        maps.append(frame)
    return np.array(logits), np.array(maps)


@pytest.mark.parametrize("attention", GUIDED)
@pytest.mark.parametrize("pooling", ["concat", "mean", "max"])
def test_it_is_equations_2_to_10(attention, pooling):
    network, cubes = network_of(attention=attention, pooling=pooling), cubes_of()
    with torch.no_grad():
        output = network(cubes)
    for clip in range(len(cubes)):
        logits, maps = by_hand(network, cubes[clip].numpy(), pooling)
        np.testing.assert_allclose(output.logits[clip], logits, atol=1e-10)
        np.testing.assert_allclose(output.maps[clip].flatten(-2), maps, atol=1e-10)


def test_without_attention_the_lstm_reads_the_mean_of_the_cube():
    network, cubes = network_of(attention=WITHOUT), cubes_of()
    with torch.no_grad():
        output = network(cubes)
        states, _ = torch.nn.LSTM(4, 5, batch_first=True).double(), None
        states.load_state_dict({f"{name}_l0": value for name, value in network.lstm.state_dict().items()})
        wanted = network.classify(states(cubes.mean((-1, -2)))[0])
    assert output.maps is None
    np.testing.assert_allclose(output.logits, wanted, atol=1e-10)


@pytest.mark.parametrize("attention", GUIDED)
def test_every_map_sums_to_one(attention):
    output = network_of(attention=attention)(cubes_of())
    joints = 1 if attention == SHARE_ALL else len(LAYOUT.joints)
    assert output.maps.shape == (2, 4, joints, 2, 3)
    np.testing.assert_allclose(output.maps.detach().sum((-1, -2)), 1, atol=1e-12)


def test_joints_of_a_part_share_all_but_v():
    """A part's {A_h, A_c, b} moves the maps of its own joints and of no other; v^J those of its joint alone."""
    cube = cubes_of(ticks=1)
    parts = part_of_joint(LAYOUT, HUMAN_PART)
    assert {PARTS[parts[LAYOUT.index(j)]] for j in ("left_wrist", "right_wrist")} == {"wrist"}
    assert {PARTS[parts[LAYOUT.index(j)]] for j in ("head", "left_shoulder", "right_hip")} == {"torso"}
    before = network_of()(cube).maps.detach()
    for part in range(len(PARTS)):
        network = network_of()
        with torch.no_grad():
            network.attention.look.bias[part * 3 : part * 3 + 3] += 1
        moved = (network(cube).maps - before).abs().amax((0, 1, 3, 4)) > 1e-9
        assert moved.tolist() == [of == part for of in parts]
    network = network_of()
    with torch.no_grad():
        network.attention.joint[4] += 1
    moved = (network(cube).maps - before).abs().amax((0, 1, 3, 4)) > 1e-9
    assert moved.nonzero().flatten().tolist() == [4]


@pytest.mark.parametrize("attention, sets", [(SHARE_ALL, 1), (SEPARATE_JOINT, 13), (HUMAN_PART, 5)])
def test_settings_of_table_1_differ_in_what_is_shared(attention, sets):
    network = network_of(attention=attention)
    assert network.attention.look.weight.shape == (sets * 3, 4)
    assert network.attention.guide.weight.shape == (sets * 3, 5)
    assert len(network.attention.joint) == (1 if attention == SHARE_ALL else 13)
    assert network.lstm.input_size == sets * 4
    assert network.guided == (attention != SHARE_ALL)


def test_paper_settings():
    penn = RpanConfig()
    assert (penn.attention, penn.pooling, penn.width, penn.hidden) == (HUMAN_PART, "concat", 128, 1024)


def test_targets_are_normalised_gaussians_and_missing_joints_nothing():
    joints = torch.tensor([[30.0, 20.0], [70.0, 50.0], [500.0, 20.0]]).double()
    maps = pose_targets(joints, torch.tensor([True, False, True]), (80, 60), (6, 8), 5.0).numpy()
    y, x = np.mgrid[0:60, 0:80] + 0.5
    full = np.exp(-((x - 30) ** 2 + (y - 20) ** 2) / (2 * 5.0**2))
    wanted = full.reshape(6, 10, 8, 10).mean((1, 3))  # resized by the mean over each place
    np.testing.assert_allclose(maps[0], wanted / wanted.sum(), atol=1e-12)
    assert maps[1].sum() == 0 and maps[2].sum() == 0
    at = estimated_joints(torch.from_numpy(maps[:1]), (80, 60))[0]
    assert (at - joints[0]).abs().max() <= 5.0


def test_loss_is_equations_11_to_13():
    rng = np.random.default_rng(3)
    logits, targets = rng.standard_normal((2, 4, 3)), [2, 0]
    maps, wanted = (rng.dirichlet(np.ones(6), (2, 4, 13)).reshape(2, 4, 13, 2, 3) for _ in range(2))
    wanted[1, 2, 5] = 0  # a joint that nobody saw
    chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    action = -sum(np.log(chances[n, t, targets[n]]) for n in range(2) for t in range(4))
    pose = sum(
        ((wanted[n, t, j] - maps[n, t, j]) ** 2).sum()
        for n in range(2)
        for t in range(4)
        for j in range(13)
        if (n, t, j) != (1, 2, 5)
    )
    found = rpan_loss(
        RpanOutput(torch.from_numpy(logits), torch.from_numpy(maps)),
        torch.tensor(targets),
        torch.from_numpy(wanted),
        action=0.7,
        pose=2.0,
    )
    assert found.item() == pytest.approx((0.7 * action + 2.0 * pose) / 2, abs=1e-10)


@pytest.mark.parametrize("attention", [WITHOUT, *GUIDED])
def test_gradients(attention):
    network, cubes = network_of(attention=attention), cubes_of(people=1, ticks=2).requires_grad_()
    targets = torch.rand(1, 2, 13, 2, 3).double()

    def loss(cubes, *parameters):
        return rpan_loss(network(cubes), torch.tensor([1]), targets if network.guided else None)

    assert torch.autograd.gradcheck(loss, (cubes, *network.parameters()), atol=1e-6, fast_mode=True)


@pytest.mark.parametrize(
    "changes", [{}, {"attention": WITHOUT}, {"attention": SHARE_ALL}, {"reduced": 2}, {"rows": 4, "columns": 6, "pool": 2}]
)
def test_a_frame_at_a_time_is_the_clip(changes):
    network = network_of(**changes).float()
    torch.manual_seed(5)
    pixels = torch.rand(3, 5, *network.pixels_shape)
    network.fit_scales(torch.zeros(0), pixels)
    features, state = torch.rand(3, 5, 13, 5), torch.zeros(3, network.state_size)
    ready = network.prepare(pixels.flatten(0, 1)).unflatten(0, (3, 5))
    with torch.inference_mode():
        clip = network(ready).logits
        for t in range(5):
            out = network.step(features[:, t], state, pixels[:, t])
            state = out.next_state
            np.testing.assert_allclose(out.logits, clip[:, t], atol=1e-5)
            np.testing.assert_allclose(out.joint_attention.sum(-1), 1, atol=1e-5)
        at = torch.tensor([[4, 0], [2, 2], [1, 3]])
        np.testing.assert_allclose(network.after(features, at, ready), clip[torch.arange(3)[:, None], at], atol=1e-6)


def test_reduction_is_principal_components():
    network = network_of(reduced=2).float()
    pixels = torch.randn(2, 40, 4, 2, 3) * torch.tensor([3.0, 0.1, 2.0, 0.1])[:, None, None]
    network.fit_scales(torch.zeros(0), pixels)
    rows = network.prepare(pixels.flatten(0, 1)).flatten(2).transpose(1, 2).flatten(0, 1)
    np.testing.assert_allclose(rows.T @ rows / len(rows), np.eye(2), atol=1e-3)
