"""The BVH format: a hierarchy of joints with offsets and channels, a table of the channels' values; forward kinematics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pose_attention_ros.core.errors import UserError, reading

_AXES = "XYZ"


@dataclass
class Joint:
    """parent: row of the joint above, -1 for a root; offset (3,) from it; channels: (position or rotation, axis 0 to 2)."""

    name: str
    parent: int
    offset: np.ndarray = field(default_factory=lambda: np.zeros(3))
    channels: list[tuple[str, int]] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Bvh:
    """joints, each after its parent; values (n, C) of all channels in their order, degrees and the file's unit; fps > 0."""

    joints: list[Joint]
    values: np.ndarray
    fps: float

    def names(self) -> list[str]:
        """Of the joints, in order."""
        return [joint.name for joint in self.joints]

    def positions(self) -> np.ndarray:
        """(n, V, 3): where each joint is, in the file's unit and axes.

        A joint turns by its rotations in the order of its channels; a position channel takes the place of the offset.
        """
        frames = len(self.values)
        places = np.zeros((frames, len(self.joints), 3))
        turns = np.zeros((len(self.joints), frames, 3, 3))
        column = 0
        for row, joint in enumerate(self.joints):
            local = np.tile(joint.offset, (frames, 1))
            turn = np.tile(np.eye(3), (frames, 1, 1))
            for kind, axis in joint.channels:
                if kind == "position":
                    local[:, axis] = self.values[:, column]
                else:
                    turn = turn @ _rotations(axis, np.deg2rad(self.values[:, column]))
                column += 1
            if joint.parent < 0:
                places[:, row], turns[row] = local, turn
            else:
                above = turns[joint.parent]
                places[:, row] = places[:, joint.parent] + (above @ local[..., None])[..., 0]
                turns[row] = above @ turn
        return places


def _rotations(axis: int, angle_rad: np.ndarray) -> np.ndarray:
    """(n, 3, 3), right-handed, about one axis."""
    a, b = (axis + 1) % 3, (axis + 2) % 3
    turn = np.zeros((len(angle_rad), 3, 3))
    turn[:, axis, axis] = 1
    turn[:, a, a] = turn[:, b, b] = np.cos(angle_rad)
    turn[:, b, a] = np.sin(angle_rad)
    turn[:, a, b] = -turn[:, b, a]
    return turn


def read_bvh(path: Path) -> Bvh:
    """Raises UserError that says what of the file is no BVH."""
    with reading(path, "a BVH file"):
        words = iter(path.read_text(encoding="utf-8-sig").split())
        joints = _hierarchy(words, path)
        channels = sum(len(joint.channels) for joint in joints)
        _expect(words, "Frames:", path)
        count = int(next(words))
        _expect(words, "Frame", path)
        _expect(words, "Time:", path)
        period_s = float(next(words))
        values = np.array(list(words), np.float64)
        if not (period_s > 0 and count > 0 and channels and len(values) == count * channels):
            raise UserError(
                f"{path} holds {len(values)} numbers at {period_s:g} s a frame; expected {count} frames of "
                f"{channels} channels"
            )
        if not np.isfinite(values).all():
            raise UserError(f"{path} holds values that are no finite numbers")
        return Bvh(joints, values.reshape(count, channels), 1 / period_s)


def _expect(words: Iterator[str], wanted: str, path: Path) -> None:
    found = next(words, "")
    if found != wanted:
        raise UserError(f"{path} is not a BVH file: {found[:40]!r} where {wanted!r} should be")


def _hierarchy(words: Iterator[str], path: Path) -> list[Joint]:
    """The joints up to the word MOTION. End sites are no joints."""
    _expect(words, "HIERARCHY", path)
    joints: list[Joint] = []
    open_rows: list[int] = []  # -1 for an end site
    for word in words:
        if word == "MOTION":
            break
        if word in ("ROOT", "JOINT"):
            name = next(words)
            joints.append(Joint(name, open_rows[-1] if open_rows else -1))
            _expect(words, "{", path)
            open_rows.append(len(joints) - 1)
        elif word == "End":
            _expect(words, "Site", path)
            _expect(words, "{", path)
            open_rows.append(-1)
        elif word == "OFFSET":
            offset = np.array([float(next(words)) for _ in range(3)])
            if open_rows[-1] >= 0:
                joints[open_rows[-1]].offset = offset
        elif word == "CHANNELS":
            joints[open_rows[-1]].channels = [_channel(next(words), path) for _ in range(int(next(words)))]
        elif word == "}":
            open_rows.pop()
        else:
            raise UserError(f"{path} is not a BVH file: {word[:40]!r} in its hierarchy")
    if not joints or open_rows:
        raise UserError(f"{path} is not a BVH file: its hierarchy {'does not end' if joints else 'is empty'}")
    return joints


def _channel(word: str, path: Path) -> tuple[str, int]:
    axis, kind = word[:1].upper(), word[1:].lower()
    if axis not in _AXES or not axis or kind not in ("position", "rotation"):
        raise UserError(f"{path} has a channel {word[:40]!r}; expected Xposition, Yrotation and the like")
    return kind, _AXES.index(axis)
