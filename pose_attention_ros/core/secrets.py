"""Keeps passwords in the addresses of sources out of everything that is printed, published or recorded."""

from __future__ import annotations

import re
from collections.abc import Mapping

MASK = "***"
# What stands before the last @ of an address; a password may hold any sign, so rather too much is hidden than too little.
_LOGIN = re.compile(r"(?<=://)(?:\S*|[^\n'\"]*)@")
_LOGIN_ALONE = re.compile(r"[^\s/:'\"]+:[^\s/'\"]+@(?=\w)")  # of an address whose scheme was forgotten
_QUERY = re.compile(r"(?<=://)[^\s'\"?]*\?[^\s'\"]*")  # nobody knows what a camera's maker calls a password there
_VALUE = re.compile(r"=[^&;#]+")
# Elsewhere in addresses, and properties of GStreamer elements.
_NAMED = re.compile(
    r"((?:[\w-]*(?:pass|pwd|psw|token|secret|key|auth|credential|cookie|session|signature|jwt|headers)[\w-]*"
    r"|[\w-]*(?:pw|pas))\s*(?:=|%3D)\s*)"
    r"(\"[^\"]*\"|'[^']*'|[^\s&;!,\"']+)",
    re.IGNORECASE,
)
_PATH = re.compile(r"(?<=://)([^\s/'\"?#]*)(/[^\s'\"?#]*)")
_SEGMENT = re.compile(r"([^/]+?)((?:\.[A-Za-z]\w{1,4})?[.,:;)]*(?=/|$))")  # of a path; the ending of a file stays to be seen
_NAME_OF_SECRET = re.compile(  # as a whole segment, so that neither `keyboard` nor `passage` is one
    r"(?:[\w.-]*[-_.])?(?:api|access|auth|session|stream)?"
    r"(?:pass(?:word|wd|code|phrase)?|pwd|psw|pw|token|secret|key|auth|credential|session(?:id)?|sid|jwt|signature)s?",
    re.IGNORECASE,
)
_RUNS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")  # a word, with its capital letter, or a number
_GROUPS = re.compile(
    r"\w{4}(?:-\w{4}){4,}|[\dA-Fa-f]{8}(?:-[\dA-Fa-f]{4}){3}-[\dA-Fa-f]{12}", re.ASCII
)  # stream keys, UUIDs
_ESCAPE = re.compile(r"%[\dA-Fa-f]{2}")
_TIME = re.compile(r"[12]\d{7}T?\d{4,9}Z?")  # of a recording
_MIN_RANDOM = 16  # letters and digits; below that, names such as 1920x1080p30 look no different
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_IN_PATH = re.compile(r"://[^\s/'\"]+/[^\s'\"?#]*\Z")
_PLAIN = re.compile(r"[\w.~-]{6,}", re.ASCII)  # stands in every message as it was given, and is in no other word by chance
_told: set[str] = set()  # values that only their coming from the environment makes secrets


def masked(text: str) -> str:
    """`text` with *** in the place of logins, of the values in an address's query, of what is called a password, token
    or key elsewhere, of what looks random in an address's path, and of what `filled` put into a path."""
    for value in sorted(_told, key=len, reverse=True):
        text = text.replace(value, MASK)
    text = _LOGIN_ALONE.sub(f"{MASK}@", _LOGIN.sub(f"{MASK}@", text))
    text = _QUERY.sub(lambda found: _VALUE.sub(f"={MASK}", found[0]), text)
    text = _PATH.sub(_path_masked, text)
    return _NAMED.sub(rf"\1{MASK}", text)


def _path_masked(found: re.Match[str]) -> str:
    """An address whose path shows no token: what follows a name such as `token`, and what nobody would type."""
    host, path = found.groups()
    if found.string[max(0, found.start() - 7) : found.start()].lower() == "file://":
        return found[0]
    last = ""

    def shown(part: re.Match[str]) -> str:
        nonlocal last
        hidden = _NAME_OF_SECRET.fullmatch(last) or _looks_random(part[1])
        last = part[0]
        return MASK + part[2] if hidden else part[0]

    return host + _SEGMENT.sub(shown, path)


def _looks_random(segment: str) -> bool:
    """Whether letters and digits change too often for words, in long pieces: `gUNGpQqTR7yMiDyl`, not `MainStream-1080p`."""
    pieces = re.findall(r"[A-Za-z0-9]+", _ESCAPE.sub("-", _TIME.sub("", segment)))
    length = sum(map(len, pieces))
    if length < _MIN_RANDOM or (length < 10 * len(pieces) and not _GROUPS.fullmatch(segment)):
        return False
    return 4 * sum(len(_RUNS.findall(piece)) for piece in pieces) >= length


def filled(text: str, values: Mapping[str, str]) -> str:
    """`text` with the values of the ${NAME} in it, which may stand only where `masked` hides them, and in the path of an
    address: `masked` hides such a value everywhere from then on.

    :raises KeyError: a name has no value
    :raises ValueError: one stands where everybody would see it
    """
    full, shown = _VARIABLE.sub(lambda found: values[found[1]], text), masked(text)
    if masked(full) == shown:
        return full
    open_ones = {found: values[found[1]] for found in _VARIABLE.finditer(shown)}
    if not all(_IN_PATH.search(shown[: found.start()]) and _PLAIN.fullmatch(value) for found, value in open_ones.items()):
        raise ValueError(text)
    _told.update(open_ones.values())
    if masked(full) != masked(_VARIABLE.sub(MASK, text)):
        raise ValueError(text)
    return full
