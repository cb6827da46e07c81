"""A folder of BVH files as 3D motion: joints by name, metres, y up; label and person from the files' names or a table."""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose_attention_ros.core.body.layouts import PART_OF_JOINT
from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.errors import UserError, reading
from pose_attention_ros.core.machine.file_names import visible
from pose_attention_ros.data.finishing import LeftOut
from pose_attention_ros.data.motion3d.bvh_file import read_bvh
from pose_attention_ros.data.motion3d.compact import BODY, EXTRA, nobody
from pose_attention_ros.data.motion3d.record import Motion, measured

log = logging.getLogger(__name__)
# Metres of a unit: metre, inch, centimetre, millimetre, and CMU's (an inch through 0.45).
UNITS_M = {"m": 1.0, "inch": 0.0254, "cm": 0.01, "mm": 0.001, "cmu": 0.0254 / 0.45}
_LEG_AND_TRUNK_M = 1.25  # of a grown person: thigh, shank, and from hips to shoulders
_NAMES = {  # file names of known sets
    "bandai_namco": r"dataset-(?P<dataset>\d+)_(?P<label>[^_]+)_(?P<style>[^_]+)_\d+",
    "numbered": r"(?P<label>.*?)[-_ ]*\d*",
}


def _sided(**names: str) -> dict[str, str]:
    """Both sides of joints; `{S}`, `{s}` and `{L}` stand for Left, l and L."""
    return {
        f"{side}_{joint}": pattern.format(S=side.capitalize(), s=side[0], L=side[0].upper())
        for joint, pattern in names.items()
        for side in ("left", "right")
    }


# canonical joint -> its name in the file, in any spelling (`_bare`); tried in this order.
SKELETONS: dict[str, dict[str, str]] = {
    "arm and forearm (CMU, Mixamo, MotionBuilder)": {
        "head": "Head",
        "neck": "Neck",
        "hip_center": "Hips",
        "spine": "Spine",
        **_sided(
            shoulder="{S}Arm",
            elbow="{S}ForeArm",
            wrist="{S}Hand",
            hip="{S}UpLeg",
            knee="{S}Leg",
            ankle="{S}Foot",
            foot="{S}ToeBase",
        ),
    },
    "upper and lower (Bandai-Namco)": {
        "head": "Head",
        "neck": "Neck",
        "hip_center": "Hips",
        "spine": "Spine",
        **_sided(
            shoulder="UpperArm_{L}",
            elbow="LowerArm_{L}",
            wrist="Hand_{L}",
            hip="UpperLeg_{L}",
            knee="LowerLeg_{L}",
            ankle="Foot_{L}",
            foot="Toes_{L}",
        ),
    },
    "upper and lower, side first (Unity)": {
        "head": "Head",
        "neck": "Neck",
        "hip_center": "Hips",
        "spine": "Spine",
        **_sided(
            shoulder="{S}UpperArm",
            elbow="{S}LowerArm",
            wrist="{S}Hand",
            hip="{S}UpperLeg",
            knee="{S}LowerLeg",
            ankle="{S}Foot",
            foot="{S}Toe",
        ),
    },
    "thigh and shin (Rokoko)": {
        "head": "Head",
        "neck": "Neck",
        "hip_center": "Hips",
        "spine": "Spine",
        **_sided(
            shoulder="{S}Arm",
            elbow="{S}ForeArm",
            wrist="{S}Hand",
            hip="{S}Thigh",
            knee="{S}Shin",
            ankle="{S}Foot",
            foot="{S}Toe",
        ),
    },
    "thigh and calf (Unreal)": {
        "head": "head",
        "neck": "neck_01",
        "hip_center": "pelvis",
        "spine": "spine_01",
        **_sided(
            shoulder="upperarm_{s}",
            elbow="lowerarm_{s}",
            wrist="hand_{s}",
            hip="thigh_{s}",
            knee="calf_{s}",
            ankle="foot_{s}",
            foot="ball_{s}",
        ),
    },
    "collar and shoulder (Daz, Poser)": {
        "head": "head",
        "neck": "neck",
        "hip_center": "hip",
        "spine": "abdomen",
        **_sided(shoulder="{s}Shldr", elbow="{s}ForeArm", wrist="{s}Hand", hip="{s}Thigh", knee="{s}Shin", ankle="{s}Foot"),
    },
    "joints (Xsens, 3ds Max)": {
        "head": "Head",
        "neck": "Neck",
        "hip_center": "Hips",
        "spine": "Chest",
        **_sided(
            shoulder="{S}Shoulder",
            elbow="{S}Elbow",
            wrist="{S}Wrist",
            hip="{S}Hip",
            knee="{S}Knee",
            ankle="{S}Ankle",
            foot="{S}Toe",
        ),
    },
}


@dataclass(frozen=True)
class BvhConfig(Settings):
    """How BVH files are read; they say little of themselves."""

    unit: str = setting(
        "auto", "length of a unit; auto: the one that makes the first person a person", choices=("auto", *UNITS_M)
    )
    up: str = setting(
        "auto", "the axis that points up; auto: the one along which the first person stands", choices=("auto", "y", "z")
    )
    names: str = setting(
        "",
        "regular expression for file names with groups named label, person, style or dataset; empty: "
        "Bandai-Namco's names, else what stands before the number is the label",
    )
    max_fps: float = setting(60.0, "of files with more, frames are left out evenly", unit="Hz", low=1.0, high=1000.0)


def read_bvh_folder(
    folder: Path,
    config: BvhConfig,
    joint_names: Path | None = None,
    clip_labels: Path | None = None,
    left_out: LeftOut | None = None,
) -> list[Motion]:
    """Every BVH file in `folder` and below. All must have the joints of the first one's table.

    :param joint_names: YAML, {canonical joint: name in the files}, in place of the built-in tables
    :param clip_labels: CSV with the columns name, label and, if wished, person; name is a file's, without .bvh. Files that
        it does not name are left out
    :raises UserError: there is none, one cannot be read, or lacks a joint
    """
    files = visible(path for path in folder.rglob("*") if path.suffix.lower() == ".bvh") if folder.is_dir() else [folder]
    if not files:
        raise UserError(f"{folder} holds no .bvh file")
    name = (folder if folder.is_dir() else folder.parent).resolve().name
    table, given = _read_names(joint_names) if joint_names else None, _read_labels(clip_labels) if clip_labels else None
    matches = [re.compile(config.names)] if config.names else [re.compile(pattern) for pattern in _NAMES.values()]
    motions: list[Motion] = []
    scale_m = axis = None
    for number, path in enumerate(files):
        about = given.get(path.stem) if given is not None else _from_name(path.stem, matches)
        if about is None or not about.get("label"):
            if left_out is not None:
                left_out.add(
                    "the table of labels does not name it" if given is not None else "its name tells no label", path.name
                )
            continue
        bvh = read_bvh(path)
        table = table or _table_for(bvh.names(), path)
        rows = _rows(table, bvh.names(), path)
        step = max(1, int(np.ceil(bvh.fps / config.max_fps - 0.01)))
        xyz = bvh.positions()[::step, list(rows.values())]
        joints = tuple(rows)
        if scale_m is None:
            axis = _up(xyz, joints) if config.up == "auto" else config.up
            scale_m = _unit_m(xyz, joints) if config.unit == "auto" else UNITS_M[config.unit]
        xyz = _upright(xyz, axis) * scale_m
        extra = {key: about[key] for key in EXTRA if about.get(key)}
        motions.append(
            Motion(
                f"{name}/{path.stem}",
                xyz.astype(np.float32),
                joints,
                round(bvh.fps / step, 2),
                about["label"],
                f"{name}/{about.get('person') or nobody(extra)}",
                number,
                extra,
            )
        )
    return measured(motions)


def _bare(name: str) -> str:
    """A name without prefix, spelling and case: mixamorig:LeftUpLeg and left_up_leg are one."""
    return re.sub(r"[^a-z0-9]", "", name.rpartition(":")[2].lower())


def _table_for(names: Sequence[str], path: Path) -> dict[str, str]:
    there = {_bare(name) for name in names}
    for what, table in SKELETONS.items():
        if all(_bare(table[joint]) in there for joint in BODY):
            log.info("joints are named as in: %s", what)
            return {joint: name for joint, name in table.items() if _bare(name) in there}
    raise UserError(
        f"{path}: no built-in table fits its joints ({', '.join(names[:40])}); give --joint-names FILE.yaml "
        f"with a name for each of {', '.join(BODY)}"
    )


def _rows(table: Mapping[str, str], names: Sequence[str], path: Path) -> dict[str, int]:
    """{canonical joint: row in the file}."""
    bare = {_bare(name): row for row, name in reversed(list(enumerate(names)))}
    absent = [name for name in table.values() if _bare(name) not in bare]
    if absent:
        raise UserError(f"{path} has no joint {', '.join(absent)}; it has {', '.join(names[:40])}")
    return {joint: bare[_bare(name)] for joint, name in table.items()}


def _read_names(path: Path) -> dict[str, str]:
    import yaml

    with reading(path, "a table of joint names"):
        table = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(table, dict) or not all(isinstance(name, str) for pair in table.items() for name in pair):
            raise UserError(f"{path} is no table of joint names; expected lines such as left_wrist: LeftHand")
        odd = [joint for joint in table if joint not in PART_OF_JOINT]
        absent = [joint for joint in BODY if joint not in table]
        if odd or absent:
            raise UserError(
                f"{path}: "
                + (
                    f"{', '.join(absent)} are missing"
                    if absent
                    else f"{', '.join(odd)} are no canonical joints; known: {', '.join(PART_OF_JOINT)}"
                )
            )
        return table


def _read_labels(path: Path) -> dict[str, dict[str, str]]:
    with reading(path, "a table of labels"), path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file, skipinitialspace=True))
        if not rows or not {"name", "label"} <= set(rows[0]):
            raise UserError(f"{path} is no table of labels: expected the columns name,label[,person] in the first line")
        return {
            (row["name"] or "").removesuffix(".bvh"): {key: (row.get(key) or "").strip() for key in ("label", "person")}
            for row in rows
        }


def _from_name(stem: str, patterns: Sequence[re.Pattern]) -> dict[str, str] | None:
    found = next((match for match in (pattern.fullmatch(stem) for pattern in patterns) if match), None)
    return {key: value for key, value in found.groupdict().items() if value} if found else None


def _middle(xyz: np.ndarray, joints: Sequence[str], joint: str) -> np.ndarray:
    return (xyz[:, joints.index(f"left_{joint}")] + xyz[:, joints.index(f"right_{joint}")]) / 2


def _up(xyz: np.ndarray, joints: Sequence[str]) -> str:
    """y or z: along which the head is farther above the ankles."""
    rise = np.median(xyz[:, joints.index("head")] - _middle(xyz, joints, "ankle"), axis=0)
    return "z" if rise[2] > rise[1] else "y"


def _unit_m(xyz: np.ndarray, joints: Sequence[str]) -> float:
    """The unit in which legs and trunk are as long as a person's."""
    at = lambda joint: xyz[:, joints.index(joint)]  # noqa: E731
    chain = sum(
        float(np.median(np.linalg.norm(a - b, axis=-1)))
        for a, b in (
            (at("left_hip"), at("left_knee")),
            (at("left_knee"), at("left_ankle")),
            (_middle(xyz, joints, "shoulder"), _middle(xyz, joints, "hip")),
        )
    )
    unit = min(UNITS_M, key=lambda name: abs(np.log(max(chain, 1e-9) * UNITS_M[name] / _LEG_AND_TRUNK_M)))
    log.info("unit taken for %s: legs and trunk are %.2f m long", unit, chain * UNITS_M[unit])
    return UNITS_M[unit]


def _upright(xyz: np.ndarray, axis: str) -> np.ndarray:
    """Turned so that y points up, and half round: in a BVH one looks along z, in our world towards the camera."""
    y, z = (xyz[..., 1], xyz[..., 2]) if axis == "y" else (xyz[..., 2], -xyz[..., 1])
    return np.stack([-xyz[..., 0], y, -z], -1)
