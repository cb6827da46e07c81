"""Settings of the web page's server, and live settings of the stages as the page shows them."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pose_attention_ros.core.action_stage import ActionConfig
from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.machine.load import RateConfig
from pose_attention_ros.core.machine.preview import PreviewConfig


@dataclass(frozen=True)
class WebConfig(PreviewConfig):
    """Where the page is served, to whom, and how much of the machine it may take."""

    host: str = setting("127.0.0.1", "address to listen on; 0.0.0.0 for all networks, which then want the token")
    port: int = setting(8765, "TCP port; 0: any free one, which is told", low=0, high=65535)
    names: str = setting("", "more host names by which browsers may call this machine, separated by commas")
    read_only: bool = setting(False, "show only: no settings change, nothing is taught")
    most_pages: int = setting(8, "pages that may be open at once", low=1, high=100)

    @property
    def local(self) -> bool:
        """Whether nobody but this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


# What the page lets people change while everything runs.
SHOWN: dict[str, type[Settings]] = {
    **dict.fromkeys(("threshold", "hysteresis", "hold_s", "warm_up_s", "memory_s", "rest_speed", "rest_s"), ActionConfig),
    "max_rate_hz": RateConfig,
}
_LIVE = {name: next(field for field in dataclasses.fields(kind) if field.name == name) for name, kind in SHOWN.items()}


def described(values: dict[str, Any]) -> list[dict]:
    """The settings of SHOWN that `values` has, with range, unit and text, as plain values."""
    return [
        {
            "name": name,
            "value": values[name],
            "default": field.default,
            "doc": field.metadata["doc"],
            "unit": field.metadata["unit"],
            "low": field.metadata["low"],
            "high": field.metadata["high"],
        }
        for name, field in _LIVE.items()
        if name in values
    ]


def parameter_file(values: dict[str, Any], nodes: Iterable[tuple[str, Iterable[str]]]) -> str:
    """The text of a ROS parameter file.

    :param nodes: name of each node and which settings are its own
    """
    lines = ["# Written by the web page of pose_attention_ros; give it as params_file:=..."]
    for node, names in nodes:
        own = [name for name in names if name in values]
        if own:
            lines += [f"/**/{node}:", "  ros__parameters:", *(f"    {name}: {float(values[name])!r}" for name in own)]
    return "\n".join(lines) + "\n"
