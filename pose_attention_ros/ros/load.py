"""The load of a node with a pose estimator: which images it takes, and at which input size it works."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.machine.load import Adaptation, RateCap, Work
from pose_attention_ros.core.machine.throttling import throttling
from pose_attention_ros.ros.managed import ManagedNode

_HEAT_PERIOD_S = 2.0  # how often the machine is asked whether it throttles


class LoadControl:
    """The rate cap and the adaptive mode of a node whose settings are a LoadConfig and a PoseConfig.

    :param stride: what input sizes are multiples of; 0 where the network has one fixed size
    :param resize: gives the network another input size
    :raises UserError: `adapt` asks for what the estimator cannot do
    """

    def __init__(self, node: ManagedNode, stride: int, resize: Callable[[int], None]) -> None:
        self._node, self._stride, self._resize = node, stride, resize
        self._cap = RateCap()
        self._heat, self._asked_s = "", -_HEAT_PERIOD_S
        self.check(node.settings)
        self._rests = getattr(node.settings, "pace", "") == "lockstep"
        if self._rests and node.settings.adapt != "off":
            node.get_logger().info(
                f"adapt {node.settings.adapt} rests: with pace lockstep, results must not depend on the machine's speed"
            )
        self._adaptation = Adaptation(node.settings, node.settings.input_size, stride)

    def check(self, settings: Any) -> None:
        """Raises UserError where `settings.adapt` cannot be done."""
        if settings.adapt == "input_size" and not self._stride:
            raise UserError(
                f"adapt is 'input_size', but the network of estimator {settings.estimator!r} has one fixed "
                "size; expected rate or off"
            )

    def configure(self, settings: Any) -> None:
        """Use live settings that changed. Raises UserError, and keeps the old ones."""
        self.check(settings)
        self._adaptation.configure(settings)

    def admits(self, stamp_ns: int) -> bool:
        """Whether to work on the image of `stamp_ns`."""
        rates_hz = [rate_hz for rate_hz in (self._node.settings.max_rate_hz, self._adaptation.work.rate_hz) if rate_hz]
        return self._cap.admits(stamp_ns, min(rates_hz, default=0.0))

    def done(self, busy_s: float, age_s: float) -> None:
        """One image was worked on for `busy_s`, its result is `age_s` old; from the thread that runs the estimator."""
        if self._rests:
            return
        now_s = time.monotonic()
        if self._node.settings.adapt != "off" and now_s - self._asked_s >= _HEAT_PERIOD_S:
            self._heat, self._asked_s = throttling(), now_s
        before = self._adaptation.work
        change = self._adaptation.observe(now_s, busy_s, age_s, self._heat)
        if change is None:
            return
        if change.work.input_size != before.input_size:
            self._resize(change.work.input_size)
        text = f"{change.why}: {'down' if change.down else 'up'} from {before} to {change.work}"
        if change.down:
            self._node.get_logger().warning(text)
        else:
            self._node.get_logger().info(text)

    @property
    def work(self) -> Work:
        """What is taken on now."""
        return self._adaptation.work

    def details(self) -> dict[str, str]:
        """For the diagnostics."""
        told = {"input_size": str(self.work.input_size)}
        if self.work.rate_hz or self._node.settings.max_rate_hz:
            told["rate_cap_hz"] = f"{self.work.rate_hz or self._node.settings.max_rate_hz:.2f}"
        return told

    def trouble(self) -> str:
        """What the diagnostics warn of."""
        return f"lowered to {self.work}: {self._adaptation.why}" if self._adaptation.lowered else ""
