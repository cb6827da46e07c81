"""UTD-MHAD (Chen, Jafari, Kehtarnavaz, ICIP 2015) as published: a folder of a1_s1_t1_skeleton.mat, Kinect v1, 30 Hz.

`d_skel` (20, 3, n) metres, in Kinect's world, which is ours. The numbers are action, subject and trial.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from pose_attention_ros.core.errors import UserError, reading
from pose_attention_ros.core.machine.file_names import visible
from pose_attention_ros.data.finishing import LeftOut
from pose_attention_ros.data.matlab import read_mat
from pose_attention_ros.data.motion3d.record import Motion, measured

FPS = 30.0
# fmt: off
JOINTS = ("head", "neck", "spine", "hip_center", "left_shoulder", "left_elbow", "left_wrist", "left_hand", "right_shoulder",
          "right_elbow", "right_wrist", "right_hand", "left_hip", "left_knee", "left_ankle", "left_foot", "right_hip",
          "right_knee", "right_ankle", "right_foot")
ACTIONS = ("swipe_left", "swipe_right", "wave", "clap", "throw", "arm_cross", "basketball_shoot", "draw_x",
           "draw_circle_clockwise", "draw_circle_counter_clockwise", "draw_triangle", "bowling", "boxing", "baseball_swing",
           "tennis_swing", "arm_curl", "tennis_serve", "push", "knock", "catch", "pickup_throw", "jog", "walk",
           "sit_to_stand", "stand_to_sit", "lunge", "squat")
# fmt: on
_NAME = re.compile(r"a(\d+)_s(\d+)_t(\d+)_skeleton")


def read_utd(folder: Path, left_out: LeftOut | None = None) -> list[Motion]:
    """Every clip of the folder, by the numbers in its name. Raises UserError where there is none, or one cannot be read."""
    named = [(match, path) for path in visible(folder.rglob("*.mat")) if (match := _NAME.fullmatch(path.stem))]
    if not named:
        raise UserError(f"{folder} holds no skeleton file of UTD-MHAD; expected a1_s1_t1_skeleton.mat and the like")
    motions = []
    for match, path in sorted(named, key=lambda pair: [int(number) for number in pair[0].groups()]):
        action, subject, _ = (int(number) for number in match.groups())
        if not 1 <= action <= len(ACTIONS):
            if left_out is not None:
                left_out.add("of no known action", path.name)
            continue
        motions.append(
            Motion(
                f"utd_mhad/{path.stem.removesuffix('_skeleton')}",
                read_skeleton(path),
                JOINTS,
                FPS,
                ACTIONS[action - 1],
                f"utd_mhad/s{subject:02d}",
                len(motions),
            )
        )
    return measured(motions)


def read_skeleton(path: Path) -> np.ndarray:
    """(n, 20, 3) float32 metres. Raises UserError."""
    with reading(path, "a skeleton file of UTD-MHAD"):
        skeleton = np.asarray(read_mat(path)["d_skel"], np.float32)
        if skeleton.ndim != 3 or skeleton.shape[:2] != (len(JOINTS), 3) or skeleton.shape[2] < 2:
            raise UserError(f"{path}: d_skel has shape {skeleton.shape}, expected (20, 3, frames)")
        if not np.isfinite(skeleton).all():
            raise UserError(f"{path}: d_skel holds NaN or infinity")
        return skeleton.transpose(2, 0, 1)
