"""A trained network as ONNX: `step.onnx`, one tick for a robot, and `clip.onnx`, whole sequences. Checked against torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.errors import ModelError
from pose_attention_ros.core.machine.library_output import quiet_exporters
from pose_attention_ros.core.types import FEATURE_NAMES
from pose_attention_ros.models.pan import PoseAttentionNetwork

# Read by ONNX Runtime 1.15 and later.
OPSET = 18
IR_VERSION = 8
TOLERANCE = 1e-5
STEP_INPUTS, STEP_OUTPUTS = ("features", "state"), ("logits", "joint_attention", "frame_energy", "next_state")
EMBEDDING = "embedding"  # one more output of a step that is no comparator's
CLIP_INPUTS, CLIP_OUTPUTS = ("features",), ("logits", "joint_attention", "frame_energy")


class _Step(nn.Module):
    def __init__(self, network: PoseAttentionNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, state: Tensor) -> tuple[Tensor, ...]:
        return self.network.embedded_step(features, state)


class _Clip(nn.Module):
    def __init__(self, network: PoseAttentionNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        output = self.network(features)
        return output.logits, output.joint_attention, output.frame_energy


def export_step(network: PoseAttentionNetwork, path: Path) -> float:
    """Write the streaming step: features (N, V, C), state (N, S) -> STEP_OUTPUTS and the embedding, for any N. Returns the
    largest difference from torch over a random stream. Raises ModelError where it is above TOLERANCE."""
    features, state = random_features(3, 2, network)[:, 0], torch.rand(3, network.state_size)
    people = torch.export.Dim("people", max=1024)
    write_onnx(
        _Step(network.eval()),
        (features, state),
        path,
        STEP_INPUTS,
        (*STEP_OUTPUTS, EMBEDDING),
        {"features": {0: people}, "state": {0: people}},
    )
    return checked(path, _step_difference(network, path))


def export_clip(network: PoseAttentionNetwork, path: Path) -> float:
    """Write the batch form: features (N, T, V, C) -> CLIP_OUTPUTS after every tick, for any N and T. Returns and raises as
    export_step does."""
    dims = {0: torch.export.Dim("people", max=1024), 1: torch.export.Dim("ticks", min=2, max=100_000)}
    write_onnx(_Clip(network.eval()), (random_features(3, 7, network),), path, CLIP_INPUTS, CLIP_OUTPUTS, {"features": dims})
    features = random_features(2, 31, network)
    with torch.inference_mode():
        output = network(features)
    found = open_session(path).run(None, {"features": features.numpy()})
    wanted = (output.logits, output.joint_attention, output.frame_energy)
    return checked(path, max(float(np.abs(f - w.numpy()).max()) for f, w in zip(found, wanted)))


def write_onnx(
    module: nn.Module,
    arguments: tuple[Tensor, ...],
    path: Path,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    dims: dict[str, dict],
) -> None:
    """Write `module` as an ONNX file without a trace of the machine; dims: input -> axis -> a length that varies."""
    import onnx

    path.parent.mkdir(parents=True, exist_ok=True)
    with quiet_exporters():
        program = torch.onnx.export(
            module,
            arguments,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=dims,
            external_data=False,
        )
    model = program.model_proto
    model.ir_version = IR_VERSION
    for node in model.graph.node:  # source locations of the machine that exported it
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for values in (model.graph.input, model.graph.output, model.graph.value_info, [model.graph]):
        for value in values:
            value.ClearField("metadata_props")
    model.ClearField("metadata_props")
    del model.graph.value_info[:]
    for output in model.graph.output:  # the exporter forgets that some lengths vary
        varying = dims["features"].values()
        for axis, dim in zip(output.type.tensor_type.shape.dim, varying):
            axis.dim_param = dim.__name__
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _step_difference(network: PoseAttentionNetwork, path: Path) -> float:
    session, features = open_session(path), random_features(2, 40, network)
    state = np.zeros((2, network.state_size), np.float32)
    with torch.inference_mode():
        output = network(features)
    worst = 0.0
    for tick in range(features.shape[1]):
        logits, joints, energy, state, _ = session.run(None, {"features": features[:, tick].numpy(), "state": state})
        pairs = ((logits, output.logits), (joints, output.joint_attention), (energy, output.frame_energy))
        worst = max(worst, *(float(np.abs(found - wanted[:, tick].numpy()).max()) for found, wanted in pairs))
    return worst


def checked(path: Path, difference: float) -> float:
    """`difference` from torch. Raises ModelError where it is above TOLERANCE."""
    if not difference <= TOLERANCE:
        raise ModelError(f"{path.name} differs from torch by {difference:.2g}, expected at most {TOLERANCE:g}")
    return difference


def open_session(path: Path):
    """On one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def random_features(people: int, ticks: int, network: nn.Module) -> Tensor:
    """(people, ticks, V, C) with a fifth of the joints missing, V as in the layout of the network's config."""
    rng = np.random.default_rng(0)
    joints = len(layout(network.config.layout).joints)
    features = rng.standard_normal((people, ticks, joints, len(FEATURE_NAMES))).astype(np.float32)
    features[..., -1] = rng.uniform(0.2, 1, features.shape[:-1])
    return torch.from_numpy(features * (rng.uniform(size=features.shape[:-1]) < 0.8)[..., None].astype(np.float32))
