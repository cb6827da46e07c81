"""Log lines: those of the ROS-free code go to the node's logger, and what repeats is told once in a while."""

from __future__ import annotations

import logging
import re
import time
from typing import Any

from pose_attention_ros.core.secrets import masked

PACKAGE_LOGGER = "pose_attention_ros"
_NUMBER = re.compile(r"\d[\d.]*")
_MOST_KINDS = 100


class NodeLogHandler(logging.Handler):
    """Hands records of Python's `logging` to a node's logger, so that they reach the console format and /rosout.

    Warnings and errors that come with every message (two cameras with different clocks on one topic) are told once in a
    while.
    """

    def __init__(self, ros_logger: Any) -> None:
        super().__init__()
        self._logger = ros_logger
        self._throttle = Throttle()

    def emit(self, record: logging.LogRecord) -> None:
        text = masked(self.format(record))
        if record.levelno >= logging.WARNING and (text := self._throttle.line(text)) is None:
            return
        # One call a severity: rclpy forbids a call site to change its severity.
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        elif record.levelno >= logging.INFO:
            self._logger.info(text)
        else:
            self._logger.debug(text)


def bridge_logging(ros_logger: Any) -> NodeLogHandler:
    """Route this package's `logging` to the node; undo with `unbridge_logging`."""
    handler = NodeLogHandler(ros_logger)
    logger = logging.getLogger(PACKAGE_LOGGER)
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)  # the node's logger does the filtering
    logger.propagate = False
    return handler


def unbridge_logging(handler: NodeLogHandler) -> None:
    """Stop what `bridge_logging` began."""
    logging.getLogger(PACKAGE_LOGGER).removeHandler(handler)


class Throttle:
    """Lets lines that differ only in their numbers through once in `period_s`, and counts those held back."""

    def __init__(self, period_s: float = 5.0) -> None:
        self._period_s = period_s
        self._last: dict[str, tuple[float, int]] = {}

    def line(self, text: str) -> str | None:
        """`text`, with the number of its like held back since the last; None while it is too early."""
        now, kind = time.monotonic(), _NUMBER.sub("", text)
        told, held_back = self._last.get(kind, (-self._period_s, 0))
        if now - told < self._period_s:
            self._last[kind] = (told, held_back + 1)
            return None
        if len(self._last) >= _MOST_KINDS:  # texts quote what others send: memory stays bounded
            self._last.clear()
        self._last[kind] = (now, 0)
        return f"{text} ({held_back} more like this before)" if held_back else text
