"""The web server: four files, one socket a page. It runs in a thread of its own and never waits for anybody's results.

Until the first browser comes it is an open port and a thread that sleeps: aiohttp and asyncio, half of what the web node
needs in memory, are loaded then.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import math
import selectors
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.teaching.commands import COMMANDS
from pose_attention_ros.web.access import COOKIE, HEADERS, Guard, read_token, token_file
from pose_attention_ros.web.hub import Hub, Page
from pose_attention_ros.web.settings import SHOWN

# fmt: off
FILES = {"/": ("index.html", "text/html"), "/page.js": ("page.js", "text/javascript"),
         "/draw.js": ("draw.js", "text/javascript"), "/style.css": ("style.css", "text/css"),
         "/icon.svg": ("icon.svg", "image/svg+xml")}
# fmt: on
_FOLDER = Path(__file__).parent / "page"
_LARGEST_MESSAGE, _LARGEST_REQUEST = 4096, 8192  # bytes
_MESSAGES_A_SECOND = 20
_CLOSE_S = 10.0
_TYPES = ("there", "visible", "settings", "set", "parameter_file", "teach")  # of a page's messages; "there": is anybody?
_log = logging.getLogger(__name__)


class WebServer:
    """`start` serves until `close`."""

    def __init__(self, hub: Hub, token_at: Path | None = None) -> None:
        """
        :param token_at: file of the token, where one is wanted; None: this user's own
        :raises UserError: aiohttp is absent, or the token cannot be read or made
        """
        if importlib.util.find_spec("aiohttp") is None:
            raise UserError(
                "the web page needs aiohttp: pip install 'pose_attention_ros[web]' (on a robot: "
                "sudo apt install python3-aiohttp)"
            )
        self.hub, self.config = hub, hub.config
        self.token, self.made_token = (None, False) if self.config.local else read_token(token_at or token_file())
        self._guard = Guard(self.config, self.token)
        self._files = {path: (_FOLDER / name).read_bytes() for path, (name, _) in FILES.items()}
        self._listening: list[socket.socket] = []
        self._loop: asyncio.AbstractEventLoop | None = None  # once it serves
        self._closing = False
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self.port = self.config.port

    @property
    def address(self) -> str:
        """For people; without the token."""
        host = self.config.host if self.config.host not in ("0.0.0.0", "::") else "localhost"
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def start(self) -> None:
        """Raises UserError where the port cannot be had."""
        try:
            self._listen()
        except OSError as error:
            self._stop_listening()
            raise UserError(
                f"port {self.config.port} of {self.config.host} cannot be had: {error.strerror or error}; "
                "choose another port"
            ) from None
        self._thread.start()
        if self.made_token:  # once, and in no log
            print(f"web page: {self.address}/?token={self.token}\nThe token is kept in {token_file()}", flush=True)

    def close(self) -> None:
        """End all connections."""
        self._closing = True
        self._wake.close()
        if self._thread.is_alive():
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_CLOSE_S)
        self._stop_listening()

    def _listen(self) -> None:
        """At every address that the host's name has."""
        found = socket.getaddrinfo(self.config.host, self.config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
            at = (address[0], self.port, *address[2:])
            self._listening.append(socket.create_server(at, family=family))
            self.port = self._listening[-1].getsockname()[1]

    def _stop_listening(self) -> None:
        for each in (*self._listening, self._wake, self._woken):
            each.close()

    def _run(self) -> None:
        with self._woken, selectors.DefaultSelector() as something:
            for each in (*self._listening, self._woken):
                something.register(each, selectors.EVENT_READ)
            something.select()
        if self._closing:
            return
        import asyncio

        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(self._serve(loop))
        self._loop = loop
        try:
            if not self._closing:
                loop.run_forever()
        finally:
            for page in list(self.hub.pages):
                self.hub.close(page)
            loop.run_until_complete(runner.cleanup())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    async def _serve(self, loop: asyncio.AbstractEventLoop) -> Any:
        from aiohttp import web

        app = web.Application(client_max_size=_LARGEST_REQUEST, middlewares=[self._guarded])
        for path in FILES:
            app.router.add_get(path, self._file)
        app.router.add_get("/socket", self._socket)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        for listening in self._listening:
            await web.SockSite(runner, listening).start()
        self.hub.attach(loop)
        return runner

    @property
    def _guarded(self) -> Any:
        import asyncio

        from aiohttp import web

        @web.middleware
        async def guarded(request: web.Request, handler: Any) -> web.StreamResponse:
            if not self._guard.knows_host(request.headers.get("Host")):
                return self._refused(421, "this machine does not go by that name; see the setting `names`")
            given = request.query.get("token")
            if request.path == "/" and given is not None and self.token is not None:
                if not self._guard.admits(given):
                    await asyncio.sleep(1.0)  # so that guessing takes time
                    return self._refused(403, "that is not the token")
                answer = web.Response(status=302, headers={**HEADERS, "Location": "/"})
                answer.set_cookie(COOKIE, given, httponly=True, samesite="Strict", max_age=30 * 86400, path="/")
                return answer
            if not self._guard.admits(request.cookies.get(COOKIE)):
                return self._refused(403, "open this page once with /?token=..., which was printed at the first start")
            try:
                answer = await handler(request)
            except web.HTTPException as error:
                return self._refused(error.status, error.reason)
            if not answer.prepared:
                answer.headers.update(HEADERS)
            return answer

        return guarded

    @staticmethod
    def _refused(status: int, why: str) -> Any:
        from aiohttp import web

        return web.Response(status=status, text=why + "\n", headers=HEADERS)

    async def _file(self, request: Any) -> Any:
        from aiohttp import web

        return web.Response(body=self._files[request.path], content_type=FILES[request.path][1], charset="utf-8")

    async def _socket(self, request: Any) -> Any:
        import asyncio

        from aiohttp import WSMsgType, web

        if not self._guard.same_origin(request.headers.get("Origin"), request.headers.get("Host")):
            return self._refused(403, "only this server's own page may connect")
        if len(self.hub.pages) >= self.config.most_pages:
            return self._refused(503, f"{self.config.most_pages} pages are open already")
        socket = web.WebSocketResponse(max_msg_size=_LARGEST_MESSAGE, heartbeat=20.0, compress=False)
        await socket.prepare(request)
        page = Page()
        page.tell(json.dumps({"type": "hello", "read_only": self.config.read_only}))
        self.hub.open(page)
        sender, clock = asyncio.ensure_future(self._send(page, socket)), asyncio.get_running_loop().time
        allowance, before = float(_MESSAGES_A_SECOND), clock()
        try:
            async for message in socket:
                now = clock()
                allowance = min(allowance + (now - before) * _MESSAGES_A_SECOND, _MESSAGES_A_SECOND) - 1
                before = now
                if allowance < 0 or message.type != WSMsgType.TEXT:
                    await socket.close(code=1008, message=b"too many messages, or not text")
                    break
                await self._heard(page, message.data)
        finally:
            sender.cancel()
            self.hub.close(page)
        return socket

    async def _send(self, page: Page, socket: Any) -> None:
        """Everything for one page, in order; of images only the newest."""
        import asyncio

        try:
            while True:
                await page.wake.wait()
                page.wake.clear()
                while page.waiting:
                    await socket.send_str(page.waiting.popleft())
                if page.image is not None:
                    content, page.image = page.image, None
                    await socket.send_bytes(content)
        except (ConnectionError, asyncio.CancelledError):
            pass

    async def _heard(self, page: Page, text: str) -> None:
        """One message of a page. Whatever is wrong with it is answered, and changes nothing."""
        try:
            message = read_message(text)
            answer = await self._obey(page, message)
        except UserError as error:
            answer = {"error": str(error)}
        except Exception as error:
            _log.exception("web page: %s", type(error).__name__)
            answer = {"error": "internal error; see the log"}
        page.tell(json.dumps({"type": "answer", "number": number_of(text), **(answer or {})}, separators=(",", ":")))

    async def _obey(self, page: Page, message: dict[str, Any]) -> dict | None:
        kind, feed = message["type"], self.hub.feed
        if kind == "visible":
            self.hub.show(page, message["value"])
            return None
        if kind == "there":
            return None
        if feed is None:
            raise UserError("nothing is running yet")
        if kind == "settings":
            return {"settings": await self._elsewhere(feed.settings)}
        if kind == "parameter_file":
            return {"file": await self._elsewhere(feed.parameter_file)}
        if self.config.read_only and (kind == "set" or message.get("command") != "status"):
            raise UserError("this page may only look: the server's read_only is true")
        if kind == "set":
            await self._elsewhere(feed.set, message["name"], message["value"])
            return {"settings": await self._elsewhere(feed.settings)}
        command = message["command"]
        return {
            "lesson": await self._elsewhere(
                lambda: feed.teach(command, **{name: message[name] for name in COMMANDS[command]})
            )
        }

    async def _elsewhere(self, call: Any, *arguments: Any) -> Any:
        import asyncio

        return await asyncio.get_running_loop().run_in_executor(None, call, *arguments)


def number_of(text: str) -> int | None:
    """By which the page knows the answer to its message, where it gave one."""
    try:
        number = json.loads(text)["number"]
    except (ValueError, RecursionError, TypeError, LookupError):
        return None
    return number if type(number) is int and abs(number) < 2**53 else None


def read_message(text: str) -> dict[str, Any]:
    """A page's message with all that it must have and of the right type. Raises UserError."""
    try:
        message = json.loads(text, parse_constant=lambda name: math.nan)
    except (ValueError, RecursionError):
        raise UserError("a message is not JSON") from None
    if not isinstance(message, dict) or message.get("type") not in _TYPES:
        raise UserError("a message has no known type")
    wanted: dict[str, type] = {
        "visible": {"value": bool},
        "set": {"name": str, "value": float},
        "teach": {"command": str},
    }.get(message["type"], {})
    if message["type"] == "teach" and isinstance(message.get("command"), str):
        if message["command"] not in COMMANDS:
            raise UserError("command is none of " + ", ".join(COMMANDS))
        wanted = {**wanted, **COMMANDS[message["command"]]}
    for name, kind in wanted.items():
        value = message.get(name)
        if kind is float and type(value) is int and abs(value) < 1e15:
            value = message[name] = float(value)
        if type(value) is not kind or (kind is float and not math.isfinite(value)) or (kind is int and abs(value) >= 2**62):
            raise UserError(f"{name} is not a {kind.__name__} that can be used")
    if message["type"] == "set" and message["name"] not in SHOWN:
        raise UserError("name is none of " + ", ".join(SHOWN))
    return message
