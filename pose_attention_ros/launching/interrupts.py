"""SIGINT while `launch` works: `launch` alone answers it.

`launch` hears of signals through its event loop and ends what it started. Python raises KeyboardInterrupt for the same
signal, wherever the program is. Where that is the making of a process, the task that would have waited for the process is
lost: `launch` waits for ever.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType


def leave_to_loop(runs: Callable[[], bool]) -> None:
    """From here on SIGINT raises no KeyboardInterrupt while the event loop runs, which `signal.set_wakeup_fd` tells of it.

    :param runs: the loop's `is_running`

    Nothing changes where the program has a handler of its own, and outside the main thread, where Python raises none.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return

    def interrupted(number: int, frame: FrameType | None) -> None:
        if not runs():
            signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, interrupted)
