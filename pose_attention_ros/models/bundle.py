"""A model directory: weights as safetensors and ONNX, and model.json with all that is needed to use or retrain them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

from pose_attention_ros.core.body.smoothing import SmoothingConfig
from pose_attention_ros.core.errors import ModelError, UserError
from pose_attention_ros.core.types import FEATURE_NAMES
from pose_attention_ros.models.committee import Committee
from pose_attention_ros.models.comparator import Comparator
from pose_attention_ros.models.export import export_clip, export_step
from pose_attention_ros.models.export_comparator import export_comparator
from pose_attention_ros.models.kinds import PAN, Network, kind_of, make_network

STEP, CLIP, WEIGHTS, SPEC = "step.onnx", "clip.onnx", "model.safetensors", "model.json"


@dataclasses.dataclass(frozen=True)
class Bundle:
    """What a model directory is made of, beside the network.

    :param attention_window_s: span of the published frame attention
    :param smoothing: of the joints the network was trained on
    :param extra: where the model comes from (seed, recipe, data hashes, accuracy); copied into model.json
    """

    model_id: str
    classes: tuple[str, ...]
    temperature: float
    threshold: float
    thresholds: tuple[float, ...] = ()
    attention_window_s: float = 3.0
    smoothing: SmoothingConfig = dataclasses.field(default_factory=SmoothingConfig)
    extra: dict = dataclasses.field(default_factory=dict)


def save_bundle(network: Network, bundle: Bundle, folder: Path) -> dict[str, float]:
    """Write the directory. Returns the largest difference of each ONNX file from torch."""
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    # Not save_file, whose files nobody but the user who trained may read.
    (folder / WEIGHTS).write_bytes(save({name: value.contiguous() for name, value in network.state_dict().items()}))
    differences = export_files(network, folder)
    spec = {
        "model_id": bundle.model_id,
        "classes": list(bundle.classes),
        "kind": kind_of(network),
        "layout": network.config.layout,
        "features": list(FEATURE_NAMES),
        "rate_hz": network.config.rate_hz,
        "state_size": network.state_size,
        **_form(network, bundle),
        "temperature": bundle.temperature,
        "threshold": bundle.threshold,
        **({"thresholds": list(bundle.thresholds)} if bundle.thresholds else {}),
        "smoothing": dataclasses.asdict(bundle.smoothing),
        "network": dataclasses.asdict(network.config),
        "members": len(network.members) if isinstance(network, Committee) else 1,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        **bundle.extra,
    }
    _write_spec(spec, folder)
    return differences


def _form(network: Network, bundle: Bundle) -> dict:
    """What differs between a network that keeps a moment's score and one that reads a window, or pixels."""
    if not isinstance(network, Comparator):
        return {"decay_per_s": network.config.decay_per_s, "attention_window_s": bundle.attention_window_s}
    window_s = network.frame_window / network.config.rate_hz or bundle.attention_window_s
    pixels = {"pixels": network.pixels, "pixels_shape": list(network.pixels_shape)} if network.pixels else {}
    return {"decay_per_s": 0.0, "attention_window_s": window_s, "frame_window": network.frame_window, **pixels}


def export_files(network: Network, folder: Path) -> dict[str, float]:
    """Write the ONNX forms that the network has; returns each one's largest difference from torch."""
    if isinstance(network, Comparator):
        return {STEP: export_comparator(network, folder / STEP)}
    return {STEP: export_step(network, folder / STEP), CLIP: export_clip(network, folder / CLIP)}


def refresh_spec(network: Network, folder: Path) -> None:
    """Bring model.json up to date with `network` and the files beside it."""
    _write_spec({**json.loads((folder / SPEC).read_text()), "state_size": network.state_size}, folder)


def load_network(folder: Path) -> Network:
    """The torch network of a model directory, for fine-tuning or a new export. Raises ModelError."""
    from safetensors.torch import load_file

    try:
        spec = json.loads((folder / SPEC).read_text())
        weights = (folder / WEIGHTS).read_bytes()
        expected = spec["safetensors_sha256"]
        network = make_network(spec.get("kind", PAN), spec["network"], len(spec["classes"]), spec.get("members", 1))
    except FileNotFoundError as error:
        raise ModelError(f"{folder} is not a model directory with weights: no {Path(error.filename).name}") from None
    except (KeyError, TypeError, ValueError, UserError) as error:
        raise ModelError(f"{folder / SPEC} does not describe a network: {error}") from None
    found = hashlib.sha256(weights).hexdigest()
    if found != expected:
        raise ModelError(f"{folder / WEIGHTS} has sha256 {found}, expected {expected}: the file is damaged or was changed")
    try:
        network.load_state_dict(load_file(folder / WEIGHTS))
    except RuntimeError as error:
        raise ModelError(f"{folder / WEIGHTS} does not fit the network of {SPEC}: {str(error).splitlines()[0]}") from None
    return network.eval()


def _write_spec(spec: dict, folder: Path) -> None:
    spec = {**spec, "weights": STEP, "sha256": _sha256(folder / STEP)}
    if spec.get("kind", PAN) == PAN:
        spec |= {"clip_weights": CLIP, "clip_sha256": _sha256(folder / CLIP)}
    spec |= {"safetensors": WEIGHTS, "safetensors_sha256": _sha256(folder / WEIGHTS)}
    (folder / SPEC).write_text(json.dumps(spec, indent=2) + "\n")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
