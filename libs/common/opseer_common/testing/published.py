"""What gateway and collector publish, written straight into their tables.

For tests of the services that read them: as the administrator, without those services.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import asyncpg
import msgspec

from opseer_common.contracts import RevenueCollected, Source
from opseer_common.contracts.subscription import Subscription, SubscriptionChange
from opseer_common.testing.servers import FreshDatabase

_CONFIG = b"\x01" + b"\x00" * 309


@dataclass(frozen=True, slots=True)
class Connected:
    """One connection of an account to a source."""

    account_id: UUID
    source: Source
    connection_id: UUID

    def collected(self, revision: int) -> RevenueCollected:
        """Return the message that a revision of it was published."""
        day = date(2026, 11, 24)
        return RevenueCollected.of(
            account_id=self.account_id,
            source=self.source,
            connection_id=self.connection_id,
            run_id=uuid4(),
            first_day=day,
            last_day=day,
            revision=revision,
        )


class Publisher:
    """Writes as gateway and collector would."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        """Write through the administrator's `connection`."""
        self._connection = connection

    async def connect(
        self,
        account_id: UUID,
        source: Source = "stripe",
        *,
        environment: str = "live",
        timezone: str = "UTC",
    ) -> Connected:
        """Connect a source, in place of an earlier connection to it."""
        found = Connected(account_id, source, uuid4())
        await self._connection.execute(
            """
            INSERT INTO gateway.account (account_id, plan) VALUES ($1, 'max')
            ON CONFLICT DO NOTHING
            """,
            account_id,
        )
        await self.disconnect(found)
        await self._connection.execute(
            """
            INSERT INTO gateway.opseer_user_integration (account_id, source,
                connection_id, run_id, key_version, key_hint, environment, livemode,
                timezone, policy, config)
            VALUES ($1, $2, $3, $4, 1, '…', $5, $6, $7,
                '{"preset": "opseer", "version": 1}', $8)
            """,
            account_id,
            source,
            found.connection_id,
            uuid4(),
            environment,
            environment == "live",
            timezone,
            _CONFIG,
        )
        return found

    async def disconnect(self, of: Connected) -> None:
        """End whatever connection the account has to the source."""
        for table in ("gateway.opseer_user_integration", "collector.connection"):
            await self._connection.execute(
                f"DELETE FROM {table} WHERE account_id = $1 AND source = $2",  # noqa: S608
                of.account_id,
                of.source,
            )

    async def set_policy(self, of: Connected, preset: str) -> None:
        """Choose a policy, which is a new revision of the settings."""
        await self._connection.execute(
            """
            UPDATE gateway.opseer_user_integration
            SET policy = $2, settings_revision = settings_revision + 1
            WHERE connection_id = $1
            """,
            of.connection_id,
            msgspec.json.encode({"preset": preset, "version": 1}).decode(),
        )

    async def publish(
        self,
        of: Connected,
        revision: int,
        at: datetime,
        *,
        currency: str = "usd",
        permissions: Mapping[str, str] | None = None,
        subscriptions_unread: bool = False,
    ) -> None:
        """Say in the collector's row that `revision` was collected at `at`."""
        await self._connection.execute(
            """
            INSERT INTO collector.connection (account_id, source, connection_id, state,
                settlement_currency, permissions, revision, last_collected_at,
                subscriptions_unread, published_fence)
            VALUES ($1, $2, $3, 'connected', $4, $5, $6, $7, $8, 1)
            ON CONFLICT (account_id, source) DO UPDATE
            SET connection_id = excluded.connection_id,
                permissions = excluded.permissions, revision = excluded.revision,
                last_collected_at = excluded.last_collected_at,
                subscriptions_unread = excluded.subscriptions_unread
            """,
            of.account_id,
            of.source,
            of.connection_id,
            currency,
            msgspec.json.encode(permissions or {}).decode(),
            revision,
            at,
            subscriptions_unread,
        )

    async def subscriptions(
        self, of: Connected, states: Iterable[Subscription]
    ) -> None:
        """Replace the live subscriptions."""
        await self._connection.execute(
            "DELETE FROM collector.subscription WHERE connection_id = $1",
            of.connection_id,
        )
        await self._connection.executemany(
            "INSERT INTO collector.subscription VALUES ($1, $2, $3, $4, $5, 1)",
            [
                (*_key(of), state.id, msgspec.json.encode(state).decode())
                for state in states
            ],
        )

    async def changes(
        self, of: Connected, changes: Iterable[SubscriptionChange]
    ) -> None:
        """Add events."""
        await self._connection.executemany(
            """
            INSERT INTO collector.subscription_change
            VALUES ($1, $2, $3, $4, $5, $6, $7, 1)
            """,
            [
                (
                    *_key(of),
                    one.event_id,
                    one.at,
                    one.position,
                    msgspec.json.encode(one).decode(),
                )
                for one in changes
            ],
        )

    async def rate(
        self, of: Connected, origin: str, target: str, at: int, rate: Decimal
    ) -> None:
        """Add a payment's rate between minor units."""
        await self._connection.execute(
            "INSERT INTO collector.fx_rate VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            *_key(of),
            origin,
            target,
            at,
            rate,
            f"txn_{at}",
        )

    async def daily(
        self, of: Connected, day: date, net_minor: int, charges: int
    ) -> None:
        """Write a complete day of the cache in dollars."""
        await self._connection.execute(
            """
            INSERT INTO collector.revenue_daily_cache (account_id, source,
                connection_id, day, currency, net_revenue_minor, charges_count,
                charges_amount_minor, refunds_count, refunds_amount_minor, disputes,
                timezone, complete, as_of)
            VALUES ($1, $2, $3, $4, 'usd', $5, $6, $5, 0, 0, 0, 'UTC', true, now())
            ON CONFLICT (account_id, source, connection_id, day) DO UPDATE
            SET net_revenue_minor = excluded.net_revenue_minor,
                charges_count = excluded.charges_count
            """,
            *_key(of),
            day,
            net_minor,
            charges,
        )

    async def movement(self, of: Connected, day: date, snapshot: int) -> None:
        """Write a complete day of movements in dollars: one new, one churned."""
        await self._connection.execute(
            """
            INSERT INTO mrr.movement (account_id, source, connection_id, day, grain,
                currency, new_minor, expansion_minor, contraction_minor, churned_minor,
                net_minor, of_which_reactivation_minor, fx_minor, snapshot_minor,
                new_subs, churned_subs, timezone, complete, as_of)
            VALUES ($1, $2, $3, $4, 'subscription', 'usd', 0, 0, 0, 0, 0, 0, 0, $5,
                1, 1, 'UTC', true, now())
            """,
            *_key(of),
            day,
            snapshot,
        )

    async def computed(self, of: Connected, revision: int) -> None:
        """Say that movements were computed from `revision`."""
        await self._connection.execute(
            """
            INSERT INTO mrr.computed VALUES ($1, $2, $3, $4, 1, $5, $5, now())
            ON CONFLICT (account_id, source) DO UPDATE SET revision = excluded.revision
            """,
            *_key(of),
            revision,
            date(2026, 11, 24),
        )

    async def rows_of(self, schema: str, of: Connected) -> int:
        """Count the rows of a connection in every table of `schema` that has some."""
        tables = await self._connection.fetch(
            """
            SELECT c.table_name FROM information_schema.columns c
            JOIN information_schema.tables t USING (table_schema, table_name)
            WHERE c.table_schema = $1 AND c.column_name = 'connection_id'
              AND t.table_type = 'BASE TABLE'
            """,
            schema,
        )
        counts = [
            await self._connection.fetchval(
                f"SELECT count(*) FROM {schema}.{table['table_name']}"  # noqa: S608
                " WHERE connection_id = $1",
                of.connection_id,
            )
            for table in tables
        ]
        return sum(counts)

    async def fetch(self, query: str, *values: object) -> list[asyncpg.Record]:
        """Return the rows of a query."""
        rows: list[asyncpg.Record] = await self._connection.fetch(query, *values)
        return rows

    async def execute(self, statements: str) -> None:
        """Run statements."""
        await self._connection.execute(statements)


@asynccontextmanager
async def publisher(database: FreshDatabase) -> AsyncIterator[Publisher]:
    """Connect as the administrator."""
    connection = await asyncpg.connect(database.admin_url)
    try:
        yield Publisher(connection)
    finally:
        await connection.close()


def _key(of: Connected) -> tuple[UUID, str, UUID]:
    return of.account_id, of.source, of.connection_id
