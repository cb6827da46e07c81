"""Bags without ROS: all forms that recorders write, and what is left of damaged ones."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from bag_helpers import START_NS, model_message, scene, skeletons, string, write_skeleton_bag
from hypothesis import given, settings
from hypothesis import strategies as st

from pose_attention_ros.bags.opening import Bag
from pose_attention_ros.bags.streams import choose_input, read_items
from pose_attention_ros.bags.types import known_types
from pose_attention_ros.bags.writing import (
    BagWriter,
    Offered,
    compressed_message,
    header_of,
    image_message,
    make,
    skeletons_message,
)
from pose_attention_ros.cameras import open_source
from pose_attention_ros.core.errors import MessageError, SourceError, UserError
from pose_attention_ros.core.types import Frame
from pose_attention_ros.inference.recogniser import load_recogniser

STORAGES = [("mcap", False), ("mcap", True), ("sqlite3", False), ("sqlite3", True)]


def read(path: Path, kind: str = "auto", topic: str = "") -> tuple[list, dict[str, int]]:
    """The items of a bag and what was left out."""
    with Bag(path) as bag:
        items = [item for _, item in read_items(bag, choose_input(bag, kind, topic))]
        return items, dict(bag.left_out.reasons)


def storage_file(bag: Path) -> Path:
    return next(file for file in bag.iterdir() if file.suffix in (".db3", ".mcap"))


@pytest.mark.parametrize(("storage", "compressed"), STORAGES)
@pytest.mark.parametrize("single_file", [False, True])
def test_what_was_written_is_read(tmp_path, storage, compressed, single_file):
    records = scene(20, people=2)
    bag = write_skeleton_bag(tmp_path / "bag", records, storage, compressed)
    items, left_out = read(storage_file(bag) if single_file else bag)
    assert not left_out and [item.stamp_ns for item in items] == [record.stamp_ns for record in records]
    for item, record in zip(items, records):
        np.testing.assert_array_equal(item.keypoints_px, record.keypoints_px)
        np.testing.assert_array_equal(item.scores, record.scores)
        assert (item.layout.name, item.image_size, item.frame_id) == ("coco17", (640, 480), "cam")


def test_other_tools_find_the_definitions_of_our_types(tmp_path):
    from rosbags.highlevel import AnyReader

    write_skeleton_bag(tmp_path / "bag", scene(3))
    with AnyReader([tmp_path / "bag"]) as reader:  # knows nothing of us
        connection, _, raw = next(iter(reader.messages()))
        message = reader.deserialize(raw, connection.msgtype)
    assert connection.msgtype == "pose_attention_ros/msg/SkeletonArray" and message.skeletons[0].keypoints_px.shape == (34,)


def test_images_raw_and_compressed(tmp_path):
    image = np.full((48, 64, 3), (10, 120, 200), np.uint8)
    with BagWriter(tmp_path / "bag") as writer:
        for i in range(3):
            frame = Frame(image, START_NS + i, "cam")
            writer.write("/camera/image", START_NS + i, image_message(frame))
            writer.write("/camera/image/compressed", START_NS + i, compressed_message(frame))
    raw, _ = read(tmp_path / "bag")  # of one image in two forms, the raw one
    packed, _ = read(tmp_path / "bag", topic="camera/image/compressed")
    for items in (raw, packed):
        assert len(items) == 3 and np.abs(items[0].image_bgr.astype(int) - image).max() < 5


@pytest.mark.slow
@settings(max_examples=40)
@given(share=st.floats(0, 1), storage=st.sampled_from(["mcap", "sqlite3"]))
def test_a_bag_cut_anywhere_gives_what_is_left_or_one_clear_line(share, storage):
    records = scene(60)
    with tempfile.TemporaryDirectory() as folder:
        bag = write_skeleton_bag(Path(folder) / "bag", records, storage)
        file = storage_file(bag)
        file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
        try:
            items, left_out = read(bag)
        except SourceError as error:
            assert "\n" not in str(error) and (
                "is not a bag that can be read" in str(error) or "is empty" in str(error) or "holds nothing" in str(error)
            )
            return
        stamps = [record.stamp_ns for record in records]
        assert [item.stamp_ns for item in items] == sorted({item.stamp_ns for item in items} & set(stamps))
        assert len(items) == len(records) or left_out


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_recorder_that_lost_power_leaves_most_of_it(tmp_path, storage):
    """The end of the file is missing, and with it index and metadata."""
    records = [skeletons(START_NS + i * 10**8, [np.full((17, 2), i, np.float32)] * 40) for i in range(400)]
    bag = write_skeleton_bag(tmp_path / "bag", records, storage)
    file = storage_file(bag)
    file.write_bytes(file.read_bytes()[: int(0.7 * file.stat().st_size)])
    (bag / "metadata.yaml").unlink()
    items, left_out = read(bag)
    assert 100 < len(items) < 400
    assert any("metadata.yaml is missing" in reason for reason in left_out)
    assert any("is damaged" in reason and "before the damage are used" in reason for reason in left_out)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("metadata", [None, "no: [yaml", "rosbag2_bagfile_information: {version: 99}"])
def test_metadata_that_is_missing_or_broken(tmp_path, metadata, compressed):
    bag = write_skeleton_bag(tmp_path / "bag", scene(5), "sqlite3", compressed)
    (bag / "metadata.yaml").unlink()
    if metadata is not None:
        (bag / "metadata.yaml").write_text(metadata)
    items, left_out = read(bag)
    assert len(items) == 5 and any("metadata.yaml" in reason for reason in left_out)


def test_files_of_a_split_bag_are_read_in_order(tmp_path):
    records = scene(30)
    (tmp_path / "split").mkdir()
    for part in range(3):
        piece = write_skeleton_bag(tmp_path / f"bag{part}", records[part * 10 : part * 10 + 10])
        shutil.copy(storage_file(piece), tmp_path / "split" / f"rec_{9 + part}.mcap")
    items, _ = read(tmp_path / "split")
    assert [item.stamp_ns for item in items] == [record.stamp_ns for record in records]


def stamped(offsets_s: list[float]):
    return [skeletons(START_NS + round(s * 1e9), [np.zeros((17, 2), np.float32)]) for s in offsets_s]


@pytest.mark.parametrize(
    ("offsets_s", "kept", "reason"),
    [
        ([0, 0.1, 0.1, 0.2], 3, "messages or images with the stamp of the one before them"),
        ([0, 0.1, 0.3, 0.2, 0.4], 4, "messages or images out of order: their stamp is earlier than that of one before them"),
        (
            [0, 1, 2, 3, 0, 1, 2, 3, 0, 1],
            4,
            "stamps begin again (a looping player was recorded?): only the first round is used",
        ),
    ],
)
def test_stamps_that_do_not_rise(tmp_path, offsets_s, kept, reason):
    items, left_out = read(write_skeleton_bag(tmp_path / "bag", stamped(offsets_s)))
    assert len(items) == kept and left_out == {reason: len(offsets_s) - kept}


@pytest.mark.parametrize(
    ("offsets_s", "kept", "left_out"),
    [
        ([0, 0.1, 9000, 0.3, 0.4], 4, 1),  # one wrong stamp does not cost all that follow
        ([0, 0.1, 9000, 9000.1, 9000.2, 9000.3, 9000.4, 9000.5, 9000.6], 4, 5),  # the clock was set
    ],
)
def test_stamps_that_jump_ahead_of_the_recording(tmp_path, offsets_s, kept, left_out):
    with BagWriter(tmp_path / "bag") as writer:
        for i, record in enumerate(stamped(offsets_s)):
            writer.write("/skeletons", START_NS + i * 10**8, skeletons_message(record))
    items, reasons = read(tmp_path / "bag")
    assert len(items) == kept and reasons == {"messages whose stamp jumps ahead of the time of their arrival": left_out}


def test_unusable_messages_are_left_out_and_told(tmp_path):
    store, good = known_types(), scene(3)
    with BagWriter(tmp_path / "bag") as writer:
        for i, record in enumerate(good):
            writer.write("/skeletons", START_NS + 3 * i, skeletons_message(record))
            odd = skeletons_message(record)
            odd.layout = "octopus8"
            writer.write("/skeletons", START_NS + 3 * i + 1, odd)
            raw = store.serialize_cdr(skeletons_message(record), odd.__msgtype__)
            writer.write_raw("/skeletons", odd.__msgtype__, START_NS + 3 * i + 2, bytes(raw)[:40])
    items, left_out = read(tmp_path / "bag")
    assert len(items) == 3 and sum(left_out.values()) == 6
    assert any("octopus8" in reason for reason in left_out) and any("bytes that are no" in reason for reason in left_out)


def of_another_recorder(bag: Path, profile: bytes) -> Path:
    """The MCAP file of a bag with another profile, whose words are JSON."""
    file = storage_file(bag)
    content = bytearray(file.read_bytes())
    content[17:25] = profile
    for at in [found.start() for found in re.finditer(rb"/chatter\x03\x00\x00\x00cdr", content)]:
        content[at + 12 : at + 15] = b"jsn"
    for at in [found.start() for found in re.finditer(rb"std_msgs/msg/String\x07\x00\x00\x00ros2msg", content)]:
        content[at + 23 : at + 30] = b"jschema"
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("profile", [b"\x00\x00\x00\x00ros2", b"\x04\x00\x00\x00ros1"])
@pytest.mark.parametrize("single_file", [False, True])
def test_an_mcap_file_without_the_profile_is_read_for_its_ros_messages(tmp_path, profile, single_file):
    records = scene(5)
    with BagWriter(tmp_path / "bag") as writer:
        for i, record in enumerate(records):
            writer.write("/chatter", START_NS + i, string("{}"))
            writer.write("/skeletons", START_NS + i, skeletons_message(record))
    file = of_another_recorder(tmp_path / "bag", profile)
    items, left_out = read(file if single_file else tmp_path / "bag")
    assert [item.stamp_ns for item in items] == [record.stamp_ns for record in records]
    assert list(left_out) == [
        f"{file.name} is an MCAP file without the ROS 2 profile (its profile is "
        f"{'ros1' if profile[0] else ''!r}): it is read for its ROS 2 messages",
        "topic /chatter is jsn, no ROS 2 message (cdr)",
    ]


def test_an_mcap_file_without_any_ros_message_says_what_it_is(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        writer.write("/chatter", START_NS, string("{}"))
    file = of_another_recorder(tmp_path / "bag", b"\x00\x00\x00\x00ros2")
    with pytest.raises(
        SourceError,
        match=r"without the ROS 2 profile \(its profile is ''\), and its messages are jsn, not "
        r"ROS 2's \(cdr\); record with `ros2 bag record -s mcap`",
    ):
        Bag(file)
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(SourceError, match=r"profile is ''\), and no ROS 2 messages can be read from it"):
        Bag(file)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("share", [1.0, 0.7])
@pytest.mark.parametrize("profile", [b"\x00\x00\x00\x00ros2", b"\x04\x00\x00\x00ros2"])
def test_topics_that_are_not_of_ros_hide_the_others_in_no_mcap_file(tmp_path, profile, share, compressed):
    """With the ROS 2 profile and without, whole and cut off; compressed chunks cannot be given words of JSON here."""
    with BagWriter(tmp_path / "bag", compressed=compressed) as writer:
        for i, record in enumerate(scene(60)):
            writer.write("/chatter", START_NS + i * 10**8, string("{" + " " * 60_000 + "}"))
            writer.write("/skeletons", START_NS + i * 10**8, skeletons_message(record))
    file = of_another_recorder(tmp_path / "bag", profile)
    file.write_bytes(file.read_bytes()[: round(share * file.stat().st_size)])
    items, left_out = read(file)
    assert len(items) == 60 if share == 1 else 10 < len(items) <= 60
    assert any("is damaged" in reason for reason in left_out) == (share < 1)
    assert any("without the ROS 2 profile" in reason for reason in left_out) == (not profile[0])
    assert ("topic /chatter is jsn, no ROS 2 message (cdr)" in left_out) == (share == 1 or not compressed)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_what_latched_topics_offer_is_in_the_bag_as_every_ros_2_reads_it(tmp_path, storage):
    from rosbags.interfaces import QosDurability, QosReliability
    from rosbags.rosbag2 import Reader

    with BagWriter(tmp_path / "bag", storage) as writer:
        writer.write("/action_model", START_NS, model_message(load_recogniser("everyday").spec))
        writer.add_topic("/map", "std_msgs/msg/String", Offered(reliable=False, latched=True, depth=3))
        for topic in ("/map", "/chatter"):
            writer.write(topic, START_NS, string("hello"))
    with Reader(tmp_path / "bag") as reader:
        offers = {each.topic: each.ext.offered_qos_profiles[0] for each in reader.connections}
    latched, reliable = QosDurability.TRANSIENT_LOCAL, QosReliability.RELIABLE
    assert {
        topic: (offer.durability is latched, offer.reliability is reliable, offer.depth) for topic, offer in offers.items()
    } == {"/action_model": (True, True, 1), "/map": (True, False, 3), "/chatter": (False, True, 10)}
    # Humble takes numbers in a text and nothing else; Jazzy and Kilted take both.
    content = yaml.safe_load((tmp_path / "bag" / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    offered = yaml.safe_load(content["topics_with_message_count"][0]["topic_metadata"]["offered_qos_profiles"])
    assert content["version"] == 8 and offered[0]["durability"] == 1 and offered[0]["history"] == 1


def test_depth_images_are_no_pictures(tmp_path, caplog):
    frame = Frame(np.full((48, 64, 3), 90, np.uint8), START_NS, "cam")
    depth = "/depth/compressedDepth"
    for folder, topics in (("both", (depth, "/image/compressed")), ("alone", (depth,))):
        with BagWriter(tmp_path / folder) as writer:
            for topic in topics:
                for i in range(4):
                    message = compressed_message(replace(frame, stamp_ns=START_NS + i * 10**8))
                    if "depth" in topic:
                        message.format = "16UC1; compressedDepth png"
                    writer.write(topic, START_NS + i * 10**8, message)
    with Bag(tmp_path / "both") as bag:
        assert choose_input(bag).topic == "/image/compressed"
    assert open_source(str(tmp_path / "both")).frame_count == 4
    assert not caplog.records
    with pytest.raises(SourceError, match=r"decoded on topic /depth/compressedDepth: .* holds distances, not a picture"):
        open_source(str(tmp_path / "alone"))
    (warning,) = caplog.records
    assert "holds distances, not a picture; take the colour camera's topic" in warning.getMessage()


def mixed_bag(path: Path) -> Path:
    """Words, two topics of skeletons, an image topic without messages, and a type that nobody knows."""
    with BagWriter(path) as writer:
        writer.write("/chatter", START_NS, string("hello"))
        for name in ("/left/skeletons", "/right/skeletons"):
            writer.write(name, START_NS, skeletons_message(scene(1)[0]))
        from rosbags.typesys import Stores, get_types_from_msg, get_typestore

        store = get_typestore(Stores.EMPTY)
        store.register(get_types_from_msg("float32 volts", "battery_msgs/msg/Charge"))
        connection = writer._writer.add_connection("/battery", "battery_msgs/msg/Charge", typestore=store)
        charge = store.types["battery_msgs/msg/Charge"](volts=12.0)
        writer._writer.write(connection, START_NS, store.serialize_cdr(charge, "battery_msgs/msg/Charge"))
    return path


@pytest.mark.parametrize(
    ("kind", "topic", "message"),
    [
        ("auto", "/nothing", r"has no topic '/nothing'; it has /battery \(battery_msgs/msg/Charge, 1\), /chatter"),
        ("auto", "/chatter", "is std_msgs/msg/String, expected sensor_msgs/msg/Image or"),
        ("auto", "/battery", "is battery_msgs/msg/Charge, expected"),
        ("images", "", "holds nothing of images; it has"),
        ("auto", "", "several topics of skeletons; choose one with --topic: /left/skeletons, /right/skeletons"),
        (
            "actions",
            "/left/skeletons",
            "is pose_attention_ros/msg/SkeletonArray, expected pose_attention_ros/msg/ActionLabel",
        ),
    ],
)
def test_topics_that_cannot_be_evaluated(tmp_path, kind, topic, message):
    with Bag(mixed_bag(tmp_path / "bag")) as bag, pytest.raises(SourceError, match=message):
        choose_input(bag, kind, topic)


def test_a_topic_is_found_with_or_without_its_slash(tmp_path):
    with Bag(mixed_bag(tmp_path / "bag")) as bag:
        assert choose_input(bag, topic="left/skeletons").topic == "/left/skeletons"


def test_an_empty_bag(tmp_path):
    with BagWriter(tmp_path / "bag"):
        pass
    with Bag(tmp_path / "bag") as bag, pytest.raises(SourceError, match="is empty; expected at least one topic"):
        choose_input(bag)


def test_a_definition_that_is_missing_for_a_type_nobody_knows(tmp_path):
    """Bags of before Iron hold no definitions; ours are then known from the package."""
    import sqlite3

    bag = write_skeleton_bag(tmp_path / "bag", scene(2), "sqlite3")
    with sqlite3.connect(storage_file(bag)) as database:
        database.execute("DELETE FROM message_definitions")
    items, _ = read(bag)
    assert len(items) == 2


@pytest.mark.parametrize(
    ("make_path", "message"),
    [(lambda folder: folder / "nowhere", "does not exist"), (lambda folder: folder, "no metadata.yaml, no .db3, no .mcap")],
)
def test_paths_that_are_no_bag(tmp_path, make_path, message):
    with pytest.raises(SourceError, match=message):
        Bag(make_path(tmp_path))


def test_a_bag_is_not_written_over_another(tmp_path):
    write_skeleton_bag(tmp_path / "bag", scene(1))
    with pytest.raises(UserError, match="exists already"):
        BagWriter(tmp_path / "bag")


def test_a_header_without_a_stamp_takes_the_time_of_recording(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        for i in range(3):
            image = make(
                "sensor_msgs/msg/Image",
                header=header_of(0, "cam"),
                height=2,
                width=2,
                encoding="bgr8",
                is_bigendian=0,
                step=6,
                data=np.zeros(12, np.uint8),
            )
            writer.write("/image", START_NS + i, image)
    items, _ = read(tmp_path / "bag")
    assert [item.stamp_ns for item in items] == [START_NS, START_NS + 1, START_NS + 2]


def write_ros1_bag(path: Path, frames: int) -> Path:
    from rosbags.rosbag1 import Writer
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS1_NOETIC)
    types, msgtype = store.types, "sensor_msgs/msg/Image"
    with Writer(path) as writer:
        connection = writer.add_connection("/camera/image", msgtype, typestore=store)
        for i in range(frames):
            stamp = types["builtin_interfaces/msg/Time"](sec=START_NS // 10**9 + i, nanosec=5)
            header = types["std_msgs/msg/Header"](seq=i, stamp=stamp, frame_id="cam")
            image = types[msgtype](
                header=header, height=2, width=2, encoding="bgr8", is_bigendian=0, step=6, data=np.full(12, i, np.uint8)
            )
            writer.write(connection, START_NS + i * 10**9, store.serialize_ros1(image, msgtype))
    return path


def test_a_bag_of_ros_1(tmp_path):
    path = write_ros1_bag(tmp_path / "old.bag", 3)
    items, left_out = read(path)
    assert [item.stamp_ns for item in items] == [START_NS + i * 10**9 + 5 for i in range(3)] and not left_out
    assert [item.image_bgr[0, 0, 0] for item in items] == [0, 1, 2]
    with Bag(path) as bag:
        assert [bag.stamp_of(raw) for *_, raw in bag.messages(["/camera/image"])] == [item.stamp_ns for item in items]
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SourceError, match="is not a bag that can be read"):
        Bag(path)


def test_a_damaged_database_without_bytes_has_messages_of_none(tmp_path: Path) -> None:
    """NULL and text where a message's bytes should be: two messages that cannot be read, the others can."""
    write_skeleton_bag(tmp_path / "bag", scene(4), "sqlite3")
    database = next((tmp_path / "bag").glob("*.db3"))
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.executescript(
            "CREATE TABLE loose AS SELECT * FROM messages; DROP TABLE messages; "
            "ALTER TABLE loose RENAME TO messages; UPDATE messages SET data = NULL WHERE id = 1;"
        )
        connection.execute("UPDATE messages SET data = 'text' WHERE id = 2")
        connection.commit()
    with Bag(database) as opened:
        messages = list(opened.messages(list(opened.topics)))
        assert [raw for _, _, raw in messages].count(b"") == 2 and len(messages) == 4
        for topic, _, raw in messages:
            if raw:
                opened.read(topic, raw)
            else:
                assert opened.stamp_of(raw) == -1
                with pytest.raises(MessageError):
                    opened.read(topic, raw)


@pytest.mark.timeout(20)
def test_a_pipe_is_no_bag_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.mcap")
    with pytest.raises(SourceError, match="is a pipe"):
        Bag(tmp_path / "pipe.mcap")
