"""Bags that tests make: people of whom every joint is known, as skeletons or as anything else that a bag may hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pose_attention_ros.bags.types import ACTION_MODEL
from pose_attention_ros.bags.writing import BagWriter, make, skeletons_message
from pose_attention_ros.core.actions.recogniser import ModelSpec
from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.types import Skeletons

START_NS = 1_700_000_000 * 10**9
COCO = layout("coco17")
SIZE = (640, 480)
# A person 3.7 body units tall, joints in the order of coco17.
# fmt: off
_UPRIGHT = np.array([(0, -1.7), (0.05, -1.75), (-0.05, -1.75), (0.12, -1.7), (-0.12, -1.7), (0.25, -1.3), (-0.25, -1.3),
                     (0.32, -0.75), (-0.32, -0.75), (0.34, -0.2), (-0.34, -0.2), (0.16, -0.3), (-0.16, -0.3), (0.17, 0.55),
                     (-0.17, 0.55), (0.18, 1.35), (-0.18, 1.35)])
# fmt: on


def person(second: float, left_px: float, waving: bool = False) -> np.ndarray:
    """(17, 2) pixels of somebody who stands, or waves the left hand above the head."""
    pose = _UPRIGHT.copy()
    if waving:
        pose[7], pose[9] = (0.45, -1.5), (0.45 + 0.3 * np.sin(10 * second), -2.1)
    return (pose * 80 + (left_px, 240)).astype(np.float32)


def skeletons(stamp_ns: int, people: Sequence[np.ndarray]) -> Skeletons:
    """A record of sure joints."""
    points = np.array(people, np.float32).reshape(-1, 17, 2)
    boxes = np.concatenate([points.min(1), points.max(1)], 1) if len(points) else np.zeros((0, 4))
    return Skeletons(stamp_ns, "cam", COCO, SIZE, points, np.full(points.shape[:2], 0.9), boxes, np.full(len(points), 0.9))


def scene(frames: int, fps: float = 15.0, people: int = 1, waves: tuple[float, float] = (0.0, 0.0)) -> list[Skeletons]:
    """People who stand side by side; the first one waves between the two seconds."""
    return [
        skeletons(
            START_NS + round(i / fps * 1e9),
            [person(i / fps, 120 + 180 * k, waving=k == 0 and waves[0] <= i / fps < waves[1]) for k in range(people)],
        )
        for i in range(frames)
    ]


def write_skeleton_bag(
    path: Path, records: Sequence[Skeletons], storage: str = "mcap", compressed: bool = False, delay_ns: int = 40_000_000
) -> Path:
    """Each record in the order given, recorded `delay_ns` after its stamp, time of recording never going back."""
    recorded_ns = 0
    with BagWriter(path, storage, compressed) as writer:
        for record in records:
            recorded_ns = max(recorded_ns + 1, record.stamp_ns + delay_ns)
            writer.write("/skeletons", recorded_ns, skeletons_message(record))
    return path


def string(text: str):
    return make("std_msgs/msg/String", data=text)


def model_message(spec: ModelSpec):
    """What a node that recognises says of its model."""
    return make(
        ACTION_MODEL,
        model_id=spec.model_id,
        model_sha256=spec.sha256,
        layout=spec.layout.name,
        joints=list(spec.layout.joints),
        classes=list(spec.classes),
        rate=spec.rate_hz,
        threshold=spec.threshold,
    )
