"""The web page's server: what it serves, whom it refuses, and that nothing a page sends can hurt it."""

import asyncio
import json
import re
import stat
import subprocess
import sys
import threading
import time

import aiohttp
import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pose_attention_ros.core.action_stage import ActionConfig
from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.machine.preview import scaled_down
from pose_attention_ros.core.teaching.commands import COMMANDS
from pose_attention_ros.core.types import ActionEstimate, ActionEstimates, Frame, LabelState, SkeletonGraphs
from pose_attention_ros.web.access import Guard, read_token
from pose_attention_ros.web.hub import Hub
from pose_attention_ros.web.records import record_of
from pose_attention_ros.web.server import FILES, WebServer, read_message
from pose_attention_ros.web.settings import SHOWN, WebConfig, described, parameter_file

pytestmark = pytest.mark.slow

RESULT = {
    "type": "result",
    "stamp": 1.0,
    "size": [64, 48],
    "people": [{"id": 1, "box": [0, 0, 9, 9], "joints": [], "label": "wave", "confidence": 0.9}],
}


def seen_people(count):
    """Graphs of so many people and what they do."""
    rng, table, classes = np.random.default_rng(count), layout("common13"), tuple("abcdef")
    joints = len(table.joints)
    graphs = SkeletonGraphs(
        10**9,
        "cam",
        table,
        (640, 480),
        np.arange(count) + 3,
        rng.normal(size=(count, joints, 2)),
        rng.normal(size=(count, joints, 5)),
        rng.uniform(size=(count, joints)) < 0.8,
        np.ones(count),
        rng.uniform(99, 300, (count, 2)),
        np.full(count, 70.0),
        rng.uniform(0, 400, (count, 4)),
    )

    def shares(length):
        return rng.dirichlet(np.ones(length)).astype(np.float32)

    people = tuple(
        ActionEstimate(
            int(track_id),
            "a",
            LabelState.CONFIRMED,
            0.9,
            shares(6),
            0,
            0,
            10**9,
            shares(joints),
            shares(45),
            np.arange(45) * 10**7,
        )
        for track_id in graphs.track_ids
    )
    return graphs, ActionEstimates(10**9, "cam", table, classes, "m", "0" * 64, people)


class Notes:
    """A feed that notes what it is asked."""

    def __init__(self):
        self.asked, self.looking = [], []

    def settings(self):
        return described({"threshold": 0.5})

    def set(self, name, value):
        if value > 1:
            raise UserError(f"{name} is {value}, expected 0 to 1")
        self.asked.append((name, value))

    def parameter_file(self):
        return "text"

    def teach(self, command, **what):
        self.asked.append((command, what))
        return {"taught": []}

    def onlookers(self, pages):
        self.looking.append(pages)


@pytest.fixture
def serve(tmp_path):
    servers = []

    def start(**config):
        hub = Hub(WebConfig(port=0, **config))
        hub.feed = Notes()
        server = WebServer(hub, tmp_path / "config" / "token")
        server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "web"]


def client(server, action, token=None, origin=None):
    """Run `action(session, address)`."""

    async def run():
        cookies = {"pose_attention": token} if token else None
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookies=cookies, cookie_jar=jar) as session:
            return await asyncio.wait_for(action(session, f"http://127.0.0.1:{server.port}"), 30)

    return asyncio.run(run())


def connect(session, address, **headers):
    return session.ws_connect(f"{address}/socket", headers={"Origin": address, **headers})


async def answer_of(socket, message, number=7):
    await socket.send_str(json.dumps({**message, "number": number}))
    while True:
        told = json.loads((await socket.receive(timeout=20)).data)
        if told["type"] == "answer" and told["number"] == number:
            return told


def test_the_page_comes_from_here_alone(serve):
    async def get(session, address):
        texts = {}
        for path in FILES:
            async with session.get(address + path) as answer:
                assert answer.status == 200
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                texts[path] = await answer.text()
        for path in ("/../server.py", "/%2e%2e/server.py", "/page/index.html", "/socket/x", "/.git", "/page.js/.."):
            async with session.get(address + path) as answer:
                assert answer.status in (404, 403, 200) and "class WebServer" not in await answer.text()
        async with session.post(address + "/", data=b"x") as answer:
            assert answer.status == 405
        return texts

    texts = client(serve(), get)
    for path, text in texts.items():
        elsewhere = [found for found in re.findall(r"https?://[^\"'\s`]+", text) if found != "http://www.w3.org/2000/svg"]
        assert not elsewhere, (path, elsewhere)
    assert "style=" not in texts["/"] and not re.search(r"\son\w+=", texts["/"])  # nothing inline, which the policy forbids
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\b", texts["/page.js"] + texts["/draw.js"])


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:1", 200),
        ("localhost", 200),
        ("[::1]:80", 200),
        ("evil.example", 421),
        ("192.168.1.5:8765", 421),
        ("", 421),
        ("localhost.evil.example", 421),
        ("[", 421),
    ],
)
def test_a_strangers_name_for_this_machine_is_refused(serve, host, status):
    async def get(session, address):
        async with session.get(address, headers={"Host": host}) as answer:
            return answer.status

    assert client(serve(), get) in (status, 400)


def test_names_and_addresses_where_everybody_may_connect():
    guard = Guard(WebConfig(host="0.0.0.0", names="robot.example, r2"), "t")
    assert guard.knows_host("192.168.1.5:8765") and guard.knows_host("ROBOT.example") and guard.knows_host("r2:8765")
    assert not guard.knows_host("evil.example") and not guard.knows_host(None)


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null", "http://127.0.0.1:1", "file://"])
def test_only_our_own_page_may_open_a_socket(serve, origin):
    async def open_socket(session, address):
        headers = {"Origin": origin} if origin else {}
        with pytest.raises(aiohttp.WSServerHandshakeError) as error:
            await session.ws_connect(f"{address}/socket", headers=headers)
        return error.value.status

    assert client(serve(), open_socket) == 403


def test_elsewhere_it_wants_the_token(serve, tmp_path, capsys):
    server = serve(host="0.0.0.0")
    printed = capsys.readouterr().out
    token = (tmp_path / "config" / "token").read_text().strip()
    assert printed.count(token) == 1 and len(token) >= 30
    assert stat.S_IMODE((tmp_path / "config" / "token").stat().st_mode) == 0o600

    async def get(session, address, path="/", **options):
        async with session.get(address + path, allow_redirects=False, **options) as answer:
            return answer.status, answer.headers.get("Set-Cookie", ""), await answer.text()

    assert client(server, get)[0] == 403
    assert client(server, get, token="wrong")[0] == 403
    assert client(server, lambda session, address: get(session, address, "/page.js"))[0] == 403
    status, cookie, text = client(server, lambda session, address: get(session, address, "/?token=wrong"))
    assert (status, cookie) == (403, "") and token not in text
    status, cookie, _ = client(server, lambda session, address: get(session, address, f"/?token={token}"))
    assert status == 302 and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert client(server, get, token=token)[0] == 200

    async def socket(session, address):
        with pytest.raises(aiohttp.WSServerHandshakeError) as error:
            await connect(session, address)
        return error.value.status

    assert client(server, socket) == 403
    serve(host="0.0.0.0")
    assert token not in capsys.readouterr().out  # printed once


def test_a_token_file_that_cannot_be_used_is_told(tmp_path):
    (tmp_path / "short").write_text("abc")
    with pytest.raises(UserError, match="holds 3 characters"):
        read_token(tmp_path / "short")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="cannot be used"):
        read_token(tmp_path / "file" / "token")


def test_a_port_in_use_is_told(serve):
    port = serve().port
    hub = Hub(WebConfig(port=port))
    with pytest.raises(UserError, match=f"port {port} of 127.0.0.1 cannot be had"):
        WebServer(hub).start()


def test_results_reach_a_page_in_the_foreground_only(serve):
    server = serve()
    hub, feed = server.hub, server.hub.feed
    assert not hub.watched and not hub.wants_image(0)
    hub.keep({"type": "model", "id": "m"})
    hub.result(RESULT)  # nobody looks on; the event is kept

    async def look(session, address):
        async with connect(session, address) as socket:
            await answer_of(socket, {"type": "visible", "value": True})
            assert hub.watched and hub.wants_image(10**9)
            hub.result({**RESULT, "stamp": 2.0})
            hub.image(Frame(np.zeros((48, 2000, 3), np.uint8), 10**9))
            seen = {}
            while not {"result", "image"} <= set(seen):
                message = await socket.receive(timeout=20)
                told = (
                    {"type": "image", "bytes": message.data}
                    if message.type == aiohttp.WSMsgType.BINARY
                    else json.loads(message.data)
                )
                seen[told["type"]] = told
            assert np.frombuffer(seen["image"]["bytes"][:8]) == 1.0 and seen["image"]["bytes"][8:10] == b"\xff\xd8"
            await answer_of(socket, {"type": "visible", "value": False})
            assert not hub.watched and not hub.wants_image(9 * 10**9)
            hub.result({**RESULT, "stamp": 3.0})
            again = await answer_of(socket, {"type": "visible", "value": True}, number=8)
            assert again["type"] == "answer"
            return seen

    client(server, look)
    end_s = time.monotonic() + 20  # the server hears of the closed page a little later
    while feed.looking[-1] != 0 and time.monotonic() < end_s:
        time.sleep(0.01)
    assert feed.looking[0] == 1 and feed.looking[-1] == 0 and 0 in feed.looking[1:-1]


def test_a_new_page_hears_how_things_stand(serve):
    server = serve()
    server.hub.keep({"type": "model", "id": "m"})
    server.hub.result(RESULT)
    server.hub.result({**RESULT, "stamp": 5.0, "people": []})

    async def look(session, address):
        async with connect(session, address) as socket:
            return [json.loads((await socket.receive(timeout=20)).data) for _ in range(3)]

    hello, model, events = client(server, look)
    assert hello == {"type": "hello", "read_only": False} and model["id"] == "m"
    assert [(event["id"], event["label"]) for event in events["events"]] == [(1, "wave"), (1, None)]


def test_settings_and_lessons_go_to_the_feed_and_complaints_come_back(serve):
    server = serve()

    async def use(session, address):
        async with connect(session, address) as socket:
            said = [
                await answer_of(socket, message, number)
                for number, message in enumerate(
                    (
                        {"type": "settings"},
                        {"type": "set", "name": "threshold", "value": 1},
                        {"type": "set", "name": "threshold", "value": 7},
                        {"type": "set", "name": "model", "value": 1},
                        {"type": "parameter_file"},
                        {"type": "teach", "command": "begin", "name": "bow", "track_id": 3},
                        {"type": "teach", "command": "begin", "name": 5, "track_id": 3},
                        {"type": "teach", "command": "__init__"},
                    )
                )
            ]
        return said

    said = client(server, use)
    assert said[0]["settings"][0]["low"] == 0 and said[0]["settings"][0]["doc"]
    assert said[2]["error"] == "threshold is 7.0, expected 0 to 1" and "name is none of" in said[3]["error"]
    assert said[4]["file"] == "text" and said[5]["lesson"] == {"taught": []}
    assert "name is not a str" in said[6]["error"] and "command is none of" in said[7]["error"]
    assert server.hub.feed.asked == [("threshold", 1.0), ("begin", {"name": "bow", "track_id": 3})]


def test_a_page_that_may_only_look_changes_nothing(serve):
    server = serve(read_only=True)

    async def use(session, address):
        async with connect(session, address) as socket:
            return [
                await answer_of(socket, message, number)
                for number, message in enumerate(
                    (
                        {"type": "set", "name": "threshold", "value": 1},
                        {"type": "teach", "command": "learn"},
                        {"type": "teach", "command": "status"},
                        {"type": "settings"},
                    )
                )
            ]

    said = client(server, use)
    assert ["error" in each for each in said] == [True, True, False, False]
    assert server.hub.feed.asked == [("status", {})]


def test_limits_on_pages_and_messages(serve):
    server = serve(most_pages=2)

    async def flood(session, address):
        async with connect(session, address), connect(session, address) as second:
            with pytest.raises(aiohttp.WSServerHandshakeError) as error:
                await connect(session, address)
            assert error.value.status == 503
            await second.send_str("x" * 5000)
            while not (message := await second.receive(timeout=20)).type.name.startswith("CLOS"):
                pass
            assert second.close_code == 1009, message
        async with connect(session, address) as socket:
            for _ in range(60):
                await socket.send_str('{"type": "settings"}')
            while not (message := await socket.receive(timeout=20)).type.name.startswith("CLOS"):
                pass
            assert socket.close_code == 1008
        async with connect(session, address) as socket:
            await socket.send_bytes(b"x")
            while not (await socket.receive(timeout=20)).type.name.startswith("CLOS"):
                pass
            return True

    assert client(server, flood)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
TYPES = ["there", "visible", "settings", "set", "parameter_file", "teach", "x"]
MESSAGES = st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES)},
    optional={
        "number": VALUES,
        "name": VALUES | st.sampled_from(list(SHOWN)),
        "value": VALUES,
        "track_id": VALUES,
        "take": VALUES,
        "command": VALUES | st.sampled_from(list(COMMANDS)),
        "new_name": VALUES,
    },
)


@settings(deadline=None, max_examples=300)
@given(text=st.text(max_size=60) | MESSAGES.map(json.dumps) | VALUES.map(json.dumps))
def test_whatever_a_page_sends_is_read_or_refused(text):
    try:
        message = read_message(text)
    except UserError as error:
        assert "\n" not in str(error) and len(str(error)) < 300
        return
    if message["type"] == "teach":
        assert all(type(message[name]) is kind for name, kind in COMMANDS[message["command"]].items())
    if message["type"] == "set":
        assert message["name"] in SHOWN and np.isfinite(message["value"])


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(max_size=80) | MESSAGES.map(json.dumps), min_size=1, max_size=8))
def test_the_server_outlives_fuzz(serve, texts):
    server = getattr(serve, "one", None) or serve()
    serve.one = server

    async def send(session, address):
        async with connect(session, address) as socket:
            for text in texts:
                await socket.send_str(text)
        async with connect(session, address) as socket:
            return await answer_of(socket, {"type": "settings"}, number=99)

    assert "settings" in client(server, send)


def test_the_parameter_file_fits_the_nodes():
    values = {name: getattr(ActionConfig(), name, 0.0) for name in SHOWN}
    read = yaml.safe_load(
        parameter_file(values, (("action", [name for name in SHOWN if name != "max_rate_hz"]), ("pose", ["max_rate_hz"])))
    )
    assert ActionConfig(**read["/**/action"]["ros__parameters"]) == ActionConfig()
    assert read["/**/pose"]["ros__parameters"] == {"max_rate_hz": 0.0}
    assert [each["name"] for each in described(values)] == list(SHOWN)


@pytest.mark.parametrize(
    "size, wanted",
    [
        ((1080, 1920), (360, 640)),
        ((576, 768), (480, 640)),
        ((1, 5000), (1, 640)),
        ((480, 640), (480, 640)),
        ((9, 1281), (4, 640)),
    ],
)
def test_images_for_the_page_are_made_smaller_without_losing_what_lies_between_the_pixels(size, wanted):
    """A picture of lines one pixel wide comes out grey, not black or white."""
    lines = np.zeros((*size, 3), np.uint8)
    lines[:, ::2] = 255
    found = scaled_down(lines, 640)
    assert found.shape == (*wanted, 3)
    if size[1] in (1920, 5000):
        assert 100 < found.min() and found.max() < 155


def test_a_result_is_short_and_has_every_joint_of_everybody():
    graphs, actions = seen_people(3)
    record = record_of(graphs, actions)
    assert [person["id"] for person in record["people"]] == graphs.track_ids.tolist()
    for person, points, mask in zip(record["people"], graphs.keypoints_px(), graphs.mask):
        np.testing.assert_allclose([joint[:2] for joint in person["joints"]], points, atol=0.051)
        assert [joint[2] for joint in person["joints"]] == mask.astype(int).tolist()
    numbers = re.findall(
        r"-?\d+\.\d+",
        json.dumps([[person["joints"], person["joint_attention"], person["moments"]] for person in record["people"]]),
    )
    assert numbers and max(len(number.partition(".")[2]) for number in numbers) <= 2
    assert record_of(seen_people(0)[0], None)["people"] == []


def test_nothing_of_the_server_is_loaded_before_the_first_browser_comes():
    """In a process of its own: this one has loaded everything already."""
    program = """if True:
        import sys
        from pose_attention_ros.web.hub import Hub
        from pose_attention_ros.web.server import WebServer
        from pose_attention_ros.web.settings import WebConfig
        server = WebServer(Hub(WebConfig(port=0)))
        server.start()
        heavy = {"aiohttp", "asyncio", "ssl", "cv2"} & set(sys.modules)
        assert not heavy, heavy
        import http.client
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert answer.status == 200 and b"<html" in answer.read(), answer.status
        assert "aiohttp" in sys.modules
        server.close()
        other = WebServer(Hub(WebConfig(port=server.port)))  # closed before anybody came, at a port that is free again
        other.start()
        other.close()
        """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
