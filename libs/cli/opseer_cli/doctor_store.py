"""What `opseer doctor` asks the database, as its administrator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from opseer_common.bootstrap import LOGIN_ROLES
from opseer_common.database import Connection

_SAFE = ("fsync", "synchronous_commit", "full_page_writes")
_SERVICES = ("gateway", "collector", "mrr", "notifier")


async def version(connection: Connection) -> str:
    """Return the server's version."""
    found: str = await connection.fetchval("SHOW server_version")
    return found


async def now(connection: Connection) -> datetime:
    """Return the server's time."""
    found: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return found


async def unsafe_settings(connection: Connection) -> list[str]:
    """Return the settings by which an acknowledged write could be lost."""
    return [
        name for name in _SAFE if await connection.fetchval(f"SHOW {name}") == "off"
    ]


async def weak_roles(connection: Connection) -> list[str]:
    """Return the logins of services that a migration would make or mend."""
    rows = await connection.fetch(
        """
        SELECT rolname::text AS name FROM pg_roles
        WHERE rolname = ANY($1::text[]) AND rolcanlogin
          AND NOT rolcreaterole AND NOT rolcreatedb
        """,
        list(LOGIN_ROLES),
    )
    return sorted({*LOGIN_ROLES} - {row["name"] for row in rows})


@dataclass(frozen=True, slots=True)
class News:
    """How a service's news stand: unsent for over a minute, and given up."""

    service: str
    late: int
    given_up: int


async def news(connection: Connection) -> list[News]:
    """Return how the news of each service stand."""
    found = []
    for service in _SERVICES:
        row = await connection.fetchrow(
            f"""
            SELECT (SELECT count(*) FROM {service}.outbox
                    WHERE said_at < now() - interval '1 minute') AS late,
                   (SELECT count(*) FROM {service}.dead_letter) AS given_up
            """  # noqa: S608 - constants
        )
        assert row is not None  # noqa: S101 - for the type checker
        found.append(News(service, row["late"], row["given_up"]))
    return found


@dataclass(frozen=True, slots=True)
class Connected:
    """A connected source; `permissions` by name: ok, missing or unknown."""

    account_id: UUID
    source: str
    state: str
    detail: str | None
    flags: list[str]
    permissions: Mapping[str, str]


async def connected_sources(connection: Connection) -> list[Connected]:
    """Return every connection as the collector sees it."""
    rows = await connection.fetch(
        """
        SELECT i.account_id, i.source, coalesce(c.state, 'collecting') AS state,
               c.last_error_detail AS detail, coalesce(c.flags, '{}') AS flags,
               coalesce(c.permissions, '{}') AS permissions
        FROM gateway.opseer_user_integration i
        LEFT JOIN collector.connection c USING (account_id, source, connection_id)
        ORDER BY i.account_id, i.source
        """
    )
    return [
        Connected(
            **{
                **dict(row),
                "permissions": msgspec.json.decode(
                    row["permissions"], type=dict[str, str]
                ),
            }
        )
        for row in rows
    ]
