"""Who may talk to the server: its token, and the Host and Origin of requests."""

from __future__ import annotations

import hmac
import ipaddress
import os
import secrets
import socket
from pathlib import Path
from urllib.parse import urlsplit

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.web.settings import WebConfig

COOKIE = "pose_attention"
_LEAST_TOKEN = 20
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def token_file() -> Path:
    """Where the token is kept, of this user."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "pose_attention_ros" / "web_token"


def read_token(path: Path) -> tuple[str, bool]:
    """The token of this machine, and whether it was made just now. Raises UserError where it cannot be had."""
    try:
        if path.exists():
            token = path.read_text().strip()
            if len(token) < _LEAST_TOKEN:
                raise UserError(
                    f"{path} holds {len(token)} characters, expected a token of {_LEAST_TOKEN} or more: delete "
                    "it, and a new one is made"
                )
            return token, False
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        token = secrets.token_urlsafe(24)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(token + "\n")
        return token, True
    except OSError as error:
        raise UserError(f"{path}, the web page's token, cannot be used: {error.strerror or error}") from None


class Guard:
    """Answers whether a request may pass.

    :param token: None where none is wanted
    """

    def __init__(self, config: WebConfig, token: str | None) -> None:
        self._config, self._token = config, token
        own = socket.gethostname().lower()
        self._names = {
            "localhost",
            *(() if config.local else (own, f"{own}.local", config.host.lower())),
            *filter(None, (name.strip().lower() for name in config.names.split(","))),
        }

    def knows_host(self, host: str | None) -> bool:
        """Whether a browser that calls us `host` was not led here by a stranger's name."""
        name = _host_name(f"//{host}") if host else None
        if name is None:
            return False
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return name in self._names
        return address.is_loopback or not self._config.local

    @staticmethod
    def same_origin(origin: str | None, host: str | None) -> bool:
        """Whether the page that asks is ours."""
        if not origin or not host:
            return False
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower() and not parts.path

    def admits(self, token: str | None) -> bool:
        """Whether `token` is ours; compared in constant time."""
        if self._token is None:
            return True
        return hmac.compare_digest((token or "").encode("utf-8", "replace"), self._token.encode())


def _host_name(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
