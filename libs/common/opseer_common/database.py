"""A service's way into Postgres: its own login and schema, one account at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from opseer_common.errors import ConfigError, TryLaterError

Connection: TypeAlias = (
    "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
)
Row: TypeAlias = asyncpg.Record

UNAVAILABLE: tuple[type[Exception], ...] = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.DiskFullError,
    # A connection that is cut in mid-query ends in one of these two as well.
    asyncpg.QueryCanceledError,
    asyncpg.InternalClientError,
)
"""Trouble with the database itself: tried again, never held against a message."""

LATER: tuple[type[Exception], ...] = (*UNAVAILABLE, TryLaterError)
"""What a loop survives: it tries again."""


class Database:
    """A pool of connections of one service role."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], url: str) -> None:
        """Wrap `pool`; use `connect` to make one."""
        self._pool = pool
        self.url = url

    @classmethod
    async def connect(cls, url: str, *, size: int = 8) -> Database:
        """Open a pool. ConfigError where the login is refused."""
        try:
            pool = await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=size,
                command_timeout=60,
                server_settings={"search_path": "pg_catalog", "TimeZone": "UTC"},
            )
        except asyncpg.InvalidAuthorizationSpecificationError:
            raise ConfigError("Postgres refuses this service's login") from None
        return cls(pool, url)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    @asynccontextmanager
    async def transaction(
        self, account_id: UUID | None = None
    ) -> AsyncIterator[Connection]:
        """Run a transaction that works for `account_id` and sees no other's rows.

        Without an account only tables that belong to nobody are open: the bus
        tables and the narrow views for sweeps and sign-in.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await work_for(connection, account_id)
            yield connection

    @asynccontextmanager
    async def snapshot(self, account_id: UUID) -> AsyncIterator[Connection]:
        """Read for `account_id` from one unmoving state of the database."""
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await work_for(connection, account_id)
            yield connection


async def work_for(
    connection: Connection, account_id: UUID | None, *, lazily: bool = False
) -> None:
    """Bind the running transaction to one account (row-level security reads it).

    With `lazily` its commit may return before it is on disk. A crash of the server may
    undo it then, as if it had not been: for work that is done again without harm. What
    is committed later is never there without it.
    """
    if account_id is None:
        return
    bind = "SELECT set_config('app.account_id', $1, true)"
    if lazily:
        bind += ", set_config('synchronous_commit', 'off', true)"
    await connection.execute(bind, str(account_id))
