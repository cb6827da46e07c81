"""SIGINT while an event loop makes processes, as in `launch`: none of its tasks is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# A loop that hears of signals through a socket, as that of `launch`, is interrupted in a task that begins to make a process.
PROGRAM = """
import asyncio, os, signal, socket, sys
from pose_attention_ros.launching.interrupts import leave_to_loop

heard = []

async def one_process(interrupt):
    if interrupt:
        os.kill(os.getpid(), signal.SIGINT)
    process = await asyncio.create_subprocess_exec("true")
    return await process.wait()

async def launch(loop):
    tasks = [loop.create_task(one_process(number == 3)) for number in range(6)]
    return (await asyncio.wait(tasks, timeout=20))[0]

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
ours, theirs = socket.socketpair()
for end in (ours, theirs):
    end.setblocking(False)
signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
loop.add_reader(ours.fileno(), lambda: heard.extend(ours.recv(99)))
if sys.argv[1] == "left":
    leave_to_loop(loop.is_running)
work = loop.create_task(launch(loop))
interrupts = 0
while True:
    try:
        done = loop.run_until_complete(work)
        break
    except KeyboardInterrupt:  # as LaunchService.run does
        interrupts += 1
ended = sum(not task.cancelled() and task.exception() is None for task in done)
print(f"{ended} of 6 processes ended, {interrupts} interrupts, heard {heard}", flush=True)
os.kill(os.getpid(), signal.SIGINT)  # the loop is done: Ctrl-C ends the program as ever
print("still here")
"""


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        ("python's", "5 of 6 processes ended, 1 interrupts, heard [2]"),  # why it is needed
        ("left", "6 of 6 processes ended, 0 interrupts, heard [2]"),
    ],
)
def test_a_process_that_is_being_made_is_not_lost(handler: str, said: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, handler], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == said, done.stderr
    assert done.returncode != 0 and "KeyboardInterrupt" in done.stderr


def test_a_programs_own_handler_stays() -> None:
    program = (
        "import signal; from pose_attention_ros.launching.interrupts import leave_to_loop\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN); leave_to_loop(bool)\n"
        "assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN\n"
        "import threading; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "other = threading.Thread(target=leave_to_loop, args=[bool])\n"
        "other.start(); other.join()\n"
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)
