"""Which topic of images to subscribe, in which form and with which reliability, from what its publishers offer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rclpy.node import Node

IMAGE, COMPRESSED_IMAGE = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
_SUFFIX = "/compressed"


@dataclass(frozen=True)
class Offer:
    """One publisher of a topic: the type of its messages, and whether it sends again what was lost."""

    kind: str
    reliable: bool


@dataclass(frozen=True)
class Choice:
    """What to subscribe. `offered`: whether anybody publishes it."""

    topic: str
    compressed: bool
    reliable: bool
    offered: bool


Offers = Callable[[str], list[Offer]]


def choose(base: str, transport: str, reliability: str, offers: Offers) -> Choice:
    """The form by the type that is published, the reliability of the publishers unless one is asked for.

    :param base: full name of the image topic, or of a topic of compressed images
    :param transport: raw takes `base`; compressed takes `base`/compressed; auto takes `base`, else `base`/compressed where
        that is published alone. A topic of compressed images is taken as it is, whatever is asked for.
    :param reliability: auto, reliable or best_effort
    :param offers: the publishers of a topic
    """
    kinds = {offer.kind for offer in offers(base)}
    beside = base + _SUFFIX
    if COMPRESSED_IMAGE in kinds or (base.endswith(_SUFFIX) and IMAGE not in kinds):
        topic, compressed = base, True
    elif transport == "compressed" or (
        transport == "auto" and not kinds and any(offer.kind == COMPRESSED_IMAGE for offer in offers(beside))
    ):
        topic, compressed = beside, True
    else:
        topic, compressed = base, False
    kind = COMPRESSED_IMAGE if compressed else IMAGE
    there = [offer for offer in offers(topic) if offer.kind == kind]
    # A subscriber that asks for reliability hears nothing of a publisher that does not offer it. Most do offer it.
    all_reliable = all(offer.reliable for offer in there)
    return Choice(topic, compressed, all_reliable if reliability == "auto" else reliability == "reliable", bool(there))


def preview_topic(node: Node) -> str:
    """Full name of the topic of small images, for people."""
    return node.resolve_topic_name("image_raw") + "/preview"
