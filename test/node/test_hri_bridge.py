"""People as ROS4HRI bodies: every joint where hri_msgs says, ids that come and go, and one clear line where it is absent."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from people_messages import message_of_graphs, message_of_skeletons
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Float32, String

from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.graph_stage import GraphConfig, GraphStage
from pose_attention_ros.core.types import Skeletons
from pose_attention_ros.msg import ActionLabel, ActionLabelArray, SkeletonArray, SkeletonGraphArray
from pose_attention_ros.ros.hri_messages import hri_joints
from pose_attention_ros.ros.qos import latched_profile
from pose_attention_ros.ros.stamps import header_of

HERE = importlib.util.find_spec("hri_msgs") is not None
WITH_HRI = pytest.mark.skipif(not HERE, reason="hri_msgs is not installed")
# The constants of hri_msgs/Skeleton2D 2.0, written down from its definition: eyes and ears left before right.
# fmt: off
HRI = ("NOSE", "NECK", "RIGHT_SHOULDER", "RIGHT_ELBOW", "RIGHT_WRIST", "LEFT_SHOULDER", "LEFT_ELBOW", "LEFT_WRIST",
       "RIGHT_HIP", "RIGHT_KNEE", "RIGHT_ANKLE", "LEFT_HIP", "LEFT_KNEE", "LEFT_ANKLE", "LEFT_EYE", "RIGHT_EYE", "LEFT_EAR",
       "RIGHT_EAR")
# fmt: on
CONSTANTS = SimpleNamespace(**{name: number for number, name in enumerate(HRI)})
COCO = layout("coco17")
SIZE = (640, 480)


def test_joints_go_where_the_constants_say() -> None:
    assert hri_joints(CONSTANTS) == tuple(name.lower() for name in HRI)


def test_hri_msgs_differs_from_openpose_at_eyes_and_ears_alone() -> None:
    differing = [
        (ours, openpose) for ours, openpose in zip(hri_joints(CONSTANTS), layout("openpose18").joints) if ours != openpose
    ]
    assert differing == [
        ("left_eye", "right_eye"),
        ("right_eye", "left_eye"),
        ("left_ear", "right_ear"),
        ("right_ear", "left_ear"),
    ]


@pytest.mark.parametrize("change", [{"NOSE": 1}, {"LEFT_EAR": 18}])
def test_a_message_of_another_kind_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected each of 0 to 17 once"):
        hri_joints(SimpleNamespace(**{**vars(CONSTANTS), **change}))


@WITH_HRI
def test_the_installed_message_has_these_constants() -> None:
    from hri_msgs.msg import Skeleton2D

    assert {name: getattr(Skeleton2D, name) for name in HRI} == vars(CONSTANTS)


@pytest.mark.skipif(HERE, reason="hri_msgs is installed")
def test_without_hri_msgs_the_node_says_what_to_install(start: Callable) -> None:
    process = start("hri_bridge")
    assert process.wait() == 1
    assert len(process.lines) == 1 and "hri_bridge needs hri_msgs" in process.output and "apt install" in process.output


def people(stamp_s: float, lefts_px: tuple[float, ...]) -> Skeletons:
    """People with joint number j of coco17 at x = left + j, y = 10 j, and its score 0.5 + j / 100; nobody's nose is seen."""
    joints = np.arange(17)
    points = np.array([np.stack([left + joints, 10 + 10 * joints], -1) for left in lefts_px]).reshape(-1, 17, 2)
    scores = np.tile(np.where(joints == COCO.index("nose"), 0, 0.5 + joints / 100), (len(lefts_px), 1))
    boxes = np.array([(left, 10, left + 20, 180) for left in lefts_px]).reshape(-1, 4)
    return Skeletons(round(stamp_s * 1e9), "camera", COCO, SIZE, points, scores, boxes, np.full(len(lefts_px), 0.75))


@WITH_HRI
def test_bodies_are_published_as_the_standard_says(start: Callable, probe: Any) -> None:
    from hri_msgs.msg import Gesture, IdsList, NormalizedRegionOfInterest2D, Skeleton2D

    prefix = f"b{probe.namespace.strip('/')}_"  # the topics are global: other runs may be heard
    process = start("hri_bridge", {"id_prefix": prefix})
    tracked = probe.collect(IdsList, "/humans/bodies/tracked")
    publishers = {
        name: probe.publisher(kind, name)
        for name, kind in (
            ("skeletons", SkeletonArray),
            ("skeleton_graphs", SkeletonGraphArray),
            ("actions", ActionLabelArray),
        )
    }
    stage = GraphStage(GraphConfig(confirm_s=0.0, max_gap_s=5.0))
    stamps = iter(np.arange(1, 1000) / 10)

    def show(*lefts_px: float, skip_s: float = 0.0) -> float:
        stamp_s = next(stamps) + skip_s
        seen = people(stamp_s, lefts_px)
        publishers["skeletons"].publish(message_of_skeletons(seen))
        publishers["skeleton_graphs"].publish(message_of_graphs(stage(seen)))
        return stamp_s

    def ids() -> list[str]:
        mine = [message.ids for message in tracked if all(each.startswith(prefix) for each in message.ids)]
        return list(mine[-1]) if mine else []

    def listed(*lefts_px: float, count: int) -> bool:
        show(*lefts_px)
        probe.spin_for(0.05)
        return len(ids()) == count

    probe.until(lambda: listed(100.0, 400.0, count=2) and show(100.0, 400.0) > 3, "two bodies whose tracks have settled")
    first, second = ids()
    skeletons = probe.collect(Skeleton2D, f"/humans/bodies/{first}/skeleton2d")
    regions = probe.collect(NormalizedRegionOfInterest2D, f"/humans/bodies/{second}/roi")
    gestures = probe.collect(Gesture, f"/humans/bodies/{first}/gesture")
    probe.until(lambda: listed(100.0, 400.0, count=2) and bool(skeletons) and bool(regions), "a skeleton and a region")

    points = skeletons[-1].skeleton
    assert len(points) == 18 and skeletons[-1].header.frame_id == "camera"
    for number, name in enumerate(HRI):
        point, joint = points[number], name.lower()
        if joint == "nose":  # it was not seen
            assert (point.x, point.y, point.c) == (0, 0, 0)
        elif joint == "neck":
            assert point.x == pytest.approx((100 + (5 + 6) / 2) / 640) and point.c > 0
        else:
            source = COCO.index(joint)
            expected = ((100 + source) / 640, (10 + 10 * source) / 480, 0.5 + source / 100)
            assert (point.x, point.y, point.c) == pytest.approx(expected)
    region = regions[-1]
    assert (region.xmin, region.ymin, region.xmax, region.ymax, region.c) == pytest.approx(
        (400 / 640, 10 / 480, 420 / 640, 180 / 480, 0.75)
    )

    wave = ActionLabel(track_id=int(first.removeprefix(prefix)), label="wave", state=ActionLabel.STATE_CONFIRMED)
    unsure = ActionLabel(track_id=int(second.removeprefix(prefix)), label="unknown", state=ActionLabel.STATE_UNKNOWN)

    def waved() -> bool:
        publishers["actions"].publish(ActionLabelArray(header=header_of(10**9, "camera"), actions=[wave, unsure]))
        return bool(gestures)

    probe.until(waved, "a gesture")
    assert gestures[-1].gesture == Gesture.WAVING

    probe.until(lambda: listed(100.0, count=1), "the end of the second body")
    assert ids() == [first]
    probe.until(lambda: probe.node.count_publishers(f"/humans/bodies/{second}/roi") == 0, "the end of its topics")
    assert process.running and "Traceback" not in process.output


HAS_TF = importlib.util.find_spec("tf2_msgs") is not None


@WITH_HRI
@pytest.mark.skipif(not HAS_TF, reason="tf2_msgs is not installed")
def test_a_person_before_a_calibrated_camera_has_frames(start: Callable, probe: Any) -> None:
    """What clients of ROS4HRI do: take the ids of persons, their confidence, and look their frames up in /tf."""
    from hri_msgs.msg import IdsList
    from tf2_msgs.msg import TFMessage

    prefix = f"c{probe.namespace.strip('/')}_"
    start("hri_bridge", {"id_prefix": prefix})
    persons, transforms = probe.collect(IdsList, "/humans/persons/tracked"), probe.collect(TFMessage, "/tf")
    publishers = {
        name: probe.publisher(kind, name)
        for name, kind in (
            ("skeletons", SkeletonArray),
            ("skeleton_graphs", SkeletonGraphArray),
            ("camera_info", CameraInfo),
        )
    }
    stage, stamps = GraphStage(GraphConfig(confirm_s=0.0)), iter(np.arange(1, 1000) / 10)
    focal_px, distance_m = 500.0, 3.0
    calibration = CameraInfo(width=640, height=480, k=[focal_px, 0.0, 320.0, 0.0, focal_px, 240.0, 0.0, 0.0, 1.0])

    def show(calibrated: bool) -> None:
        seen = standing(next(stamps), distance_m, focal_px)
        if calibrated:
            publishers["camera_info"].publish(calibration)
        publishers["skeletons"].publish(message_of_skeletons(seen))
        publishers["skeleton_graphs"].publish(message_of_graphs(stage(seen)))
        probe.spin_for(0.05)

    def ids() -> list[str]:
        return [each for message in persons for each in message.ids if each.startswith(prefix)]

    probe.until(lambda: show(False) or bool(ids()), "a person")
    person = ids()[-1]
    sure = probe.collect(Float32, f"/humans/persons/{person}/location_confidence")
    body = probe.collect(String, f"/humans/persons/{person}/body_id", latched_profile())
    probe.until(lambda: show(False) or (bool(sure) and bool(body)), "what is told of the person")
    assert body[0].data == person and sure[-1].data == 0 and not transforms

    def frames() -> dict[str, Any]:
        return {each.child_frame_id: each for message in transforms for each in message.transforms}

    wanted = {f"{part}_{person}" for part in ("person", "body", "head")}
    probe.until(lambda: show(True) or (wanted <= frames().keys() and sure[-1].data == 1), "its frames")
    placed, head = frames()[f"body_{person}"], frames()[f"head_{person}"]
    where = placed.transform.translation
    assert placed.header.frame_id == "camera" and head.header.frame_id == f"body_{person}"
    assert (where.x, where.y, where.z) == pytest.approx((0, 0, distance_m), abs=0.1)
    assert head.transform.translation.z == pytest.approx(0.7, abs=0.1)  # above the hips
    assert frames()[f"person_{person}"].header.frame_id == f"head_{person}"


def standing(stamp_s: float, distance_m: float, focal_px: float) -> Skeletons:
    """Somebody of 1.7 m who faces the camera, the hips on its axis."""
    # fmt: off
    heights = {"shoulder": (0.22, 0.49), "elbow": (0.24, 0.174), "wrist": (0.26, -0.074), "hip": (0.1, 0.0),
               "knee": (0.1, -0.4165), "ankle": (0.1, -0.835), "eye": (0.03, 0.7), "ear": (0.07, 0.7), "nose": (0.0, 0.7)}
    # fmt: on
    points = []
    for joint in COCO.joints:
        left_m, up_m = heights[joint.split("_")[-1]]
        left_m = -left_m if joint.startswith("right") else left_m
        points.append((320 + left_m * focal_px / distance_m, 240 - up_m * focal_px / distance_m))
    points = np.array([points])
    return Skeletons(
        round(stamp_s * 1e9),
        "camera",
        COCO,
        SIZE,
        points,
        np.full((1, 17), 0.9),
        np.array([[*points[0].min(0), *points[0].max(0)]]),
        np.ones(1),
    )
