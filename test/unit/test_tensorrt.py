"""TensorRT's run path, engine cache and fallback on a fake of the few calls they make (fake_tensorrt.py, fake_cudart.c).

What runs without a GPU for real, and what runs for real where there is one: test_tensorrt_real.py.
"""

from __future__ import annotations

import json
import logging
import sys

import numpy as np
import pytest
from tensorrt_fixtures import conv_file, install

from pose_attention_ros.core.errors import ModelError
from pose_attention_ros.inference.network_types import NetworkFile, ShapeRange
from pose_attention_ros.inference.networks import OnnxNetwork, open_network
from pose_attention_ros.inference.package_paths import models_dir
from pose_attention_ros.inference.trt import cuda
from pose_attention_ros.inference.trt.build import build_engine
from pose_attention_ros.inference.trt.cache import engines_dir
from pose_attention_ros.inference.trt.library import TensorRtUnavailable, find_library
from pose_attention_ros.inference.trt.network import TensorRtNetwork, has_engine

pytest.importorskip("onnx", reason="the fake reads ONNX files with it: pip install onnx")
SPEC = json.loads((models_dir() / "everyday" / "model.json").read_text())
STATE = SPEC["state_size"]
PROFILE = {
    "features": ShapeRange((1, 13, 5), (4, 13, 5), (32, 13, 5)),
    "state": ShapeRange((1, STATE), (4, STATE), (32, STATE)),
}
CONV = {"image": ShapeRange((1, 3, 8, 8), (1, 3, 24, 32), (1, 3, 64, 64))}


def step_file(precision: str = "fp32") -> NetworkFile:
    """The shipped recogniser's step."""
    return NetworkFile("everyday", (models_dir() / "everyday" / SPEC["weights"]).read_bytes(), SPEC["sha256"], precision)


def filled(binding, seed: int):
    rng = np.random.default_rng(seed)
    for array in binding.inputs.values():
        array[...] = rng.uniform(0, 1, array.shape)
    binding()
    return {name: array.copy() for name, array in binding.outputs.items()}


@pytest.mark.parametrize("people", [1, 4, 32])
def test_it_computes_what_onnx_runtime_does(trt, people):
    shapes = {"features": (people, 13, 5), "state": (people, STATE)}
    network, reference = TensorRtNetwork(step_file(), PROFILE), OnnxNetwork(step_file())
    assert network.inputs == reference.inputs and network.outputs == reference.outputs
    assert network.backend == "tensorrt-fp32"
    one, other = network.bind(shapes), reference.bind(shapes)
    for seed in range(3):
        found, wanted = filled(one, seed), filled(other, seed)
        for name, value in wanted.items():
            np.testing.assert_allclose(found[name], value, atol=1e-5)


def test_a_frame_allocates_nothing_and_closing_frees_everything(trt, cudart):
    live, streams = cudart.fake_live(), cudart.fake_streams()
    network = TensorRtNetwork(conv_file(), CONV)
    binding = network.bind({"image": (1, 3, 16, 24)})
    before, outputs = cudart.fake_allocations(), dict(binding.outputs)
    for seed in range(5):
        filled(binding, seed)
    assert cudart.fake_allocations() == before
    assert all(binding.outputs[name] is array for name, array in outputs.items())
    network.close()
    assert (cudart.fake_live(), cudart.fake_streams()) == (live, streams)


def test_bindings_take_turns(trt):
    """As people come and go: each number of them has its own buffers, in any order, on one engine."""
    network, reference = TensorRtNetwork(step_file(), PROFILE), OnnxNetwork(step_file())
    pairs = [
        [each.bind({"features": (people, 13, 5), "state": (people, STATE)}) for each in (network, reference)]
        for people in (1, 3, 2)
    ]
    for seed, turn in enumerate((0, 1, 0, 2, 2, 1)):
        found, wanted = (filled(binding, seed) for binding in pairs[turn])
        for name, value in wanted.items():
            np.testing.assert_allclose(found[name], value, atol=1e-5)


def test_an_output_that_is_not_wanted_comes_when_it_is_fetched(trt):
    shapes = {"features": (2, 13, 5), "state": (2, STATE)}
    network = TensorRtNetwork(step_file(), PROFILE)
    some, every = network.bind(shapes, ("logits",)), network.bind(shapes)
    found, wanted = filled(some, 3), filled(every, 3)
    assert list(found) == ["logits"]
    np.testing.assert_array_equal(some.fetch("next_state"), wanted["next_state"])


@pytest.mark.parametrize("shape", [(1, 3, 72, 8), (1, 3, 4, 8), (2, 3, 8, 8)])
def test_shapes_outside_the_engine_are_refused(trt, shape):
    network = TensorRtNetwork(conv_file(), CONV)
    with pytest.raises(ModelError, match=r"'image' of conv has shape .* its engine takes 1x3x8x8..1x3x24x32..1x3x64x64"):
        network.bind({"image": shape})


@pytest.mark.parametrize("precision, flags", [("fp32", set()), ("fp16", {"FP16"}), ("int8", {"FP16", "INT8"})])
def test_precision_is_what_layers_may_compute_in(trt, precision, flags):
    TensorRtNetwork(conv_file(precision, quantised=precision == "int8"), CONV)
    assert trt.built[0].flags == flags and not trt.built[0].samples


def test_calibration_shows_every_sample_from_device_memory(trt, cudart):
    live = cudart.fake_live()
    samples = [np.full((1, 3, 24, 32), value, np.float32) for value in (0.25, 0.5, 1)]
    build_engine(find_library(), conv_file("int8"), CONV, calibration=iter(samples))
    assert trt.built[0].flags == {"FP16", "INT8"}
    np.testing.assert_array_equal(np.concatenate(trt.built[0].samples), np.concatenate(samples))
    assert cudart.fake_live() == live


def test_int8_without_ranges_says_what_to_do(trt):
    with pytest.raises(TensorRtUnavailable, match="export tensorrt --model conv --precision int8 --calibration"):
        TensorRtNetwork(conv_file("int8"), CONV)


def test_a_fixed_profile_takes_that_shape_only(trt):
    network = TensorRtNetwork(conv_file(), {"image": ShapeRange.fixed((1, 3, 24, 32))})
    network.bind({"image": (1, 3, 24, 32)})
    with pytest.raises(ModelError, match=r"its engine takes 1x3x24x32$"):
        network.bind({"image": (1, 3, 32, 32)})


def test_an_engine_is_built_once(trt, caplog):
    with caplog.at_level(logging.WARNING):
        TensorRtNetwork(conv_file(), CONV)
        assert has_engine(conv_file(), CONV) and not has_engine(conv_file("fp16"), CONV)
        TensorRtNetwork(conv_file(), CONV)
    assert len(trt.built) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "building the TensorRT engine of conv (fp32): there is none yet; this can take minutes"
    ]


@pytest.mark.parametrize(
    "change, why, kept",
    [
        ({"version": "10.7.0"}, "version 10.3.0, not 10.7.0", 1),
        ({"gpu": ("Imaginary Nano", 5, 3)}, "GPU Imaginary Orin, not Imaginary Nano, compute capability 8.7, not 5.3", 2),
        ({"scale": 2.0}, "ONNX file 1.0False, not 2.0False", 1),
    ],
)
def test_a_stale_or_foreign_engine_is_built_anew_and_says_why(cudart, monkeypatch, tmp_path, caplog, change, why, kept):
    """A stale one makes room; one of another GPU stays for that GPU, as in a home that several machines share."""
    install(monkeypatch, tmp_path, cudart)
    TensorRtNetwork(conv_file(), CONV)
    trt = install(monkeypatch, tmp_path, cudart, **{name: change[name] for name in ("version", "gpu") if name in change})
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        TensorRtNetwork(conv_file(scale=change.get("scale", 1.0)), CONV)
    assert len(trt.built) == 1 and len(list(engines_dir().iterdir())) == kept
    (line,) = (record.getMessage() for record in caplog.records)
    assert f"the one that is there is for {why}; this can take minutes" in line


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-5],
        lambda content: b"",
        lambda content: b"{}\n" + content,
        lambda content: content.replace(b"Conv", b"Cunv"),
    ],
)
def test_a_damaged_engine_is_built_anew(trt, caplog, damage):
    TensorRtNetwork(conv_file(), CONV)
    (path,) = engines_dir().iterdir()
    path.write_bytes(damage(path.read_bytes()))
    with caplog.at_level(logging.WARNING):
        TensorRtNetwork(conv_file(), CONV).bind({"image": (1, 3, 8, 8)})
    assert len(trt.built) == 2 and "is damaged" in caplog.text


def test_an_engine_that_tensorrt_refuses_is_built_anew_once(trt, caplog):
    """As after an update of the driver: the key still fits, the engine does not."""
    TensorRtNetwork(conv_file(), CONV)
    (path,) = engines_dir().iterdir()
    trt.refuses.add(path.read_bytes().partition(b"\n")[2])
    with caplog.at_level(logging.WARNING), pytest.raises(TensorRtUnavailable, match="not compatible with this version"):
        TensorRtNetwork(conv_file(), CONV)
    assert len(trt.built) == 2 and "TensorRT refuses the one that is there" in caplog.text


def missing_library(monkeypatch, cudart):
    for name in ("tensorrt", "tensorrt_rtx"):
        monkeypatch.setitem(sys.modules, name, None)


def missing_cuda(monkeypatch, cudart):
    monkeypatch.setenv(cuda.LIBRARY_VARIABLE, "/nowhere/libcudart.so")


def missing_gpu(monkeypatch, cudart):
    cudart.fake_gpu(0, b"", 0, 0)


@pytest.mark.parametrize(
    "missing, why",
    [
        (missing_library, "TensorRT is not installed"),
        (missing_cuda, "libcudart"),
        (missing_gpu, "no CUDA-capable device is detected"),
    ],
)
def test_what_is_missing_is_told_and_onnx_runtime_takes_over(cudart, monkeypatch, tmp_path, caplog, missing, why):
    install(monkeypatch, tmp_path, cudart)
    missing(monkeypatch, cudart)
    with caplog.at_level(logging.WARNING):
        network = open_network(conv_file("fp16"), "tensorrt", CONV)
    assert network.backend == "onnx-cpu" and network.bind({"image": (1, 3, 8, 8)})
    (line,) = (record.getMessage() for record in caplog.records)
    assert why in line and line.endswith("ONNX Runtime computes conv instead")
    with pytest.raises(ModelError, match=why):
        open_network(conv_file("fp16"), "tensorrt_only", CONV)


def test_a_file_that_tensorrt_cannot_read_is_one_line(trt):
    with pytest.raises(TensorRtUnavailable, match=r"cannot read conv: .") as error:
        TensorRtNetwork(NetworkFile("conv", b"nonsense", "0"), CONV)
    assert "\n" not in str(error.value)


def test_a_network_that_tensorrt_cannot_build_is_one_line(trt):
    with pytest.raises(TensorRtUnavailable, match=r"input 'image' of shape .* wants a range of shapes"):
        TensorRtNetwork(conv_file(), {})


def test_the_cache_must_be_writable(trt, monkeypatch, tmp_path):
    (tmp_path / "engines").write_text("a file where the folder should be")
    with pytest.raises(ModelError, match=r"cannot write .* set POSE_ATTENTION_CACHE to a writable folder"):
        TensorRtNetwork(conv_file(), CONV)
