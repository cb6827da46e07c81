"""The action recogniser on LiteRT, ONNX Runtime or TensorRT: verified against its hash, one thread, no torch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from pose_attention_ros.core.actions.recogniser import ModelSpec, Recogniser, StepOutput
from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.body.smoothing import SmoothingConfig
from pose_attention_ros.core.errors import ModelError, UserError, reading
from pose_attention_ros.core.machine.file_names import at_home
from pose_attention_ros.inference.network_types import Binding, NetworkFile, Profile, ShapeRange
from pose_attention_ros.inference.networks import SMALL_RUNTIMES, open_network
from pose_attention_ros.inference.package_paths import models_dir

DEFAULT_MODEL = "everyday"
SPEC_FILE = "model.json"
TASK = "action"
_OUTPUTS = ("logits", "joint_attention", "frame_energy", "next_state")
_EMBEDDING = "embedding"  # models that can be taught give it too
# What models were trained with whose file does not say it.
_FIRST_SMOOTHING = {"min_cutoff_hz": 2.0, "cutoff_slope": 1.5, "still_speed": 0.0}
_MOST_PEOPLE = 32  # in one step of the network; more are taken in turns
_USUAL_PEOPLE = 4
_PLACED_FROM = 4  # people; the states of fewer are copied in less time than their arrays are made known


def load_recogniser(model: str, threads: int = 1, runtime: str = SMALL_RUNTIMES[0]) -> Recogniser:
    """The recogniser called `model` in the models folder, or in the directory `model`.

    :param runtime: one of networks.SMALL_RUNTIMES
    :raises ModelError: there is none, a file is damaged or changed, or the files do not fit together
    """
    folder = find_model(model)
    spec, weights = read_spec(folder)
    return OnnxRecogniser(spec, weights, threads, runtime)


def find_model(model: str) -> Path:
    """Directory of a model given by name or path. Raises ModelError with the names that exist."""
    try:
        known = models_dir()
    except FileNotFoundError as error:
        known = None
        absent = str(error)
    for folder in ([known / model] if known else []) + [at_home(model)]:
        if model and (folder / SPEC_FILE).is_file():
            return folder
    names = available_models()
    there = f"models in {known}: {', '.join(names) or 'none'}" if known else absent
    raise ModelError(f"no model {model!r}: neither a name nor a directory with {SPEC_FILE}; {there}")


def available_models() -> list[str]:
    """Names of the recognisers under the models folder."""
    try:
        return sorted(path.parent.name for path in models_dir().glob(f"*/{SPEC_FILE}") if task_of(path.parent) == TASK)
    except FileNotFoundError:
        return []


def task_of(folder: Path) -> str:
    """What a model directory's model.json says that it is for; a recogniser need not say so."""
    try:
        return str(json.loads((folder / SPEC_FILE).read_text()).get("task", TASK))
    except (OSError, ValueError, AttributeError, RecursionError):
        return TASK  # damaged: reading it as a recogniser says what is wrong


def read_spec(folder: Path) -> tuple[ModelSpec, bytes]:
    """A model directory's specification, and its weights, verified. Raises ModelError."""
    path = folder / SPEC_FILE
    with reading(path, "a model specification", ModelError):
        raw = json.loads(path.read_text())
    try:
        spec = ModelSpec(
            model_id=str(raw["model_id"]),
            sha256=str(raw["sha256"]),
            classes=tuple(map(str, raw["classes"])),
            layout=layout(raw["layout"]),
            features=tuple(raw["features"]),
            rate_hz=float(raw["rate_hz"]),
            state_size=int(raw["state_size"]),
            decay_per_s=float(raw["decay_per_s"]),
            attention_window_s=float(raw["attention_window_s"]),
            temperature=float(raw["temperature"]),
            threshold=float(raw["threshold"]),
            smoothing=SmoothingConfig(**_FIRST_SMOOTHING | raw.get("smoothing", {})),
            kind=str(raw.get("kind", "pan")),
            pixels=str(raw.get("pixels", "")),
            pixels_shape=tuple(map(int, raw.get("pixels_shape", ()))),
            extractor=dict(raw.get("extractor", {})),
            frame_window=int(raw.get("frame_window", 0)),
            postures=tuple(map(str, raw.get("postures", ()))),
            network_sha256=str(raw.get("safetensors_sha256", raw["sha256"])),
            thresholds=tuple(map(float, raw.get("thresholds", ()))),
        )
        weights_path = folder / Path(raw["weights"]).name
    except KeyError as error:
        raise ModelError(f"{path} lacks {error}") from None
    except (OSError, ValueError, TypeError, UserError) as error:
        raise ModelError(f"{path} is not a model specification: {error}") from None
    try:
        weights = weights_path.read_bytes()
    except OSError:
        raise ModelError(f"{weights_path}, named by {SPEC_FILE}, cannot be read; restore the model directory") from None
    found = hashlib.sha256(weights).hexdigest()
    if found != spec.sha256:
        raise ModelError(f"{weights_path} has sha256 {found}, expected {spec.sha256}: damaged or changed, restore it")
    return spec, weights


class OnnxRecogniser:
    """See core.actions.recogniser.Recogniser."""

    def __init__(self, spec: ModelSpec, weights: bytes, threads: int = 1, runtime: str = SMALL_RUNTIMES[0]) -> None:
        """
        :param weights: the verified content of the ONNX file
        :param threads: CPU threads of one step
        :raises ModelError: the graph is no streaming recogniser, or does not fit the specification
        """
        self.spec = spec
        self._network = open_network(step_file(spec, weights), runtime, step_profile(spec), threads, small=True)
        self._check_graph()
        self._outputs = (*_OUTPUTS, *(name for name in (_EMBEDDING,) if name in self._network.outputs))
        self._bound: dict[int, Binding] = {}

    def _check_graph(self) -> None:
        spec = self.spec
        wanted = {
            "features": (len(spec.layout.joints), len(spec.features)),
            "state": (spec.state_size,),
            "logits": (len(spec.classes),),
            "joint_attention": (len(spec.layout.joints),),
            "frame_energy": (spec.frame_window,) if spec.frame_window else (),
            "next_state": (spec.state_size,),
        }
        if spec.pixels:
            wanted["pixels"] = spec.pixels_shape
        # fmt: off
        described = {"features": "joints and features", "state": "state_size", "logits": "number of classes",
                     "joint_attention": "number of joints", "frame_energy": "frame_window", "next_state": "state_size",
                     "pixels": "pixels_shape"}
        # fmt: on
        found = {name: shape[1:] for name, shape in {**self._network.inputs, **self._network.outputs}.items()}
        for name, shape in wanted.items():
            if name not in found:
                raise ModelError(f"model {spec.model_id!r} has no {name!r}; a streaming recogniser has {', '.join(wanted)}")
            if found[name] != shape:
                raise ModelError(
                    f"model {spec.model_id!r}: {described[name]} of {name!r} is "
                    f"{'x'.join(map(str, found[name]))}, {SPEC_FILE} says {'x'.join(map(str, shape))}"
                )

    def step(self, features: np.ndarray, state: np.ndarray, pixels: np.ndarray | None = None) -> StepOutput:
        """features (N, V, C) float32, a missing joint all 0; state (N, S) float32; pixels (N, *spec.pixels_shape) float32.
        N may be 0. Raises ModelError where the model reads pixels and there are none."""
        people, spec = len(features), self.spec
        if not people:
            logits, joints = (np.zeros((0, len(names)), np.float32) for names in (spec.classes, spec.layout.joints))
            energy = np.zeros((0, spec.frame_window) if spec.frame_window else 0, np.float32)
            return StepOutput(logits, joints, energy, state, np.zeros((0, self.embedding_size), np.float32))
        inputs = {"features": features, "state": state}
        if spec.pixels:
            if pixels is None:
                raise ModelError(
                    f"model {spec.model_id!r} reads the image too, not joints alone: pixels is None, expected "
                    f"{spec.pixels} of shape {(people, *spec.pixels_shape)}"
                )
            inputs["pixels"] = pixels
        parts = [
            self._run({name: array[begin : begin + _MOST_PEOPLE] for name, array in inputs.items()})
            for begin in range(0, people, _MOST_PEOPLE)
        ]
        return StepOutput(*(np.concatenate(arrays) if len(parts) > 1 else arrays[0] for arrays in zip(*parts)))

    @property
    def embedding_size(self) -> int:
        """E: channels of a step's embedding, 0 where the model gives none."""
        return self._network.outputs[_EMBEDDING][-1] if _EMBEDDING in self._network.outputs else 0

    def warm_up(self) -> None:
        """Do what only the first step pays for."""
        spec = self.spec
        self.step(
            np.zeros((1, len(spec.layout.joints), len(spec.features)), np.float32),
            np.zeros((1, spec.state_size), np.float32),
            np.zeros((1, *spec.pixels_shape), np.float32),
        )

    def _run(self, inputs: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
        """One step of at most _MOST_PEOPLE people, on buffers made once for that many of them."""
        people = len(inputs["state"])
        if people not in self._bound:
            self._bound[people] = self._network.bind({name: array.shape for name, array in inputs.items()}, self._outputs)
        binding = self._bound[people]
        # The state is by far the largest: of many people it is read where it is, written where it stays.
        placed = ("state", "next_state") if people >= _PLACED_FROM else ()
        for name, array in inputs.items():
            if name not in placed:
                binding.inputs[name][:] = array
        if placed:
            state = np.ascontiguousarray(inputs["state"], np.float32)
            binding.place("state", state)
            binding.place("next_state", np.empty_like(state))
        binding()
        return tuple(binding.outputs[name] if name in placed else binding.outputs[name].copy() for name in self._outputs)


def step_file(spec: ModelSpec, weights: bytes) -> NetworkFile:
    """The network of one step."""
    return NetworkFile(spec.model_id, weights, spec.sha256)


def step_profile(spec: ModelSpec) -> Profile:
    """The shapes of a step's inputs: any number of people up to _MOST_PEOPLE."""
    shapes = {"features": (len(spec.layout.joints), len(spec.features)), "state": (spec.state_size,)}
    if spec.pixels:
        shapes["pixels"] = spec.pixels_shape
    return {name: ShapeRange((1, *shape), (_USUAL_PEOPLE, *shape), (_MOST_PEOPLE, *shape)) for name, shape in shapes.items()}
