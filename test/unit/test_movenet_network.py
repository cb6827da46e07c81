"""MoveNet read from its TensorFlow Lite file: every runtime computes what LiteRT computes of the published graph; what
cannot be read is one line."""

from __future__ import annotations

import builtins
import json

import cv2
import numpy as np
import pytest

from pose_attention_ros.cli.main import main
from pose_attention_ros.core.errors import ModelError, UserError
from pose_attention_ros.core.types import Frame
from pose_attention_ros.inference import derived_files, movenet_network, weights
from pose_attention_ros.inference.conversion.tflite_file import TfliteFile
from pose_attention_ros.inference.letterbox import Letterbox
from pose_attention_ros.inference.litert import LiteRtNetwork
from pose_attention_ros.inference.movenet_decoding import HEADS, decode
from pose_attention_ros.inference.movenet_runtimes import LiteRtHeads, OnnxHeads, open_heads
from pose_attention_ros.inference.network_types import ShapeRange
from pose_attention_ros.inference.networks import OnnxNetwork
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator
from pose_attention_ros.inference.trt.build import build_engine
from pose_attention_ros.inference.trt.cuda import Cuda
from pose_attention_ros.inference.trt.library import TensorRtUnavailable, find_library
from pose_attention_ros.models.pose_int8 import fitted

onnx = pytest.importorskip("onnx", reason="reads and writes ONNX files: pip install onnx")
pytestmark = pytest.mark.training

PUBLISHED_PEOPLE = 6
# Photo, or video and its frame; longer side of the input.
# fmt: off
SEEN = [("images/000000000785.jpg", 0, 256), ("images/000000040083.jpg", 0, 320), ("images/000000196141.jpg", 0, 192),
        ("videos/opencv_vtest.avi", 40, 320), ("videos/mmaction2_demo_skeleton.mp4", 3, 512),
        ("videos/felixchenfy_exercise.avi", 9, 96)]
# fmt: on


@pytest.fixture(scope="module")
def heads(movenet_weights):
    """What runs the network in fp32."""
    return {"litert": LiteRtHeads(1), "onnx": open_heads(PoseConfig(runtime="onnx"))}


@pytest.fixture(scope="module")
def published(movenet_weights) -> LiteRtNetwork:
    """The file as it was published, with the graph's own decoding."""
    return LiteRtNetwork(weights.load("movenet_multipose"), 1)


def image_of(path, number: int) -> np.ndarray:
    if path.suffix == ".jpg":
        return cv2.imread(str(path))
    capture = cv2.VideoCapture(str(path))
    images = [capture.read()[1] for _ in range(number + 1)]
    return images[-1]


@pytest.mark.parametrize("runtime", ["litert", "onnx"])
@pytest.mark.parametrize("name, number, size", SEEN)
def test_people_are_those_of_the_published_graph(shared, heads, published, runtime, name, number, size):
    image = image_of(shared / name, number)
    letterbox = Letterbox.fit(image.shape[1::-1], size)
    batch = np.zeros((1, *letterbox.input_size[::-1], 3), np.uint8)
    batch[0][letterbox.slices] = cv2.cvtColor(cv2.resize(image, letterbox.content_size), cv2.COLOR_BGR2RGB)
    wanted = published(batch)[0][0]
    view = heads[runtime].view(letterbox.input_size)
    view.write(image, letterbox)
    found = decode(view(), most_people=PUBLISHED_PEOPLE)
    joints = wanted[: len(found.scores), :51].reshape(-1, 17, 3)
    sure = wanted[: len(found.scores), 55] > 0.05
    assert sure.any()
    off_px = np.abs(found.keypoints - joints[..., 1::-1])[sure] * letterbox.input_size
    assert off_px.max() < 0.5 and np.abs(found.scores - joints[..., 2])[sure].max() < 0.01
    np.testing.assert_allclose(found.person_scores[sure], wanted[: len(found.scores), 55][sure], atol=0.01)
    boxes = wanted[: len(found.scores), [52, 51, 54, 53]]
    np.testing.assert_allclose(found.boxes[sure].reshape(-1, 4), boxes[sure], atol=1e-3)


@pytest.mark.slow
def test_int8_is_close_to_float(shared, movenet_weights, tmp_path, monkeypatch):
    """What the command writes, calibrated on two photos, on a third."""
    monkeypatch.setattr(movenet_network, "_int8_path", lambda tensorrt: tmp_path / f"int8_{tensorrt}.onnx")
    photos = [fitted(path, 160) for path in sorted((shared / "images").glob("*.jpg"))[:3]]
    movenet_network.write_int8(photos[:2])
    files = [movenet_network.onnx_file("fp32"), movenet_network.int8_file(), movenet_network.int8_file(tensorrt=True)]
    maps = []
    for file in files:
        binding = OnnxNetwork(file, 1).bind({"image": photos[2].shape})
        binding.inputs["image"][...] = photos[2]
        binding()
        maps.append(dict(binding.outputs))
    for name in HEADS:
        exact = maps[0][name]
        for close in maps[1:]:
            assert np.sqrt(((close[name] - exact) ** 2).mean() / (exact**2).mean()) < 0.2, name


def test_half_precision_finds_the_same_people(shared, heads):
    """On a CPU, as a check of the file that TensorRT and CUDA read."""
    config = PoseConfig(runtime="onnx", precision="fp16")
    half = OnnxHeads(movenet_network.onnx_file("fp16"), config)
    image = cv2.imread(str(shared / "images" / "000000000785.jpg"))
    letterbox = Letterbox.fit(image.shape[1::-1], 256)
    found = []
    for network in (half, heads["onnx"]):
        view = network.view(letterbox.input_size)
        view.write(image, letterbox)
        found.append(decode(view(), 0.15))
    assert len(found[0].scores) == len(found[1].scores) > 0
    seen = found[1].scores > 0.2
    assert np.abs(found[0].keypoints - found[1].keypoints)[seen].max() * 256 < 1
    assert np.abs(found[0].scores - found[1].scores).max() < 0.02


def test_the_files_are_as_small_as_the_weights_allow(movenet_weights):
    sizes = {precision: len(movenet_network.onnx_file(precision).content) for precision in ("fp32", "fp16")}
    assert sizes["fp16"] < 10e6 < 2 * sizes["fp16"] < 1.05 * sizes["fp32"] < 20.5e6
    model = onnx.load_from_string(movenet_network.onnx_file("fp32").content)
    assert [output.name for output in model.graph.output] == list(HEADS)
    assert sum(node.op_type == "Conv" for node in model.graph.node) == 80


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_tensorrt_builds_it(movenet_weights, precision):
    try:
        library = find_library()
    except TensorRtUnavailable as error:
        pytest.skip(f"{error}; for this test: pip install tensorrt-rtx")
    try:
        Cuda()
        elsewhere = ""
    except TensorRtUnavailable:
        elsewhere = "8.6"
    profile = {"image": ShapeRange((1, 3, 32, 32), (1, 3, 256, 320), (1, 3, 320, 320))}
    assert len(build_engine(library, movenet_network.onnx_file(precision), profile, compute_capability=elsewhere)) > 5e6


def test_what_was_made_is_kept_and_made_anew_where_it_is_damaged(movenet_weights, tmp_path, monkeypatch):
    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path))
    path = weights.WEIGHTS["movenet_multipose"].path
    path.parent.mkdir(parents=True)
    path.write_bytes(movenet_weights.read_bytes())
    first = movenet_network.onnx_file("fp16")
    (made,) = derived_files.derived_dir().glob("*.onnx")
    stamp = made.stat().st_mtime_ns
    assert movenet_network.onnx_file("fp16") == first and made.stat().st_mtime_ns == stamp
    made.write_bytes(made.read_bytes()[:-100])
    assert movenet_network.onnx_file("fp16") == first and made.read_bytes() == first.content


def test_a_cache_that_cannot_be_written_is_no_hindrance(movenet_weights, tmp_path, monkeypatch):
    monkeypatch.setattr(derived_files, "derived_dir", lambda: tmp_path / "file" / "folder")
    (tmp_path / "file").write_text("in the way")
    assert len(movenet_network.cut_tflite()) > 9e6


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda content: b"no network at all, but long enough", "no TensorFlow Lite model"),
        (lambda content: content[:5000], "damaged TensorFlow Lite model"),
        (lambda content: content[:4] + b"TFL2" + content[8:], "no TensorFlow Lite model"),
    ],
)
def test_a_foreign_file_is_one_line(movenet_weights, damage, message):
    with pytest.raises(ModelError, match=message) as error:
        movenet_network._read(damage(movenet_weights.read_bytes()))
    assert "\n" not in str(error.value)


def test_another_network_is_one_line(movenet_weights, monkeypatch):
    """A sound file whose tensors mean something else, as another release's would."""
    monkeypatch.setitem(movenet_network._TENSORS, "heat", 288)
    with pytest.raises(ModelError, match="is not MoveNet MultiPose"):
        movenet_network._read(movenet_weights.read_bytes())
    with pytest.raises(ModelError, match="has a layer CONCATENATION, which is not supported"):
        TfliteFile(movenet_weights.read_bytes()).network([536])


def test_changed_weights_are_one_line_on_every_runtime(movenet_weights, tmp_path, monkeypatch):
    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path))
    path = weights.WEIGHTS["movenet_multipose"].path
    path.parent.mkdir(parents=True)
    path.write_bytes(movenet_weights.read_bytes()[:-1] + b"x")
    for runtime in ("auto", "onnx"):
        with pytest.raises(ModelError, match="run: pose-attention models fetch movenet_multipose"):
            create_pose_estimator(PoseConfig(runtime=runtime))


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"runtime": "cuda"}, "runtime is 'cuda'"),
        ({"runtime": "tensorrt_only"}, "TensorRT|CUDA"),
        ({"precision": "fp16"}, "precision is 'fp16', but runtime is 'auto'"),
        ({"runtime": "onnx", "precision": "fp16"}, "precision is 'fp16', but runtime is 'onnx'"),
        ({"runtime": "onnx", "precision": "int8"}, "no int8 file on this machine .*export onnx --model movenet_multipose"),
        ({"estimator": "pose_cnn", "runtime": "litert"}, "runtime is 'litert', expected auto or one of onnx"),
    ],
)
def test_what_is_not_there_is_one_line(movenet_weights, tmp_path, monkeypatch, settings, message):
    if "CUDA" in message or "cuda" in message:
        try:
            Cuda()
            pytest.skip("this machine has a GPU")
        except TensorRtUnavailable:
            pass
    if settings.get("precision") == "int8":
        monkeypatch.setattr(derived_files, "derived_dir", lambda: tmp_path)
    with pytest.raises(UserError, match=message) as error:
        create_pose_estimator(PoseConfig(**settings))
    assert "\n" not in str(error.value)


def test_without_tensorrt_litert_does_it(movenet_weights, caplog):
    try:
        Cuda()
        pytest.skip("this machine has a GPU")
    except TensorRtUnavailable:
        pass
    estimator = create_pose_estimator(PoseConfig(runtime="tensorrt", precision="fp16", input_size=64))
    assert estimator.backend == "litert-cpu" and "LiteRT computes MoveNet instead" in caplog.text
    assert len(estimator(Frame(np.zeros((48, 64, 3), np.uint8), 0))) == 0


@pytest.mark.parametrize(
    "package, work", [("tflite", lambda: movenet_network.cut_tflite()), ("onnx", lambda: movenet_network.onnx_file("fp32"))]
)
def test_a_missing_package_is_one_line(movenet_weights, tmp_path, monkeypatch, package, work):
    monkeypatch.setattr(derived_files, "derived_dir", lambda: tmp_path)
    imported = builtins.__import__

    def without(name, *rest, **named):
        if name == package:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        return imported(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=f"run: pip install {package}$"):
        work()


def test_the_command_writes_it(movenet_weights, tmp_path, capsys):
    told = tmp_path / "told.json"
    assert (
        main(
            [
                "export",
                "onnx",
                "--model",
                "movenet_multipose",
                "--precision",
                "fp16",
                "--out",
                str(tmp_path),
                "--json",
                str(told),
            ]
        )
        == 0
    )
    assert (tmp_path / "movenet_multipose_fp16.onnx").read_bytes() == movenet_network.onnx_file("fp16").content
    assert json.loads(told.read_text())["precision"] == "fp16"
    assert main(["export", "onnx", "--model", "movenet_multipose", "--precision", "int8"]) == 1
    assert "--precision int8 needs --calibration" in capsys.readouterr().err
