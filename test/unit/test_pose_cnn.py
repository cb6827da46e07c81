"""The pose network: shapes, sizes, and what the paper says of it; its loss; PoseNet's weights in its backbone."""

from __future__ import annotations

import base64
import hashlib
import json

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
import torch.nn.functional as F

from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.core.errors import ModelError, UserError
from pose_attention_ros.models.pose_cnn import BACKBONE, Backbone, ConvUnit, Maps, PoseCnn, PoseCnnConfig
from pose_attention_ros.models.pose_losses import pose_loss
from pose_attention_ros.models.posenet_weights import start_backbone

pytestmark = pytest.mark.training


def parameters(module: torch.nn.Module) -> int:
    return sum(value.numel() for value in module.parameters())


def test_parameters_are_the_papers():
    """0.92 M in the backbone, 1.49 M with two stages, 2.44 M with six."""
    assert parameters(Backbone(PoseCnnConfig())) == pytest.approx(0.92e6, abs=5e3)
    assert parameters(PoseCnn(PoseCnnConfig(stages=2))) == pytest.approx(1.49e6, abs=5e3)
    assert parameters(PoseCnn(PoseCnnConfig(stages=6))) == pytest.approx(2.44e6, abs=5e3)


def test_the_papers_size_gives_the_papers_features():
    features, maps = PoseCnn(PoseCnnConfig(stages=1)).eval()(torch.zeros(1, 3, 224, 224))
    assert features.shape == (1, 384, 28, 28)
    assert [each.shape for each in maps[0]] == [(1, 19, 28, 28), (1, 38, 28, 28)]


@pytest.mark.parametrize(("height", "width"), [(8, 8), (8, 40), (56, 24), (64, 64)])
def test_any_multiple_of_eight_will_do(height, width):
    network = PoseCnn(PoseCnnConfig(stages=3, width=16, first_stage_width=16)).eval()
    with torch.inference_mode():
        features, maps = network(torch.rand(2, 3, height, width))
        assert features.shape == (2, 384, height // 8, width // 8)
        assert len(maps) == 3 and all(each.confidence.shape == (2, 19, height // 8, width // 8) for each in maps)
        _, fewer = network(torch.rand(2, 3, height, width), stages=1)
    assert len(fewer) == 1


@pytest.mark.parametrize(("height", "width"), [(32, 48), (24, 40)])
def test_what_makes_learning_fast_changes_no_gradient(height, width, monkeypatch):
    """A folded norm and dilated layers in phases (maps of even sides) against the plain layers."""
    torch.manual_seed(0)
    network = Backbone(PoseCnnConfig(activation_limit=0)).eval()  # no gradient hangs on which side of a limit rounding falls
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1), module.running_var.uniform_(0.5, 2)
    image = torch.rand(2, 3, height, width)

    def learnt() -> tuple[torch.Tensor, list[torch.Tensor]]:
        features = network(image)
        return features, list(torch.autograd.grad(features.square().sum(), list(network.parameters())))

    features, gradients = learnt()
    monkeypatch.setattr(ConvUnit, "_learns_folded", lambda unit: False)
    monkeypatch.setattr(network, "_dilation", 1)  # no phases; the layers themselves stay dilated
    plain_features, plain_gradients = learnt()
    torch.testing.assert_close(features, plain_features, rtol=1e-4, atol=1e-5)
    for one, other in zip(gradients, plain_gradients):
        assert (one - other).norm() <= 1e-3 * other.norm()


@pytest.mark.parametrize("size", [(60, 64), (64, 4), (100, 100)])
def test_another_size_is_refused_with_a_reason(size):
    with pytest.raises(UserError, match="multiples of 8"):
        PoseCnn(PoseCnnConfig(stages=1, width=8, first_stage_width=8))(torch.zeros(1, 3, *size))


def test_fewer_stages_are_the_first_of_more():
    network = PoseCnn(PoseCnnConfig(stages=3, width=16, first_stage_width=16)).eval()
    image = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        _, every = network(image)
        _, two = network(image, stages=2)
    torch.testing.assert_close(two[-1], every[1])


def test_layouts_size_the_maps():
    network = PoseCnn(PoseCnnConfig(stages=1, layout="coco17", width=8, first_stage_width=8)).eval()
    _, maps = network(torch.zeros(1, 3, 16, 16))
    assert maps[0].confidence.shape[1] == 18 and maps[0].affinity.shape[1] == 2 * len(LAYOUTS["coco17"].limbs)


@pytest.mark.parametrize("dilation", [1, 2])
def test_a_map_cell_looks_at_the_middle_of_its_pixels(dilation):
    """The pixels that a feature depends on lie around 8 j + 3.5, to half a pixel."""
    torch.manual_seed(0)
    backbone = Backbone(PoseCnnConfig(dilation=dilation, activation_limit=0.0)).eval()
    for module in backbone.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.constant_(module.weight, 1 / module.weight[0].numel())
    image = torch.full((1, 3, 512, 512), 0.5, requires_grad=True)
    backbone(image)[0, 0, 30, 34].backward()
    weight = image.grad.sum((0, 1))
    at = torch.arange(512.0)
    assert float((weight.sum(0) * at).sum() / weight.sum()) == pytest.approx(8 * 34 + 3.5, abs=0.51)
    assert float((weight.sum(1) * at).sum() / weight.sum()) == pytest.approx(8 * 30 + 3.5, abs=0.51)


def maps_of(value: float, requires_grad: bool = False) -> Maps:
    return Maps(
        torch.full((2, 19, 4, 4), value, requires_grad=requires_grad),
        torch.full((2, 38, 4, 4), value, requires_grad=requires_grad),
    )


def test_the_papers_loss_is_summed_over_stages_and_maps():
    loss = pose_loss([maps_of(1.0), maps_of(2.0)], maps_of(0.0), maps_of(1.0))
    assert loss.item() == pytest.approx((1 + 4) * (19 + 38))


def test_what_is_masked_has_no_gradient():
    found, weight = maps_of(1.0, requires_grad=True), maps_of(1.0)
    weight.confidence[:, :, 1, 2] = 0
    weight.affinity[:, 5] = 0
    pose_loss([found], maps_of(0.0), weight, emphasis=3.0).backward()
    assert (found.confidence.grad[:, :, 1, 2] == 0).all() and (found.affinity.grad[:, 5] == 0).all()
    assert (found.confidence.grad[:, :, 0] != 0).all() and (found.affinity.grad[:, 4] != 0).all()


def test_emphasis_counts_joints_and_limbs_more_and_an_empty_background_not():
    target = maps_of(0.0)
    target.confidence[:, -1] = 1
    target.confidence[0, 3, 1, 1], target.confidence[0, -1, 1, 1] = 1.0, 0.0
    target.affinity[0, 6:8, 2, 2] = torch.tensor((0.6, 0.8))
    found = maps_of(0.0, requires_grad=True)
    gradient = lambda emphasis: torch.autograd.grad(pose_loss([found], target, maps_of(1.0), emphasis), found)  # noqa: E731
    (plain_s, plain_l), (strong_s, strong_l) = gradient(0.0), gradient(4.0)
    torch.testing.assert_close(strong_s[0, 3, 1, 1], 5 * plain_s[0, 3, 1, 1])
    torch.testing.assert_close(strong_l[0, 6:8, 2, 2], 5 * plain_l[0, 6:8, 2, 2])
    torch.testing.assert_close(strong_s[1, -1], plain_s[1, -1])


def posenet_like(folder, rng) -> tuple[dict, dict]:
    """Files in PoseNet's format with random weights; returns them by layer, and the sha256 of both."""
    constants, nodes, layers, channels = [], [], {}, 3

    def add(name: str, shape: tuple[int, ...], outputs: int, operator: str) -> None:
        weight = (rng.standard_normal(shape) / np.sqrt(np.prod(shape[:3]))).astype("<f4")
        bias = rng.uniform(0, 0.5, outputs).astype("<f4")
        layers[name] = (weight, bias)
        for kind, values in (("w", weight), ("b", bias)):
            constants.append((f"{name}/{kind}", values))
        nodes.append(
            {
                "name": f"MobilenetV1/MobilenetV1/{name}",
                "op": operator,
                "input": ["x", f"{name}/w", f"{name}/b"],
                "attr": {"padding": {"s": base64.b64encode(b"SAME").decode()}},
            }
        )

    for number, (width, _) in enumerate(BACKBONE):
        if number == 0:
            add("Conv2d_0/Relu6", (3, 3, 3, width), width, "_FusedConv2D")
        else:
            add(
                f"Conv2d_{number}_depthwise/BatchNorm/batchnorm/add_1/conv",
                (3, 3, channels, 1),
                channels,
                "FusedDepthwiseConv2dNative",
            )
            add(f"Conv2d_{number}_pointwise/Relu6", (1, 1, channels, width), width, "_FusedConv2D")
        channels = width
    order = rng.permutation(len(constants))
    manifest = [{"name": constants[i][0], "shape": list(constants[i][1].shape), "dtype": "float32"} for i in order]
    (folder / "net.bin").write_bytes(b"".join(constants[i][1].tobytes() for i in order))
    (folder / "net.json").write_text(
        json.dumps({"modelTopology": {"node": nodes}, "weightsManifest": [{"paths": ["net.bin"], "weights": manifest}]})
    )
    return layers, {kind: hashlib.sha256((folder / f"net.{kind}").read_bytes()).hexdigest() for kind in ("json", "bin")}


def test_posenets_weights_give_posenets_features(tmp_path):
    """Against the format read independently: TensorFlow's layers on pixels in [-1, 1], at stride 8 by dilation."""
    layers, sha256 = posenet_like(tmp_path, np.random.default_rng(0))
    backbone = Backbone(PoseCnnConfig()).eval()
    start_backbone(backbone, tmp_path / "net.json", sha256)
    image = torch.rand(1, 3, 64, 64)
    x = F.pad(2 * image - 1, (0, 1, 0, 1), value=-1.0)  # black outside
    for number, (_, stride) in enumerate(BACKBONE):
        names = (
            ["Conv2d_0/Relu6"]
            if number == 0
            else [f"Conv2d_{number}_depthwise/BatchNorm/batchnorm/add_1/conv", f"Conv2d_{number}_pointwise/Relu6"]
        )
        for name in names:
            weight, bias = (torch.from_numpy(values.copy()) for values in layers[name])
            depthwise, kernel = "depthwise" in name, weight.shape[0]
            weight = weight.permute((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
            dilation = 2 if kernel == 3 and number > 6 else 1
            if kernel == 3 and number:
                x = F.pad(x, (0, 1, 0, 1) if number == 2 else 4 * (dilation,))
            x = F.conv2d(x, weight, bias, stride if kernel == 3 else 1, 0, dilation, weight.shape[0] if depthwise else 1)
            x = x.clamp(0, 6)
    with torch.inference_mode():
        torch.testing.assert_close(backbone(image), x, rtol=1e-4, atol=1e-4)


def test_other_files_are_refused(tmp_path):
    _, sha256 = posenet_like(tmp_path, np.random.default_rng(1))
    backbone = Backbone(PoseCnnConfig())
    with pytest.raises(ModelError, match=r"net\.json is damaged or another file"):
        start_backbone(backbone, tmp_path / "net.json")
    with open(tmp_path / "net.bin", "r+b") as file:
        file.write(b"\x00\x01")
    with pytest.raises(ModelError, match=r"net\.bin is damaged or another file"):
        start_backbone(backbone, tmp_path / "net.json", sha256)
    with pytest.raises(ModelError, match="cannot be read"):
        start_backbone(backbone, tmp_path / "absent.json")


def test_the_real_posenet_is_read(shared):
    weights = shared / "weights" / "posenet.json"
    if not weights.is_file():
        pytest.skip(f"{weights} is not here")
    backbone = Backbone(PoseCnnConfig()).eval()
    start_backbone(backbone, weights)
    with torch.inference_mode():
        features = backbone(torch.rand(1, 3, 64, 64))
    assert 0.05 < float((features > 0).float().mean()) < 0.95 and float(features.max()) <= 6.0
