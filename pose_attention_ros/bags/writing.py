"""Writes bags without ROS: standard types and ours, each stored with its definition, so that every tool can read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pose_attention_ros.bags.types import (
    ACTION_MODEL,
    ACTIONS,
    COMPRESSED_IMAGE,
    GRAPHS,
    IMAGE,
    SKELETONS,
    SOURCE_STATUS,
    known_types,
)
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.types import FEATURE_NAMES, ActionEstimates, Frame, SkeletonGraphs, Skeletons
from pose_attention_ros.inference.package_paths import PACKAGE

STORAGES = ("mcap", "sqlite3")
_FORMAT_VERSION = 8  # of metadata.yaml: Humble reads the quality of service of no later one, Jazzy and Kilted read both
_LATCHED_TYPES = (ACTION_MODEL, SOURCE_STATUS)
_FOR_EVER = (9_223_372_036, 854_775_807)  # seconds and nanoseconds, as ROS 2 writes a time without end


@dataclass(frozen=True)
class Offered:
    """Quality of service that a topic's publishers offered, and that a player of the bag offers again."""

    reliable: bool = True
    latched: bool = False  # transient local: the last message is kept for those who come later
    depth: int = 10


class BagWriter:
    """A new bag; a context manager. The bag is whole once it is closed.

    :raises UserError: the folder exists already or cannot be made, or a storage that is not one of STORAGES
    """

    def __init__(self, path: Path, storage: str = "mcap", compressed: bool = False) -> None:
        """:param compressed: an MCAP file's chunks with zstd, an sqlite3 file's messages each by itself"""
        if storage not in STORAGES:
            raise UserError(f"storage is {storage!r}, expected {' or '.join(STORAGES)}")
        self._types = known_types()
        from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

        if path.exists():
            raise UserError(f"{path} exists already; a bag is written into a new folder")
        self._writer = Writer(path, version=_FORMAT_VERSION, storage_plugin=StoragePlugin[storage.upper()])
        if compressed:
            mode = CompressionMode.STORAGE if storage == "mcap" else CompressionMode.MESSAGE
            self._writer.set_compression(mode, CompressionFormat.ZSTD)
        self._connections: dict[str, Any] = {}
        try:
            self._writer.open()
        except OSError as error:
            raise UserError(f"cannot write a bag to {path}: {error.strerror or error}") from None

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write index and metadata; twice does no harm."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def knows(self, topic: str) -> bool:
        """Whether `topic` has been added."""
        return topic in self._connections

    def add_topic(self, topic: str, msgtype: str, offered: Offered) -> None:
        """Say what a topic's publishers offer, before its first message."""
        self._connections[topic] = self._writer.add_connection(
            topic, msgtype, typestore=self._types, offered_qos_profiles=[_qos(offered)]
        )

    def write_raw(self, topic: str, msgtype: str, recorded_ns: int, raw: bytes) -> None:
        """Add a serialised message (CDR) as it is."""
        if topic not in self._connections:
            latched = msgtype in _LATCHED_TYPES
            self.add_topic(topic, msgtype, Offered(latched=latched, depth=1 if latched else 10))
        self._writer.write(self._connections[topic], recorded_ns, raw)

    def write(self, topic: str, recorded_ns: int, message: Any) -> None:
        """Add a message made by `self.make` or one of the functions below."""
        msgtype = message.__msgtype__
        self.write_raw(topic, msgtype, recorded_ns, self._types.serialize_cdr(message, msgtype))


def _qos(offered: Offered) -> Any:
    from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime

    for_ever = QosTime(*_FOR_EVER)
    reliability = QosReliability.RELIABLE if offered.reliable else QosReliability.BEST_EFFORT
    durability = QosDurability.TRANSIENT_LOCAL if offered.latched else QosDurability.VOLATILE
    return Qos(
        QosHistory.KEEP_LAST,
        offered.depth,
        reliability,
        durability,
        for_ever,
        for_ever,
        QosLiveliness.AUTOMATIC,
        for_ever,
        False,
    )


def make(msgtype: str, **fields: Any) -> Any:
    """A message of a known type, all fields given."""
    return known_types().types[msgtype](**fields)


def time_of(stamp_ns: int) -> Any:
    return make("builtin_interfaces/msg/Time", sec=int(stamp_ns // 10**9), nanosec=int(stamp_ns % 10**9))


def header_of(stamp_ns: int, frame_id: str = "") -> Any:
    return make("std_msgs/msg/Header", stamp=time_of(stamp_ns), frame_id=frame_id)


def image_message(frame: Frame) -> Any:
    """sensor_msgs/Image, bgr8."""
    height, width = frame.image_bgr.shape[:2]
    return make(
        IMAGE,
        header=header_of(frame.stamp_ns, frame.frame_id),
        height=height,
        width=width,
        encoding="bgr8",
        is_bigendian=0,
        step=3 * width,
        data=np.ascontiguousarray(frame.image_bgr).reshape(-1),
    )


def compressed_message(frame: Frame, quality: int = 90) -> Any:
    """sensor_msgs/CompressedImage, JPEG."""
    import cv2

    data = cv2.imencode(".jpg", frame.image_bgr, (cv2.IMWRITE_JPEG_QUALITY, quality))[1].reshape(-1)
    return make(
        COMPRESSED_IMAGE, header=header_of(frame.stamp_ns, frame.frame_id), format="bgr8; jpeg compressed bgr8", data=data
    )


def skeletons_message(people: Skeletons) -> Any:
    each = [
        make(
            f"{PACKAGE}/msg/Skeleton",
            score=float(people.person_scores[i]),
            box_xyxy=people.boxes_xyxy[i],
            keypoints_px=people.keypoints_px[i].reshape(-1),
            keypoint_scores=people.scores[i],
        )
        for i in range(len(people))
    ]
    return make(
        SKELETONS,
        header=header_of(people.stamp_ns, people.frame_id),
        layout=people.layout.name,
        image_width=people.image_size[0],
        image_height=people.image_size[1],
        skeletons=each,
    )


def graphs_message(graphs: SkeletonGraphs) -> Any:
    each = [
        make(
            f"{PACKAGE}/msg/SkeletonGraph",
            track_id=int(graphs.track_ids[i]),
            age=float(graphs.ages_s[i]),
            nodes=graphs.nodes[i].reshape(-1),
            features=graphs.features[i].reshape(-1),
            mask=graphs.mask[i],
            root_px=graphs.roots_px[i],
            scale_px=float(graphs.scales_px[i]),
            box_xyxy=graphs.boxes_xyxy[i],
        )
        for i in range(len(graphs))
    ]
    return make(
        GRAPHS,
        header=header_of(graphs.stamp_ns, graphs.frame_id),
        layout=graphs.layout.name,
        feature_names=list(FEATURE_NAMES),
        image_width=graphs.image_size[0],
        image_height=graphs.image_size[1],
        graphs=each,
    )


def actions_message(actions: ActionEstimates, latency_s: float = float("nan")) -> Any:
    kind = known_types().types[f"{PACKAGE}/msg/ActionLabel"]
    each = [
        make(
            kind.__msgtype__,
            STATE_WARMING_UP=0,
            STATE_UNKNOWN=1,
            STATE_CONFIRMED=2,
            track_id=int(person.track_id),
            label=person.label,
            state=int(person.state),
            confidence=person.confidence,
            scores=person.scores,
            onset=time_of(person.onset_ns),
            evidence_start=time_of(person.evidence_start_ns),
            evidence_end=time_of(person.evidence_end_ns),
            joint_attention=person.joint_attention,
            frame_attention=person.frame_attention,
            frame_offsets=np.asarray(person.frame_stamps_ns - person.evidence_end_ns, np.int64),
        )
        for person in actions.people
    ]
    return make(
        ACTIONS,
        header=header_of(actions.stamp_ns, actions.frame_id),
        model_id=actions.model_id,
        model_sha256=actions.model_sha256,
        latency=latency_s,
        actions=each,
    )
