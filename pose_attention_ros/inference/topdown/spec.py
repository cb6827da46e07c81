"""model.json of a folder with "task": "top_down": which network finds people, which one their joints, and how they are fed.

docs/top_down.md documents every field with an example.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pose_attention_ros.core.body.layouts import Layout, layout
from pose_attention_ros.core.errors import ModelError, UserError, reading
from pose_attention_ros.inference.network_types import NetworkFile
from pose_attention_ros.inference.recogniser import SPEC_FILE, find_model
from pose_attention_ros.inference.topdown.forms import FORMS
from pose_attention_ros.inference.weights import check_sha256

TASK = "top_down"
BOXES = "boxes"  # the form of a detector's answer
_CHANNELS, _SCORES = ("rgb", "bgr"), ("as_is", "sigmoid")


@dataclass(frozen=True)
class Fed:
    """A network and how an image becomes its input: (value - mean) / std, value in [0, 255], in the order of `channels`.

    :param size: (width, height) in pixels
    :param outputs: names, in the order of the form
    """

    file: NetworkFile
    form: str
    input: str
    outputs: tuple[str, ...]
    size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channels: str
    scores: str


@dataclass(frozen=True)
class Detector:
    """An ONNX detector. A row of its first output is x1, y1, x2, y2 in pixels of the input, and a score; the second, where
    there is one, tells the classes.

    :param label: of people
    """

    fed: Fed
    label: int
    min_score: float


@dataclass(frozen=True)
class TopDownSpec:
    """What a folder says.

    :param detector: None for MoveNet MultiPose
    :param margin: by which factor a person's box is grown before it is cut out
    """

    model_id: str
    layout: Layout
    person: Fed
    margin: float
    detector: Detector | None


def read_top_down(model: str) -> TopDownSpec:
    """The folder called `model`, under models/ or by path. Raises ModelError that names the field."""
    folder = find_model(model)
    path = folder / SPEC_FILE
    with reading(path, "the specification of a top-down estimator", ModelError):
        raw = json.loads(path.read_text())
    try:
        if raw.get("task") != TASK:
            raise ModelError(f"{path}: task is {raw.get('task')!r}, expected {TASK!r}")
        name, person, detector = str(raw["model_id"]), raw["person"], raw.get("detector")
        found = None
        if detector is not None:
            found = Detector(
                _fed(folder, f"{name}_detector", detector, {BOXES: (1, 2)}),
                int(detector.get("label", 0)),
                float(detector.get("min_score", 0.3)),
            )
        forms = {form: (count, count) for form, (_, count) in FORMS.items()}
        return TopDownSpec(
            name, layout(raw["layout"]), _fed(folder, name, person, forms), float(person.get("margin", 1.25)), found
        )
    except KeyError as error:
        raise ModelError(f"{path} lacks {error}") from None
    except ModelError:
        raise
    except (OSError, ValueError, TypeError, AttributeError, UserError) as error:
        raise ModelError(f"{path} is not the specification of a top-down estimator: {error}") from None


def _fed(folder: Path, name: str, raw: Mapping[str, Any], forms: Mapping[str, tuple[int, int]]) -> Fed:
    """One network of the folder, verified where the file names a sha256."""
    form, outputs = str(raw["form"]), tuple(map(str, raw["outputs"]))
    channels, scores = str(raw.get("channels", "rgb")), str(raw.get("scores", "as_is"))
    known = (("form", form, tuple(forms)), ("channels", channels, _CHANNELS), ("scores", scores, _SCORES))
    for field, value, allowed in known:
        if value not in allowed:
            raise ModelError(f"{folder / SPEC_FILE}: {field} is {value!r}, expected one of {', '.join(allowed)}")
    least, most = forms[form]
    if not least <= len(outputs) <= most:
        raise ModelError(f"{folder / SPEC_FILE}: form {form} reads {most} outputs, but outputs names {', '.join(outputs)}")
    path = folder / Path(str(raw["file"])).name
    try:
        content = path.read_bytes()
    except OSError:
        raise ModelError(f"{path}, named by {SPEC_FILE}, cannot be read; put the ONNX file there") from None
    sha256 = hashlib.sha256(content).hexdigest()
    if "sha256" in raw:
        check_sha256(content, str(raw["sha256"]), path, "restore it, or correct sha256 in model.json")
    width, height = map(int, raw["size"])
    mean, std = (tuple(map(float, raw.get(key, [default] * 3))) for key, default in (("mean", 0), ("std", 255)))
    if len(mean) != 3 or len(std) != 3 or min(std) <= 0 or min(width, height) < 1:
        raise ModelError(f"{folder / SPEC_FILE}: mean and std want three numbers, std above 0, size a width and a height")
    return Fed(
        NetworkFile(name, content, sha256),
        form,
        str(raw.get("input", "input")),
        outputs,
        (width, height),
        mean,
        std,
        channels,
        scores,
    )
