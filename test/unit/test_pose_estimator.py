"""The pose network's estimator: what the maps show becomes people in the image's pixels; files and settings are checked."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from pixel_helpers import into_input
from pose_maps import LAYOUT, STANDING, maps_of

from pose_attention_ros.cli.main import main
from pose_attention_ros.core.errors import ModelError, UserError
from pose_attention_ros.core.graph_stage import GraphConfig, GraphStage
from pose_attention_ros.core.types import Frame
from pose_attention_ros.inference import pose_cnn
from pose_attention_ros.inference.letterbox import Letterbox
from pose_attention_ros.inference.network_types import NetworkFile, check_shapes
from pose_attention_ros.inference.networks import OnnxNetwork
from pose_attention_ros.inference.package_paths import MODELS_VARIABLE
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator
from pose_attention_ros.inference.pose_cnn import PoseCnn, boxes_of, calibration_inputs, input_range
from pose_attention_ros.inference.pose_model import PoseSpec, available_pose_networks, read_pose_spec
from pose_attention_ros.inference.recogniser import available_models

SIZE = (640, 480)
CHANNELS = 384


class DrawnNetwork:
    """Answers with the maps of people given in pixels of an image of SIZE; keeps what it was shown."""

    backend = "drawn"

    def __init__(self, people_px: np.ndarray) -> None:
        self.people_px, self.closed, self.shapes = people_px, False, []

    def bind(self, shapes, outputs):
        self.shapes.append(shapes["image"])
        return DrawnBinding(self, shapes["image"])

    def close(self) -> None:
        self.closed = True


class DrawnBinding:
    def __init__(self, network: DrawnNetwork, shape) -> None:
        self._network, self._size = network, (shape[3] // 8, shape[2] // 8)
        self.inputs, self.outputs, self.calls = {"image": np.zeros(shape, np.float32)}, {}, 0

    def __call__(self) -> None:
        people = into_input(Letterbox.fit(SIZE, 8 * max(self._size), 8), self._network.people_px) * self._size
        confidence, affinity = maps_of(people, self._size)
        self.outputs |= {"confidence": confidence[None], "affinity": affinity[None]}
        self.calls += 1

    def fetch(self, name):
        assert name == "features"
        return np.full((1, CHANNELS, *self._size[::-1]), self.calls, np.float32)


@pytest.fixture
def network(monkeypatch):
    """The network of three people; every estimator made in the test runs it."""
    drawn = DrawnNetwork(np.stack([STANDING * 40 + (x, 240) for x in (100, 320, 520)]))
    monkeypatch.setattr(pose_cnn, "open_network", lambda file, runtime, profile, threads: drawn)
    monkeypatch.setattr(PoseSpec, "network", lambda self, precision: NetworkFile("drawn", b"", "0"))
    return drawn


def estimator_of(tmp_path, **settings) -> PoseCnn:
    folder = model_dir(tmp_path)
    return create_pose_estimator(PoseConfig(**{"estimator": "pose_cnn", "pose_model": str(folder), **settings}))


def model_dir(folder, content: bytes = b"onnx", **changes):
    """A model directory whose one file holds `content`."""
    (folder / "net.onnx").write_bytes(content)
    entry = {"file": "net.onnx", "sha256": hashlib.sha256(content).hexdigest()}
    # fmt: off
    spec = {"model_id": "drawn", "task": "pose", "layout": "openpose18", "stages": 1, "stride": 8, "files": {"fp32": entry},
            "thresholds": {"peak_score": 0.2}}
    # fmt: on
    (folder / "model.json").write_text(json.dumps({**spec, **changes}))
    return folder


def frame(size=SIZE, stamp_ns: int = 42) -> Frame:
    return Frame(np.full((size[1], size[0], 3), (10, 20, 30), np.uint8), stamp_ns, "eye")


def test_people_come_back_in_pixels_of_the_image(tmp_path, network):
    found = estimator_of(tmp_path, input_size=320)(frame())
    assert (found.stamp_ns, found.frame_id, found.image_size, found.layout.name) == (42, "eye", SIZE, "openpose18")
    assert len(found) == 3 and (found.scores > 0.9).all()
    order = found.keypoints_px[:, 0, 0].argsort()
    np.testing.assert_allclose(found.keypoints_px[order], network.people_px, atol=2)  # an eighth of a cell of 16 px
    for box, joints in zip(found.boxes_xyxy[order], network.people_px):
        assert (box[:2] <= joints.min(0) + 1).all() and (box[2:] >= joints.max(0) - 1).all()


def test_the_graph_stage_takes_them_as_they_are(tmp_path, network):
    """The recogniser's joints follow by name, the head from the face."""
    estimator, stage = estimator_of(tmp_path), GraphStage(GraphConfig(confirm_s=0.0))
    for index in range(5):
        graphs = stage(estimator(frame(stamp_ns=index * 33_000_000)))
    assert len(graphs) == 3 and graphs.mask.all() and graphs.layout.name == "common13"
    wrist = graphs.layout.index("left_wrist")
    wanted = sorted(network.people_px[:, LAYOUT.index("left_wrist"), 0])
    np.testing.assert_allclose(sorted(graphs.keypoints_px()[:, wrist, 0]), wanted, atol=3)


def test_thresholds_are_live(tmp_path, network):
    estimator = estimator_of(tmp_path)
    assert len(estimator(frame())) == 3
    estimator.configure(PoseConfig(estimator="pose_cnn", same_person_oks=0.0))
    assert len(estimator(frame())) == 1  # everybody is somebody else's double


def test_the_network_sees_rgb_in_the_middle_of_black(tmp_path, network):
    estimator = estimator_of(tmp_path, input_size=320)
    estimator(frame((640, 350)))  # 320 x 175 in 320 x 176
    image = estimator._binding.inputs["image"][0]
    assert image.shape == (3, 176, 320)
    np.testing.assert_allclose(image[:, :175].transpose(1, 2, 0) * 255, np.full((175, 320, 3), (30, 20, 10)), atol=1e-3)
    assert not image[:, 175:].any()


def test_sizes_are_bound_once_and_can_change(tmp_path, network):
    estimator = estimator_of(tmp_path, input_size=320)
    for size in ((640, 480), (480, 640), (640, 480)):
        assert estimator(frame(size)).image_size == size
    assert network.shapes == [(1, 3, 240, 320), (1, 3, 320, 240)]
    assert estimator.resizable
    estimator.resize(192)
    assert network.shapes[-1] == (1, 3, 144, 192)
    assert len(estimator(frame())) == 3
    estimator.close()
    assert network.closed


def test_features_are_those_of_the_newest_frame_and_cost_no_run(tmp_path, network):
    estimator = estimator_of(tmp_path, input_size=320)
    for calls in (1, 2):
        estimator(frame())
        seen = estimator.image_features()
        assert seen.cube.shape == (CHANNELS, 30, 40) and (seen.cube == calls).all()
    corner_px = np.array(SIZE) * seen.scale + seen.offset_px
    np.testing.assert_allclose(corner_px / seen.stride, (40, 30))


def test_boxes_hold_what_is_seen_and_stay_inside():
    keypoints = np.array([[[10, 20], [110, 60], [np.nan, 900]], [[-5, 5], [600, 5], [0, 0]]], np.float32)
    seen = np.array([[True, True, False], [True, True, False]])
    np.testing.assert_allclose(boxes_of(keypoints, seen, (500, 400)), [[5, 18, 115, 62], [0, 5, 500, 5]])
    assert boxes_of(keypoints[:0], seen[:0], (500, 400)).shape == (0, 4)


def test_calibration_sees_images_as_the_network_does():
    tall, wide = np.full((80, 40, 3), 255, np.uint8), np.full((40, 80, 3), 255, np.uint8)
    for planes, (rows, columns) in zip(calibration_inputs([tall, wide], (64, 48)), ((48, 24), (32, 64))):
        assert planes.shape == (1, 3, 48, 64) and planes.dtype == np.float32
        assert planes[0, 0].any(1).sum() == rows and planes[0, 0].any(0).sum() == columns and planes.max() == 1


def test_an_engine_covers_every_shape_of_image():
    shapes = input_range(320, 8)
    assert shapes.best == (1, 3, 240, 320)
    for size in ((640, 480), (480, 640), (1920, 200), (100, 2000), (64, 64)):
        for input_size in (64, 192, 320):
            assert shapes.holds((1, 3, *Letterbox.fit(size, input_size, 8).input_size[::-1]))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"task": "action"}, "is no pose network"),
        ({"layout": "octopus8"}, "no skeleton layout 'octopus8'"),
        ({"thresholds": {"peak_score": 7}}, "peak_score is 7.0, expected 0.001 to 1.0"),
        ({"thresholds": {"nonsense": 1}}, "nonsense"),
        ({"files": {}}, "lacks 'fp32'"),
        ({"files": {"fp32": {"file": "net.onnx", "sha256": "0" * 64}}}, "restore the model directory"),
        ({"files": {"fp32": {"file": "gone.onnx", "sha256": "0"}}}, "gone.onnx, named by model.json, cannot be read"),
    ],
)
def test_a_wrong_model_directory_is_one_line(tmp_path, changes, message):
    model_dir(tmp_path, **changes)
    with pytest.raises(ModelError, match=message) as error:
        read_pose_spec(str(tmp_path)).network("fp32")
    assert "\n" not in str(error.value)


def test_listings_know_pose_networks_from_recognisers(tmp_path, monkeypatch, capsys):
    (tmp_path / "drawn").mkdir()
    folder = model_dir(tmp_path / "drawn")
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    assert available_pose_networks() == ["drawn"] and available_models() == []
    told = tmp_path / "told.json"
    assert main(["models", "verify", "drawn", "--json", str(told)]) == 0
    (row,) = json.loads(told.read_text())
    assert (row["kind"], row["state"], row["bytes"]) == ("pose", "ready", 4)
    (folder / "net.onnx").write_bytes(b"another")
    assert main(["models", "verify", "drawn"]) == 1
    assert "restore the model directory" in capsys.readouterr().out


def test_a_precision_without_a_file_is_refused_where_it_cannot_be_made(tmp_path):
    model_dir(tmp_path)
    with pytest.raises(UserError, match="precision is 'int8', expected one of fp32"):
        create_pose_estimator(PoseConfig(estimator="pose_cnn", pose_model=str(tmp_path), precision="int8"))


def test_a_file_that_is_no_network_is_one_line(tmp_path):
    model_dir(tmp_path, b"no network at all")
    with pytest.raises(ModelError, match="model 'drawn' cannot be loaded"):
        create_pose_estimator(PoseConfig(estimator="pose_cnn", pose_model=str(tmp_path)))


def test_onnx_runtime_computes_in_bound_buffers():
    """The shipped recogniser's step as a network of two inputs: nothing is allocated anew, any output can be fetched."""
    from pose_attention_ros.inference.package_paths import models_dir

    content = (models_dir() / "everyday" / "step.onnx").read_bytes()
    spec = json.loads((models_dir() / "everyday" / "model.json").read_text())
    state = spec["state_size"]
    network = OnnxNetwork(NetworkFile("everyday", content, "0"))
    assert network.backend == "onnx-cpu" and network.inputs["features"] == (-1, 13, 5)
    with pytest.raises(ModelError, match="input 'features' has shape"):
        network.bind({"features": (2, 12, 5), "state": (2, state)})
    binding = network.bind({"features": (2, 13, 5), "state": (2, state)}, ("logits",))
    logits = binding.outputs["logits"]
    assert list(binding.outputs) == ["logits"] and logits.shape == (2, len(spec["classes"]))
    seen = []
    for fill in (0.1, 0.7):
        binding.inputs["features"][...] = fill
        binding()
        seen.append(binding.outputs["logits"].copy())
        assert binding.outputs["logits"] is logits and binding.fetch("next_state").shape == (2, state)
    np.testing.assert_allclose(seen[0][0], seen[0][1], atol=1e-5)
    assert np.abs(seen[0] - seen[1]).max() > 0.01


def test_shapes_name_every_input():
    check_shapes({"image": (1, 3, 8, 16)}, {"image": (-1, 3, -1, -1)})
    for wrong in ({}, {"image": (1, 3, 8)}, {"image": (1, 1, 8, 8)}):
        with pytest.raises(ModelError, match=r"input 'image' has shape .* expected \('\*', 3, '\*', '\*'\)"):
            check_shapes(wrong, {"image": (-1, 3, -1, -1)})
