"""Skeleton layouts as tables: joint names, limbs, body parts, mirror pairs, and maps between layouts by joint name.

Joint names are canonical (`left_wrist`, never `LWrist` or an index), left and right are the person's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

PARTS: tuple[str, ...] = ("head", "torso", "left_arm", "right_arm", "left_leg", "right_leg")

# fmt: off
_PART_OF = {
    "head": ("head", "nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    "torso": ("neck", "belly", "spine", "spine_shoulder", "hip_center", "left_shoulder", "right_shoulder",
              "left_hip", "right_hip"),
    "left_arm": ("left_elbow", "left_wrist", "left_hand", "left_hand_tip", "left_thumb"),
    "right_arm": ("right_elbow", "right_wrist", "right_hand", "right_hand_tip", "right_thumb"),
    "left_leg": ("left_knee", "left_ankle", "left_foot"),
    "right_leg": ("right_knee", "right_ankle", "right_foot"),
}
# fmt: on
PART_OF_JOINT: dict[str, str] = {joint: part for part, joints in _PART_OF.items() for joint in joints}

# A joint that a source layout lacks may be derived: the mean of the first group below of which at least one joint is there.
# Groups are tried in order; `all` groups need every member (a neck needs both shoulders).
# fmt: off
_DERIVED: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "head": (("any", ("left_ear", "right_ear", "nose", "left_eye", "right_eye")),),
    "nose": (("any", ("head",)),),
    "neck": (("all", ("left_shoulder", "right_shoulder")),),
    "hip_center": (("all", ("left_hip", "right_hip")),),
    "belly": (("any", ("spine",)), ("all", ("left_shoulder", "right_shoulder", "left_hip", "right_hip"))),
    "spine": (("any", ("belly",)), ("all", ("left_shoulder", "right_shoulder", "left_hip", "right_hip"))),
    "left_hand": (("any", ("left_wrist",)),),
    "right_hand": (("any", ("right_wrist",)),),
    "left_foot": (("any", ("left_ankle",)),),
    "right_foot": (("any", ("right_ankle",)),),
}
# fmt: on


@dataclass(frozen=True)
class Layout:
    """A set of joints in an order, with the limbs between them.

    :param name: key in LAYOUTS; it is what messages and files carry
    :param joints: V canonical joint names
    :param limbs: pairs of joint names, the edges of the human graph
    """

    name: str
    joints: tuple[str, ...]
    limbs: tuple[tuple[str, str], ...]

    def __reduce__(self) -> tuple:
        """Travels to other processes by its name."""
        return layout, (self.name,)

    def index(self, joint: str) -> int:
        """Row of `joint`. Raises KeyError with the names that exist."""
        try:
            return self.joints.index(joint)
        except ValueError:
            raise KeyError(f"layout {self.name!r} has no joint {joint!r}; it has {', '.join(self.joints)}") from None

    @cached_property
    def limb_indices(self) -> np.ndarray:
        """(L, 2) int64 rows of the two ends of each limb."""
        return np.array([[self.index(a), self.index(b)] for a, b in self.limbs], dtype=np.int64)

    @cached_property
    def mirror(self) -> np.ndarray:
        """(V,) int64: row of each joint's left-right partner (itself on the mid-line). Mirroring twice is the identity."""
        swap = {"left_": "right_", "right_": "left_"}
        partner = lambda j: next((swap[p] + j[len(p) :] for p in swap if j.startswith(p)), j)  # noqa: E731
        return np.array([self.index(partner(joint)) for joint in self.joints], dtype=np.int64)

    @cached_property
    def part_indices(self) -> np.ndarray:
        """(V,) int64: row in PARTS of the body part that each joint belongs to."""
        return np.array([PARTS.index(PART_OF_JOINT[joint]) for joint in self.joints], dtype=np.int64)


def _both(limbs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Limbs of the left side, and the same of the right."""
    right = tuple((a.replace("left_", "right_"), b.replace("left_", "right_")) for a, b in limbs)
    return limbs + right


_ARM_AND_LEG = (
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
)
_TRUNK = (("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")) + _both((("left_shoulder", "left_hip"),))
_BODY_12 = _TRUNK + _both(_ARM_AND_LEG)
_BODY_13 = _BODY_12 + _both((("head", "left_shoulder"),))
# fmt: off
_JOINTS_13 = ("head", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
              "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle")
_KINECT_SIDE = (("neck", "left_shoulder"), ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
                ("left_wrist", "left_hand"), ("hip_center", "left_hip"), ("left_hip", "left_knee"),
                ("left_knee", "left_ankle"), ("left_ankle", "left_foot"))
# fmt: on

_TABLE = (
    Layout(
        "coco17",
        (
            "nose",
            "left_eye",
            "right_eye",
            "left_ear",
            "right_ear",
            "left_shoulder",
            "right_shoulder",
            "left_elbow",
            "right_elbow",
            "left_wrist",
            "right_wrist",
            "left_hip",
            "right_hip",
            "left_knee",
            "right_knee",
            "left_ankle",
            "right_ankle",
        ),
        _BODY_12 + _both((("nose", "left_eye"), ("left_eye", "left_ear"), ("left_ear", "left_shoulder"))),
    ),
    Layout("common13", _JOINTS_13, _BODY_13),
    Layout("penn13", _JOINTS_13, _BODY_13),
    Layout(
        "jhmdb15",
        (
            "neck",
            "belly",
            "head",
            "right_shoulder",
            "left_shoulder",
            "right_hip",
            "left_hip",
            "right_elbow",
            "left_elbow",
            "right_knee",
            "left_knee",
            "right_wrist",
            "left_wrist",
            "right_ankle",
            "left_ankle",
        ),
        (("head", "neck"), ("neck", "belly")) + _both((("neck", "left_shoulder"), ("belly", "left_hip")) + _ARM_AND_LEG),
    ),
    Layout(
        "openpose18",
        (
            "nose",
            "neck",
            "right_shoulder",
            "right_elbow",
            "right_wrist",
            "left_shoulder",
            "left_elbow",
            "left_wrist",
            "right_hip",
            "right_knee",
            "right_ankle",
            "left_hip",
            "left_knee",
            "left_ankle",
            "right_eye",
            "left_eye",
            "right_ear",
            "left_ear",
        ),
        (("nose", "neck"),)
        + _both(
            (
                ("neck", "left_shoulder"),
                ("neck", "left_hip"),
                ("nose", "left_eye"),
                ("left_eye", "left_ear"),
                ("left_ear", "left_shoulder"),
            )
            + _ARM_AND_LEG
        ),
    ),
    Layout(
        "kinect20",
        (
            "hip_center",
            "spine",
            "neck",
            "head",
            "left_shoulder",
            "left_elbow",
            "left_wrist",
            "left_hand",
            "right_shoulder",
            "right_elbow",
            "right_wrist",
            "right_hand",
            "left_hip",
            "left_knee",
            "left_ankle",
            "left_foot",
            "right_hip",
            "right_knee",
            "right_ankle",
            "right_foot",
        ),
        (("head", "neck"), ("neck", "spine"), ("spine", "hip_center")) + _both(_KINECT_SIDE),
    ),
    Layout(
        "kinect25",
        (
            "hip_center",
            "spine",
            "neck",
            "head",
            "left_shoulder",
            "left_elbow",
            "left_wrist",
            "left_hand",
            "right_shoulder",
            "right_elbow",
            "right_wrist",
            "right_hand",
            "left_hip",
            "left_knee",
            "left_ankle",
            "left_foot",
            "right_hip",
            "right_knee",
            "right_ankle",
            "right_foot",
            "spine_shoulder",
            "left_hand_tip",
            "left_thumb",
            "right_hand_tip",
            "right_thumb",
        ),
        (("head", "neck"), ("neck", "spine_shoulder"), ("spine_shoulder", "spine"), ("spine", "hip_center"))
        + _both(
            (
                ("spine_shoulder", "left_shoulder"),
                *_KINECT_SIDE[1:],
                ("left_hand", "left_hand_tip"),
                ("left_wrist", "left_thumb"),
            )
        ),
    ),
)
LAYOUTS: dict[str, Layout] = {table.name: table for table in _TABLE}


def layout(name: str) -> Layout:
    """The layout called `name`. Raises ValueError with the names that exist."""
    try:
        return LAYOUTS[name]
    except KeyError:
        raise ValueError(f"no skeleton layout {name!r}; known: {', '.join(LAYOUTS)}") from None


@dataclass(frozen=True, eq=False)
class JointMap:
    """Joints of one layout expressed in another; make it with `joint_map`.

    weights (V_target, V_source) float32: row t says which source joints joint t may be averaged from.
    needs_all (V_target,) bool: whether every one of them must be present.
    """

    weights: np.ndarray
    needs_all: np.ndarray

    @cached_property
    def _share_of_all(self) -> np.ndarray:
        """(V_target,) float32: what each source joint counts where all of them are present."""
        usable = self.weights.sum(1)
        return np.where(usable == 0, 0, 1 / np.maximum(usable, 1)).astype(np.float32)

    def __call__(self, keypoints: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Map keypoints (..., V_source, D) and scores (..., V_source) to the target layout.

        A derived joint is the mean of the present source joints (score > 0) and has their mean score; a target joint with
        nothing to rest on has score 0 and position 0.
        """
        there = scores > 0
        if there.all():  # as most estimators have it
            mapped = self.weights @ np.asarray(keypoints, np.float32)
            return mapped * self._share_of_all[:, None], np.asarray(scores @ self.weights.T * self._share_of_all, np.float32)
        present = there.astype(np.float32)
        usable = present @ self.weights.T
        missing = (usable == 0) | (self.needs_all & (usable < self.weights.sum(1)))
        share = np.where(missing, 0, 1 / np.maximum(usable, 1)).astype(np.float32)
        mapped = self.weights @ np.where(present[..., None] > 0, keypoints, 0).astype(np.float32)
        return mapped * share[..., None], ((scores * present) @ self.weights.T * share).astype(np.float32)


def joint_map(source: tuple[str, ...], target: tuple[str, ...]) -> JointMap:
    """How to read joints named `target` out of joints named `source`: by name, else derived (`_DERIVED`), else missing."""
    weights = np.zeros((len(target), len(source)), np.float32)
    needs_all = np.zeros(len(target), bool)
    for row, joint in enumerate(target):
        if joint in source:
            weights[row, source.index(joint)] = 1
            continue
        for kind, group in _DERIVED.get(joint, ()):
            there = [name for name in group if name in source]
            if there and (kind == "any" or len(there) == len(group)):
                weights[row, [source.index(name) for name in there]] = 1
                needs_all[row] = kind == "all"
                break
    return JointMap(weights, needs_all)


@cache
def layout_map(source_name: str, target_name: str) -> JointMap:
    """`joint_map` between two named layouts."""
    return joint_map(layout(source_name).joints, layout(target_name).joints)
