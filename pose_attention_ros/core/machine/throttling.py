"""Whether this machine runs slower than it could because it is hot or its supply is weak, as Linux tells it."""

from __future__ import annotations

from pathlib import Path

# Types of cooling devices that slow a processor down (fans are cooling devices, too).
_SLOWING = ("cpufreq", "devfreq", "processor", "throttle")
# What the Raspberry Pi's firmware reports, by bit; the higher bits say that it has happened since the start.
_PI_FLAGS = "devices/platform/soc/soc:firmware/get_throttled"
_PI_BITS = {
    0: "its supply voltage is low",
    1: "its clock is capped",
    2: "it is throttled",
    3: "it is near its temperature limit",
}


def throttling(sysfs: Path = Path("/sys")) -> str:
    """How the machine throttles now, empty if it does not or does not tell.

    Sources: the thermal framework of Linux (Documentation/ABI/testing/sysfs-class-thermal: `cur_state` above 0), and
    get_throttled of the Raspberry Pi's firmware (documentation of vcgencmd).
    """
    reasons = []
    flags = _number(sysfs / _PI_FLAGS, base=16)
    reasons += [text for bit, text in _PI_BITS.items() if flags >> bit & 1]
    for device in sorted((sysfs / "class" / "thermal").glob("cooling_device*")):
        kind = _text(device / "type")
        if any(word in kind.lower() for word in _SLOWING) and (state := _number(device / "cur_state")) > 0:
            reasons.append(f"{kind} is slowed down to step {state}")
    return "the machine throttles: " + ", ".join(reasons) if reasons else ""


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""


def _number(path: Path, base: int = 10) -> int:
    """The file's number; 0 where there is none."""
    try:
        return max(0, int(_text(path), base))
    except ValueError:
        return 0
