"""Two machines on one: network namespaces joined by a link with delay, loss and a limited rate.

The link is a thread that carries Ethernet frames between two TAP devices, one in each namespace, so that real IP packets
get lost and late; kernels without netem can do it, too. Each machine has a /dev/shm of its own, else shared memory would
bypass the network.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import heapq
import itertools
import os
import random
import select
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 0x0002, 0x1000  # linux/if_tun.h
_QUEUE_S = 0.2  # what waits longer for a slow link is dropped, as by a router
_FRAME_BYTES = 2048
ADDRESSES = ("192.0.2.1", "192.0.2.2")  # kept for examples (RFC 5737)


@functools.cache
def why_not() -> str:
    """Why this machine cannot have network namespaces; empty if it can."""
    if os.geteuid() != 0:
        return "two machines need network namespaces, which only root may make"
    for tool in ("ip", "nsenter", "unshare"):
        if subprocess.run(["which", tool], capture_output=True, check=False).returncode:
            return f"two machines need the program {tool}"
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(_namespace(f"try_{os.getpid()}"))
            os.close(_tap(f"try{os.getpid() % 10**6}"))
    except (OSError, subprocess.CalledProcessError) as error:
        return f"two machines need network namespaces and TAP devices: {error}"
    return ""


@dataclass
class Link:
    """How frames get across, each way; counts what was carried and lost. Without `multicast` it is like many a Wi-Fi."""

    delay_s: float = 0.0
    loss: float = 0.0
    rate_bit_s: float = 1e9
    multicast: bool = True
    seed: int = 0
    carried: int = 0
    lost: int = 0
    carried_bytes: int = 0
    ip_fragments: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)

    def run(self, taps: tuple[int, int]) -> None:
        """Carry frames between the two TAP devices until stopped."""
        chance, numbers = random.Random(self.seed), itertools.count()
        waiting: list[tuple[float, int, int, bytes]] = []
        free_at = dict.fromkeys(taps, 0.0)
        while not self._stopping.is_set():
            wait_s = min(0.1, max(0.0, waiting[0][0] - time.monotonic())) if waiting else 0.1
            for tap in select.select(taps, (), (), wait_s)[0]:
                frame, now = os.read(tap, _FRAME_BYTES), time.monotonic()
                sent_at = max(now, free_at[tap]) + len(frame) * 8 / self.rate_bit_s
                barred = not self.multicast and frame.startswith(b"\x01\x00\x5e")
                if chance.random() < self.loss or sent_at - now > _QUEUE_S or barred:
                    self.lost += 1
                    continue
                free_at[tap] = sent_at
                heapq.heappush(waiting, (sent_at + self.delay_s, next(numbers), taps[tap == taps[0]], frame))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, to, frame = heapq.heappop(waiting)
                os.write(to, frame)
                self.carried += 1
                self.carried_bytes += len(frame)
                self.ip_fragments += _is_ip_fragment(frame)

    def stop(self) -> None:
        """Carry no more."""
        self._stopping.set()


@dataclass(frozen=True)
class Machine:
    """One of the two: `command` is what runs a program on it."""

    address: str
    holder_pid: int

    def command(self, *program: str) -> list[str]:
        """`program` with its arguments, to be run there."""
        return ["nsenter", f"--target={self.holder_pid}", "--mount", "--net", f"--wd={Path.cwd()}", *program]


@contextlib.contextmanager
def two_machines(link: Link) -> Iterator[tuple[Machine, Machine]]:
    """The two machines, joined by `link`."""
    with contextlib.ExitStack() as stack:
        taps, machines = [], []
        for side, address in zip("ab", ADDRESSES):
            name, device = f"pose_{os.getpid()}_{side}", f"tp{os.getpid() % 10**6}{side}"
            stack.enter_context(_namespace(name))
            taps.append(_tap(device))
            stack.callback(os.close, taps[-1])
            _ip("link", "set", device, "netns", name)
            for words in (
                ("addr", "add", f"{address}/24", "dev", device),
                ("link", "set", device, "up"),
                ("link", "set", "lo", "up"),
                ("route", "add", "224.0.0.0/4", "dev", device),
            ):
                _ip("-n", name, *words)
            machines.append(Machine(address, stack.enter_context(_holder(name))))
        carrier = threading.Thread(target=link.run, args=(tuple(taps),), daemon=True)
        carrier.start()
        stack.callback(carrier.join, 5)
        stack.callback(link.stop)
        yield machines[0], machines[1]


@contextlib.contextmanager
def _namespace(name: str) -> Iterator[None]:
    _ip("netns", "add", name)
    try:
        yield
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@contextlib.contextmanager
def _holder(name: str) -> Iterator[int]:
    """A process that keeps the machine's mounts; its id."""
    holder = subprocess.Popen(
        [
            "ip",
            "netns",
            "exec",
            name,
            "unshare",
            "--mount",
            "sh",
            "-c",
            "mount -t tmpfs tmpfs /dev/shm && echo ready && exec sleep infinity",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if holder.stdout.readline() != "ready\n":
            raise OSError("no /dev/shm of its own")
        yield holder.pid
    finally:
        holder.kill()
        holder.wait()


def _is_ip_fragment(frame: bytes) -> bool:
    """Whether an Ethernet frame holds a piece of a larger IPv4 packet: more to come, or not the first (RFC 791)."""
    return frame[12:14] == b"\x08\x00" and bool(int.from_bytes(frame[20:22], "big") & 0x3FFF)


def _tap(device: str) -> int:
    """A file descriptor that gives and takes the Ethernet frames of a new device."""
    tap = os.open("/dev/net/tun", os.O_RDWR)
    try:
        fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH14x", device.encode(), _IFF_TAP | _IFF_NO_PI))
    except OSError:
        os.close(tap)
        raise
    return tap


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
