"""Small networks in the forms that a top-down estimator reads: they find dots of seventeen colours, and the box around."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="reads and writes ONNX files: pip install onnx")
ModelProto, TensorProto, helper, numpy_helper = onnx.ModelProto, onnx.TensorProto, onnx.helper, onnx.numpy_helper
JOINTS = 17
SIZE = (48, 64)  # of a crop, width and height
DETECTOR_SIZE = (160, 128)
STRIDE = 2  # of the heat maps
# Directions that differ: a dot answers best to its own.
_steps = np.indices((3, 3, 3)).reshape(3, -1).T[1:].astype(np.float32)
COLOURS = np.unique((_steps / np.linalg.norm(_steps, axis=1, keepdims=True)).round(4), axis=0)[:JOINTS]
DOT_PX = 6


def drawn(size: tuple[int, int], people: list[np.ndarray]) -> np.ndarray:
    """(H, W, 3) uint8 BGR: each person's joints (17, 2) as dots on black."""
    import cv2

    image = np.zeros((*size[::-1], 3), np.uint8)
    for joints in people:
        for (x, y), colour in zip(joints, COLOURS):
            middle = (round(8 * (float(x) - 0.5)), round(8 * (float(y) - 0.5)))
            cv2.circle(image, middle, 8 * DOT_PX, [round(255 * float(part)) for part in colour[::-1]], -1, cv2.LINE_AA, 3)
    return image


def _model(nodes: list, outputs: dict[str, list], constants: dict, shape: list) -> ModelProto:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "dots",
        [value("input", TensorProto.FLOAT, shape)],
        [value(name, TensorProto.FLOAT, dims) for name, dims in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return model


def person_network(form: str, batch: int | str = "n") -> ModelProto:
    """(N, 3, 64, 48) RGB in [0, 1] -> joints of one person as simcc or heat_maps."""
    nodes = [helper.make_node("Conv", ["input", "colours"], ["alike"])]
    constants = {"colours": COLOURS[:, :, None, None]}
    shape = [batch, 3, SIZE[1], SIZE[0]]
    if form == "simcc":
        nodes += [
            helper.make_node("AveragePool", ["alike"], ["smooth"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            helper.make_node("ReduceMax", ["smooth"], ["x"], axes=[2], keepdims=0),
            helper.make_node("ReduceMax", ["smooth"], ["y"], axes=[3], keepdims=0),
        ]
        return _model(nodes, {"x": [batch, JOINTS, SIZE[0]], "y": [batch, JOINTS, SIZE[1]]}, constants, shape)
    nodes.append(helper.make_node("AveragePool", ["alike"], ["maps"], kernel_shape=[STRIDE] * 2, strides=[STRIDE] * 2))
    return _model(nodes, {"maps": [batch, JOINTS, SIZE[1] // STRIDE, SIZE[0] // STRIDE]}, constants, shape)


def detector_network() -> ModelProto:
    """(1, 3, H, W) -> dets (1, 1, 5): the box around all that is not black, and 0.9; labels (1, 1): 0."""
    nodes, corners = [], {}
    for name, axes in (("x", [1, 2]), ("y", [1, 3])):
        nodes += [
            helper.make_node("ReduceMax", ["input"], [f"{name}_max"], axes=axes, keepdims=0),
            helper.make_node("Greater", [f"{name}_max", "dark"], [f"{name}_some"]),
            helper.make_node("Cast", [f"{name}_some"], [f"{name}_there"], to=TensorProto.FLOAT),
            helper.make_node("ArgMax", [f"{name}_there"], [f"{name}_first"], axis=1, keepdims=1),
            helper.make_node("ArgMax", [f"{name}_there"], [f"{name}_final"], axis=1, keepdims=1, select_last_index=1),
            helper.make_node("Cast", [f"{name}_first"], [f"{name}_low"], to=TensorProto.FLOAT),
            helper.make_node("Cast", [f"{name}_final"], [f"{name}_high"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMax", [f"{name}_there"], [f"{name}_any"], axes=[1], keepdims=1),
        ]
        corners[name] = [f"{name}_low", f"{name}_high"]
    nodes += [
        helper.make_node("Mul", ["x_any", "sure"], ["score"]),
        helper.make_node("Concat", ["x_low", "y_low", "x_high", "y_high", "score"], ["row"], axis=1),
        helper.make_node("Unsqueeze", ["row", "axis"], ["dets"]),
        helper.make_node("Mul", ["x_any", "dark_zero"], ["labels"]),
    ]
    constants = {"dark": np.float32(0.1), "sure": np.float32([[0.9]]), "axis": np.int64([1]), "dark_zero": np.float32([[0]])}
    return _model(nodes, {"dets": [1, 1, 5], "labels": [1, 1]}, constants, [1, 3, DETECTOR_SIZE[1], DETECTOR_SIZE[0]])


def documented_person(table: dict, bins: int = 2) -> ModelProto:
    """The network of `person_network` in the form of the table's "person": its size, normalised colours, and `bins` bins a
    pixel, as RTMPose has."""
    width, height = table["size"]
    mean, std = (np.float32(table[name]) / 255 for name in ("mean", "std"))
    nodes = [
        helper.make_node("Conv", ["input", "colours", "black"], ["alike"]),
        helper.make_node("AveragePool", ["alike"], ["smooth"], kernel_shape=[9, 9], pads=[4, 4, 4, 4]),
        helper.make_node("Resize", ["smooth", "", "scales"], ["fine"], mode="linear"),
        helper.make_node("ReduceMax", ["fine"], [table["outputs"][0]], axes=[2], keepdims=0),
        helper.make_node("ReduceMax", ["fine"], [table["outputs"][1]], axes=[3], keepdims=0),
    ]
    constants = {
        "colours": (COLOURS * std)[:, :, None, None],
        "black": COLOURS @ mean,
        "scales": np.float32([1, 1, bins, bins]),
    }
    outputs = {name: ["n", JOINTS, bins * side] for name, side in zip(table["outputs"], (width, height))}
    return _model(nodes, outputs, constants, ["n", 3, height, width])


def documented_detector(table: dict) -> ModelProto:
    """The network of `detector_network` in the form of the table's "detector": its size and normalised colours."""
    plain, (width, height) = detector_network(), table["size"]
    mean, std = (np.float32(table[name])[None, :, None, None] / 255 for name in ("mean", "std"))
    for node in plain.graph.node:
        node.input[:] = ["bright" if name == "input" else name for name in node.input]
    nodes = [
        helper.make_node("Mul", ["input", "std"], ["scaled"]),
        helper.make_node("Add", ["scaled", "mean"], ["bright"]),
        *plain.graph.node,
    ]
    constants = {"mean": mean, "std": std, **{each.name: numpy_helper.to_array(each) for each in plain.graph.initializer}}
    return _model(nodes, {"dets": [1, 1, 5], "labels": [1, 1]}, constants, [1, 3, height, width])


def write_folder(folder: Path, form: str = "simcc", batch: int | str = "n", **changes) -> Path:
    """A folder as a user would bring it; `changes` replace fields of the person's network."""
    folder.mkdir(exist_ok=True)
    (folder / "person.onnx").write_bytes(person_network(form, batch).SerializeToString())
    (folder / "detector.onnx").write_bytes(detector_network().SerializeToString())
    outputs = ["x", "y"] if form == "simcc" else ["maps"]
    person = {"file": "person.onnx", "form": form, "outputs": outputs, "size": list(SIZE), "margin": 1.4, **changes}
    detector = {"file": "detector.onnx", "form": "boxes", "outputs": ["dets", "labels"], "size": list(DETECTOR_SIZE)}
    (folder / "model.json").write_text(
        json.dumps(
            {
                "task": "top_down",
                "model_id": "dots",
                "layout": "coco17",
                "person": {k: v for k, v in person.items() if v is not None},
                "detector": detector,
            }
        )
    )
    return folder
