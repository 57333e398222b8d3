"""What is read of the others, and the reports that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from uuid import UUID

import msgspec

from opseer_common import inbox
from opseer_common.contracts import Message, ReportBuilt, Source
from opseer_common.contracts.daily_report import DailyReport
from opseer_common.database import Connection, Database, Row
from opseer_common.errors import TryLaterError
from opseer_common.outbox import say
from opseer_notifier.domain.building import Built, Connected, Inputs
from opseer_notifier.domain.report import Channel, DailyRow, MovementRow, Reported
from opseer_notifier.store import movements

SCHEMA = "notifier"

_CONNECTED = """
    SELECT i.source, i.connection_id, i.environment, i.timezone,
           coalesce(i.settlement_currency, c.settlement_currency) AS currency,
           coalesce(c.permissions, '{}') AS permissions,
           coalesce(c.revision, 0) AS collected_revision,
           coalesce(m.revision, 0) AS mrr_revision
    FROM gateway.v1_integration i
    LEFT JOIN collector.v1_connection c USING (account_id, source, connection_id)
    LEFT JOIN mrr.v1_computed m USING (account_id, source, connection_id)
    WHERE account_id = $1
"""
_DAILY = """
    SELECT day, currency, net_revenue_minor, charges_count, complete, reason
    FROM collector.v1_revenue_daily
    WHERE account_id = $1 AND source = $2 AND connection_id = $3
    ORDER BY day DESC LIMIT 100
"""
_MOVEMENTS = """
    SELECT day, currency, snapshot_minor, new_subs, churned_subs, complete, reason
    FROM mrr.v1_movement
    WHERE account_id = $1 AND source = $2 AND connection_id = $3
      AND grain = 'subscription'
    ORDER BY day DESC LIMIT 100
"""
_REPORTED = """
    SELECT day, name, currency, value, reason, timezone FROM collector.v1_metric_daily
    WHERE account_id = $1 AND source = $2 AND connection_id = $3
      AND name = ANY($4::text[])
"""
_NAMES = ["mrr", "net_revenue", "orders", "new_subs", "churned_subs"]
_BUILT_FROM = """
    SELECT source, connection_id, collected_revision, mrr_revision
    FROM notifier.built_from WHERE account_id = $1
"""
_REPORTS = """
    SELECT day, body FROM notifier.report WHERE account_id = $1 ORDER BY day
"""
_UPSERT_REPORT = """
    INSERT INTO notifier.report AS r
        (account_id, day, timezone, revision, body, built_at)
    VALUES ($1, $2, $3, 1, $4, now())
    ON CONFLICT (account_id, day) DO UPDATE
    SET timezone = excluded.timezone, revision = r.revision + 1,
        body = excluded.body, built_at = excluded.built_at
    WHERE r.body <> excluded.body
    RETURNING revision
"""
# Even with the same figures a report is now of the new connection: readers compare.
_TOUCH = """
    UPDATE notifier.report SET built_at = now() WHERE account_id = $1 AND day >= $2
"""
# Whoever waits for these figures looks again.
_WAKE = """
    UPDATE notifier.delivery SET not_before = '-infinity'
    WHERE account_id = $1 AND state = 'pending' AND wait_until IS NOT NULL
"""
_UPSERT_BUILT_FROM = """
    INSERT INTO notifier.built_from (account_id, source, connection_id,
        collected_revision, mrr_revision, next_day_at)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (account_id, source) DO UPDATE
    SET connection_id = excluded.connection_id,
        collected_revision = excluded.collected_revision,
        mrr_revision = excluded.mrr_revision, next_day_at = excluded.next_day_at
"""
_BEHIND = """
    SELECT account_id FROM notifier.sweep_built_from b
    LEFT JOIN gateway.v1_sweep_integration i USING (account_id, source, connection_id)
    WHERE i.account_id IS NULL OR b.next_day_at <= $1
    UNION
    SELECT account_id FROM gateway.v1_sweep_integration i
    JOIN collector.v1_sweep_revision c USING (account_id, source, connection_id)
    LEFT JOIN notifier.sweep_built_from b USING (account_id, source, connection_id)
    WHERE c.revision > coalesce(b.collected_revision, 0)
    UNION
    SELECT account_id FROM gateway.v1_sweep_integration i
    JOIN mrr.v1_sweep_revision m USING (account_id, source, connection_id)
    LEFT JOIN notifier.sweep_built_from b USING (account_id, source, connection_id)
    WHERE m.revision > coalesce(b.mrr_revision, 0)
"""


class PostgresStore:
    """The ports of actions and schedule.py on Postgres."""

    def __init__(self, database: Database) -> None:
        """Use `database` with this service's own login."""
        self._database = database

    async def read(self, account_id: UUID) -> Inputs:
        """Return everything the reports follow from, in one repeatable read."""
        async with self._database.snapshot(account_id) as connection:
            connected = [
                await _connected(connection, account_id, row)
                for row in await connection.fetch(_CONNECTED, account_id)
            ]
            built_from = await connection.fetch(_BUILT_FROM, account_id)
            reports = await connection.fetch(_REPORTS, account_id)
        now = {one.connection_id for one in connected}
        return Inputs(
            account_id=account_id,
            connected=connected,
            gone=frozenset(
                row["source"] for row in built_from if row["connection_id"] not in now
            ),
            reports={
                row["day"]: msgspec.json.decode(row["body"], type=DailyReport)
                for row in reports
            },
            built_from=frozenset(row["connection_id"] for row in built_from),
        )

    async def write(
        self, inputs: Inputs, built: Built, message: Message | None
    ) -> bool:
        """Store what changed and say report.built, unless newer figures are there."""
        account_id = inputs.account_id
        async with self._database.transaction(account_id) as connection:
            if message is not None and not await inbox.is_new(
                connection, SCHEMA, message.durable(SCHEMA), message.message_id
            ):
                return False
            await connection.execute(
                "SELECT pg_advisory_xact_lock(hashtext($1))",
                f"opseer report {account_id}",
            )
            await _check_connections(connection, inputs)
            if await _is_older(connection, inputs):
                return False
            revisions = await _store(connection, account_id, built)
            if inputs.gone:
                await connection.execute(_TOUCH, account_id, built.days.first)
                current = [one.connection_id for one in inputs.connected]
                await movements.forget(connection, account_id, current)
            if revisions:
                await connection.execute(_WAKE, account_id)
            await movements.alert(
                connection, account_id, inputs.connected, built.days.last
            )
            await _remember(connection, inputs, built.next_day_at)
            yesterday = built.days.last
            if yesterday in revisions:
                await say(
                    connection,
                    SCHEMA,
                    ReportBuilt.of(account_id, yesterday, revisions[yesterday]),
                )
        return True

    async def behind(self, now: datetime) -> list[UUID]:
        """Return accounts with news that is in no report, or with a new closed day."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(_BEHIND, now)
        return [row["account_id"] for row in rows]

    async def forget_handled(self) -> None:
        """Drop the ids of messages too old to come again."""
        async with self._database.transaction() as connection:
            await inbox.forget_old(connection, SCHEMA)


async def _connected(connection: Connection, account_id: UUID, row: Row) -> Connected:
    """Return one connection with its rows."""
    of = (account_id, row["source"], row["connection_id"])
    daily = [DailyRow(*one) for one in await connection.fetch(_DAILY, *of)]
    moved = [MovementRow(*one) for one in await connection.fetch(_MOVEMENTS, *of)]
    reported = await connection.fetch(_REPORTED, *of, _NAMES)
    shown = [one.currency for one in daily] + [one.currency for one in moved]
    return Connected(
        connection_id=row["connection_id"],
        collected_revision=row["collected_revision"],
        mrr_revision=row["mrr_revision"],
        timezone=row["timezone"],
        channel=Channel(
            source=row["source"],
            # The rows' own where they are of another currency than is set by now.
            currency=shown[0] if shown else row["currency"],
            environment=row["environment"],
            collecting=row["collected_revision"] == 0,
            permissions=msgspec.json.decode(row["permissions"], type=dict[str, str]),
            daily={one.day: one for one in daily},
            movements={one.day: one for one in moved},
            reported={
                (one["day"], one["name"]): Reported(one["value"], one["reason"])
                for one in reported
            },
            timezone=reported[0]["timezone"] if reported else None,
        ),
    )


async def _check_connections(connection: Connection, inputs: Inputs) -> None:
    """Raise TryLaterError where the connections are not those that were read.

    Numbers of one that is gone would otherwise come back with a late build, or stay
    where another build has stored them since.
    """
    rows = await connection.fetch(
        "SELECT connection_id FROM gateway.v1_integration WHERE account_id = $1",
        inputs.account_id,
    )
    connected = {one.connection_id for one in inputs.connected}
    if {row["connection_id"] for row in rows} != connected:
        raise TryLaterError("a connection came or went", delay=1)
    stored = await connection.fetch(_BUILT_FROM, inputs.account_id)
    if not {row["connection_id"] for row in stored} <= connected | inputs.built_from:
        raise TryLaterError("reports were built meanwhile", delay=1)


async def _is_older(connection: Connection, inputs: Inputs) -> bool:
    """Tell whether reports of newer figures than `inputs` are stored."""
    mine = {
        one.connection_id: (one.collected_revision, one.mrr_revision)
        for one in inputs.connected
    }
    for row in await connection.fetch(_BUILT_FROM, inputs.account_id):
        collected, moved = mine.get(row["connection_id"], (None, None))
        if collected is None or moved is None:
            continue
        if row["collected_revision"] > collected or row["mrr_revision"] > moved:
            return True
    return False


async def _store(
    connection: Connection, account_id: UUID, built: Built
) -> Mapping[date, int]:
    """Store the changed reports; return the new revision of each.

    One that another build stored meanwhile is not changed any more.
    """
    revisions: dict[date, int] = {}
    for body in built.changed:
        revision = await connection.fetchval(
            _UPSERT_REPORT,
            account_id,
            body.date,
            body.timezone,
            msgspec.json.encode(body).decode(),
        )
        if revision is not None:
            revisions[body.date] = revision
    return revisions


async def _remember(
    connection: Connection, inputs: Inputs, next_day_at: datetime
) -> None:
    """Note what the reports were built from."""
    sources: list[Source] = [one.channel.source for one in inputs.connected]
    await connection.execute(
        """
        DELETE FROM notifier.built_from
        WHERE account_id = $1 AND NOT source = ANY($2::text[])
        """,
        inputs.account_id,
        sources,
    )
    await connection.executemany(
        _UPSERT_BUILT_FROM,
        [
            (
                inputs.account_id,
                one.channel.source,
                one.connection_id,
                one.collected_revision,
                one.mrr_revision,
                next_day_at,
            )
            for one in inputs.connected
        ],
    )
