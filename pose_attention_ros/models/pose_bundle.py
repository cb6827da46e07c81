"""A pose network's model directory: weights as safetensors, ONNX files by precision, and model.json."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from pose_attention_ros.core.errors import ModelError
from pose_attention_ros.models.pose_cnn import STRIDE, PoseCnn, PoseCnnConfig
from pose_attention_ros.models.pose_export import export_pose
from pose_attention_ros.models.pose_graph import GraphConfig

WEIGHTS, SPEC = "model.safetensors", "model.json"
TASK = "pose"
# int8 is for ONNX Runtime; TensorRT wants ranges that are symmetric around 0.
FILES = {"fp32": "pose.onnx", "int8": "pose_int8.onnx", "int8_tensorrt": "pose_int8_tensorrt.onnx"}


def save_pose_model(network: PoseCnn, model_id: str, input_size: int, folder: Path, origin: dict | None = None) -> float:
    """Write weights (in half precision, half the size), fp32 ONNX and model.json. Returns the ONNX file's largest difference
    from torch.

    :param input_size: recommended longer side of the input, px
    :param origin: where the weights come from (recipe, seed, minutes); copied into model.json
    """
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
    weights = {name: value.half() if value.is_floating_point() else value for name, value in weights.items()}
    (folder / WEIGHTS).write_bytes(save(weights))
    spec = {
        "task": TASK,
        "model_id": model_id,
        "layout": network.config.layout,
        "stride": STRIDE,
        "input_size": input_size,
        "network": dataclasses.asdict(network.config),
        "origin": origin or {},
        "thresholds": {},
    }
    _write(spec, folder)
    return export_files(folder)


def export_files(folder: Path, *, stages: int | None = None, config: GraphConfig | None = None) -> float:
    """The fp32 ONNX file of a model directory, from its weights; model.json names it. Int8 files made of another one are
    taken out. Returns the largest difference from torch."""
    network = load_pose_network(folder)
    difference = export_pose(network, folder / FILES["fp32"], stages=stages, config=config)
    for key in ("int8", "int8_tensorrt"):
        (folder / FILES[key]).unlink(missing_ok=True)
    spec = read_spec(folder)
    spec["stages"] = stages or len(network.stages)
    spec["files"] = {"fp32": _file(folder / FILES["fp32"])}
    _write(spec, folder)
    return difference


def copy_weights(folder: Path, other: Path) -> None:
    """Begin the model directory `other` with the weights and model.json of `folder`. Raises ModelError."""
    spec = read_spec(folder)
    other.mkdir(parents=True, exist_ok=True)
    (other / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes())
    _write(spec, other)


def add_int8(folder: Path, images: list, keys: Sequence[str] = ("int8", "int8_tensorrt")) -> None:
    """The int8 ONNX files that `keys` names, from the fp32 one; `images` as in `pose_int8.quantise`."""
    from pose_attention_ros.models.pose_int8 import quantise

    spec = read_spec(folder)
    for key in keys:
        quantise(folder / FILES["fp32"], folder / FILES[key], images, symmetric=key == "int8_tensorrt")
        spec["files"][key] = {**_file(folder / FILES[key]), "calibration_images": len(images)}
    _write(spec, folder)


def load_pose_network(folder: Path) -> PoseCnn:
    """The network of a model directory. Raises ModelError where its files are missing or do not fit."""
    from safetensors.torch import load_file

    spec = read_spec(folder)
    network = PoseCnn(PoseCnnConfig(**spec["network"]))
    try:
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, RuntimeError) as error:
        raise ModelError(f"{folder / WEIGHTS} does not fit {SPEC}: {str(error).splitlines()[0]}") from None
    return network.eval().requires_grad_(False)


def read_spec(folder: Path) -> dict:
    """model.json of a pose network. Raises ModelError."""
    try:
        spec = json.loads((folder / SPEC).read_text())
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder / SPEC} cannot be read: {error}") from None
    if spec.get("task") != TASK:
        raise ModelError(f"{folder} is no pose network: task is {spec.get('task')!r}, expected {TASK!r}")
    return spec


def _file(path: Path) -> dict[str, str]:
    return {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _write(spec: dict, folder: Path) -> None:
    (folder / SPEC).write_text(json.dumps(spec, indent=2) + "\n")
