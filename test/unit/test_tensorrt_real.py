"""TensorRT for real. Without a GPU: `tensorrt_rtx` parses and builds every ONNX file that is shipped. With one: what it
computes is what ONNX Runtime computes."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from pose_attention_ros.cli.main import main
from pose_attention_ros.inference import weights
from pose_attention_ros.inference.network_types import NetworkFile, Profile, ShapeRange
from pose_attention_ros.inference.networks import OnnxNetwork
from pose_attention_ros.inference.package_paths import models_dir
from pose_attention_ros.inference.recogniser import load_recogniser
from pose_attention_ros.inference.trt.build import build_engine
from pose_attention_ros.inference.trt.cuda import Cuda
from pose_attention_ros.inference.trt.library import TensorRtUnavailable, find_library
from pose_attention_ros.inference.trt.network import TensorRtNetwork

pytestmark = pytest.mark.slow

ELSEWHERE = "8.6"  # a compute capability to build for where there is no GPU
FILES = sorted(path.relative_to(models_dir()) for path in models_dir().glob("*/*.onnx"))
# Lengths of the axes that vary, least, best and most: of an image, of a whole clip, of a step for several people.
_IMAGE = ((1, 3, 64, 64), (1, 3, 240, 320), (1, 3, 320, 320))
_CLIP = ((1, 2), (1, 30), (1, 120))
_STEP = ((1,), (4,), (32,))


@pytest.fixture(scope="module")
def library():
    """Whichever TensorRT is installed."""
    try:
        return find_library()
    except TensorRtUnavailable as error:
        pytest.skip(f"{error}; for these tests: pip install tensorrt-rtx")


@pytest.fixture
def gpu(library, tmp_path, monkeypatch):
    """A GPU that works, and an empty cache of engines."""
    try:
        device = Cuda().device
    except TensorRtUnavailable as error:
        pytest.skip(f"no GPU to run an engine on: {error}")
    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path))
    return device


def shipped(path) -> NetworkFile:
    content = (models_dir() / path).read_bytes()
    precision = "int8" if b"QuantizeLinear" in content else "fp32"
    return NetworkFile(str(path), content, hashlib.sha256(content).hexdigest(), precision)


def profile_of(file: NetworkFile) -> Profile:
    """A range for every input of a network, around what it sees on a robot."""
    inputs = OnnxNetwork(file).inputs
    kind = _IMAGE if "image" in inputs else _CLIP if -1 in inputs["features"][1:] else _STEP

    def at(lengths: tuple[int, ...], known: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(size if size > 0 else lengths[axis] for axis, size in enumerate(known))

    return {name: ShapeRange(*(at(lengths, known) for lengths in kind)) for name, known in inputs.items()}


def for_tensorrt(path) -> bool:
    """Whether the file is one of those that TensorRT shall read: an int8 one for ONNX Runtime has a twin that it does."""
    spec = json.loads((models_dir() / path.parent / "model.json").read_text())
    files = spec.get("files", {})
    return not ("int8_tensorrt" in files and files["int8"]["file"] == path.name)


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_shipped_file_becomes_an_engine(library, path):
    if not for_tensorrt(path):
        pytest.skip("for ONNX Runtime; its twin for TensorRT is built")
    file = shipped(path)
    try:
        Cuda()
        elsewhere = ""
    except TensorRtUnavailable:
        elsewhere = ELSEWHERE
    engine = build_engine(library, file, profile_of(file), compute_capability=elsewhere)
    assert len(engine) > 100_000


def test_the_command_builds_for_another_gpu(library, tmp_path, capsys):
    if not library.builds_without_gpu:
        pytest.skip(f"{library.name} builds for the GPU of this machine only")
    out, told = tmp_path / "everyday.engine", tmp_path / "told.json"
    command = ["export", "tensorrt", "--model", "everyday", "--json", str(told), "--out", str(out)]
    assert main([*command, "--compute-capability", ELSEWHERE]) == 0
    assert json.loads(told.read_text())["bytes"] == out.stat().st_size > 100_000
    state = load_recogniser("everyday").spec.state_size
    assert f"state 1x{state}..4x{state}..32x{state}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options, message",
    [
        (("--compute-capability", "8.6"), "say with --out where the engine shall go"),
        (("--compute-capability", "1.0", "--out", "x.engine"), "cannot build for compute capability 1.0"),
        (("--precision", "int8"), "is a recogniser, expected --precision fp32 or fp16"),
        (("--model", "nobody"), "no model 'nobody'"),
    ],
)
def test_what_cannot_be_built_is_one_line(library, capsys, options, message):
    assert main(["export", "tensorrt", "--model", "everyday", *options]) == 1
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


@pytest.mark.parametrize("path", [path for path in FILES if path.name != "clip.onnx"], ids=str)
def test_an_engine_computes_what_onnx_runtime_does(library, gpu, path):
    if not for_tensorrt(path):
        pytest.skip("for ONNX Runtime; its twin for TensorRT is run")
    file = shipped(path)
    profile, rng = profile_of(file), np.random.default_rng(0)
    one, other = (
        network.bind({name: shapes.best for name, shapes in profile.items()})
        for network in (TensorRtNetwork(file, profile), OnnxNetwork(file))
    )
    for name, array in one.inputs.items():
        array[...] = other.inputs[name][...] = rng.uniform(0, 1, array.shape)
    one()
    other()
    for name, wanted in other.outputs.items():
        tolerance = (2e-3 if file.precision == "fp32" else 0.1) * max(1, np.abs(wanted).max())
        np.testing.assert_allclose(one.outputs[name], wanted, atol=tolerance)
