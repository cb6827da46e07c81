"""Settings that several nodes share; a node's own dataclass inherits the ones it needs and those of its stage."""

from __future__ import annotations

from dataclasses import dataclass

from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.ros.qos import RELIABILITIES

TRANSPORTS = ("auto", "raw", "compressed")
RELIABILITY_DOC = (
    "auto follows what the publishers offer; reliable asks for every image again that got lost, and hears no "
    "best-effort publisher; best_effort fits every publisher"
)


@dataclass(frozen=True)
class NodeConfig(Settings):
    """Every node."""

    autostart: bool = setting(True, "configure and activate at start; false leaves that to a lifecycle manager")
    diagnostics_period_s: float = setting(
        1.0, "time between two messages on /diagnostics", unit="s", low=0.1, high=60.0, live=True
    )


@dataclass(frozen=True)
class TransportConfig(Settings):
    """Nodes that subscribe to images."""

    image_transport: str = setting(
        "auto",
        "raw subscribes image_raw, compressed subscribes image_raw/compressed, auto "
        "takes image_raw or, where that is published alone, the compressed form; a topic of "
        "compressed images by any name is taken as it is",
        choices=TRANSPORTS,
    )


@dataclass(frozen=True)
class WatchImageConfig(TransportConfig):
    """Nodes that may miss an image."""

    image_reliability: str = setting("auto", RELIABILITY_DOC, choices=("auto", *RELIABILITIES))


@dataclass(frozen=True)
class ImageInputConfig(WatchImageConfig):
    """Nodes that work on the newest image."""

    image_timeout_s: float = setting(
        5.0,
        "without an image for this long, log and diagnostics say so, and why; 0: never",
        unit="s",
        low=0.0,
        high=3600.0,
        live=True,
    )
    max_image_age_s: float = setting(
        0.0,
        "an older image is dropped; 0 takes every age (images replayed with old stamps)",
        unit="s",
        low=0.0,
        high=60.0,
        live=True,
    )


@dataclass(frozen=True)
class SynchroniserConfig(Settings):
    """Nodes that join images with their results."""

    buffer_frames: int = setting(
        30, "stamps kept while they wait for the rest of their messages", unit="frames", low=2, high=1000
    )
