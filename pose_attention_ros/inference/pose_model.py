"""Directories of pose networks: model.json with "task": "pose", and an ONNX file for each precision, verified by sha256.

A network reads `image` (N, 3, H, W) float32, RGB in [0, 1], black outside the picture, H and W multiples of `stride`. It
gives `confidence` (N, V + 1, h, w), joints and background; `affinity` (N, 2 L, h, w), x and y of each limb; and `features`
(N, C, h, w), what its backbone sees; h = H / stride, w = W / stride. The map's value at row i and column j is of the image
around pixel ((j + 0.5) stride, (i + 0.5) stride).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pose_attention_ros.core.body.layouts import Layout, layout
from pose_attention_ros.core.errors import ModelError, UserError, reading
from pose_attention_ros.inference.network_types import NetworkFile
from pose_attention_ros.inference.package_paths import models_dir
from pose_attention_ros.inference.paf_decoding import DecodeConfig
from pose_attention_ros.inference.recogniser import SPEC_FILE, find_model, task_of
from pose_attention_ros.inference.weights import check_sha256

TASK = "pose"
INT8_TENSORRT = "int8_tensorrt"  # key in `files`, beside the precisions
OUTPUTS = ("confidence", "affinity", "features")


@dataclass(frozen=True)
class PoseSpec:
    """What model.json says of a pose network.

    :param folder: the directory it lies in
    :param stages: how many stages the network has
    :param stride: pixels of the input that a cell of the maps covers, along each side
    :param decode: thresholds chosen for this network
    :param files: precision -> (file name, sha256)
    """

    folder: Path
    model_id: str
    layout: Layout
    stages: int
    stride: int
    decode: DecodeConfig
    files: Mapping[str, tuple[str, str]]

    def network(self, precision: str, computes_in: str = "") -> NetworkFile:
        """The verified file of `precision`; the fp32 one where there is none.

        :param computes_in: what is to be computed in, where it is not the file's own
        :raises ModelError: it is missing, damaged or changed
        """
        name, sha256 = self.files.get(precision, self.files["fp32"])
        path = self.folder / name
        try:
            content = path.read_bytes()
        except OSError:
            raise ModelError(f"{path}, named by {SPEC_FILE}, cannot be read; restore the model directory") from None
        check_sha256(content, sha256, path, "restore the model directory")
        return NetworkFile(self.model_id, content, sha256, computes_in or precision)

    def ranged_for_tensorrt(self) -> NetworkFile | None:
        """The int8 file that TensorRT reads, where there is one: its ranges must be symmetric around 0, those that are
        fastest on a CPU are not."""
        name = next((name for name in (INT8_TENSORRT, "int8") if name in self.files), None)
        return self.network(name, computes_in="int8") if name else None


def read_pose_spec(model: str) -> PoseSpec:
    """The pose network called `model` in the models folder, or in the directory `model`.

    :raises ModelError: there is none, or it is no pose network
    """
    folder = find_model(model)
    path = folder / SPEC_FILE
    with reading(path, "the specification of a pose network", ModelError):
        raw = json.loads(path.read_text())
    try:
        if not is_pose_network(folder):
            raise ModelError(f'{folder} is no pose network: {SPEC_FILE} has no "task": "{TASK}"; is it a recogniser?')
        files = {
            str(precision): (Path(entry["file"]).name, str(entry["sha256"])) for precision, entry in raw["files"].items()
        }
        spec = PoseSpec(
            folder,
            str(raw["model_id"]),
            layout(raw["layout"]),
            int(raw["stages"]),
            int(raw["stride"]),
            DecodeConfig(**raw.get("thresholds", {})),
            files,
        )
        files["fp32"]
    except KeyError as error:
        raise ModelError(f"{path} lacks {error}") from None
    except ModelError:
        raise
    except (OSError, ValueError, TypeError, AttributeError, UserError) as error:
        raise ModelError(f"{path} is not the specification of a pose network: {error}") from None
    return spec


def available_pose_networks() -> list[str]:
    """Names of the pose networks under the models folder."""
    try:
        return sorted(path.parent.name for path in models_dir().glob(f"*/{SPEC_FILE}") if is_pose_network(path.parent))
    except FileNotFoundError:
        return []


def is_pose_network(folder: Path) -> bool:
    """Whether a model directory holds a pose network."""
    return task_of(folder) == TASK
