"""What a model was taught, on disk: `teaching.npz` belongs to the model and holds its space, `taught.json` beside it (or
elsewhere) the user's actions. Neither holds code or pickles; both are checked when they are read."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from pathlib import Path

import numpy as np

from pose_attention_ros.core.actions.recogniser import ModelSpec
from pose_attention_ros.core.errors import ModelError, UserError, reading
from pose_attention_ros.core.machine.file_names import at_home
from pose_attention_ros.core.teaching.actions import MOST_ACTIONS, MOST_TAKES, TaughtAction, TaughtActions, checked_name
from pose_attention_ros.core.teaching.space import TeachingSpace, pool_size
from pose_attention_ros.inference.recogniser import SPEC_FILE, OnnxRecogniser

SPACE_FILE, TAUGHT_FILE = "teaching.npz", "taught.json"
TAUGHT_DOC = "file of the actions that were taught by showing; empty: taught.json in the model's directory"
_FORMAT = 1
_LARGEST_BYTES = 20_000_000
_log = logging.getLogger(__name__)


class Teaching:
    """A model's taught actions and their file. `taught` is None where the model cannot be taught; `why_not` says why."""

    def __init__(self, recogniser: OnnxRecogniser, folder: Path, file: str = "") -> None:
        """
        :param folder: the model's directory
        :param file: see TAUGHT_DOC
        :raises ModelError: a file is damaged or was made for another model
        """
        self.spec = recogniser.spec
        self.path = at_home(file) if file else folder / TAUGHT_FILE
        self.taught: TaughtActions | None = None
        self.why_not = why_not_teachable(recogniser, folder)
        if self.why_not:
            if self.path.exists():
                raise ModelError(f"{self.path} cannot be used: {self.why_not}")
            _log.info("%s", self.why_not)
            return
        self.taught = read_taught(self.path, TaughtActions(read_space(folder, recogniser)), self.spec)

    def require(self) -> TaughtActions:
        """Raises ModelError where the model cannot be taught."""
        if self.taught is None:
            raise ModelError(self.why_not)
        return self.taught

    def set(self, taught: TaughtActions) -> None:
        """Take and keep `taught`. Raises UserError where the file cannot be written."""
        write_taught(self.path, taught, self.spec)
        self.taught = taught

    def add(self, action: TaughtAction) -> None:
        checked_name(action.name, self.spec.classes)
        self.set(self.require().with_action(action))

    def remove(self, name: str) -> None:
        self.set(self.require().without(name))

    def rename(self, name: str, new_name: str) -> None:
        self.set(self.require().renamed(name, new_name, self.spec.classes))


def why_not_teachable(recogniser: OnnxRecogniser, folder: Path) -> str:
    """One line, or nothing."""
    name = recogniser.spec.model_id
    if not getattr(recogniser, "embedding_size", 0):
        return (
            f"model {name!r} cannot be taught: its step gives no embedding; export it anew with `pose-attention export "
            "onnx`, or take a model that does"
        )
    if not (folder / SPACE_FILE).is_file():
        return (
            f"model {name!r} cannot be taught: no {SPACE_FILE} beside it; make it from its training data with "
            "`pose-attention export teaching`"
        )
    return ""


def read_space(folder: Path, recogniser: OnnxRecogniser) -> TeachingSpace:
    """The space of a model directory, checked against model.json. Raises ModelError."""
    path = folder / SPACE_FILE
    with reading(path, "a teaching space", ModelError):
        wanted = json.loads((folder / SPEC_FILE).read_text()).get("teaching_sha256")
        content = path.read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if wanted != found:
            raise ModelError(f"{path} has sha256 {found}, {SPEC_FILE} says {wanted}: damaged or changed, restore it")
        with np.load(path, allow_pickle=False) as file:
            space = TeachingSpace(
                str(file["network_sha256"]), *(file[name] for name in ("mean", "scale", "basis", "negatives", "known"))
            )
    spec = recogniser.spec
    if space.network_sha256 != spec.network_sha256:
        raise ModelError(
            f"{path} was made for another network than that of {SPEC_FILE}: make it anew with `pose-attention "
            "export teaching`"
        )
    expected = pool_size(recogniser.embedding_size, len(spec.layout.joints))
    if len(space.mean) != expected:
        raise ModelError(
            f"{path} was made by another version: it describes a motion by {len(space.mean)} numbers, expected "
            f"{expected}; make it anew with `pose-attention export teaching`"
        )
    return space


def write_space(folder: Path, space: TeachingSpace) -> Path:
    """Put the space beside a model and its hash into model.json. Half precision: it is shipped."""
    path = folder / SPACE_FILE
    with path.open("wb") as file:
        np.savez_compressed(
            file,
            network_sha256=np.array(space.network_sha256),
            mean=space.mean,
            scale=space.scale,
            basis=space.basis.astype(np.float16),
            negatives=space.negatives.astype(np.float16),
            known=space.known,
        )
    spec = json.loads((folder / SPEC_FILE).read_text())
    spec["teaching_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / SPEC_FILE).write_text(json.dumps(spec, indent=2) + "\n")
    return path


def read_taught(path: Path, nothing: TaughtActions, spec: ModelSpec) -> TaughtActions:
    """The actions in `path`; `nothing` where there is no such file.

    :raises ModelError: it is damaged, or was made with another network
    """
    if not path.exists():
        return nothing
    with reading(path, "a file of taught actions", ModelError):
        if path.stat().st_size > _LARGEST_BYTES:
            raise ModelError(f"{path} has {path.stat().st_size} bytes, expected at most {_LARGEST_BYTES}")
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["format"] != _FORMAT or raw["sha256"] != _digest(raw["actions"]):
            raise ModelError(f"{path} was damaged or changed by hand: its sha256 does not fit; teach again, or restore it")
        if raw["network_sha256"] != spec.network_sha256:
            raise ModelError(
                f"{path} was taught to another network than model {spec.model_id!r}: teach the actions again, "
                "or give another file"
            )
        if len(raw["actions"]) > MOST_ACTIONS:
            raise ModelError(f"{path} has {len(raw['actions'])} actions, expected at most {MOST_ACTIONS}")
        taught = nothing
        for each in raw["actions"]:
            taught = taught.with_action(_action(each, nothing.space.basis.shape[1], spec))
    return taught


def _action(raw: dict, size: int, spec: ModelSpec) -> TaughtAction:
    takes = np.array(raw["takes"], np.float32)
    if takes.ndim != 2 or takes.shape[1] != size or not 1 <= len(takes) <= MOST_TAKES or not np.isfinite(takes).all():
        raise ValueError(f"takes of {raw['name']!r} have shape {takes.shape}, expected 1 to {MOST_TAKES} of {size} numbers")
    lengths_s, limit = tuple(float(length) for length in raw["lengths_s"]), float(raw["limit"])
    if len(lengths_s) != len(takes) or not all(0 < length < 60 for length in lengths_s) or not -1 <= limit <= 1:
        raise ValueError(f"lengths_s or limit of {raw['name']!r} cannot be right")
    return TaughtAction(checked_name(raw["name"], spec.classes), takes, lengths_s, limit)


def write_taught(path: Path, taught: TaughtActions, spec: ModelSpec) -> None:
    """Write the file whole or not at all. Raises UserError."""
    actions = [
        {
            "name": action.name,
            "limit": round(action.limit, 5),
            "lengths_s": [round(s, 2) for s in action.lengths_s],
            "takes": [[round(float(value), 5) for value in take] for take in action.takes],
        }
        for action in taught.actions
    ]
    content = {
        "format": _FORMAT,
        "model_id": spec.model_id,
        "network_sha256": spec.network_sha256,
        "sha256": _digest(actions),
        "actions": actions,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False, encoding="utf-8") as file:
            json.dump(content, file)
        os.chmod(file.name, 0o644)
        os.replace(file.name, path)
    except OSError as error:
        raise UserError(
            f"taught actions cannot be written to {path}: {error.strerror or error}; give a file of yours, "
            "`taught` (--taught FILE)"
        ) from None


def _digest(actions: list) -> str:
    return hashlib.sha256(json.dumps(actions, sort_keys=True).encode()).hexdigest()
