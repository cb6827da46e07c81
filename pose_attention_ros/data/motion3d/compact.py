"""Compact 3D files: many clips in one `.npz`. A file says itself what it holds.

Arrays: `xyz` (F, V, 3) metres; `offsets` (N+1,), clip i is rows offsets[i]:offsets[i+1]; `action` (N,) text, or `label` (N,)
with `class_names`; `joints` (V,) canonical names; `fps` (N,) or one number. Optional (N,): `subject`, `dataset`, `style`,
`form`, `sequence` (clips of one number follow one another in one motion).
Three files of Kinect's sets were made before `joints` and `fps` were; what those lack stands in a table here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pose_attention_ros.core.body.layouts import LAYOUTS, PART_OF_JOINT
from pose_attention_ros.core.errors import UserError, reading
from pose_attention_ros.data.finishing import LeftOut
from pose_attention_ros.data.motion3d.record import Motion, Proportions, measured

EXTRA = ("dataset", "style", "form", "sequence")
BODY = (
    "head",
    *(f"{side}_{joint}" for side in ("left", "right") for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")),
)
# fmt: off
_MSR_JOINTS = ("left_shoulder", "right_shoulder", "neck", "spine", "left_hip", "right_hip", "hip_center", "left_elbow",
               "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand", "left_knee", "right_knee",
               "left_ankle", "right_ankle", "left_foot", "right_foot", "head")
# fmt: on


@dataclass(frozen=True, eq=False)
class Known:
    """What a file without `joints` and `fps` does not say. The rates are estimates from the period of walking and jogging;
    the proportions bring trunk : thigh : shank from 1 : 1.25 : 0.9 to 1 : 0.8 : 0.75."""

    name: str
    marker: str  # an array that only this file has
    fps: float
    proportions: Proportions
    joints: tuple[str, ...] = LAYOUTS["kinect20"].joints


KNOWN = (
    Known("nw_ucla", "view", 12.0, Proportions(0.3, 1.4, 0.67)),
    Known("msr_action3d", "confidence", 15.0, Proportions(0.45, 0.6, 0.67), _MSR_JOINTS),
    Known("utkinect", "xyz", 15.0, Proportions(0.3, 1.4, 0.67)),
)


def read_motions(source: Path, left_out: LeftOut | None = None) -> list[Motion]:
    """Every clip of a compact file with two tracked frames or more, unprojected. The set's name, with which groups begin, is
    the file's, without `_3d`.

    :param left_out: is told the other clips
    :raises UserError: the file is not of this form
    """
    with reading(source, "a compact 3D file"):
        with np.load(source, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        labelled = "action" in arrays or {"label", "class_names"} <= set(arrays)
        needed = {"xyz", "offsets", "joints" if "joints" in arrays else "subject"}
        if not labelled or not needed <= set(arrays):
            raise UserError(
                f"{source} is no compact 3D file: expected arrays xyz, offsets, joints, fps, and action or "
                f"label with class_names; it has {', '.join(arrays) or 'none'}"
            )
        if "joints" in arrays:
            if "fps" not in arrays:
                raise UserError(f"{source} has joints but no fps: expected frames a second, one number or one a clip")
            name = source.stem.removesuffix("_3d")
            return measured(_motions(name, arrays, _joints(arrays), arrays["fps"], Proportions(), left_out))
        known = next(entry for entry in KNOWN if entry.marker in arrays)
        return _motions(known.name, arrays, known.joints, known.fps, known.proportions, left_out)


def write_motions(path: Path, motions: Sequence[Motion]) -> None:
    """Write `motions`, which share their joints, as a compact 3D file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    extra = {
        name: np.array([motion.extra.get(name, "") for motion in motions])
        for name in EXTRA
        if any(motion.extra.get(name) for motion in motions)
    }
    with path.open("wb") as file:
        np.savez_compressed(
            file,
            xyz=np.concatenate([motion.xyz for motion in motions]).astype(np.float32),
            offsets=np.cumsum([0] + [len(motion.xyz) for motion in motions]),
            joints=np.array(motions[0].joints),
            action=np.array([motion.label for motion in motions]),
            fps=np.array([motion.fps for motion in motions], np.float32),
            subject=np.array([motion.group.partition("/")[2] for motion in motions]),
            **extra,
        )


@dataclass(frozen=True, eq=False)
class MotionSet:
    """Motions, one or more, that share their joints, and what was left out."""

    motions: Sequence[Motion]
    left_out: LeftOut

    def save(self, path: Path) -> None:
        """Write the compact 3D file."""
        write_motions(path, self.motions)

    def counts(self) -> dict[str, int]:
        """Clips of each label."""
        return dict(sorted(Counter(motion.label for motion in self.motions).items()))


def _joints(arrays: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    if arrays["joints"].ndim != 1:
        raise UserError(f"joints has shape {arrays['joints'].shape}, expected one name a joint")
    joints = tuple(str(joint) for joint in arrays["joints"])
    strangers = [joint for joint in joints if joint not in PART_OF_JOINT]
    missing = [joint for joint in BODY if joint not in joints]
    if strangers or missing or len(set(joints)) < len(joints):
        raise UserError(
            f"joints are {', '.join(joints)}: "
            + (
                f"{', '.join(strangers)} are no canonical names"
                if strangers
                else f"{', '.join(missing)} missing"
                if missing
                else "a name twice"
            )
        )
    return joints


def _motions(
    name: str,
    arrays: Mapping[str, np.ndarray],
    joints: tuple[str, ...],
    fps: np.ndarray | float,
    proportions: Proportions,
    left_out: LeftOut | None,
) -> list[Motion]:
    xyz, offsets = arrays["xyz"], arrays["offsets"]
    labels = arrays["action"] if "action" in arrays else arrays["class_names"][arrays["label"]]
    rates = np.broadcast_to(np.asarray(fps, np.float64), labels.shape)
    if xyz.ndim != 3 or xyz.shape[1:] != (len(joints), 3) or labels.ndim != 1 or offsets.shape != (len(labels) + 1,):
        raise UserError(
            f"xyz {xyz.shape}, offsets {offsets.shape} and labels {labels.shape} do not fit: expected "
            f"(F, {len(joints)}, 3), (N+1,) and (N,)"
        )
    if (
        offsets[0] != 0
        or offsets[-1] != len(xyz)
        or (np.diff(offsets) < 0).any()
        or not (rates > 0).all()
        or not np.isfinite(rates).all()
    ):
        raise UserError(f"offsets must rise from 0 to {len(xyz)} and fps be above 0")
    if not np.isfinite(xyz).all():
        raise UserError("xyz holds NaN or infinity")
    motions = []
    for i, label in enumerate(labels):
        extra = {key: str(arrays[key][i]) for key in EXTRA if key in arrays}
        motion = Motion(
            f"{name}/{i:05d}",
            xyz[offsets[i] : offsets[i + 1]],
            joints,
            float(rates[i]),
            str(label),
            f"{name}/{_person(arrays, i, extra)}",
            i,
            extra,
            proportions,
        )
        tracked = np.abs(motion.root()).sum(-1) > 0
        if tracked.sum() >= 2:
            motions.append(replace(motion, xyz=motion.xyz[tracked]))
        elif left_out is not None:
            left_out.add("nobody tracked for two frames", f"clip {i} ({label})")
    return motions


def nobody(extra: Mapping[str, str]) -> str:
    """In the place of a person whom the source does not know: the part of it with one style."""
    return "/".join(filter(None, (f"d{extra['dataset']}" if "dataset" in extra else "", extra.get("style", "")))) or "all"


def _person(arrays: Mapping[str, np.ndarray], i: int, extra: Mapping[str, str]) -> str:
    """`s07`, or what stands in its place."""
    if "subject" not in arrays:
        return nobody(extra)
    subject = arrays["subject"][i]
    return f"s{int(subject):02d}" if np.issubdtype(arrays["subject"].dtype, np.integer) else str(subject)


def is_motion_file(path: Path) -> bool:
    """Whether an `.npz` holds 3D motions rather than a skeleton data set."""
    with reading(path, "a data set file"), np.load(path, allow_pickle=False) as file:
        return {"xyz", "offsets"} <= set(file.files)
