"""The bag_recorder writes what an evaluation needs; the evaluator judges a running graph, in simulated time, too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from people_messages import message_of_graphs, message_of_skeletons
from rosbags.interfaces import QosDurability, QosReliability
from rosbags.rosbag2 import Reader
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header, String

from pose_attention_ros.bags.opening import Bag
from pose_attention_ros.bags.streams import choose_input, read_items
from pose_attention_ros.cli.main import main
from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.types import ActionEstimate, ActionEstimates, LabelState, SkeletonGraphs, Skeletons
from pose_attention_ros.inference.recogniser import load_recogniser
from pose_attention_ros.msg import ActionLabelArray, ActionModel, SkeletonArray, SkeletonGraphArray, SourceStatus
from pose_attention_ros.ros.action_messages import message_of_actions, message_of_model
from pose_attention_ros.ros.images import compressed_from_bgr, image_from_bgr
from pose_attention_ros.ros.qos import latched_profile
from pose_attention_ros.ros.stamps import time_of

SECOND = 10**9
START_NS = 1_700_000_000 * SECOND
FRAMES, PERIOD_NS = 30, SECOND // 10
IMAGE = np.full((48, 64, 3), (20, 120, 200), np.uint8)


def skeletons(stamp_ns: int) -> Skeletons:
    points = np.random.default_rng(0).uniform(10, 40, (1, 17, 2))
    return Skeletons(stamp_ns, "cam", layout("coco17"), (64, 48), points, np.full((1, 17), 0.9), [[10, 10, 40, 40]], [0.9])


def graphs(stamp_ns: int) -> SkeletonGraphs:
    return SkeletonGraphs(
        stamp_ns,
        "cam",
        layout("common13"),
        (64, 48),
        [7],
        np.zeros((1, 13, 2)),
        np.zeros((1, 13, 5)),
        np.ones((1, 13)),
        [1.0],
        [[20, 20]],
        [10.0],
        [[10, 10, 40, 40]],
    )


def actions(stamp_ns: int, label: str, spec) -> ActionEstimates:
    scores = np.full(len(spec.classes), 0.1 / (len(spec.classes) - 1), np.float32)
    scores[spec.classes.index(label)] = 0.9
    person = ActionEstimate(
        7,
        label,
        LabelState.CONFIRMED,
        0.9,
        scores,
        stamp_ns,
        stamp_ns,
        stamp_ns,
        np.full(13, 1 / 13, np.float32),
        np.ones(1, np.float32),
        np.array([stamp_ns]),
    )
    return ActionEstimates(stamp_ns, "cam", spec.layout, spec.classes, spec.model_id, spec.sha256, (person,))


@pytest.fixture(scope="module")
def spec():
    return load_recogniser("everyday").spec


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("storage", "images"), [("mcap", "compressed"), ("sqlite3", "raw")])
def test_a_recorded_graph_can_be_evaluated(probe, start, tmp_path, spec, storage, images):
    """All that was published is in the bag, byte for byte, also after Ctrl-C."""
    bag = tmp_path / "bag"
    recorder = start("bag_recorder", {"out": bag, "storage": storage, "images": images, "image_reliability": "reliable"})
    packed = images == "compressed"
    topics = {
        "skeletons": SkeletonArray,
        "skeleton_graphs": SkeletonGraphArray,
        "actions": ActionLabelArray,
        "label": String,
        "image_raw/compressed" if packed else "image_raw": CompressedImage if packed else Image,
    }
    publish = {topic: probe.publisher(kind, topic).publish for topic, kind in topics.items()}
    probe.publisher(ActionModel, "action_model", latched_profile()).publish(message_of_model(spec))
    publish["label"](String(data="wave"))
    for i in range(FRAMES):
        stamp = START_NS + i * PERIOD_NS
        publish["skeletons"](message_of_skeletons(skeletons(stamp)))
        publish["skeleton_graphs"](message_of_graphs(graphs(stamp)))
        publish["actions"](message_of_actions(actions(stamp, "wave", spec), stamp))
        image = compressed_from_bgr(IMAGE, stamp, "cam", 90) if packed else image_from_bgr(IMAGE, stamp, "cam")
        publish[[*topics][-1]](image)
        probe.wait_for_turn("bag_recorder")
    assert recorder.interrupt() == 0, recorder.output

    with Bag(bag) as opened:
        names = {topic.name: topic.count for topic in opened.topics.values()}
        assert not opened.left_out.reasons
        for kind, topic in (("skeletons", "skeletons"), ("skeleton_graphs", "skeleton_graphs"), ("images", [*topics][-1])):
            items = [item for _, item in read_items(opened, choose_input(opened, kind))]
            assert [item.stamp_ns for item in items] == [START_NS + i * PERIOD_NS for i in range(FRAMES)], topic
        np.testing.assert_array_equal(
            next(item for _, item in read_items(opened, choose_input(opened, "skeletons"))).keypoints_px,
            skeletons(START_NS).keypoints_px,
        )
    with Reader(bag) as reader:  # what a player of the bag offers again
        latched = {
            each.topic.split("/")[-1]
            for each in reader.connections
            for offer in each.ext.offered_qos_profiles
            if offer.durability is QosDurability.TRANSIENT_LOCAL and offer.reliability is QosReliability.RELIABLE
        }
        assert all(len(each.ext.offered_qos_profiles) == 1 for each in reader.connections)
    assert latched == {"action_model"}
    assert names[f"{probe.namespace}/label"] == 1 and names[f"{probe.namespace}/action_model"] == 1
    (tmp_path / "labels.csv").write_text("start_s,end_s,label\n0,9,wave\n")
    assert (
        main(
            [
                "evaluate",
                "bag",
                str(bag),
                "--input",
                "actions",
                "--labels",
                str(tmp_path / "labels.csv"),
                "--out",
                str(tmp_path / "out"),
            ]
        )
        == 0
    )
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["metrics"]["frame_accuracy"] == 1 and result["recorded"]["dropped"]["without_result"] == 0


def test_a_recorder_does_not_write_over_a_bag(start, tmp_path):
    recorder = start("bag_recorder", {"out": tmp_path})
    assert recorder.wait() == 1 and "exists already" in recorder.output


@pytest.mark.timeout(400)
def test_evaluate_live_in_simulated_time(probe, tmp_path, spec):
    """Wrong for a third of the time, a fifth of the images unanswered, answers a quarter of a second old by /clock."""
    (tmp_path / "labels.csv").write_text("start_s,end_s,label\n0,2,wave\n2,9,clap\n")
    (tmp_path / "limits.yaml").write_text("metrics: {frame_accuracy: {min: 0.9}}\nrecorded: {age_ms: {p95: {max: 300}}}\n")
    out = tmp_path / "out"
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pose_attention_ros.cli.main",
            "evaluate",
            "live",
            "--namespace",
            probe.namespace,
            "--use-sim-time",
            "--labels",
            str(tmp_path / "labels.csv"),
            "--labels-begin",
            str(START_NS / SECOND),
            "--thresholds",
            str(tmp_path / "limits.yaml"),
            "--out",
            str(out),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        answer = probe.publisher(ActionLabelArray, "actions").publish
        people = probe.publisher(SkeletonGraphArray, "skeleton_graphs").publish
        image = probe.publisher(Image, "image_raw").publish
        model = probe.publisher(ActionModel, "action_model", latched_profile()).publish
        status = probe.publisher(SourceStatus, "source_status", latched_profile()).publish
        clock = probe.publisher(Clock, "/clock").publish
        status(SourceStatus(state=SourceStatus.STATE_PLAYING))
        model(message_of_model(spec))
        clock(Clock(clock=time_of(START_NS)))
        probe.wait_for_turn("evaluator")
        for i in range(FRAMES):
            stamp = START_NS + i * PERIOD_NS
            clock(Clock(clock=time_of(stamp + SECOND // 4)))
            probe.wait_for_turn("evaluator")
            image(image_from_bgr(IMAGE, stamp, "cam"))
            if i % 5 != 4:
                people(message_of_graphs(graphs(stamp)))
                probe.wait_for_turn("evaluator")
                answer(message_of_actions(actions(stamp, "wave", spec), stamp + SECOND // 5))
            probe.wait_for_turn("evaluator")
        status(SourceStatus(header=Header(stamp=time_of(stamp)), state=SourceStatus.STATE_ENDED, frames=FRAMES))
        code = process.wait(120)
    finally:
        process.kill()
    told = process.stdout.read()
    assert code == 1, told  # a limit is missed
    assert "MISSED metrics/frame_accuracy" in told and "met    recorded/age_ms/p95" in told, told
    result = json.loads((out / "result.json").read_text())
    assert result["stream"]["frames"] == 24
    assert result["metrics"]["frame_accuracy"] == pytest.approx(2 / 3, abs=0.05)
    assert result["recorded"]["age_ms"]["p50"] == pytest.approx(250, rel=0.5)  # a clock message may be late by one frame
    assert result["timings"]["stages_ms"]["capture_to_label"]["p50"] == pytest.approx(200, rel=0.02)
    dropped = result["recorded"]["dropped"]
    assert dropped["without_result"] >= 4 and dropped["frames"] <= FRAMES
    assert ElementTree.parse(out / "junit.xml").getroot().get("failures") == "1"
    assert "data:image/jpeg" in (out / "report.html").read_text()


def test_an_evaluator_that_hears_nothing_says_so(probe, start, tmp_path):
    evaluator = start("evaluator", {"out": tmp_path / "out"})
    evaluator.wait_for_line("active")
    assert probe.state("evaluator") == "active"  # it answers, so it spins
    assert evaluator.interrupt() == 1 and "no action_model and no answers were heard" in evaluator.output


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"labels": "nowhere.csv"}, "labels nowhere.csv cannot be read"),
        ({"labels": "a.csv", "labels_topic": "label"}, "from a file or from a topic, not from both"),
        ({"thresholds": "nowhere.yaml"}, "nowhere.yaml cannot be read"),
    ],
)
def test_an_evaluator_checks_its_files_before_it_begins(start, parameters, message):
    evaluator = start("evaluator", parameters)
    assert evaluator.wait() == 1 and message in evaluator.output
