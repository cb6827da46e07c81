"""The pose estimator and the recogniser on TensorRT, the fake one: settings, engines, calibration, shared features."""

from __future__ import annotations

import hashlib
import json
import logging

import cv2
import numpy as np
import pytest
from tensorrt_fixtures import install

from pose_attention_ros.cli.main import main
from pose_attention_ros.core.types import Frame
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator
from pose_attention_ros.inference.recogniser import load_recogniser

pytest.importorskip("onnx", reason="the fake reads ONNX files with it: pip install onnx")


@pytest.fixture
def model(tmp_path):
    """A pose network's directory whose network looks at single pixels: 19 + 38 + 4 maps of a stride of 8."""
    from onnx import TensorProto, helper, numpy_helper

    rng, value = np.random.default_rng(0), helper.make_tensor_value_info
    constants, nodes, outputs = [], [], []
    for name, maps in (("confidence", 19), ("affinity", 38), ("features", 4)):
        constants.append(numpy_helper.from_array(rng.normal(0, 0.03, (maps, 3, 8, 8)).astype(np.float32), f"w_{name}"))
        nodes.append(helper.make_node("Conv", ["image", f"w_{name}"], [name], strides=[8, 8]))
        outputs.append(value(name, TensorProto.FLOAT, ["n", maps, "h8", "w8"]))
    graph = helper.make_graph(nodes, "pose", [value("image", TensorProto.FLOAT, ["n", 3, "h", "w"])], outputs, constants)
    content = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "net.onnx").write_bytes(content)
    files = {"fp32": {"file": "net.onnx", "sha256": hashlib.sha256(content).hexdigest()}}
    (folder / "model.json").write_text(
        json.dumps(
            {
                "model_id": "small",
                "task": "pose",
                "layout": "openpose18",
                "stages": 1,
                "stride": 8,
                "files": files,
                "thresholds": {"limb_score": 0.0},
            }
        )
    )
    return folder


def config(model, **settings) -> PoseConfig:
    return PoseConfig(
        **{
            "estimator": "pose_cnn",
            "pose_model": str(model),
            "input_size": 128,
            "min_person_score": 0.0,
            "runtime": "tensorrt_only",
            **settings,
        }
    )


def noise(size=(160, 120), seed: int = 0) -> Frame:
    return Frame(np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8), 0)


@pytest.mark.parametrize("shapes", ["dynamic", "fixed"])
def test_it_sees_what_onnx_runtime_sees(trt, model, shapes):
    one = create_pose_estimator(config(model, engine_shapes=shapes))
    other = create_pose_estimator(config(model, runtime="onnx"))
    for size in ((160, 120), (120, 160), (160, 120)):
        found, wanted = one(noise(size)), other(noise(size))
        assert len(found) == len(wanted) > 0
        np.testing.assert_allclose(found.keypoints_px, wanted.keypoints_px, atol=0.01)
        np.testing.assert_allclose(one.image_features().cube, other.image_features().cube, atol=1e-5)
    assert one.backend == "tensorrt-fp32"
    assert len(trt.built) == (1 if shapes == "dynamic" else 2)  # the third size finds the first's engine in the cache


def test_another_input_size_keeps_the_engine(trt, model):
    estimator = create_pose_estimator(config(model))
    estimator(noise())
    assert estimator.resizable
    estimator.resize(64)
    estimator(noise())
    assert estimator.image_features().cube.shape == (4, 6, 8) and len(trt.built) == 1


def test_closing_frees_the_gpu(trt, cudart, model):
    live = cudart.fake_live()
    estimator = create_pose_estimator(config(model))
    estimator(noise())
    estimator.close()
    assert cudart.fake_live() == live


def test_export_builds_what_the_node_then_finds(trt, model, capsys, caplog):
    assert main(["export", "tensorrt", "--model", str(model), "--precision", "fp16", "--input-size", "128"]) == 0
    assert "small in fp16 for Imaginary Orin" in capsys.readouterr().out
    with caplog.at_level(logging.WARNING):
        estimator = create_pose_estimator(config(model, precision="fp16"))
    assert estimator.backend == "tensorrt-fp16" and len(trt.built) == 1 and not caplog.records


def test_calibration_on_photos_of_ones_own(trt, model, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(7):
        cv2.imwrite(str(photos / f"{number}.png"), np.full((40, 30, 3), 10 * number, np.uint8))
    assert (
        main(
            [
                "export",
                "tensorrt",
                "--model",
                str(model),
                "--precision",
                "int8",
                "--input-size",
                "128",
                "--calibration",
                str(photos),
                "--calibration-images",
                "3",
            ]
        )
        == 0
    )
    (built,) = trt.built
    assert built.flags == {"FP16", "INT8"}
    assert [round(float(sample.max() * 255)) for sample in built.samples] == [0, 20, 40]
    assert all(sample.shape == (1, 3, 96, 128) for sample in built.samples)
    assert create_pose_estimator(config(model, precision="int8")).backend == "tensorrt-int8" and len(trt.built) == 1


@pytest.mark.parametrize(
    "options, message",
    [
        (("--precision", "int8"), "brings no int8 ranges; run: pose-attention export tensorrt"),
        (("--calibration", "photos"), "--calibration is for --precision int8, not fp32"),
        (("--image-size", "640"), "expected width and height in pixels, such as 640x480"),
        (("--input-size", "100"), "expected a multiple of 32 px"),
        (("--precision", "int8", "--calibration", "nowhere"), "nowhere"),
    ],
)
def test_wrong_options_are_one_line(trt, model, capsys, options, message):
    assert main(["export", "tensorrt", "--model", str(model), *options]) == 1
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_the_recogniser_steps_on_tensorrt(trt):
    one, other = load_recogniser("everyday", runtime="tensorrt_only"), load_recogniser("everyday", runtime="onnx")
    spec, rng = one.spec, np.random.default_rng(0)
    one.warm_up()
    for people in (1, 3, 40):
        state = np.zeros((people, spec.state_size), np.float32)
        for _ in range(3):
            features = rng.uniform(0.1, 1, (people, len(spec.layout.joints), 5)).astype(np.float32)
            found, wanted = one.step(features, state), other.step(features, state)
            for name in ("logits", "joint_attention", "frame_energy", "state"):
                np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), atol=1e-5)
            state = wanted.state
    assert len(trt.built) == 1


def test_an_engine_is_kept_for_each_gpu(cudart, monkeypatch, tmp_path, model):
    """A robot's disk in another robot and back: nothing is built twice."""
    built = []
    for gpu in (("Orin", 8, 7), ("Nano", 5, 3), ("Orin", 8, 7)):
        module = install(monkeypatch, tmp_path, cudart, gpu=gpu)
        create_pose_estimator(config(model))
        built.append(len(module.built))
    assert built == [1, 1, 0]
