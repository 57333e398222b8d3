"""Integrations with keys that really open, for tests of the collector."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg

from opseer_common.contracts import (
    IntegrationConnected,
    IntegrationDisconnected,
    Source,
)
from opseer_common.sealing import KeyRing, SealedFor, Secret, generate
from opseer_common.testing.servers import FreshDatabase

_POLICY = '{"preset": "opseer", "version": 1}'


@dataclass(frozen=True, slots=True)
class SealedConnection:
    """A connection as the gateway makes one, and its first run."""

    account_id: UUID
    connection_id: UUID
    run_id: UUID
    key_version: int
    source: Source = "stripe"

    def begun(self) -> IntegrationConnected:
        """Return what the gateway says about it."""
        return IntegrationConnected.of(
            self.account_id,
            self.source,
            self.connection_id,
            self.key_version,
            self.run_id,
        )

    def ended(self) -> IntegrationDisconnected:
        """Return what the gateway says when it ends."""
        return IntegrationDisconnected.of(
            self.account_id, self.source, self.connection_id
        )


class SealedKeys:
    """Writes integrations as the gateway does, and looks at every table."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        """Write through the administrator's `connection`."""
        self._connection = connection
        self.ring: KeyRing = generate()

    async def connect(
        self,
        key: str,
        account_id: UUID | None = None,
        *,
        timezone: str = "UTC",
        environment: str = "test",
        source: Source = "stripe",
    ) -> SealedConnection:
        """Seal `key` and put the integration in place of an earlier one."""
        account = account_id or uuid4()
        await self.execute(
            """
            INSERT INTO gateway.account (account_id, plan) VALUES ($1, 'max')
            ON CONFLICT DO NOTHING
            """,
            account,
        )
        [counted] = await self.fetch(
            """
            INSERT INTO gateway.key_counter AS k VALUES ($1, $2, 1)
            ON CONFLICT (account_id, source)
            DO UPDATE SET last_version = k.last_version + 1 RETURNING last_version
            """,
            *(account, source),
        )
        await self.disconnect(account, source)
        version = counted["last_version"]
        made = SealedConnection(account, uuid4(), uuid4(), version, source)
        place = SealedFor(account, source, version)
        await self.execute(
            """
            INSERT INTO gateway.opseer_user_integration (account_id, source,
                connection_id, run_id, key_version, key_hint, environment, livemode,
                timezone, policy, config)
            VALUES ($1, $10, $2, $3, $4, '…', $5, $6, $7, $8, $9)
            """,
            *(account, made.connection_id, made.run_id, made.key_version, environment),
            *(environment == "live", timezone, _POLICY),
            *(self.ring.public().seal(Secret(key), place), source),
        )
        return made

    async def disconnect(self, account_id: UUID, source: Source = "stripe") -> None:
        """Delete the account's integration."""
        await self.execute(
            """
            DELETE FROM gateway.opseer_user_integration
            WHERE account_id = $1 AND source = $2
            """,
            *(account_id, source),
        )

    async def set_timezone(self, of: SealedConnection, timezone: str) -> None:
        """Choose a zone, which is a new revision of the settings."""
        await self.execute(
            """
            UPDATE gateway.opseer_user_integration
            SET timezone = $2, settings_revision = settings_revision + 1
            WHERE connection_id = $1
            """,
            of.connection_id,
            timezone,
        )

    async def fetch(self, query: str, *values: object) -> list[asyncpg.Record]:
        """Return the rows of a query over all accounts."""
        rows: list[asyncpg.Record] = await self._connection.fetch(query, *values)
        return rows

    async def execute(self, statement: str, *values: object) -> None:
        """Run a statement over all accounts."""
        await self._connection.execute(statement, *values)

    async def rows_of(self, of: SealedConnection) -> int:
        """Count the collector's rows of a connection, in every table."""
        tables = await self.fetch(
            """
            SELECT table_name FROM information_schema.columns
            JOIN information_schema.tables USING (table_schema, table_name)
            WHERE table_schema = 'collector' AND column_name = 'connection_id'
              AND table_type = 'BASE TABLE'
            """
        )
        count = 0
        for table in tables:
            [row] = await self.fetch(
                f"SELECT count(*) FROM collector.{table['table_name']}"  # noqa: S608
                " WHERE connection_id = $1",
                of.connection_id,
            )
            count += row["count"]
        return count


@asynccontextmanager
async def sealed_keys(database: FreshDatabase) -> AsyncIterator[SealedKeys]:
    """Connect as the administrator."""
    connection = await asyncpg.connect(database.admin_url)
    try:
        yield SealedKeys(connection)
    finally:
        await connection.close()
