"""Programs that are asked to stop: at any moment, with one line at most, the right code, and no process left."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pose_attention_ros.program import ENDS_WITH

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "scripts" / "program.in"
PATIENCE_S = 60.0
# Each is a program's module; it says "ready" when it is where it is to be interrupted.
SAY_READY = "import sys, time\nprint('ready', flush=True)\n"
LOADING = SAY_READY + "while True:\n    try:\n        time.sleep(0.01)\n    except BaseException:\n        pass\n"
BUSY = "import threading\nfrom pose_attention_ros.program import stop_of\nstop = stop_of('node')\n"
STARTING = (
    BUSY + "stop.starting()\n" + SAY_READY + "def main():\n    while not stop.asked:\n        time.sleep(0.01)\n"
    "    return 0\n"
)
STUCK = BUSY + "stop.starting()\n" + SAY_READY + "def main():\n    time.sleep(600)\n"
RUNNING = (
    BUSY
    + "told = threading.Event()\nstop.running()\nstop.tell(told.set)\n"
    + SAY_READY
    + "def main():\n    told.wait()\n    print('finished')\n    return 7\n"
)
HANGING = (
    BUSY + "import pose_attention_ros.program as program\nprogram._END_PATIENCE_S = 0.0\nstop.running()\n"
    "stop.tell(lambda: print('told', flush=True))\n" + SAY_READY + "def main():\n    time.sleep(600)\n"
)
ENDING = (
    "import atexit, gc, threading, time\natexit.register(print, 'at the end')\n" + SAY_READY + "def main():\n"
    "    thread = threading.Thread(target=lambda: (time.sleep(0.1), print('thread')))\n    thread.start()\n"
    "    print(gc.isenabled(), gc.get_freeze_count() > 1000)\n    return 3\n"
)
TOOL = SAY_READY + "def main():\n    time.sleep(600)\n"


@pytest.fixture
def start(tmp_path: Path):
    """start(module, kind) runs the program made of a module; it has said that it is ready."""
    processes: list[subprocess.Popen[str]] = []

    def begin(module: str, kind: str = "run_node") -> subprocess.Popen[str]:
        (tmp_path / "the_module.py").write_text(module)
        process = subprocess.Popen(
            [str(program(tmp_path, kind))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
        )
        processes.append(process)
        assert process.stdout.readline() == "ready\n", process.communicate(timeout=PATIENCE_S)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def program(folder: Path, kind: str) -> Path:
    """The template as CMake fills it in."""
    text = TEMPLATE.read_text()
    for name, value in (("Python3_EXECUTABLE", sys.executable), ("PROGRAM_KIND", kind), ("PROGRAM_MODULE", "the_module")):
        text = text.replace(f"@{name}@", value)
    path = folder / "a program"
    path.write_text(text)
    path.chmod(0o755)
    return path


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, output and errors of a program that ends by itself."""
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("module", "told"),
    [
        (LOADING, (0, "", "a program: stopped while starting\n")),
        (STARTING, (0, "", "")),
        (STUCK, (0, "", "a program: stopped while starting\n")),
        (RUNNING, (7, "finished\n", "")),
    ],
    ids=["loading, and swallowing all exceptions", "starting", "stuck in its start", "running"],
)
def test_a_node_that_is_asked_to_stop_ends(start, module: str, told: tuple[int, str, str], number: signal.Signals) -> None:
    process = start(module)
    process.send_signal(number)
    assert ended(process) == told


def test_a_node_that_ends_lets_threads_and_whoever_waits_for_the_end_finish(start) -> None:
    """And what its imports made is not looked through for garbage while it works."""
    assert ended(start(ENDING)) == (3, "True True\nthread\nat the end\n", "")


@pytest.mark.parametrize(("module", "code"), [(STUCK, ""), (RUNNING, "finished")], ids=["stuck in its start", "running"])
def test_a_node_ends_with_the_launch_that_started_it(tmp_path: Path, module: str, code: str) -> None:
    """Though that is killed, and nobody listens any more: the pipe that both write to comes to its end."""
    (tmp_path / "the_module.py").write_text(module)
    launch = (
        f"import os, subprocess\nos.environ['{ENDS_WITH}'] = str(os.getpid())\n"
        f"subprocess.run(['{program(tmp_path, 'run_node')}'], stderr=subprocess.PIPE)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", launch],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
    )
    assert process.stdout.readline() == "ready\n"
    process.kill()
    reading = threading.Thread(target=lambda: told.append(process.communicate()[0].strip()), daemon=True)
    told: list[str] = []
    reading.start()
    reading.join(PATIENCE_S)
    assert told == [code]


def test_a_node_that_hangs_ends_when_asked_again(start) -> None:
    process = start(HANGING)
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "told\n"
    process.send_signal(signal.SIGTERM)
    assert ended(process) == (1, "", "a program: did not end when asked; ends now\n")


def test_a_tool_is_interrupted_without_a_traceback(start) -> None:
    process = start(TOOL, "run_tool")
    process.send_signal(signal.SIGINT)
    assert ended(process) == (130, "", "")


def test_a_signal_before_python_runs_is_not_lost(tmp_path: Path) -> None:
    """Whenever it comes: sh ends by it, or Python sees it as soon as it can. Nothing of Python's own is printed."""
    (tmp_path / "the_module.py").write_text(LOADING)
    file = program(tmp_path, "run_node")
    for delay_s in (0.0, 0.001, 0.003, 0.006, 0.01, 0.015, 0.02, 0.03):
        process = subprocess.Popen(
            [str(file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
        )
        threading.Event().wait(delay_s)
        process.send_signal(signal.SIGINT)
        code, _, err = ended(process)
        assert (code, err) in ((0, "a program: stopped while starting\n"), (-signal.SIGINT, ""), (130, "")), (code, err)


# Eight threads that hold small pieces of memory at once; then the number of glibc's pools.
POOLS = SAY_READY + (
    "import ctypes, tempfile, threading\n"
    "def main():\n"
    "    held, met = [], threading.Barrier(8)\n"
    "    c = ctypes.CDLL(None)\n"
    "    c.malloc.restype, c.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]\n"
    "    def hold():\n"
    "        met.wait()\n"
    "        held.append(c.malloc(50_000))\n"
    "        met.wait()\n"
    "    threads = [threading.Thread(target=hold) for _ in range(8)]\n"
    "    for each in threads: each.start()\n"
    "    for each in threads: each.join()\n"
    "    c.fopen.restype, c.malloc_info.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]\n"
    "    c.fclose.argtypes = [ctypes.c_void_p]\n"
    "    with tempfile.NamedTemporaryFile() as file:\n"
    "        out = c.fopen(file.name.encode(), b'w')\n"
    "        c.malloc_info(0, out)\n"
    "        c.fclose(out)\n"
    "        print(file.read().count(b'<heap nr='))\n"
    "    return 0\n"
)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="another C library than glibc")
@pytest.mark.parametrize("wanted, most", [(None, 2), ("6", 6)])
def test_the_threads_of_a_node_share_two_pools_of_memory(start, monkeypatch, wanted, most) -> None:
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    if wanted:
        monkeypatch.setenv("MALLOC_ARENA_MAX", wanted)
    code, said, _ = ended(start(POOLS))
    assert code == 0 and (int(said) <= most if wanted is None else 2 < int(said) <= most)
