"""Online equals offline: the streaming step, in torch and in ONNX Runtime, against the batch form."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from pose_attention_ros.core.errors import ModelError  # noqa: E402
from pose_attention_ros.inference.recogniser import OnnxRecogniser, load_recogniser, read_spec  # noqa: E402
from pose_attention_ros.models.bundle import Bundle, load_network, refresh_spec, save_bundle  # noqa: E402
from pose_attention_ros.models.committee import Committee  # noqa: E402
from pose_attention_ros.models.pan import PanConfig, PoseAttentionNetwork  # noqa: E402

pytestmark = pytest.mark.training

V, C = 13, 5


def network_of(decay_per_s: float, seed: int = 0) -> PoseAttentionNetwork:
    torch.manual_seed(seed)
    return PoseAttentionNetwork(PanConfig(width=16, heads=2, hidden=24, decay_per_s=decay_per_s), 4).eval()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A model directory of a small network with random weights, and that network."""
    network, folder = network_of(1.0), tmp_path_factory.mktemp("model")
    save_bundle(network, Bundle("small", ("a", "b", "c", "d"), 1.2, 0.4), folder)
    return network, folder


def test_whoever_may_read_the_model_may_read_its_weights(bundle):
    assert len({path.stat().st_mode for path in bundle[1].iterdir()}) == 1


@pytest.fixture
def copied(bundle, tmp_path):
    for path in bundle[1].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def sequences(seed: int, people: int, ticks: int, present: float, size: float, joints: int = V) -> np.ndarray:
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((people, ticks, joints, C)).astype(np.float32) * np.float32(size)
    features[..., -1] = rng.uniform(0.2, 1, features.shape[:-1])
    return features * (rng.uniform(size=features.shape[:-1]) < present)[..., None].astype(np.float32)


sequence_shapes = st.builds(
    sequences,
    st.integers(0, 2**31),
    st.integers(1, 4),
    st.integers(1, 40),
    st.sampled_from([0.0, 0.3, 0.9, 1.0]),
    st.sampled_from([0.1, 1.0, 5.0]),
)


@given(features=sequence_shapes)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_onnx_step_equals_the_torch_batch_on_every_prefix(bundle, features):
    network, folder = bundle
    recogniser = OnnxRecogniser(*read_spec(folder))
    with torch.inference_mode():
        batch = network(torch.from_numpy(features))
    state = np.zeros((len(features), recogniser.spec.state_size), np.float32)
    for t in range(features.shape[1]):
        output = recogniser.step(np.ascontiguousarray(features[:, t]), state)
        np.testing.assert_allclose(output.logits, batch.logits[:, t], atol=1e-5)
        np.testing.assert_allclose(output.joint_attention, batch.joint_attention[:, t], atol=1e-5)
        np.testing.assert_allclose(output.frame_energy, batch.frame_energy[:, t], atol=1e-5)
        np.testing.assert_allclose(output.joint_attention.sum(-1), 1, atol=1e-5)
        assert output.state.shape == state.shape and np.isfinite(output.state).all()
        state = output.state


@pytest.mark.parametrize("decay_per_s", [0.0, 0.5, 20.0])
def test_torch_step_equals_the_batch_over_a_long_stream(decay_per_s):
    network = network_of(decay_per_s)
    features = torch.from_numpy(sequences(3, 2, 400, 0.9, 1.0))
    state = torch.zeros(2, network.state_size)
    with torch.inference_mode():
        batch = network(features)
        for t in range(features.shape[1]):
            logits, _, _, state = network.step(features[:, t], state)
            assert (logits - batch.logits[:, t]).abs().max() < 1e-5


RICH = PanConfig(
    layout="jhmdb15",
    width=8,
    heads=2,
    hidden=12,
    streams=6,
    motion_lags=(1, 3),
    positions=True,
    head=10,
    running_max=True,
    mirrored=True,
    decay_per_s=0.5,
)


def rich_network(classes: int, **changes) -> PoseAttentionNetwork:
    """With batch norm as after some training."""
    network = PoseAttentionNetwork(dataclasses.replace(RICH, **changes), classes)
    for name, values in network.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            values.copy_(torch.rand_like(values) + 0.5)
    return network.eval()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mirrored": False},
        {"motion_lags": (1,), "positions": False},
        {"motion_lags": ()},
        {"streams": 0},
        {"hidden": 0},
        {"head": 0},
        {"running_max": False},
        {"pose_attention": False},
        {"pose_attention": False, "running_max": False},
        {"joints_attention": False, "pooling": False},
    ],
)
def test_every_part_streams_as_it_trains(changes):
    """Streams, head, maximum and the mirrored view: a tick at a time gives the batch's numbers, from zeros on."""
    torch.manual_seed(1)
    network = rich_network(4, **changes)
    features = torch.from_numpy(sequences(7, 3, 20, 0.8, 1.0, joints=15))
    state = torch.zeros(3, network.state_size)
    with torch.inference_mode():
        batch = network(features)
        for t in range(features.shape[1]):
            logits, joints, energy, state = network.step(features[:, t], state)
            for found, wanted in ((logits, batch.logits), (joints, batch.joint_attention), (energy, batch.frame_energy)):
                assert (found - wanted[:, t]).abs().max() < 1e-5
    assert state.shape == (3, network.state_size)


def test_a_rich_network_exports(tmp_path):
    torch.manual_seed(2)
    network = rich_network(3, motion_lags=(1,), graph_convolution=False, pooling=False)  # the small one has the graph
    differences = save_bundle(network, Bundle("rich", ("a", "b", "c"), 1.0, 0.5), tmp_path)
    assert max(differences.values()) < 1e-5
    assert load_recogniser(str(tmp_path)).spec.state_size == network.state_size
    assert load_network(tmp_path).config == network.config


def test_a_committee_is_the_mean_of_its_members(tmp_path):
    torch.manual_seed(4)
    # Two with few parts: what is exported of each part is a rich network's test, and each operator costs the exporter time.
    few = PanConfig(width=8, heads=1, hidden=12, graph_convolution=False, pooling=False, decay_per_s=0.5)
    members = [PoseAttentionNetwork(few, 3).eval() for _ in range(2)]
    committee = Committee(members).eval()
    features = torch.from_numpy(sequences(9, 2, 6, 0.8, 1.0))
    with torch.inference_mode():
        wanted = torch.stack([member(features).logits.softmax(-1) for member in members]).mean(0)
        assert (committee(features).logits.softmax(-1) - wanted).abs().max() < 1e-6
    save_bundle(committee, Bundle("committee", ("a", "b", "c"), 1.0, 0.5), tmp_path)
    recogniser, again = load_recogniser(str(tmp_path)), load_network(tmp_path)
    state = np.zeros((2, recogniser.spec.state_size), np.float32)
    with torch.inference_mode():
        for t in range(features.shape[1]):
            output = recogniser.step(np.ascontiguousarray(features[:, t].numpy()), state)
            state = output.state
            np.testing.assert_allclose(output.logits, again(features).logits[:, t], atol=1e-5)


def test_a_mirrored_network_answers_the_mirror_image_alike():
    torch.manual_seed(3)
    network = rich_network(3)
    features = torch.from_numpy(sequences(8, 2, 9, 0.8, 1.0, joints=15))
    with torch.inference_mode():
        seen, mirrored = network(features), network(network.mirror(features))
    assert (seen.logits - mirrored.logits).abs().max() < 1e-5
    assert (seen.joint_attention - mirrored.joint_attention[..., network.partner]).abs().max() < 1e-5


def test_padding_is_not_read():
    network = network_of(1.0)
    features = torch.from_numpy(sequences(4, 3, 12, 0.9, 1.0))
    inside = torch.arange(12) < torch.tensor([12, 5, 1])[:, None]
    with torch.inference_mode():
        whole, padded = network(features), network(torch.where(inside[..., None, None], features, 7.0), inside)
    assert (whole.logits - padded.logits)[inside].abs().max() < 1e-6


def test_people_in_a_batch_do_not_see_each_other(bundle):
    recogniser = OnnxRecogniser(*read_spec(bundle[1]))
    features = sequences(5, 6, 10, 0.9, 1.0)
    together = np.zeros((6, recogniser.spec.state_size), np.float32)
    alone = together.copy()
    for t in range(10):
        tick = np.ascontiguousarray(features[:, t])
        together = recogniser.step(tick, together).state
        alone = np.concatenate([recogniser.step(tick[i : i + 1], alone[i : i + 1]).state for i in range(6)])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_nobody_in_view(bundle):
    recogniser = OnnxRecogniser(*read_spec(bundle[1]))
    output = recogniser.step(np.zeros((0, V, C), np.float32), np.zeros((0, recogniser.spec.state_size), np.float32))
    assert output.logits.shape == (0, 4) and output.state.shape == (0, recogniser.spec.state_size)


def test_weights_for_fine_tuning_are_the_exported_ones(bundle):
    network, folder = bundle
    again = load_network(folder)
    features = torch.from_numpy(sequences(6, 2, 5, 0.9, 1.0))
    with torch.inference_mode():
        assert torch.equal(network(features).logits, again(features).logits)


def _tampered(folder):
    data = bytearray((folder / "step.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "step.onnx").write_bytes(data)


def _edited(**changes):
    def edit(folder):
        spec = json.loads((folder / "model.json").read_text())
        (folder / "model.json").write_text(json.dumps({**spec, **changes}))

    return edit


def _without(name):
    def edit(folder):
        (folder / name).unlink()

    return edit


def _no_onnx(folder):
    network = load_network(folder)
    (folder / "step.onnx").write_bytes(b"not a graph")
    refresh_spec(network, folder)


@pytest.mark.parametrize(
    "damage, message",
    [
        (_tampered, "sha256"),
        (_edited(classes=["a", "b"]), "number of classes of 'logits' is 4, model.json says 2"),
        (_edited(state_size=7), "state_size of 'state' is 49, model.json says 7"),
        (_edited(layout="coco17"), "joints and features of 'features' is 13x5, model.json says 17x5"),
        (_edited(layout="nonsense"), "no skeleton layout 'nonsense'"),
        (_edited(features=["x", "y"]), "reads features"),
        (_edited(rate_hz=0), "rate_hz is 0"),
        (_without("step.onnx"), "step.onnx"),
        (_without("model.json"), "no model"),
        (_no_onnx, "cannot be loaded"),
    ],
)
def test_a_damaged_model_gives_one_clear_line(copied, damage, message):
    damage(copied)
    with pytest.raises(ModelError) as caught:
        load_recogniser(str(copied))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_wrong_name_lists_the_models_that_exist(copied, monkeypatch):
    monkeypatch.setenv("POSE_ATTENTION_MODELS", str(copied.parent))
    assert load_recogniser(copied.name).spec.model_id == "small"
    with pytest.raises(ModelError, match=f"no model 'everydya'.*{copied.name}"):
        load_recogniser("everydya")
