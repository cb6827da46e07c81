"""The web node beside somebody else's camera and answers, seen through a page's socket."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("aiohttp", reason="the page is served by it")

import aiohttp
from lifecycle_msgs.msg import Transition
from sensor_msgs.msg import CompressedImage, Image

from pose_attention_ros.core.types import FEATURE_NAMES
from pose_attention_ros.msg import ActionLabelArray, SkeletonGraphArray
from pose_attention_ros.ros.images import image_from_bgr, message_of_jpeg
from pose_attention_ros.ros.qos import result_profile, sensor_profile
from pose_attention_ros.ros.stamps import header_of

TOPICS = ("image_raw", "image_raw/preview", "skeleton_graphs", "actions")


class Client:
    """A page in the foreground, in a thread."""

    def __init__(self, address: str) -> None:
        self.texts: list[dict] = []
        self.images: list[bytes] = []
        self._address, self._loop = address, asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._listen(),))
        self._closing = asyncio.Event()
        self._thread.start()

    async def _listen(self) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{self._address}/socket", headers={"Origin": self._address}) as socket,
        ):
            closing = asyncio.ensure_future(self._closing.wait())
            while not self._closing.is_set():
                message = asyncio.ensure_future(socket.receive())
                await asyncio.wait((message, closing), return_when=asyncio.FIRST_COMPLETED)
                if message.done() and message.result().type == aiohttp.WSMsgType.TEXT:
                    self.texts.append(json.loads(message.result().data))
                elif message.done():
                    self.images.append(message.result().data)
                message.cancel()

    def of(self, kind: str) -> list[dict]:
        """What came of this type."""
        return [text for text in self.texts if text["type"] == kind]

    def close(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join()


@pytest.fixture
def web(start: Callable) -> Any:
    return start("web", {"port": 0})


@pytest.fixture
def page(web: Any) -> Iterator[Client]:
    client = Client(web.wait_for_line("open http").rpartition("open ")[2].strip())
    yield client
    client.close()


def test_images_and_results_of_others_reach_the_page_which_costs_nothing_once_closed(web, page, probe):
    """A camera that makes no small images; then one that does; results; and publishers that do not fit."""
    green, stamps = np.full((48, 64, 3), (0, 200, 0), np.uint8), iter(range(1, 10**6))
    raw = probe.node.create_publisher(Image, "image_raw", result_profile())

    def shows() -> bool:
        raw.publish(image_from_bgr(green, next(stamps) * 10**8, "eye"))
        return bool(page.images)

    probe.until(shows, "an image of a camera alone, without any results")
    picture = cv2.imdecode(np.frombuffer(page.images[0], np.uint8, offset=8), cv2.IMREAD_COLOR)
    assert picture.shape == green.shape and np.abs(picture.astype(int) - green).mean() < 4

    senders = [
        probe.node.create_publisher(kind, topic, result_profile())
        for kind, topic in zip((CompressedImage, SkeletonGraphArray, ActionLabelArray), TOPICS[1:])
    ]

    def shows_the_small_one() -> bool:
        stamp_ns = next(stamps) * 10**8
        senders[0].publish(message_of_jpeg(np.frombuffer(b"a small JPEG", np.uint8), stamp_ns, "eye"))
        header = header_of(stamp_ns, "eye")
        senders[1].publish(SkeletonGraphArray(header=header, layout="common13", feature_names=list(FEATURE_NAMES)))
        senders[2].publish(ActionLabelArray(header=header))
        return page.images[-1][8:] == b"a small JPEG" and bool(page.of("result"))

    probe.until(shows_the_small_one, "the small image as it is, and results")
    assert page.of("health")
    probe.until(lambda: not probe.node.count_subscribers(f"{probe.namespace}/image_raw"), "large images are left alone")
    probe.node.create_publisher(SkeletonGraphArray, "skeleton_graphs", sensor_profile("best_effort"))
    assert "skeleton_graphs" in web.wait_for_line("no data will flow from a publisher")
    names = [f"{probe.namespace}/{topic}" for topic in TOPICS]

    def nothing_subscribed() -> bool:
        return not any(map(probe.node.count_subscribers, names))

    assert probe.change_state("web", Transition.TRANSITION_DEACTIVATE)
    probe.until(nothing_subscribed, "nothing is subscribed by an inactive node, whoever looks on")
    page.texts.clear()
    assert probe.change_state("web", Transition.TRANSITION_ACTIVATE)
    probe.until(shows_the_small_one, "results again")
    page.close()
    probe.until(nothing_subscribed, "nothing is subscribed without a page")
    assert web.running
