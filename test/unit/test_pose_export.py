"""The pose network as ONNX: the same numbers in every form of the graph, int8 close to them, and its model directory."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pose_photos import draw, standing

pytest.importorskip("torch")
pytest.importorskip("onnx")

import onnx
import torch

from pose_attention_ros.cli.main import main
from pose_attention_ros.core.errors import ModelError, UserError
from pose_attention_ros.core.types import Frame
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator
from pose_attention_ros.models.pose_bundle import add_int8, export_files, load_pose_network, save_pose_model
from pose_attention_ros.models.pose_cnn import PoseCnn, PoseCnnConfig
from pose_attention_ros.models.pose_export import difference_from_torch, export_pose, session_of
from pose_attention_ros.models.pose_graph import GraphConfig
from pose_attention_ros.models.pose_int8 import calibration_images, quantise, with_corrected_biases

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def network() -> PoseCnn:
    """Three stages with batch norm that has seen something, and maps that are not nearly 0."""
    torch.manual_seed(3)
    network = PoseCnn(PoseCnnConfig(stages=3, width=24, first_stage_width=40))
    network.train()(torch.rand(2, 3, 64, 64))
    with torch.no_grad():
        for stage in network.stages:
            for branch in (stage.confidence, stage.affinity):
                branch[-1].weight.normal_(0, 0.2)
                branch[-1].bias.normal_(0, 0.3)
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.3)
    return network.eval()


def operators(path) -> list[str]:
    return [node.op_type for node in onnx.load(str(path)).graph.node]


FORMS = [GraphConfig(fold, fuse, pad) for fold in (True, False) for fuse in (True, False) for pad in (True, False)]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"fold{form.fold:d}-fuse{form.fuse:d}-pad{form.pad:d}")
def test_every_form_of_the_graph_says_what_torch_says(network, form, tmp_path):
    """export_pose checks against torch and raises; here the limit is tighter."""
    assert export_pose(network, tmp_path / "pose.onnx", config=form) < 2e-5
    kinds = operators(tmp_path / "pose.onnx")
    assert ("BatchNormalization" in kinds) != form.fold and "Pad" not in kinds
    # Backbone 1 + 2 x 11; a stage has 2 x 8 convolutions apart, and fused 4 first ones, 4 in groups, 1x1 and maps.
    assert kinds.count("Conv") == 23 + 3 * (10 if form.fuse else 16)


def test_a_graph_that_says_something_else_is_noticed(network, tmp_path):
    path = tmp_path / "pose.onnx"
    export_pose(network, path)
    other = PoseCnn(network.config).eval()
    assert difference_from_torch(other, path) > 0.05


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_stages_are_chosen_at_export(network, stages, tmp_path):
    assert export_pose(network, tmp_path / "pose.onnx", stages=stages) < 2e-5
    assert operators(tmp_path / "pose.onnx").count("Conv") == 23 + 10 * stages


def test_features_are_the_same_bits_whatever_the_number_of_stages(network, tmp_path):
    """Models that read them need not be trained anew where the head grows."""
    image, found = np.random.default_rng(0).uniform(0, 1, (1, 3, 48, 64)).astype(np.float32), []
    for stages in (1, 3):
        export_pose(network, tmp_path / f"{stages}.onnx", stages=stages)
        found.append(session_of(tmp_path / f"{stages}.onnx").run(["features"], {"image": image})[0])
    assert found[0].any() and np.array_equal(*found)


@pytest.mark.parametrize("stages", [0, 4])
def test_stages_that_were_not_trained_are_not_shipped(network, stages, tmp_path):
    with pytest.raises(UserError, match="expected 1 to 3: the network was trained with 3"):
        export_pose(network, tmp_path / "pose.onnx", stages=stages)


def photos(count: int) -> list[np.ndarray]:
    images = [draw((96, 64), [standing(10 + 3 * i, 4, 24, 56)], i) for i in range(count)]
    return [image[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32) / 255 for image in images]


@pytest.mark.parametrize("symmetric", [False, True])
def test_int8_is_close_to_float(network, symmetric, tmp_path):
    export_pose(network, tmp_path / "pose.onnx")
    images = photos(6)
    quantise(tmp_path / "pose.onnx", tmp_path / "int8.onnx", images[:4], symmetric=symmetric)
    assert {"QuantizeLinear", "DequantizeLinear"} <= set(operators(tmp_path / "int8.onnx"))
    zeros = [
        onnx.numpy_helper.to_array(value)
        for value in onnx.load(str(tmp_path / "int8.onnx")).graph.initializer
        if value.name.endswith("zero_point")
    ]
    assert any(zero.any() for zero in zeros) != symmetric
    assert (tmp_path / "int8.onnx").stat().st_size < 0.5 * (tmp_path / "pose.onnx").stat().st_size
    names = ["confidence", "affinity"]
    for image in images[4:]:
        exact = session_of(tmp_path / "pose.onnx").run(names, {"image": image})
        close = session_of(tmp_path / "int8.onnx").run(names, {"image": image})
        for a, b in zip(exact, close):
            assert np.abs(a - b).mean() < 0.12 * a.std() and np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.98


def test_rounding_weights_shifts_no_channel(tmp_path):
    """A convolution whose weights are all rounded up, on an image that is bright everywhere, in two groups."""
    rng = np.random.default_rng(0)
    kernel = (np.round(rng.uniform(-60, 60, (4, 3, 3, 3))) + 0.4).astype(np.float32)
    kernel[:, 0, 0, 0] = 64  # so that a step is 1
    rounded = np.round(kernel)
    image = rng.uniform(0.5, 1, (1, 6, 8, 8)).astype(np.float32)
    info, make = onnx.helper.make_tensor_value_info, onnx.numpy_helper.from_array
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", ["image", "w", "b"], ["out"], name="conv", group=2)],
        "one",
        [info("image", kind, [1, 6, "h", "w"])],
        [info("out", kind, [1, 4, "h", "w"])],
        [make(kernel, "w"), make(np.ones(4, np.float32), "b")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
    model.ir_version = 8

    def channels(model, kernel):
        changed = onnx.ModelProto.FromString(model.SerializeToString())
        next(value for value in changed.graph.initializer if value.name == "w").CopyFrom(make(kernel, "w"))
        onnx.save(changed, str(tmp_path / "one.onnx"))
        return session_of(tmp_path / "one.onnx").run(["out"], {"image": image})[0].mean((0, 2, 3))

    exact, off = channels(model, kernel), channels(model, rounded)
    assert np.abs(off - exact).min() > 5
    spared = with_corrected_biases(onnx.ModelProto.FromString(model.SerializeToString()), [image], ["conv"])
    np.testing.assert_array_equal(channels(spared, rounded), off)
    model = with_corrected_biases(model, [image])
    assert np.abs(channels(model, rounded) - exact).max() < 0.1 * np.abs(off - exact).min()


def test_calibration_needs_photos(tmp_path, network):
    with pytest.raises(UserError, match="holds no photos"):
        calibration_images(tmp_path, 10, 96)
    import cv2

    for number in range(5):
        cv2.imwrite(str(tmp_path / f"{number}.png"), draw((100, 40), [], number))
    images = calibration_images(tmp_path, 3, 96)
    assert [image.shape for image in images] == 3 * [(1, 3, 96, 96)]
    assert images[0].max() <= 1 and images[0][0, :, 0].max() == 0, "black around the picture"
    export_pose(network, tmp_path / "pose.onnx")
    with pytest.raises(UserError, match="multiples of 8"):
        quantise(tmp_path / "pose.onnx", tmp_path / "int8.onnx", [np.zeros((1, 3, 20, 20), np.float32)])


def test_a_model_directory_runs_in_the_pose_stage(network, tmp_path):
    folder = tmp_path / "small"
    assert save_pose_model(network, "small", 96, folder, {"seed": 3}) < 1e-4
    assert len({path.stat().st_mode for path in folder.iterdir()}) == 1, "whoever may read the model may read its weights"
    add_int8(folder, photos(3))
    spec = json.loads((folder / "model.json").read_text())
    assert spec["task"] == "pose" and spec["stages"] == 3 and set(spec["files"]) == {"fp32", "int8", "int8_tensorrt"}
    for precision in ("fp32", "int8"):
        estimator = create_pose_estimator(
            PoseConfig(estimator="pose_cnn", pose_model=str(folder), input_size=96, precision=precision)
        )
        people = estimator(Frame(draw((96, 64), [standing(20, 4, 24, 56)]), 7))
        assert people.stamp_ns == 7 and people.layout.name == "openpose18"
    export_files(folder, stages=1)
    spec = json.loads((folder / "model.json").read_text())
    assert spec["stages"] == 1 and set(spec["files"]) == {"fp32"}, "int8 files of another graph are gone"
    assert not (folder / "pose_int8.onnx").exists()
    torch.testing.assert_close(
        load_pose_network(folder).stages[2].affinity[-1].bias, network.stages[2].affinity[-1].bias, rtol=1e-3, atol=1e-3
    )


def test_a_recogniser_is_no_pose_network(tmp_path):
    (tmp_path / "model.json").write_text('{"classes": []}')
    with pytest.raises(ModelError, match="no pose network"):
        load_pose_network(tmp_path)


def test_export_on_the_command_line(network, tmp_path, capsys):
    save_pose_model(network, "small", 96, tmp_path / "small")
    before = (tmp_path / "small" / "model.json").read_text()
    assert main(["export", "onnx", "--model", str(tmp_path / "small"), "--stages", "2", "--out", str(tmp_path / "two")]) == 0
    assert "2 stage(s)" in capsys.readouterr().out
    assert json.loads((tmp_path / "two" / "model.json").read_text())["stages"] == 2
    assert (tmp_path / "small" / "model.json").read_text() == before
    assert main(["export", "onnx", "--model", str(tmp_path / "small"), "--stages", "6"]) != 0
    assert "trained with 3" in capsys.readouterr().err
    assert main(["export", "onnx", "--model", str(tmp_path / "small"), "--precision", "int8"]) != 0
    assert "--calibration DIR" in capsys.readouterr().err


def test_the_shipped_network_finds_the_people_of_a_photo(shared):
    """Real weights in both precisions: somebody in every photo."""
    import cv2

    photos = sorted((shared / "images").glob("*.jpg"))
    for precision in ("fp32", "int8"):
        estimator = create_pose_estimator(PoseConfig(estimator="pose_cnn", input_size=256, precision=precision))
        counts = [len(estimator(Frame(cv2.imread(str(path)), 0))) for path in photos]
        assert min(counts) >= 1, dict(zip((path.name for path in photos), counts))
