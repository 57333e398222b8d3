"""What connects, disconnects and is due. Each way in leads to the same few writes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from opseer_collector.domain.rounds import (
    STALE_AFTER,
    daily_run,
    next_round,
    settings_run,
)
from opseer_collector.store.runs import SCHEMA
from opseer_common import inbox
from opseer_common.contracts import (
    CollectionRequested,
    IntegrationConnected,
    IntegrationDisconnected,
)
from opseer_common.contracts.collection import RunKind
from opseer_common.database import Connection, Database
from opseer_common.days import zone

_SERVICE: Final = "collector"
_TABLES: Final = (
    *("run", "connection", "balance_transaction", "charge", "dispute", "refund"),
    *("subscription", "ended_subscription", "subscription_change", "fx_rate"),
    *("revenue_daily_cache", "name", "quarantine", "read_window"),
    *("history", "invoice_line"),
    *("project_metric", "metric_daily"),
)
"""Every table of a connection, the run first: who writes for it waits or is refused."""


@dataclass(frozen=True, slots=True)
class Place:
    """A connection by its ids."""

    account_id: UUID
    source: str
    connection_id: UUID


class Connections:
    """The connections that the collector knows."""

    def __init__(self, database: Database) -> None:
        """Write through `database`."""
        self._database = database

    async def connected(self, message: IntegrationConnected, now: datetime) -> None:
        """Begin a first collection, if the connection is still the current one."""
        place = Place(message.account_id, message.source, message.connection_id)
        async with self._database.transaction(message.account_id) as connection:
            durable = message.durable(_SERVICE)
            if await inbox.is_new(connection, SCHEMA, durable, message.message_id):
                await _begin(connection, place, message.run_id, now)

    async def disconnected(self, message: IntegrationDisconnected) -> None:
        """Delete what the connection left, if it is gone: news alone is no proof."""
        place = Place(message.account_id, message.source, message.connection_id)
        async with self._database.transaction(message.account_id) as connection:
            await inbox.is_new(
                connection, SCHEMA, message.durable(_SERVICE), message.message_id
            )
            connected = await connection.fetchval(
                """
                SELECT true FROM gateway.v1_integration
                WHERE (account_id, source, connection_id) = ($1, $2, $3)
                """,
                *_ids(place),
            )
            if not connected:
                await _purge(connection, place)

    async def requested(self, message: CollectionRequested, now: datetime) -> None:
        """Put the run in line; refused at once where the key was refused."""
        place = Place(message.account_id, message.source, message.connection_id)
        async with self._database.transaction(message.account_id) as connection:
            durable = message.durable(_SERVICE)
            if await inbox.is_new(connection, SCHEMA, durable, message.message_id):
                await line_up(connection, place, message.run_id, message.kind, now)

    async def start_rounds(self, now: datetime) -> int:
        """Put the daily runs that are due in line; return how many."""
        async with self._database.transaction() as connection:
            due = await connection.fetch(
                """
                SELECT account_id, source, connection_id FROM collector.sweep_connection
                WHERE next_run_at <= $1 ORDER BY next_run_at LIMIT 200
                """,
                now,
            )
        started = 0
        for row in due:
            started += await self._start_round(Place(**dict(row)), now)
        return started

    async def _start_round(self, place: Place, now: datetime) -> bool:
        """Start one, unless another collector did or a run is under way."""
        async with self._database.transaction(place.account_id) as connection:
            due = await connection.fetchval(
                """
                SELECT next_run_at FROM collector.connection
                WHERE (account_id, source, connection_id) = ($1, $2, $3)
                  AND next_run_at <= $4 AND state = 'connected'
                FOR UPDATE SKIP LOCKED
                """,
                *_ids(place),
                now,
            )
            timezone = await _timezone(connection, place)
            if due is None or timezone is None:
                return False
            await connection.execute(
                """
                UPDATE collector.connection SET next_run_at = $4
                WHERE (account_id, source, connection_id) = ($1, $2, $3)
                """,
                *_ids(place),
                next_round(now, zone(timezone), place.account_id, place.source),
            )
            run_id = daily_run(place.connection_id, due)
            await line_up(connection, place, run_id, "daily", now)
        return True

    async def sweep(self, now: datetime) -> int:
        """Make up for news that the bus lost; return how much there was."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                """
                SELECT i.account_id, i.source, i.connection_id, i.run_id,
                       i.settings_revision, c.connection_id AS known
                FROM gateway.v1_sweep_integration i
                LEFT JOIN collector.sweep_connection c
                    USING (account_id, source, connection_id)
                WHERE c.connection_id IS NULL
                   OR c.settings_revision < i.settings_revision
                """
            )
            ended = await connection.fetch(
                """
                SELECT c.account_id, c.source, c.connection_id
                FROM collector.sweep_connection c
                LEFT JOIN gateway.v1_sweep_integration i
                    USING (account_id, source, connection_id)
                WHERE i.connection_id IS NULL
                """
            )
        for row in rows:
            place = Place(row["account_id"], row["source"], row["connection_id"])
            async with self._database.transaction(place.account_id) as connection:
                if row["known"] is None:
                    await _begin(connection, place, row["run_id"], now)
                else:
                    revision = row["settings_revision"]
                    await _apply_settings(connection, place, revision, now)
        for row in ended:
            place = Place(**dict(row))
            async with self._database.transaction(place.account_id) as connection:
                await _purge(connection, place)
        return len(rows) + len(ended)

    async def mark_stale(self, now: datetime) -> int:
        """Flag connections whose figures are older than a round should leave them."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                """
                SELECT account_id, source, connection_id FROM collector.sweep_connection
                WHERE fresh AND last_collected_at < $1
                """,
                now - STALE_AFTER,
            )
        for row in rows:
            async with self._database.transaction(row["account_id"]) as connection:
                await connection.execute(
                    """
                    UPDATE collector.connection SET flags = flags || '{stale}'
                    WHERE (account_id, source, connection_id) = ($1, $2, $3)
                      AND NOT 'stale' = ANY(flags)
                    """,
                    *row.values(),
                )
        return len(rows)

    async def tidy(self) -> None:
        """Forget handled messages that cannot come again."""
        async with self._database.transaction() as connection:
            await inbox.forget_old(connection, SCHEMA)


def _ids(place: Place) -> tuple[UUID, str, UUID]:
    return place.account_id, place.source, place.connection_id


async def _timezone(connection: Connection, place: Place) -> str | None:
    """Return the zone of a connection; None where it has ended."""
    timezone: str | None = await connection.fetchval(
        """
        SELECT timezone FROM gateway.v1_integration
        WHERE (account_id, source, connection_id) = ($1, $2, $3)
        """,
        *_ids(place),
    )
    return timezone


async def _begin(
    connection: Connection, place: Place, run_id: UUID, now: datetime
) -> None:
    """Know a connection and put its first run in line; a late one is no news."""
    await _take_turn(connection, place)
    if await _timezone(connection, place) is None:
        return
    earlier = await connection.fetch(
        """
        SELECT DISTINCT connection_id FROM collector.connection
        WHERE account_id = $1 AND source = $2 AND connection_id <> $3
        """,
        *_ids(place),
    )
    for row in earlier:
        old = Place(place.account_id, place.source, row["connection_id"])
        await _purge(connection, old)
    await connection.execute(
        """
        INSERT INTO collector.connection (account_id, source, connection_id)
        VALUES ($1, $2, $3) ON CONFLICT (account_id, source) DO NOTHING
        """,
        *_ids(place),
    )
    await line_up(connection, place, run_id, "first", now)


async def line_up(
    connection: Connection,
    place: Place,
    run_id: UUID,
    kind: RunKind,
    now: datetime,
    wait: timedelta = timedelta(0),
) -> None:
    """Insert a run of a known connection, once; it begins after `wait`."""
    await connection.execute(
        """
        INSERT INTO collector.run (run_id, account_id, source, connection_id, kind,
            not_before, created_at, state, finished_at, error_code)
        SELECT $4, account_id, source, connection_id, $5, $7, $6, state, finished_at,
               error_code
        FROM (
            SELECT account_id, source, connection_id,
                   CASE WHEN refused THEN 'failed' ELSE 'queued' END AS state,
                   CASE WHEN refused THEN $6::timestamptz END AS finished_at,
                   CASE WHEN refused THEN 'AUTH_FAILED' END AS error_code
            FROM (
                SELECT account_id, source, connection_id,
                       state = 'auth_failed' AND $5 <> 'recompute' AS refused
                FROM collector.connection
                WHERE (account_id, source, connection_id) = ($1, $2, $3)) c) n
        ON CONFLICT (run_id) DO NOTHING
        """,
        *_ids(place),
        run_id,
        kind,
        now,
        now + wait,
    )


async def _apply_settings(
    connection: Connection, place: Place, revision: int, now: datetime
) -> None:
    """Recompute with changed settings, unless a run is in line that will."""
    open_run = await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM collector.run
            WHERE (account_id, source, connection_id) = ($1, $2, $3)
              AND state IN ('queued', 'running'))
        """,
        *_ids(place),
    )
    if not open_run:
        run_id = settings_run(place.connection_id, revision)
        await line_up(connection, place, run_id, "recompute", now)


async def _take_turn(connection: Connection, place: Place) -> None:
    """Let beginnings and ends of one source come one after the other.

    Else a beginning that saw the connection just before it ended would write its rows
    just after they were deleted.
    """
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtext('opseer collector'), hashtext($1))",
        f"{place.account_id} {place.source}",
    )


async def _purge(connection: Connection, place: Place) -> None:
    """Delete every row of a connection. Waits for what is being written for it."""
    await _take_turn(connection, place)
    for table in _TABLES:
        await connection.execute(
            f"""
            DELETE FROM collector.{table}
            WHERE (account_id, source, connection_id) = ($1, $2, $3)
            """,  # noqa: S608 - constants
            *_ids(place),
        )
