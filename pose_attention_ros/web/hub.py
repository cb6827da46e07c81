"""What is new, for every open page: results as they come, only the newest image, nothing for pages in the background.

Whoever has results calls from its own thread; the pages live in the server's event loop.
"""

from __future__ import annotations

import json
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pose_attention_ros.core.machine.preview import Preview
from pose_attention_ros.core.types import Frame
from pose_attention_ros.web.settings import WebConfig

if TYPE_CHECKING:
    import asyncio

_WAITING = 60  # messages for one page; a slower page loses the oldest results
_KEPT_EVENTS = 500


class Feed(Protocol):
    """What the server asks of whoever has the results; called from other threads than the one that publishes. What a
    person can mend is a UserError, whose line the page shows."""

    def settings(self) -> list[dict]:
        """The settings that the page may change; see settings.described."""
        ...

    def set(self, name: str, value: float) -> None:
        """Change one of them."""
        ...

    def parameter_file(self) -> str:
        """Their values as a parameter file."""
        ...

    def teach(self, command: str, **what: Any) -> dict:
        """One of core.teaching.commands.COMMANDS with its fields: what is taught then, and the lesson's takes."""
        ...

    def onlookers(self, pages: int) -> None:
        """So many pages look on now."""
        ...


class Page:
    """One browser's window."""

    def __init__(self) -> None:
        import asyncio  # with the first page

        self.visible = True
        self.waiting: deque[str] = deque(maxlen=_WAITING)
        self.image: bytes | None = None
        self.wake = asyncio.Event()
        self.lost = 0

    def tell(self, text: str) -> None:
        self.lost += len(self.waiting) == self.waiting.maxlen
        self.waiting.append(text)
        self.wake.set()


class Hub:
    """Takes results in any thread and hands them to the pages."""

    def __init__(self, config: WebConfig) -> None:
        self.config = config
        self.pages: set[Page] = set()
        self.feed: Feed | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watched = 0
        self._lock = threading.Lock()
        self._latest: dict[str, str] = {}  # messages that a new page needs
        self._labels: dict[int, tuple[str, float]] = {}
        self._events: deque[dict] = deque(maxlen=_KEPT_EVENTS)
        self._preview = Preview()

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """The pages' event loop runs."""
        self._loop = loop

    @property
    def watched(self) -> bool:
        """Whether a page is in the foreground somewhere."""
        return self._watched > 0

    # From whoever has results ---------------------------------------------------------------------------------------------
    def result(self, record: dict[str, Any]) -> None:
        """See records.record_of; also called while nobody looks on, for the events."""
        changes = self._changes(record)
        if self.watched:
            self._tell(json.dumps({**record, "events": changes}, separators=(",", ":")))

    def keep(self, record: dict[str, Any]) -> None:
        """A message of which a new page needs the newest of its type: model, health, settings."""
        text = json.dumps(record, separators=(",", ":"), default=str)
        with self._lock:
            self._latest[record["type"]] = text
        self._tell(text)

    def wants_image(self, stamp_ns: int) -> bool:
        """Whether to make an image for the pages."""
        return self.watched and self._preview.due(stamp_ns, self.config)

    def image(self, frame: Frame) -> None:
        """Show a frame to those who look on."""
        self.picture(frame.stamp_ns, self._preview.jpeg(frame.image_bgr, self.config).tobytes())

    def picture(self, stamp_ns: int, jpeg: bytes) -> None:
        """The same with what is small already."""
        self._tell_image(struct.pack("<d", stamp_ns * 1e-9) + jpeg)

    # In the event loop ----------------------------------------------------------------------------------------------------
    def open(self, page: Page) -> None:
        """A page is there; it is told how things stand."""
        self.pages.add(page)
        self.show(page, True)

    def show(self, page: Page, visible: bool) -> None:
        """A page is in the foreground, and told how things stand; or in the background, and told nothing."""
        page.visible = visible
        if visible:
            with self._lock:
                texts = [*self._latest.values(), json.dumps({"type": "events", "events": list(self._events)})]
            for text in texts:
                page.tell(text)
        self.look()

    def close(self, page: Page) -> None:
        self.pages.discard(page)
        self.look()

    def look(self) -> None:
        """Count those who look on."""
        before, self._watched = self._watched, sum(page.visible for page in self.pages)
        if self.feed is not None and before != self._watched:
            self.feed.onlookers(self._watched)

    def _changes(self, record: dict[str, Any]) -> list[dict]:
        """Label changes of this result, as events."""
        stamp, found = record["stamp"], []
        for person in record["people"]:
            label = person.get("label", "unknown")
            if self._labels.get(person["id"], (None, 0))[0] != label:
                found.append(
                    {"stamp": stamp, "id": person["id"], "label": label, "confidence": person.get("confidence", 0.0)}
                )
            self._labels[person["id"]] = (label, stamp)
        for gone in [track for track, (_, seen) in self._labels.items() if not 0 <= stamp - seen < 1.0]:
            found.append({"stamp": self._labels.pop(gone)[1], "id": gone, "label": None, "confidence": 0.0})
        if found:
            with self._lock:
                self._events.extend(found)
        return found

    def _tell(self, text: str) -> None:
        self._in_loop(lambda: [page.tell(text) for page in self.pages if page.visible])

    def _tell_image(self, content: bytes) -> None:
        def tell() -> None:
            for page in self.pages:
                if page.visible:
                    page.image = content
                    page.wake.set()

        self._in_loop(tell)

    def _in_loop(self, call: Callable[[], Any]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(call)
            except RuntimeError:  # closed between the two lines
                pass


class Meter:
    """Rate, age and drops of results over the last seconds, for the page's health."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=120)
        self._ages: deque[float] = deque(maxlen=120)

    def done(self, age_s: float) -> None:
        self._times.append(time.monotonic())
        self._ages.append(age_s)

    def read(self) -> dict[str, float | None]:
        """Results a second and their median age."""
        now = time.monotonic()
        recent = [(at, age) for at, age in zip(self._times, self._ages) if now - at < 5.0]
        span_s = recent[-1][0] - recent[0][0] if recent else 0.0
        rate = (len(recent) - 1) / span_s if span_s > 0 else 0.0
        ages = [age for _, age in recent if age == age]
        return {"rate_hz": round(rate, 1), "age_s": round(float(np.median(ages)), 3) if ages else None}
