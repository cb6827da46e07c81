"""pose: finds the people in each image.

Subscribes image_raw, or image_raw/compressed (`image_transport: compressed`)
Publishes  skeletons (only while subscribed)
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from pose_attention_ros.core.machine.load import LoadConfig
from pose_attention_ros.core.messages.packed import bytes_of_skeletons
from pose_attention_ros.core.types import Frame
from pose_attention_ros.inference.pose import STRIDE, PoseConfig, PoseEstimator, create_pose_estimator
from pose_attention_ros.msg import SkeletonArray
from pose_attention_ros.ros.diagnostics import StageMeter
from pose_attention_ros.ros.image_input import ImageInput
from pose_attention_ros.ros.load import LoadControl
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.on_demand import OnDemand
from pose_attention_ros.ros.qos import result_profile
from pose_attention_ros.ros.run import run
from pose_attention_ros.ros.settings import ImageInputConfig, NodeConfig
from pose_attention_ros.ros.stamps import age_s

WARM_UP_SIZE = (640, 480)  # the most common image; another size is only slower once


@dataclass(frozen=True)
class PoseNodeConfig(PoseConfig, LoadConfig, ImageInputConfig, NodeConfig):
    """Parameters of the pose node."""


class PoseNode(ManagedNode):
    """See the module."""

    default_name = "pose"
    settings_type = PoseNodeConfig
    _estimator: PoseEstimator | None = None
    _load: LoadControl | None = None

    def configure(self) -> None:
        self._estimator = create_pose_estimator(self.settings)
        self._estimator.warm_up(WARM_UP_SIZE)
        self._load = LoadControl(self, STRIDE if self._estimator.resizable else 0, self._estimator.resize)
        self._network = StageMeter()
        self._skeletons = OnDemand(self.advertise(SkeletonArray, "skeletons", result_profile()))
        self._input = ImageInput(self, self._process, self._load.admits)

    def activate(self) -> None:
        self._input.open()

    def cleanup(self) -> None:
        if self._estimator is not None:
            self._estimator.close()
        self._estimator = self._load = None

    def settings_changed(self, settings: PoseNodeConfig) -> None:
        for part in (self._load, self._estimator):  # the load first: it may refuse
            if part is not None:
                part.configure(settings)

    def details(self) -> dict[str, str]:
        if self._estimator is None or self._load is None:
            return {}
        return {
            "backend": self._estimator.backend,
            **self._input.details(),
            **self._load.details(),
            **self._network.times("network"),
        }

    def trouble(self) -> str:
        return self._input.trouble() or self._load.trouble()

    def _process(self, frame: Frame) -> Callable[[], None]:
        began = time.perf_counter()
        skeletons = self._estimator(frame)
        again = self._skeletons.answer(lambda: bytes_of_skeletons(skeletons))
        self._network.done(self._estimator.network_s)
        took_s, age = time.perf_counter() - began, age_s(frame.stamp_ns, self.now_ns())
        self.meter.done(took_s, age)
        self._load.done(took_s, age)
        return again


def main(arguments: list[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(PoseNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
