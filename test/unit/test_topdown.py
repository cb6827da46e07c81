"""Detector and crop: people are where they are, followed between detections; a folder that does not fit is one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from topdown_files import JOINTS, SIZE, documented_detector, documented_person, drawn, person_network, write_folder

from pose_attention_ros.cli.main import main
from pose_attention_ros.core.errors import ModelError, UserError
from pose_attention_ros.core.types import Frame
from pose_attention_ros.inference import weights
from pose_attention_ros.inference.conversion.onnx_writing import write_onnx
from pose_attention_ros.inference.conversion.tfjs_file import read_tfjs
from pose_attention_ros.inference.network_types import NetworkFile
from pose_attention_ros.inference.networks import OnnxNetwork
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator
from pose_attention_ros.inference.topdown import thunder

onnx = pytest.importorskip("onnx", reason="reads and writes ONNX files: pip install onnx")
pytestmark = pytest.mark.training

IMAGE = (320, 240)
STEP_NS = 100_000_000


def person(x: float = 100, y: float = 60, scale: float = 1.0) -> np.ndarray:
    """Joints (17, 2) that lie apart."""
    rows, columns = np.divmod(np.arange(JOINTS), 4)
    return np.stack([x + scale * 18 * columns, y + scale * 26 * rows], 1).astype(np.float32)


def estimator_of(folder, **settings):
    return create_pose_estimator(PoseConfig(estimator="top_down", pose_model=str(folder), **settings))


@pytest.mark.parametrize("form", ["simcc", "heat_maps"])
@pytest.mark.parametrize("batch", ["n", 1])
def test_joints_come_back_in_pixels_of_the_image(tmp_path, form, batch):
    estimator = estimator_of(write_folder(tmp_path / "dots", form, batch))
    joints = person()
    found = estimator(Frame(drawn(IMAGE, [joints]), 7, "eye"))
    assert (len(found), found.stamp_ns, found.frame_id, found.image_size) == (1, 7, "eye", IMAGE)
    np.testing.assert_allclose(found.keypoints_px[0], joints, atol=4)
    assert found.scores.min() > 0.5 and (found.boxes_xyxy[0, :2] <= joints.min(0) + 4).all()
    assert estimator.backend.startswith("onnx-") and not estimator.resizable


def test_the_documented_folder_works_with_networks_of_that_form(tmp_path):
    """The very text of docs/top_down.md, beside small networks with its names, sizes and normalisation."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "top_down.md").read_text(encoding="utf-8")
    text = page.split("```json")[1].split("```")[0]
    table = json.loads(text)
    (tmp_path / "model.json").write_text(text)
    (tmp_path / table["person"]["file"]).write_bytes(documented_person(table["person"]).SerializeToString())
    (tmp_path / table["detector"]["file"]).write_bytes(documented_detector(table["detector"]).SerializeToString())
    estimator = estimator_of(tmp_path)
    for number in range(3):
        found = estimator(Frame(drawn(IMAGE, [person(80 + 5 * number)]), number * STEP_NS))
        assert len(found) == 1
        np.testing.assert_allclose(found.keypoints_px[0], person(80 + 5 * number), atol=4)


def test_people_are_followed_between_detections(tmp_path):
    estimator = estimator_of(write_folder(tmp_path / "dots"), detect_every_s=0.5)
    detect, asked = estimator._detector, []
    estimator._detector = lambda frame: asked.append(frame.stamp_ns) or detect(frame)
    for number in range(11):
        joints = person(60 + 6 * number)
        found = estimator(Frame(drawn(IMAGE, [joints]), number * STEP_NS))
        assert len(found) == 1
        np.testing.assert_allclose(found.keypoints_px[0], joints, atol=4)
    assert asked == [0, 5 * STEP_NS, 10 * STEP_NS]


def test_who_is_gone_is_gone_and_who_comes_back_is_found(tmp_path):
    estimator = estimator_of(write_folder(tmp_path / "dots"))
    frames = [[person()], [], [person(180)]]
    assert [len(estimator(Frame(drawn(IMAGE, people), i * STEP_NS))) for i, people in enumerate(frames)] == [1, 0, 1]


def test_a_stamp_that_goes_back_starts_afresh(tmp_path):
    estimator = estimator_of(write_folder(tmp_path / "dots"))
    for stamp, x in ((10 * STEP_NS, 60), (0, 220)):
        found = estimator(Frame(drawn(IMAGE, [person(x)]), stamp))
        np.testing.assert_allclose(found.keypoints_px[0], person(x), atol=4)


def test_several_people_are_one_batch(tmp_path):
    estimator = estimator_of(write_folder(tmp_path / "dots", "heat_maps"))
    people = [person(20, 30, 0.8), person(120, 60), person(230, 100, 0.9)]
    boxes = np.array([[*joints.min(0), *joints.max(0)] for joints in people])
    found = estimator._joints(Frame(drawn(IMAGE, people), 0), boxes, np.float32([0.9, 0.4, 0.1]))
    assert len(found) == 3
    assert found.keypoints_px[:, 0, 0].argsort().tolist() == [0, 1, 2]  # the detector's certainty counts too
    np.testing.assert_allclose(found.person_scores / found.person_scores[0], np.sqrt([1, 4 / 9, 1 / 9]), rtol=0.2)
    order = found.keypoints_px[:, 0, 0].argsort()
    np.testing.assert_allclose(found.keypoints_px[order], people, atol=4)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"file": "absent.onnx"}, "absent.onnx, named by model.json, cannot be read"),
        ({"sha256": "0" * 64}, "damaged or not the expected file"),
        ({"form": "vectors"}, "form is 'vectors', expected one of simcc, heat_maps, movenet"),
        ({"outputs": ["x"]}, "form simcc reads 2 outputs, but outputs names x"),
        ({"outputs": ["x", "z"]}, "model.json names input, x, z"),
        ({"size": [64, 64]}, r"but size in model.json says \(N, 3, 64, 64\)"),
        ({"size": None}, "lacks 'size'"),
        ({"channels": "hsv"}, "channels is 'hsv', expected one of rgb, bgr"),
        ({"std": [0, 1, 1]}, "std above 0"),
        ({"mean": "much"}, "is not the specification of a top-down estimator"),
    ],
)
def test_a_folder_that_does_not_fit_is_one_line(tmp_path, changes, message):
    with pytest.raises(ModelError, match=message) as error:
        estimator_of(write_folder(tmp_path / "dots", **changes))
    assert "\n" not in str(error.value)


def test_what_it_cannot_run_on_is_one_line(tmp_path):
    folder = write_folder(tmp_path / "dots")
    for settings in ({"runtime": "litert"}, {"precision": "int8"}):
        with pytest.raises(UserError, match="runs ONNX files"):
            estimator_of(folder, **settings)
    with pytest.raises(ModelError, match="task is None, expected 'top_down'"):
        create_pose_estimator(PoseConfig(estimator="top_down", pose_model="everyday"))


def test_thunder_wants_its_weights(tmp_path, monkeypatch):
    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path))
    with pytest.raises(ModelError, match=r"run: pose-attention models fetch movenet_thunder$"):
        create_pose_estimator(PoseConfig(estimator="movenet_thunder"))


@pytest.mark.slow
def test_thunder_in_int8_agrees_with_itself(shared, movenet_weights, tmp_path, monkeypatch, capsys):
    """What the command writes, calibrated on four photos."""
    if not weights.WEIGHTS["movenet_thunder"].path.is_file():
        pytest.skip("MoveNet Thunder is not fetched: pose-attention models fetch movenet_thunder")
    monkeypatch.setattr(thunder, "_int8_path", lambda tensorrt: tmp_path / f"int8_{tensorrt}.onnx")
    config = PoseConfig(estimator="movenet_thunder", precision="int8")
    with pytest.raises(ModelError, match=r"run: pose-attention export onnx --model movenet_thunder --precision int8"):
        create_pose_estimator(config)
    command = ["export", "onnx", "--model", "movenet_thunder", "--precision"]
    assert main([*command, "fp16"]) == 1 and main([*command, "int8", "--calibration", str(tmp_path)]) == 1
    assert "expected fp32 or int8" in (told := capsys.readouterr().err) and "holds no photos" in told
    assert main([*command, "int8", "--calibration", str(shared / "images")]) == 0
    import cv2

    frame = Frame(cv2.imread(str(shared / "images" / "000000000785.jpg")), 0)
    whole, small = (
        create_pose_estimator(PoseConfig(estimator="movenet_thunder", precision=precision))(frame)
        for precision in ("fp32", "int8")
    )
    off = np.linalg.norm(whole.keypoints_px[0] - small.keypoints_px[0], axis=-1)
    assert (
        np.median(off) < 0.01 * np.ptp(whole.keypoints_px[0][:, 1]) and np.abs(whole.scores[0] - small.scores[0]).max() < 0.1
    )


def test_thunder_agrees_with_people(shared, movenet_weights):
    """The four photos' best-matching person each, against MultiPose's own joints."""
    if not weights.WEIGHTS["movenet_thunder"].path.is_file():
        pytest.skip("MoveNet Thunder is not fetched: pose-attention models fetch movenet_thunder")
    import cv2

    frame = Frame(cv2.imread(str(shared / "images" / "000000000785.jpg")), 0)
    found = create_pose_estimator(PoseConfig(estimator="movenet_thunder"))(frame)
    other = create_pose_estimator(PoseConfig(input_size=256))(frame)
    off = np.linalg.norm(found.keypoints_px[0] - other.keypoints_px[0], axis=-1)
    height = np.ptp(other.keypoints_px[0][:, 1])
    assert np.median(off[other.scores[0] > 0.3]) < 0.05 * height


def tfjs_model(kind: str = "_FusedConv2D") -> tuple[bytes, bytes]:
    """A TensorFlow.js graph: scaling, and one convolution with stride 2 and ReLU6."""
    rng = np.random.default_rng(0)
    values = {
        "scale": np.float32([0.01]),
        "kernel": rng.normal(size=(3, 3, 3, 4)).astype(np.float32),
        "bias": np.float32([0, 1, 2, 3]),
    }
    # fmt: off
    attributes = {"strides": {"list": {"i": ["1", "2", "2", "1"]}},
                  "fused_ops": {"list": {"s": ["Qmlhc0FkZA==", "UmVsdTY="]}}}  # BiasAdd, Relu6
    nodes = [{"name": "in", "op": "Placeholder"}, *({"name": name, "op": "Const"} for name in values),
             {"name": "scaled", "op": "Mul", "input": ["in", "scale"]},
             {"name": "out", "op": kind, "input": ["scaled", "kernel", "bias"], "attr": attributes}]
    # fmt: on
    entries = [{"name": name, "shape": list(array.shape), "dtype": "float32"} for name, array in values.items()]
    model = {"modelTopology": {"node": nodes}, "weightsManifest": [{"weights": entries}]}
    return json.dumps(model).encode(), b"".join(array.tobytes() for array in values.values())


def test_a_tensorflow_js_network_computes_the_same_as_onnx():
    graph, values = tfjs_model()
    content = write_onnx(read_tfjs(graph, values, "in", ("out",)), "in", {"out": "maps"}, "small")
    binding = OnnxNetwork(NetworkFile("small", content, "")).bind({"image": (1, 3, 4, 6)})
    image = np.random.default_rng(1).uniform(size=(4, 6, 3)).astype(np.float32)
    binding.inputs["image"][0] = image.transpose(2, 0, 1)
    binding()
    kernel = np.frombuffer(values, np.float32, 108, 4).reshape(3, 3, 3, 4)
    padded = np.pad(image * 2.55, ((0, 1), (0, 1), (0, 0)))  # TensorFlow: an even size gets its zeros behind it
    wanted = np.array(
        [
            [np.einsum("hwc,hwco->o", padded[2 * y : 2 * y + 3, 2 * x : 2 * x + 3], kernel) for x in range(3)]
            for y in range(2)
        ]
    ) + [0, 1, 2, 3]
    np.testing.assert_allclose(binding.outputs["maps"][0].transpose(1, 2, 0), np.clip(wanted, 0, 6), atol=1e-4)


@pytest.mark.parametrize(
    "graph, values, message",
    [
        (b"{}", b"", "no readable TensorFlow.js graph model"),
        (b"\xff\x00", b"", "no readable TensorFlow.js graph model"),
        (tfjs_model()[0], b"1234", "no readable TensorFlow.js|bytes, expected"),
        (*tfjs_model("MatMul"), "has a layer MatMul, which is not supported"),
    ],
)
def test_a_foreign_tensorflow_js_file_is_one_line(graph, values, message):
    with pytest.raises(ModelError, match=message) as error:
        read_tfjs(graph, values, "in", ("out",))
    assert "\n" not in str(error.value)


def test_the_small_networks_are_sound():
    for form in ("simcc", "heat_maps"):
        onnx.checker.check_model(person_network(form), full_check=True)
    assert SIZE[0] % 2 == 0
