"""Messages of people read and written in arrays at once: the same as field by field, and damage is left to that."""

from __future__ import annotations

import numpy as np
import pytest

from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.errors import MessageError
from pose_attention_ros.core.messages.packed import bytes_of_graphs, bytes_of_skeletons, graphs_of_bytes, skeletons_of_bytes
from pose_attention_ros.core.messages.records import graphs_of_message, skeletons_of_message
from pose_attention_ros.core.types import FEATURE_NAMES, SkeletonGraphs, Skeletons

types = pytest.importorskip("pose_attention_ros.bags.types")
pytest.importorskip("rosbags")

# kind -> type of message, read at once, written at once, read field by field
# fmt: off
KINDS = {"skeletons": (types.SKELETONS, skeletons_of_bytes, bytes_of_skeletons, skeletons_of_message),
         "graphs": (types.GRAPHS, graphs_of_bytes, bytes_of_graphs, graphs_of_message)}
# fmt: on
STAMP_NS = 1_700_000_000_123_456_789


def record(kind: str, people: int, name: str, frame_id: str = "camera"):
    rng, table = np.random.default_rng(people), layout(name)
    joints = len(table.joints)

    def some(*shape: int) -> np.ndarray:
        return rng.uniform(0, 1, (people, *shape)).astype(np.float32)

    if kind == "skeletons":
        return Skeletons(
            STAMP_NS,
            frame_id,
            table,
            (640, 480),
            some(joints, 2) * 400,
            some(joints),
            some(4) * 400,
            some() if people else [],
        )
    channels = len(FEATURE_NAMES)
    return SkeletonGraphs(
        *(STAMP_NS, frame_id, table, (640, 480), rng.permutation(people) + 2**40, some(joints, 2), some(joints, channels)),
        *(some(joints) > 0.3, some(), some(2), some(), some(4)),
    )


def serialised(kind: str, raw: bytes) -> tuple[object, bytes]:
    """The message in the bytes as rosbags reads it, and as rosbags writes it again."""
    store, name = types.known_types(), KINDS[kind][0]
    message = store.deserialize_cdr(raw, name)
    return message, bytes(store.serialize_cdr(message, name))


def assert_same(found: object, wanted: object) -> None:
    assert type(found) is type(wanted)
    for name, value in vars(wanted).items():
        if isinstance(value, np.ndarray):
            assert getattr(found, name).dtype == value.dtype
            np.testing.assert_array_equal(getattr(found, name), value, err_msg=name)
        else:
            assert getattr(found, name) == value, name


@pytest.mark.parametrize("name", ["coco17", "common13", "jhmdb15", "kinect20"])  # all the ways to end on a boundary
@pytest.mark.parametrize("people", [0, 1, 2, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_bytes_are_those_of_another_writer_and_are_read_as_field_by_field(kind, people, name):
    _, read, write, read_fields = KINDS[kind]
    for frame_id in ("camera", "", "kamera_ü"):
        wanted = record(kind, people, name, frame_id)
        raw = write(wanted)
        message, again = serialised(kind, raw)
        assert raw == again
        assert_same(read_fields(message), wanted)
        for form in (raw, raw + b"\0\0", bytearray(raw), memoryview(raw)):
            assert_same(read(form), wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_laid_out_otherwise_is_left_to_be_read_field_by_field(kind):
    _, read, write, _ = KINDS[kind]
    raw = write(record(kind, 2, "common13"))
    assert all(read(raw[:end]) is None for end in range(len(raw)))
    assert read(raw + bytes(4)) is None
    assert read(b"\0\0\0\0" + raw[4:]) is None  # the other byte order
    assert read(raw.replace(b"common13", b"uncommon")) is None
    counts = [at for at in range(0, len(raw) - 3, 4) if int.from_bytes(raw[at : at + 4], "little") in (26, 13, 65)]
    assert len(counts) >= 4
    for at in counts:  # the length of a person's list
        assert read(raw[:at] + (12).to_bytes(4, "little") + raw[at + 4 :]) is None


@pytest.mark.parametrize("kind", KINDS)
def test_any_damage_is_refused_as_field_by_field_or_read_alike(kind):
    _, read, write, read_fields = KINDS[kind]
    raw, rng = write(record(kind, 2, "common13")), np.random.default_rng(0)
    outcomes = set()
    for _ in range(300):
        damaged = bytearray(raw)
        damaged[rng.integers(len(raw))] = rng.integers(256)
        try:
            found = read(damaged)
        except MessageError as error:
            with pytest.raises(MessageError) as wanted:
                read_fields(serialised(kind, bytes(damaged))[0])
            assert str(error) == str(wanted.value)
            outcomes.add("refused")
            continue
        outcomes.add("left" if found is None else "read")
        if found is not None:
            assert_same(found, read_fields(serialised(kind, bytes(damaged))[0]))
    assert outcomes == {"refused", "left", "read"}
