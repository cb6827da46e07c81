"""bag_recorder: records into a bag exactly what an evaluation needs, with all type definitions, without rosbag2.

Subscribes image_raw or image_raw/compressed (`images`), camera_info, skeletons, skeleton_graphs, actions, action_model,
           source_status, /diagnostics, label (std_msgs/String: what somebody says is happening, until the next one)

Ends when the source ends, after `duration_s`, or on Ctrl-C; the bag is whole in each case.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from functools import partial
from itertools import chain, count
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import String

from pose_attention_ros.bags.types import COMPRESSED_IMAGE, IMAGE
from pose_attention_ros.bags.writing import STORAGES, BagWriter, Offered
from pose_attention_ros.core.config import setting
from pose_attention_ros.core.machine.file_names import at_home
from pose_attention_ros.msg import ActionLabelArray, ActionModel, SkeletonArray, SkeletonGraphArray, SourceStatus
from pose_attention_ros.ros.image_subscription import ImageSubscription
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.playback import SOURCE_IS_OVER
from pose_attention_ros.ros.qos import RELIABILITIES, latched_profile, result_profile
from pose_attention_ros.ros.run import run
from pose_attention_ros.ros.settings import RELIABILITY_DOC, NodeConfig

_QUEUE = 30  # images that wait in the middleware while the disk is busy
_CHECK_PERIOD_S = 0.2
_LAST_WORDS_S = 2.0  # after the source's end its last results are still coming
_RESULTS = (
    (SkeletonArray, "skeletons"),
    (SkeletonGraphArray, "skeleton_graphs"),
    (ActionLabelArray, "actions"),
    (CameraInfo, "camera_info"),
    (String, "label"),
    (DiagnosticArray, "/diagnostics"),
)


@dataclass(frozen=True)
class BagRecorderNodeConfig(NodeConfig):
    """Parameters of the bag_recorder node."""

    out: str = setting("", "folder of the new bag; empty: bag_<date>_<time> where the node was started")
    images: str = setting(
        "compressed",
        "compressed records image_raw/compressed (small), raw records image_raw, none "
        "leaves images out: skeletons and answers can be evaluated without",
        choices=("compressed", "raw", "none"),
    )
    image_reliability: str = setting("auto", RELIABILITY_DOC, choices=("auto", *RELIABILITIES))
    storage: str = setting("mcap", "file format of the bag", choices=STORAGES)
    compressed: bool = setting(False, "pack the messages with zstd; images are packed already")
    duration_s: float = setting(
        0.0, "end after this long; 0: when the source ends or Ctrl-C is pressed", unit="s", low=0.0, high=86400.0
    )


class BagRecorderNode(ManagedNode):
    """See the module."""

    default_name = "bag_recorder"
    settings_type = BagRecorderNodeConfig
    _writer: BagWriter | None = None

    def configure(self) -> None:
        settings = self.settings
        self._path = at_home(settings.out) if settings.out else _unused(time.strftime("bag_%Y-%m-%d_%H-%M-%S"))
        self._writer = BagWriter(self._path, settings.storage, settings.compressed)

    def activate(self) -> None:
        self._began, self._ended = time.monotonic(), None
        self._failed = False
        for kind, topic in _RESULTS:
            self._record(kind, topic, result_profile(100))
        for kind, topic in ((ActionModel, "action_model"), (SourceStatus, "source_status")):
            self._record(kind, topic, latched_profile())
        if self.settings.images != "none":
            self._images = ImageSubscription(
                self,
                self._take_image,
                transport=self.settings.images,
                reliability=self.settings.image_reliability,
                depth=_QUEUE,
                raw=True,
            )
            self._images.open()
        self.listen(SourceStatus, "source_status", self._on_status, latched_profile())
        self._watch = self.watch(_CHECK_PERIOD_S, self._check_end)
        self.get_logger().info(f"recording to {self._path}")

    def deactivate(self) -> None:
        self.destroy_timer(self._watch)

    def cleanup(self) -> None:
        """Finish the bag."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
            self.get_logger().info(f"bag {self._path}: {self.meter.processed} messages")

    def details(self) -> dict[str, str]:
        return {"bag": str(self._path)} if self._writer else {}

    def trouble(self) -> str:
        return self._images.trouble() if self.settings.images != "none" else ""

    def _record(self, kind: type, topic: str, profile: QoSProfile) -> None:
        name = self.resolve_topic_name(topic)
        msgtype = f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"
        self.listen(kind, topic, partial(self._take, name, msgtype), profile, raw=True)

    def _take_image(self, raw: bytes) -> None:
        self._take(self._images.topic, COMPRESSED_IMAGE if self._images.compressed else IMAGE, raw)

    def _take(self, topic: str, msgtype: str, raw: bytes) -> None:
        if self._failed:
            return
        began = time.perf_counter()
        try:
            if not self._writer.knows(topic):
                self._writer.add_topic(topic, msgtype, self._offered(topic))
            self._writer.write_raw(topic, msgtype, self.now_ns(), bytes(raw))
        except Exception as error:  # of the disk, or of sqlite
            self._failed = True
            self.get_logger().error(f"cannot write to {self._path}, what came before is kept: {error}")
            self.stop(1)
            return
        self.meter.done(time.perf_counter() - began)

    def _offered(self, topic: str) -> Offered:
        """What serves everybody whom the topic's publishers serve."""
        offers = [info.qos_profile for info in self.get_publishers_info_by_topic(topic)]
        latched = any(offer.durability == DurabilityPolicy.TRANSIENT_LOCAL for offer in offers)
        reliable = not offers or any(offer.reliability == ReliabilityPolicy.RELIABLE for offer in offers)
        return Offered(reliable, latched, 1 if latched else 10)

    def _on_status(self, message: SourceStatus) -> None:
        self._ended = time.monotonic() if message.state in SOURCE_IS_OVER else None

    def _check_end(self) -> None:
        now = time.monotonic()
        over = self.settings.duration_s and now - self._began > self.settings.duration_s
        if over or (self._ended is not None and now - self._ended > _LAST_WORDS_S):
            self.stop(0)


def _unused(name: str) -> Path:
    """`name`, or with a number behind it where there is one already: two recordings may begin in the same second."""
    names = chain([name], (f"{name}_{number}" for number in count(2)))
    return next(path for path in map(Path, names) if not path.exists())


def main(arguments: list[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(BagRecorderNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
