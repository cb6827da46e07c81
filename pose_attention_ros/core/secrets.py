"""Keeps passwords in the addresses of sources out of everything that is printed, published or recorded."""

from __future__ import annotations

import re

MASK = "***"
# What stands before the last @ of an address; a password may hold any sign, so rather too much is hidden than too little.
_LOGIN = re.compile(r"(?<=://)[^\s'\"]*@")
# In the query of an address, and properties of GStreamer elements.
_NAMED = re.compile(r"((?:[\w-]*(?:pass|pwd|passwd|token|secret|key|auth|credential)[\w-]*|[\w-]*pw)\s*=\s*)"
                    r"(\"[^\"]*\"|'[^']*'|[^\s&;!,\"']+)", re.IGNORECASE)


def masked(text: str) -> str:
    """`text` with *** in the place of logins and of what is called a password, token or key in it."""
    return _NAMED.sub(rf"\1{MASK}", _LOGIN.sub(f"{MASK}@", text))
