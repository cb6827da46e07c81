"""What the files for RViz, Foxglove and SROS2 name is what the nodes really publish, subscribe and answer."""

from __future__ import annotations

import fnmatch
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("rclpy", reason="ROS 2 is not here")

from rclpy.lifecycle import TransitionCallbackReturn
from test_lifecycle_errors import parameters_of
from test_parameters import NODES, node_class

from pose_attention_ros.cameras import CameraConfig
from pose_attention_ros.ros.markers import IDS, JOINTS, LABELS, LIMBS

CONFIG = Path(__file__).resolve().parents[2] / "config"
POLICY = ElementTree.parse(CONFIG / "sros2_policy.xml").getroot()
PUBLISHED = {name.text for topics in POLICY.iter("topics") if topics.get("publish") for name in topics}


def active_node(name: str, drawn_video: Path, folder: Path) -> Any:
    node = node_class(name)(namespace=f"/seen/{name}", parameter_overrides=parameters_of(name, drawn_video, folder))
    assert node.trigger_configure() == node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    return node


def allowed(name: str, kind: str, rule: str) -> list[str]:
    """Full names (with wildcards) that the policy allows the node called `name` in the namespace of this test."""
    (profile,) = [each for each in POLICY.iter("profile") if each.get("node") == name]
    namespace = f"/seen/{name}/"
    texts = [each.text for group in profile.findall(kind) if group.get(rule) == "ALLOW" for each in group]
    return [
        text if text.startswith("/") else f"{namespace}{name}/{text[2:]}" if text.startswith("~/") else namespace + text
        for text in texts
    ]


@pytest.mark.parametrize("name", NODES)
def test_the_policy_allows_all_that_a_node_does(
    ros: None, name: str, drawn_video: Path, tmp_path: Path, pose_weights: None
) -> None:
    node = active_node(name, drawn_video, tmp_path)
    try:
        does = {
            ("topics", "publish"): node.get_publisher_names_and_types_by_node(name, f"/seen/{name}"),
            ("topics", "subscribe"): node.get_subscriber_names_and_types_by_node(name, f"/seen/{name}"),
            ("services", "reply"): node.get_service_names_and_types_by_node(name, f"/seen/{name}"),
        }
        for (kind, rule), found in does.items():
            patterns = allowed(name, kind, rule)
            strangers = [topic for topic, _ in found if not any(fnmatch.fnmatch(topic, pattern) for pattern in patterns)]
            assert not strangers, f"{name} may not {rule} {strangers}"
        assert does["services", "reply"] and "/diagnostics" in dict(does["topics", "publish"])
    finally:
        node.release()
        node.destroy_node()


def test_the_policy_gives_every_node_an_enclave_of_its_own() -> None:
    enclaves = {
        enclave.get("path"): [profile.get("node") for profile in enclave.iter("profile")]
        for enclave in POLICY.iter("enclave")
    }
    assert enclaves == {f"/pose_attention/{name}": [name] for name in (*NODES, "hri_bridge", "robot")}


def _values(tree: Any, key: str) -> Iterator[Any]:
    """Every value that stands under `key`, however deep."""
    for name, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        if name == key:
            yield value
        yield from _values(value, key)


def test_rviz_shows_the_topics_that_are_published() -> None:
    file = yaml.safe_load((CONFIG / "pose_attention.rviz").read_text())
    displays = {display["Name"]: display for display in file["Visualization Manager"]["Displays"]}
    topics = [topic["Value"] for topic in _values(file, "Topic")]
    assert topics and {topic.lstrip("/") for topic in topics} <= PUBLISHED
    assert displays["People"]["Namespaces"] == dict.fromkeys((LIMBS, JOINTS, LABELS, IDS), True)
    assert displays["Camera"]["Reference Frame"] == CameraConfig().frame_id


def test_foxglove_shows_the_topics_that_are_published() -> None:
    layout = json.loads((CONFIG / "foxglove_layout.json").read_text())
    panels = layout["configById"]
    image, scene = panels["Image!people"]["imageMode"], panels["3D!people"]
    topics = [
        image["imageTopic"],
        image["calibrationTopic"],
        *image["annotations"],
        *scene["topics"],
        panels["RawMessages!actions"]["topicPath"],
        panels["Plot!latency"]["paths"][0]["value"].partition(".")[0],
    ]
    assert {topic.lstrip("/") for topic in topics} <= PUBLISHED
    assert panels["DiagnosticSummary!nodes"]["topicToRender"] in PUBLISHED
    assert scene["followTf"] == CameraConfig().frame_id

    def leaves(node: Any) -> Iterator[str]:
        yield from [node] if isinstance(node, str) else [*leaves(node["first"]), *leaves(node["second"])]

    assert sorted(leaves(layout["layout"])) == sorted(panels)
