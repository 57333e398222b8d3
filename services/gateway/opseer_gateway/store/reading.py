"""Reading figures: the published views of other services, from one unmoving state."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from uuid import UUID

import msgspec

from opseer_common.contracts import Source
from opseer_common.contracts.daily_report import DailyReport
from opseer_common.database import Connection as Transaction
from opseer_common.database import Database, Row
from opseer_common.days import DayRange
from opseer_gateway.domain.figures import DailyRow, Grain, MovementRow, Snapshot
from opseer_gateway.domain.integrations import Collecting, Known, Run
from opseer_gateway.domain.terms import StoredBasis
from opseer_gateway.store.connections import read_connection


class Reader:
    """Reads of one account at one instant. Only the current connection's rows."""

    def __init__(self, transaction: Transaction, account_id: UUID) -> None:
        """Read inside `transaction`, which works for the account."""
        self._transaction = transaction
        self._account_id = account_id

    async def known(self, source: Source) -> Known:
        """Return what is stored about a source."""
        connection = await read_connection(self._transaction, self._account_id, source)
        if connection is None:
            return Known(source)
        row = await self._transaction.fetchrow(
            """
            SELECT state, flags, settlement_currency, permissions, last_collected_at,
                   next_run_at, last_error_code, last_error_detail, notices,
                   (SELECT max(r.finished_at) FROM collector.v1_run r
                    WHERE r.connection_id = c.connection_id AND r.state = 'done'
                      AND NOT EXISTS (
                        SELECT FROM notifier.v1_built_from b
                        WHERE b.connection_id = c.connection_id
                          AND b.mrr_revision >= c.revision)) AS derived_after
            FROM collector.v1_connection c
            WHERE account_id = $1 AND source = $2 AND connection_id = $3
            """,
            self._account_id,
            source,
            connection.connection_id,
        )
        runs = await self._transaction.fetch(
            """
            SELECT run_id, kind, state, stage, done, total, started_at
            FROM collector.v1_run
            WHERE account_id = $1 AND source = $2 AND connection_id = $3
              AND (run_id = $4 OR state IN ('queued', 'running'))
            ORDER BY state DESC, created_at
            """,
            self._account_id,
            source,
            connection.connection_id,
            connection.run_id,
        )
        connected = await self._transaction.fetch(
            "SELECT source FROM gateway.opseer_user_integration WHERE account_id = $1",
            self._account_id,
        )
        return Known(
            source=source,
            connection=connection,
            collecting=_collecting(row) if row else None,
            runs=tuple(Run(**dict(run)) for run in runs),
            connected=frozenset(one["source"] for one in connected),
            openings=await self._transaction.fetchval(
                """
                SELECT max(openings) FROM gateway.door_key_alarm
                WHERE connection_id = $1
                """,
                connection.connection_id,
            ),
        )

    async def daily(
        self, source: Source, connection_id: UUID, days: DayRange
    ) -> tuple[list[DailyRow], datetime | None]:
        """Return the cached days, ascending, and when they were computed."""
        rows = await self._transaction.fetch(
            """
            SELECT day AS date, currency, net_revenue_minor AS net_revenue,
                   charges_count, charges_amount_minor AS charges_amount,
                   refunds_count, refunds_amount_minor AS refunds_amount,
                   failed_payments, disputes, complete, reason, as_of
            FROM collector.v1_revenue_daily
            WHERE account_id = $1 AND source = $2 AND connection_id = $3
              AND day BETWEEN $4 AND $5
            ORDER BY day
            """,
            self._account_id,
            source,
            connection_id,
            days.first,
            days.last,
        )
        values = [dict(row) for row in rows]
        as_of = max((value.pop("as_of") for value in values), default=None)
        return [DailyRow(**value) for value in values], as_of

    async def snapshot(self, source: Source, connection_id: UUID) -> Snapshot | None:
        """Return the newest snapshot."""
        row = await self._transaction.fetchrow(
            """
            SELECT day, currency, mrr_minor AS mrr, active_subscriptions,
                   usage_mrr_minor AS usage_mrr, at_risk_mrr_minor AS at_risk_mrr,
                   trial_mrr_minor AS trial_mrr,
                   committed_mrr_minor AS committed_mrr,
                   mrr_stripe_comparable_minor AS mrr_stripe_comparable,
                   unconverted, policy, complete, reason, as_of, timezone
            FROM mrr.v1_snapshot
            WHERE account_id = $1 AND source = $2 AND connection_id = $3
            ORDER BY day DESC LIMIT 1
            """,
            self._account_id,
            source,
            connection_id,
        )
        if row is None:
            return None
        values = dict(row)
        unconverted = msgspec.json.decode(values.pop("unconverted"))
        policy = msgspec.json.decode(values.pop("policy"))
        return Snapshot(unconverted=unconverted, policy=policy, **values)

    async def movements(
        self, source: Source, connection_id: UUID, days: DayRange, grain: Grain
    ) -> tuple[list[MovementRow], str | None, datetime | None]:
        """Return the stored days, ascending, their currency, and as of when."""
        rows = await self._transaction.fetch(
            """
            SELECT day AS date, new_minor AS new, expansion_minor AS expansion,
                   contraction_minor AS contraction, churned_minor AS churned,
                   net_minor AS net,
                   of_which_reactivation_minor AS of_which_reactivation,
                   fx_minor AS fx, snapshot_minor AS snapshot, complete, reason,
                   currency, as_of
            FROM mrr.v1_movement
            WHERE account_id = $1 AND source = $2 AND connection_id = $3
              AND grain = $4 AND day BETWEEN $5 AND $6
            ORDER BY day
            """,
            self._account_id,
            source,
            connection_id,
            grain,
            days.first,
            days.last,
        )
        values = [dict(row) for row in rows]
        currency = values[-1]["currency"] if values else None
        as_of = max((value["as_of"] for value in values), default=None)
        for value in values:
            del value["currency"], value["as_of"]
        return [MovementRow(**value) for value in values], currency, as_of

    async def bases(
        self, source: Source, connection_id: UUID, days: DayRange
    ) -> list[StoredBasis]:
        """Return what the days with movements rest on, ascending."""
        rows = await self._transaction.fetch(
            """
            SELECT day, timezone, policy, customers, new_customers, lost_customers,
                   subscriptions, new_subscriptions, lost_subscriptions
            FROM mrr.v1_day_basis
            WHERE account_id = $1 AND source = $2 AND connection_id = $3
              AND day BETWEEN $4 AND $5
            ORDER BY day
            """,
            self._account_id,
            source,
            connection_id,
            days.first,
            days.last,
        )
        return [
            StoredBasis(**{**dict(row), "policy": msgspec.json.decode(row["policy"])})
            for row in rows
        ]

    async def report(self, day: date) -> tuple[DailyReport, datetime] | None:
        """Return the stored report of a day, and when it was built."""
        row = await self._transaction.fetchrow(
            """
            SELECT body, built_at FROM notifier.v1_report
            WHERE account_id = $1 AND day = $2
            """,
            self._account_id,
            day,
        )
        if row is None:
            return None
        return msgspec.json.decode(row["body"], type=DailyReport), row["built_at"]


def _collecting(row: Row) -> Collecting:
    """Return the collector's row as a value."""
    values = dict(row)
    permissions = msgspec.json.decode(values.pop("permissions"))
    flags, notices = tuple(values.pop("flags")), tuple(values.pop("notices"))
    return Collecting(permissions=permissions, flags=flags, notices=notices, **values)


class ReadingStore:
    """Opens readers."""

    def __init__(self, database: Database) -> None:
        """Read through `database`."""
        self._database = database

    @asynccontextmanager
    async def reading(self, account_id: UUID) -> AsyncIterator[Reader]:
        """Read for an account from one state of the database."""
        async with self._database.snapshot(account_id) as transaction:
            yield Reader(transaction, account_id)

    async def is_there(self) -> bool:
        """Return True when the database answers; raises what UNAVAILABLE lists."""
        async with self._database.transaction() as transaction:
            return bool(await transaction.fetchval("SELECT true"))
