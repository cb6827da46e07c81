"""camera: publishes a camera, a stream, a video file, an image folder or a bag.

Publishes  image_raw, image_raw/compressed, image_raw/preview (each only while subscribed), camera_info (with
           `calibration`), source_status (latched)
Subscribes actions or recorded (`pace: lockstep` only), actions (`measure_answers` only)
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from pose_attention_ros.core.machine.load import RateCap, RateConfig
from pose_attention_ros.core.secrets import masked
from pose_attention_ros.core.types import Frame
from pose_attention_ros.inference.package_paths import config_dir
from pose_attention_ros.ros.image_output import CameraTopics, CameraTopicsConfig
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.middleware import make_room_for_images
from pose_attention_ros.ros.playback import Playback
from pose_attention_ros.ros.player import PlayerConfig
from pose_attention_ros.ros.round_trip import AnswerWatch, RoundTripConfig
from pose_attention_ros.ros.run import run
from pose_attention_ros.ros.settings import NodeConfig
from pose_attention_ros.ros.stamps import age_s


@dataclass(frozen=True)
class CameraNodeConfig(PlayerConfig, RateConfig, RoundTripConfig, CameraTopicsConfig, NodeConfig):
    """Parameters of the camera node."""


class CameraNode(ManagedNode):
    """See the module."""

    default_name = "camera"
    settings_type = CameraNodeConfig
    _playback: Playback | None = None

    def configure(self) -> None:
        self._cap = RateCap()
        self._playback = Playback(
            self,
            self._publish,
            lambda: self._images.subscribers(),
            lambda stamp_ns: self._cap.admits(stamp_ns, self.settings.max_rate_hz),
        )
        self._answers = AnswerWatch(self)
        self._images = CameraTopics(self, self._playback.open())

    def activate(self) -> None:
        self._answers.open()
        self._playback.start()

    def deactivate(self) -> None:
        self._playback.stop()

    def cleanup(self) -> None:
        if self._playback is not None:
            self._playback.close()

    def details(self) -> dict[str, str]:
        return {**self._playback.details(), **self._answers.details()} if self._playback else {}

    def hardware(self) -> str:
        return f"{super().hardware()}: {masked(self.settings.source)}"

    def trouble(self) -> str:
        return self._answers.trouble()

    def _publish(self, frame: Frame) -> Callable[[], None]:
        """Send a frame; what is returned sends it again."""
        began = time.perf_counter()
        self._images.publish(frame)
        self.meter.done(time.perf_counter() - began, age_s(frame.stamp_ns, self.now_ns()))
        return lambda: self._images.publish(frame)


def main(arguments: list[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    make_room_for_images(config_dir)
    return run(CameraNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
