"""Keeps passwords in the addresses of sources out of everything that is printed, published or recorded."""

from __future__ import annotations

import re
from collections.abc import Mapping

MASK = "***"
# What stands before the last @ of an address; a password may hold any sign, so rather too much is hidden than too little.
_LOGIN = re.compile(r"(?<=://)(?:\S*|[^\n'\"]*)@")
_LOGIN_ALONE = re.compile(r"[^\s/:'\"]+:[^\s/'\"]+@(?=\w)")  # of an address whose scheme was forgotten
# In the query of an address, and properties of GStreamer elements.
_NAMED = re.compile(r"((?:[\w-]*(?:pass|pwd|passwd|token|secret|key|auth|credential)[\w-]*|[\w-]*pw)\s*=\s*)"
                    r"(\"[^\"]*\"|'[^']*'|[^\s&;!,\"']+)", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{(\w+)\}")


def masked(text: str) -> str:
    """`text` with *** in the place of logins and of what is called a password, token or key in it."""
    return _NAMED.sub(rf"\1{MASK}", _LOGIN_ALONE.sub(f"{MASK}@", _LOGIN.sub(f"{MASK}@", text)))


def filled(text: str, values: Mapping[str, str]) -> str:
    """`text` with the values of the ${NAME} in it, which may stand only where `masked` hides them.

    :raises KeyError: a name has no value
    :raises ValueError: one stands where everybody would see it
    """
    full = _VARIABLE.sub(lambda found: values[found[1]], text)
    if masked(full) != masked(text):
        raise ValueError(text)
    return full
