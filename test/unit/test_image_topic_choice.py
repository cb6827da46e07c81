"""Which topic, form and reliability of images is subscribed, from what is published."""

from __future__ import annotations

import pytest

from pose_attention_ros.ros.image_topic_choice import COMPRESSED_IMAGE, IMAGE, Choice, Offer, choose

RAW, RAW_BEST_EFFORT = Offer(IMAGE, True), Offer(IMAGE, False)
JPEG, JPEG_BEST_EFFORT = Offer(COMPRESSED_IMAGE, True), Offer(COMPRESSED_IMAGE, False)


@pytest.mark.parametrize(
    ("base", "transport", "published", "topic", "compressed", "reliable"),
    [
        ("/cam", "auto", {}, "/cam", False, True),
        ("/cam", "auto", {"/cam": [RAW]}, "/cam", False, True),
        ("/cam", "auto", {"/cam": [RAW_BEST_EFFORT]}, "/cam", False, False),
        ("/cam", "auto", {"/cam": [RAW, RAW_BEST_EFFORT]}, "/cam", False, False),  # both are to be heard
        ("/cam", "auto", {"/cam": [RAW], "/cam/compressed": [JPEG]}, "/cam", False, True),
        ("/cam", "auto", {"/cam/compressed": [JPEG]}, "/cam/compressed", True, True),
        ("/cam/compressed", "auto", {"/cam/compressed": [JPEG]}, "/cam/compressed", True, True),
        ("/cam/compressed", "raw", {"/cam/compressed": [JPEG_BEST_EFFORT]}, "/cam/compressed", True, False),
        ("/cam/compressed", "compressed", {}, "/cam/compressed", True, True),
        ("/cam/compressed", "auto", {"/cam/compressed": [RAW]}, "/cam/compressed", False, True),
        ("/jpegs", "auto", {"/jpegs": [JPEG]}, "/jpegs", True, True),
        ("/jpegs", "compressed", {"/jpegs": [JPEG]}, "/jpegs", True, True),
        ("/cam", "compressed", {"/cam": [RAW]}, "/cam/compressed", True, True),
        ("/cam", "raw", {"/cam/compressed": [JPEG]}, "/cam", False, True),
        ("/cam", "auto", {"/cam": [Offer("std_msgs/msg/String", True)]}, "/cam", False, True),
    ],
)
def test_the_form_follows_the_type_and_the_reliability_the_publisher(
    base: str, transport: str, published: dict[str, list[Offer]], topic: str, compressed: bool, reliable: bool
) -> None:
    choice = choose(base, transport, "auto", lambda name: published.get(name, []))
    offered = any(offer.kind == (COMPRESSED_IMAGE if compressed else IMAGE) for offer in published.get(topic, []))
    assert choice == Choice(topic, compressed, reliable, offered)


@pytest.mark.parametrize("asked", ["reliable", "best_effort"])
def test_a_reliability_that_is_asked_for_is_taken(asked: str) -> None:
    for offer in (RAW, RAW_BEST_EFFORT):
        assert choose("/cam", "auto", asked, lambda name, offer=offer: [offer]).reliable == (asked == "reliable")
