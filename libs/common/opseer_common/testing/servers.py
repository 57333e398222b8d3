"""Where a test finds its database and its bus. tests/conftest.py fills these in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit


@dataclass(frozen=True, slots=True)
class Servers:
    """The Postgres and the NATS of a test session, as their administrators see them."""

    database_url: str
    nats_url: str
    passwords: Mapping[str, str]
    """One per login role."""
    seeds: Mapping[str, Path]
    """One seed file per user of the bus; empty where NATS_URL holds a login."""


@dataclass(frozen=True, slots=True)
class FreshDatabase:
    """A migrated database that one test has for itself."""

    admin_url: str
    passwords: Mapping[str, str]

    def login_url(self, service: str) -> str:
        """Return the URL with the login of a service, as it is handed to it."""
        role = f"opseer_{service}"
        parts = urlsplit(self.admin_url)
        host = parts.netloc.rpartition("@")[2]
        password = quote(self.passwords[role], safe="")
        return urlunsplit(parts._replace(netloc=f"{role}:{password}@{host}"))


@dataclass(frozen=True, slots=True)
class FreshBus:
    """The bus with every stream and durable in place and no message in it."""

    url: str
    seeds: Mapping[str, Path]

    def seed_file(self, user: str) -> Path | None:
        """Return the seed of a service, or of the administrator `provision`."""
        return self.seeds.get(user)
