"""The mail server that OPSEER_SMTP_URL names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

_PORTS: Final = {"smtp": 587, "smtps": 465}
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
TIMEOUT_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over. `smtps`: TLS from the start."""

    host: str
    port: int
    tls: bool
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def needs_tls(self) -> bool:
        """Whether it must not be spoken to in the clear: it would read a password."""
        return self.username is not None and self.host not in _LOOPBACK


def mail_server(url: str) -> MailServer:
    """Read `smtp://user:password@host:587` or `smtps://…:465`.

    By `smtp` the connection is encrypted with STARTTLS where the server offers it,
    and always before a password is sent. ValueError for anything else.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/"):
        raise ValueError("a mail server is smtp://host:port or smtps://host:port")
    if (parts.username is None) != (parts.password is None):
        raise ValueError("a mail server takes a user and a password, or neither")
    return MailServer(
        host=parts.hostname,
        port=parts.port or _PORTS[parts.scheme],
        tls=parts.scheme == "smtps",
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
    )


def mail_address(text: str) -> str:
    """Read the address that mail is from. ValueError for what is none."""
    name, at, host = text.rpartition("@")
    if not name or not at or not host or not text.isprintable() or " " in host:
        raise ValueError("an address such as reports@example.com")
    return text
