"""The service teach_action as another node calls it: a lesson from begin to label, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from people_messages import message_of_graphs

from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.graph_stage import GraphConfig, GraphStage
from pose_attention_ros.core.types import Skeletons
from pose_attention_ros.msg import ActionLabelArray, ActionModel, SkeletonGraphArray
from pose_attention_ros.ros.qos import latched_profile
from pose_attention_ros.srv import TeachAction

COCO = layout("coco17")
FPS, TURN_S, STILL_S = 15.0, 1.5, 1.2
# A person of 240 pixels who faces the camera.
STANDING = {
    "nose": (0, 0),
    "left_eye": (5, -4),
    "right_eye": (-5, -4),
    "left_ear": (11, 0),
    "right_ear": (-11, 0),
    "left_shoulder": (24, 34),
    "right_shoulder": (-24, 34),
    "left_elbow": (32, 72),
    "right_elbow": (-32, 72),
    "left_wrist": (34, 108),
    "right_wrist": (-34, 108),
    "left_hip": (16, 110),
    "right_hip": (-16, 110),
    "left_knee": (18, 165),
    "right_knee": (-18, 165),
    "left_ankle": (19, 220),
    "right_ankle": (-19, 220),
}


class Actor:
    """Stands, then draws a large circle with both arms, then stands; a frame a call."""

    def __init__(self, seed: int = 0) -> None:
        self._stage, self._number, self._rng = GraphStage(GraphConfig(confirm_s=0.0)), 0, np.random.default_rng(seed)

    def frame(self, phase: float | None) -> SkeletonGraphArray:
        """:param phase: of the circle, 0 to 1; None: standing"""
        points = np.array([STANDING[name] for name in COCO.joints], np.float64) + (320, 120)
        if phase is not None:
            turn = 2 * np.pi * phase
            for side, sign in (("left", 1), ("right", -1)):
                shoulder = points[COCO.joints.index(f"{side}_shoulder")]
                reach = np.array([sign * np.sin(turn), np.cos(turn)])
                points[COCO.joints.index(f"{side}_elbow")] = shoulder + 38 * reach
                points[COCO.joints.index(f"{side}_wrist")] = shoulder + 74 * reach
        points += self._rng.normal(0, 0.3, points.shape)
        self._number += 1
        box = np.array([[*points.min(0), *points.max(0)]])
        sure = np.full((1, 17), 0.9)
        seen = Skeletons(round(self._number / FPS * 1e9), "camera", COCO, (640, 480), points[None], sure, box, sure[:, 0])
        return message_of_graphs(self._stage(seen))

    def performance(self) -> list[SkeletonGraphArray]:
        still, moving = round(STILL_S * FPS), round(TURN_S * FPS)
        return [self.frame(phase) for phase in (*[None] * still, *np.linspace(0, 1, moving), *[None] * still)]


def test_another_node_teaches_an_action_and_reads_its_label(start: Callable, probe: Any, tmp_path: Path) -> None:
    taught = tmp_path / "taught.json"
    start("action", {"taught": str(taught), "warm_up_s": 0.3, "hold_s": 0.1})
    answers = probe.collect(ActionLabelArray, "actions")
    models = probe.collect(ActionModel, "action_model", latched_profile())
    graphs, actor = probe.publisher(SkeletonGraphArray, "skeleton_graphs"), Actor()

    def answered(stamp: Any) -> bool:
        return bool(answers) and answers[-1].header.stamp == stamp

    def show() -> set[str]:
        """The labels of one performance, every frame of which is answered."""
        said = set()
        for message in actor.performance():
            graphs.publish(message)
            probe.until(partial(answered, message.header.stamp), "an answer")
            said.update(person.label for person in answers[-1].actions)
        return said

    def ask(command: int, **what: Any) -> TeachAction.Response:
        asked = TeachAction.Request(command=command, **what)
        return probe.call(TeachAction, "teach_action", asked, greeting=TeachAction.Request(command=request.STATUS))

    request = TeachAction.Request
    show()
    person = answers[-1].actions[0].track_id
    begun = ask(request.BEGIN, name="arm circle", track_id=person)
    assert begun.success and begun.lesson == "arm circle" and begun.lesson_track_id == person, begun.message
    for _ in range(4):
        show()
    told = ask(request.STATUS)
    assert len(told.take_begins) == len(told.take_ends) == 4
    assert len(ask(request.DROP_TAKE, take=0).take_begins) == 3
    learnt = ask(request.LEARN)
    assert learnt.success and list(learnt.names) == ["arm circle"] and list(learnt.take_counts) == [3], learnt.message
    probe.until(lambda: models and models[-1].classes[-1] == "arm circle", "the model's card with the new class")
    assert "arm circle" in show()
    assert answers[-1].model_sha256 == models[-1].model_sha256  # who records labels knows what they mean
    assert [action["name"] for action in json.loads(taught.read_text())["actions"]] == ["arm circle"]
    assert list(ask(request.RENAME, name="arm circle", new_name="windmill").names) == ["windmill"]
    assert not ask(request.REMOVE, name="windmill").names
    probe.until(lambda: models[-1].classes[-1] != "windmill", "the model's card without it")
    assert "windmill" not in show()
    for command, what, why in (
        (request.LEARN, {}, "begin first"),
        (request.BEGIN, {"name": "walk"}, "walk"),
        (request.BEGIN, {"name": "../../etc"}, "letters"),
        (99, {}, "expected 0 to 6"),
    ):
        refused = ask(command, **what)
        assert not refused.success and why in refused.message and "\n" not in refused.message
