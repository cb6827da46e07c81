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
_VARIABLE = re.compile(r"\$\{(\w+)\}")


def masked(text: str) -> str:
    """`text` with *** in the place of logins, of the values in an address's query, and of what is called a password, token
    or key elsewhere."""
    text = _LOGIN_ALONE.sub(f"{MASK}@", _LOGIN.sub(f"{MASK}@", text))
    text = _QUERY.sub(lambda found: _VALUE.sub(f"={MASK}", found[0]), text)
    return _NAMED.sub(rf"\1{MASK}", text)


def filled(text: str, values: Mapping[str, str]) -> str:
    """`text` with the values of the ${NAME} in it, which may stand only where `masked` hides them.

    :raises KeyError: a name has no value
    :raises ValueError: one stands where everybody would see it
    """
    full = _VARIABLE.sub(lambda found: values[found[1]], text)
    if masked(full) != masked(text):
        raise ValueError(text)
    return full
