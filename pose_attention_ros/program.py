"""What every installed program begins with: signals are taken care of before anything heavy is imported.

Ctrl-C, `kill` and `ros2 launch` ask a program to stop at any moment, also while it imports or loads a model. Raising an
exception then would end up in whatever code runs just now, some of which swallows it. So a signal of a node is only noted.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
ENDS_WITH = "POSE_ATTENTION_ENDS_WITH"  # the process number of the launch that started this node and should not be outlived
_PR_SET_PDEATHSIG = 1  # prctl(2)
_START_PATIENCE_S = 2.0  # a start that was asked to stop is given this long to reach its next step
_END_PATIENCE_S = 6.0  # asked again after this long, a node ends at once; ros2 launch asks again after 5 s
_M_ARENA_MAX, _POOLS = -8, 2  # mallopt(3)
_current: Stop | None = None


class Stop:
    """Whether this process was asked to stop, from the moment it is made on; to be made in the main thread.

    While the program is *loading* nothing needs to be undone, and the process ends at once. While the node is *starting*
    the next step sees `asked`; where none comes soon, the process ends. While it is *running* whoever called `tell` is told,
    and ends in its own time. The exit code is 0 each time: it was asked to.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._phase = "loading"
        self._asked_s: float | None = None
        self._told: Callable[[], None] | None = None
        self._lock = threading.Lock()
        read, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)  # Python's handlers wait for a main thread that may be busy
        for number in SIGNALS:
            signal.signal(number, lambda *_: None)
            signal.siginterrupt(number, False)  # no call of a driver fails for it
        threading.Thread(target=self._watch, args=(read,), name="signals", daemon=True).start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # the program's first line held them back

    @property
    def asked(self) -> bool:
        """Whether SIGINT or SIGTERM came."""
        return self._asked_s is not None

    def starting(self) -> None:
        """All is imported: from here on there is something to undo."""
        with self._lock:
            self._phase = "starting"

    def running(self) -> None:
        """The start is over: from here on ending takes the time it takes."""
        with self._lock:
            self._phase = "running"

    def tell(self, told: Callable[[], None] | None) -> None:
        """Have `told` called, in another thread, when the process is asked to stop; at once where it was already. None:
        nobody is told any more."""
        with self._lock:
            self._told = told
            asked = self.asked
        if asked and told is not None:
            told()

    def _watch(self, read: int) -> None:
        while os.read(read, 1):
            with self._lock:
                self._note()

    def _note(self) -> None:
        now = time.monotonic()
        if self._asked_s is not None:
            if now - self._asked_s > _END_PATIENCE_S:
                self._leave("did not end when asked; ends now", 1)
            return
        if self._phase == "loading":
            self._leave("stopped while starting", 0)
        self._asked_s = now
        if self._phase == "starting":
            threading.Thread(target=self._limit_start, name="limit", daemon=True).start()
        if self._told is not None:
            self._told()

    def _limit_start(self) -> None:
        time.sleep(_START_PATIENCE_S)
        with self._lock:
            if self._phase == "starting":
                self._leave("stopped while starting", 0)

    def _leave(self, why: str, code: int) -> None:
        with contextlib.suppress(OSError):  # whoever listened may be gone
            os.write(2, f"{self._name}: {why}\n".encode())
        os._exit(code)


def stop_of(name: str) -> Stop:
    """The Stop of this process: the one that its program made, else a new one."""
    global _current
    _current = _current or Stop(name)
    return _current


def run_node(module: str) -> None:
    """Be the program of a node: import `module` and call its `main`; never returns."""
    stop_of(Path(sys.argv[0]).name)
    _share_pools()
    _end_with_launch()
    main = _imported(module).main
    _leave(main())


def _imported(module: str) -> ModuleType:
    """The module. What imports make stays: nothing looks through it for garbage, neither now nor while the node works."""
    gc.disable()
    imported = importlib.import_module(module)
    gc.freeze()
    gc.enable()
    return imported


def _end_with_launch() -> None:
    """Have Linux interrupt this process when the launch that started it ends, however that happens: `launch` that is told
    SIGTERM, or killed, leaves its processes behind."""
    launch = os.environ.get(ENDS_WITH, "")
    if not launch.isdigit() or not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGINT))
    if not Path("/proc", launch).exists():  # it has ended already
        os.kill(os.getpid(), signal.SIGINT)


def _share_pools() -> None:
    """Have all threads take memory from two pools of glibc's. It would make up to eight for each processor, and each keeps
    what a thread once needed for an image: a tenth of a node's memory. Whoever sets MALLOC_ARENA_MAX decides."""
    if "MALLOC_ARENA_MAX" in os.environ or not sys.platform.startswith("linux"):
        return
    import ctypes

    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _POOLS)


def run_tool(module: str) -> None:
    """Be a program that Ctrl-C interrupts, with the shell's exit code 130 and without a traceback; never returns."""
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        code = importlib.import_module(module).main()
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    _ignore_signals()
    sys.exit(code)


def _leave(code: int) -> None:
    """End a node's process once its threads and whatever wants to be told of the end are through. Python is not taken apart
    piece by piece: the node has let go of what is to be let go of, and that took a fifth of what its whole start takes."""
    _ignore_signals()
    gc.collect()  # the middleware's memory on this machine goes with the last object that refers to it
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # whoever listened may be gone
            stream.flush()
    os._exit(code)


def _ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # asked to end while it ends: no crash
