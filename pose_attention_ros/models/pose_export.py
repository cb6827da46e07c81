"""A trained pose network as ONNX, in float32 and in int8, checked against torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from pose_attention_ros.core.errors import ModelError, UserError
from pose_attention_ros.models.pose_cnn import STRIDE, PoseCnn
from pose_attention_ros.models.pose_graph import INPUT, OUTPUTS, GraphConfig, pose_graph

OPSET = 17
IR_VERSION = 8
TOLERANCE = 1e-4


def export_pose(network: PoseCnn, path: Path, *, stages: int | None = None, config: GraphConfig | None = None) -> float:
    """Write the network's first `stages` stages (default: all) for images of any size in multiples of 8. Returns the largest
    difference from torch over random images of several sizes.

    :raises UserError: the network has fewer stages
    :raises ModelError: the difference is above TOLERANCE
    """
    import onnx
    from onnx import helper

    trained = len(network.stages)
    if stages is not None and not 1 <= stages <= trained:
        raise UserError(f"stages is {stages}, expected 1 to {trained}: the network was trained with {trained}")
    network = network.eval()
    graph = pose_graph(network, stages or trained, config or GraphConfig())
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="pose_attention_ros")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString(deterministic=True))
    difference = difference_from_torch(network, path, stages)
    if not difference <= TOLERANCE:
        raise ModelError(f"{path.name} differs from torch by {difference:.2g}, expected at most {TOLERANCE:g}")
    return difference


@torch.inference_mode()
def difference_from_torch(network: PoseCnn, path: Path, stages: int | None = None) -> float:
    """Largest difference of the file's maps, and of its features relative to their largest, over random images."""
    rng, session, worst = np.random.default_rng(0), session_of(path), 0.0
    for images, height, width in ((1, 8 * STRIDE, 12 * STRIDE), (2, 5 * STRIDE, 3 * STRIDE)):
        image = rng.uniform(0, 1, (images, 3, height, width)).astype(np.float32)
        features, maps = network.eval()(torch.from_numpy(image), stages)
        wanted = (*maps[-1], features)
        found = session.run(list(OUTPUTS), {INPUT: image})
        scales = (1.0, 1.0, max(1.0, float(features.abs().max())))
        worst = max(worst, *(float(np.abs(f - w.numpy()).max()) / scale for f, w, scale in zip(found, wanted, scales)))
    return worst


def session_of(path: Path, threads: int = 1):
    """An ONNX Runtime session on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
