"""The page in a real browser: against the composed pipeline on a video and the web node, and against `view` on a camera."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("playwright", reason="the browser is driven by playwright")

from live_video import live_video
from node_helpers import NodeProcess, Probe
from playwright import sync_api

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
PATIENCE_S = 120.0
VIDEO = "felixchenfy_exercise.avi"


@pytest.fixture(scope="module")
def graph(ros, shared, movenet_weights, tmp_path_factory) -> Iterator[tuple[str, NodeProcess, str]]:
    """Namespace, web node and address of a graph that plays a video of three people again and again."""
    namespace = f"/web_{uuid.uuid4().hex[:8]}"
    folder = tmp_path_factory.mktemp("web")
    pipeline = NodeProcess(
        "pipeline",
        namespace,
        {"source": str(shared / "videos" / VIDEO), "loop": True, "input_size": 192, "taught": str(folder / "taught.json")},
    )
    web = NodeProcess("web", namespace, {"port": 0})
    try:
        address = web.wait_for_line("open http").rpartition("open ")[2].strip()
        yield namespace, web, address
    finally:
        for process in (web, pipeline):
            process.terminate()
        for process in (web, pipeline):
            process.wait_or_kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, graph) -> Iterator[sync_api.Page]:
    """The page, loaded, with people in it; it may complain of nothing."""
    context = browser.new_context(viewport={"width": 1280, "height": 860}, accept_downloads=True)
    page, complaints = context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(graph[2])
    until(page, "document.querySelectorAll('#people .person').length >= 2")
    yield page
    context.close()
    assert not [each for each in complaints if "ERR_CONNECTION_REFUSED" not in each and "WebSocket" not in each], complaints


def until(page: sync_api.Page, condition: str, meanwhile: str = "0") -> None:
    """Asked from outside: the page's policy lets nothing be evaluated in it. `meanwhile` is done at each asking."""
    end_s = time.monotonic() + PATIENCE_S
    while not page.evaluate(f"Boolean({condition})"):
        assert time.monotonic() < end_s, f"not within {PATIENCE_S} s: {condition}"
        page.evaluate(meanwhile)
        page.wait_for_timeout(100)


def picture(page: sync_api.Page, name: str) -> None:
    """Kept for people to look at where POSE_ATTENTION_PICTURES names a folder."""
    if folder := os.environ.get("POSE_ATTENTION_PICTURES"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def test_the_same_page_without_ros_on_a_live_camera(browser, shared, movenet_weights, tmp_path):
    with live_video(shared / "videos" / VIDEO) as camera:
        tool = [sys.executable, "-m", "pose_attention_ros.cli.main", "view", "--source", camera, "--port", "0"]
        options = ["--input-size", "192", "--taught", str(tmp_path / "taught.json")]
        view = subprocess.Popen([*tool, *options], stdout=subprocess.PIPE, text=True)
        try:
            address = next(line for line in view.stdout if line.startswith("open http")).split()[1]
            page = browser.new_page()
            page.goto(address)
            until(page, "document.querySelectorAll('#people .person').length >= 2 && page.picture && page.model")
            until(page, "page.health.dropped >= 0 && page.health.backend")
            page.close()
            view.send_signal(signal.SIGINT)
            assert view.wait(PATIENCE_S) == 0
        finally:
            view.kill()
            view.wait()


def test_people_appear_with_image_labels_and_lanes(page):
    until(page, "page.picture && document.getElementById('live').width > 100 && page.health.model")
    colours = page.evaluate("""() => {
        const canvas = document.getElementById("live");
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return new Set(Array.from({length: data.length / 400}, (_, k) => data.slice(400 * k, 400 * k + 3).join())).size;
    }""")
    assert colours > 50  # a real image, not one colour
    person = "document.querySelector('#people .person')"
    until(page, f"{person}?.querySelectorAll('meter').length === 3 && {person}?.innerText.includes('looks at')")
    assert page.locator("#link").get_attribute("data-state") == "on"
    until(page, "document.querySelectorAll('#log li').length >= 2")
    with page.expect_download() as download:
        page.click("#save-log")
    assert download.value.path().read_text().startswith("stamp_s,person,label,confidence\n")
    picture(page, "desktop")


def test_a_setting_arrives_at_the_node_by_keyboard(page, graph):
    page.keyboard.press("s")
    page.wait_for_selector("#set-threshold", timeout=1000 * PATIENCE_S)
    page.focus("#set-threshold")
    for key in ("Home", *["ArrowRight"] * 40):
        page.keyboard.press(key)
    until(page, "document.getElementById('settings-said').textContent.startsWith('threshold is 0.4 ')")
    probe = Probe(graph[0])
    try:
        assert probe.get_parameter("pipeline", "threshold") == pytest.approx(0.4)
    finally:
        probe.close()
    with page.expect_download() as download:
        page.click("#save-settings")
    text = download.value.path().read_text()
    assert "/**/pipeline:" in text and "threshold: 0.4" in text
    picture(page, "settings")


def test_an_action_is_taught_and_recognised_in_the_next_round(page):
    page.keyboard.press("t")
    page.evaluate("page.count_ms = 50")
    page.fill("#teach-name", "gymnastics")
    page.click("#teach-form button")
    go_on = "document.querySelector('#go-on button')?.click()"  # the video begins again, with new ids for everybody
    until(page, "document.querySelectorAll('#takes li').length >= 2", go_on)
    picture(page, "teach")
    takes = page.evaluate("page.lesson.takes.length")
    page.click("#takes li button >> nth=0")
    until(page, f"page.lesson.takes && page.lesson.takes.length >= 1 && page.lesson.takes.length < {takes} + 2")
    page.click("#learn")
    until(page, "document.getElementById('taught').textContent.includes('gymnastics')")
    until(page, "page.model.classes.includes('gymnastics')")
    until(page, "page.events.some((event) => event.label === 'gymnastics')")

    page.click("#taught button >> nth=0")
    page.fill("#taught input", "stretching")
    page.keyboard.press("Enter")
    until(page, "page.model.classes.includes('stretching') && !page.model.classes.includes('gymnastics')")
    page.click("#taught li button >> nth=1")
    until(page, "!page.model.classes.includes('stretching')")


def test_two_browsers_and_a_phone_and_one_in_the_background(page, browser, graph):
    phone = browser.new_context(
        viewport={"width": 390, "height": 844}, device_scale_factor=2, is_mobile=True, has_touch=True, color_scheme="dark"
    )
    try:
        other = phone.new_page()
        other.goto(graph[2])
        until(other, "document.querySelectorAll('#people .person').length >= 2 && page.picture")
        assert other.evaluate("document.documentElement.scrollWidth <= window.innerWidth")  # nothing to scroll sideways
        picture(other, "phone")
        until(page, "page.health.pages === 2")
        # A browser without a screen shows every page; what it would say of one in the background is said here.
        other.evaluate("""() => {
            Object.defineProperty(document, "visibilityState", {value: "hidden", configurable: true});
            document.dispatchEvent(new Event("visibilitychange"));
            window.before = page.newest.stamp;
        }""")
        until(page, "(window.seen = (window.seen ?? 0) + 1) > 100")
        stamp = other.evaluate("page.newest.stamp")
        until(page, "(window.later = window.later ?? page.newest.stamp) !== page.newest.stamp")
        assert other.evaluate("page.newest.stamp") == stamp
    finally:
        phone.close()


OFF, ON = (f"document.getElementById('link').dataset.state === '{state}'" for state in ("off", "on"))


def test_the_connection_is_lost_and_comes_back(page, graph):
    page.evaluate("page.socket.close()")
    until(page, OFF)
    until(page, ON)
    page.context.set_offline(True)
    page.evaluate("page.socket.close(); window.stamp = page.newest.stamp")
    until(page, OFF)
    page.context.set_offline(False)
    until(page, f"{ON} && page.newest.stamp !== window.stamp")


def test_a_server_that_falls_silent_is_noticed_within_seconds(page, graph):
    """As where the network vanishes: the socket stays open, and a browser by itself would wait for minutes."""
    os.kill(graph[1].pid, signal.SIGSTOP)
    try:
        page.evaluate("window.stamp = page.newest.stamp; window.since = performance.now()")
        until(page, OFF)
        assert page.evaluate("performance.now() - window.since") < 12_000  # 5 s; this machine may be busy
    finally:
        os.kill(graph[1].pid, signal.SIGCONT)
    until(page, f"{ON} && page.newest.stamp !== window.stamp")
