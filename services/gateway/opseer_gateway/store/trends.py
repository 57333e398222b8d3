"""Reading how figures of MRR hold up and grow, from the same published views."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

import msgspec
from typing_extensions import override

from opseer_common import outbox
from opseer_common.contracts import CollectionRequested, Source
from opseer_common.days import DayRange
from opseer_common.errors import RefusedError
from opseer_gateway.domain.history import EstimatedRow, StoredEstimate, StoredRun
from opseer_gateway.domain.integrations import Run
from opseer_gateway.domain.reconciliations import (
    DifferencePart,
    Missed,
    Reconciliation,
)
from opseer_gateway.store.accounts import note
from opseer_gateway.store.connections import read_connection
from opseer_gateway.store.reading import Reader, ReadingStore

_SCHEMA: Final = "gateway"
_OF = "account_id = $1 AND source = $2 AND connection_id = $3"


class TrendReader(Reader):
    """Reads of one account at one instant. Only the current connection's rows."""

    async def moved_days(self, source: Source, connection_id: UUID) -> DayRange | None:
        """Return the days from the oldest with movements to the newest."""
        row = await self._transaction.fetchrow(
            f"SELECT min(day) AS first, max(day) AS last FROM mrr.v1_movement WHERE {_OF}",  # noqa: E501, S608
            *(self._account_id, source, connection_id),
        )
        return DayRange(*row) if row and row["first"] is not None else None

    async def reconciliations(
        self, source: Source, connection_id: UUID, days: DayRange
    ) -> list[Reconciliation]:
        """Return the comparisons of the days, in the order in which they were made."""
        rows = await self._transaction.fetch(
            f"""
            SELECT day AS date, currency, carried_from, carried_minor AS carried,
                   recomputed_minor AS recomputed, difference_minor AS difference,
                   cause, parts, difference_minor <> 0 AS rebased, at AS as_of
            FROM mrr.v1_reconciliation WHERE {_OF} AND day BETWEEN $4 AND $5
            ORDER BY day, revision
            """,  # noqa: S608 - a constant
            *(self._account_id, source, connection_id, days.first, days.last),
        )
        return [
            Reconciliation(**{**dict(row), "parts": _parts(row["parts"])})
            for row in rows
        ]

    async def missed(
        self, source: Source, connection_id: UUID, days: DayRange
    ) -> list[Missed]:
        """Return the days with movements that no event tells, ascending."""
        rows = await self._transaction.fetch(
            f"""
            SELECT day AS date, missed_minor AS amount FROM mrr.v1_movement
            WHERE {_OF} AND grain = 'subscription' AND day BETWEEN $4 AND $5
              AND missed_minor <> 0 ORDER BY day
            """,  # noqa: S608 - a constant
            *(self._account_id, source, connection_id, days.first, days.last),
        )
        return [Missed(**dict(row)) for row in rows]

    async def history_run(
        self, source: Source, connection_id: UUID
    ) -> StoredRun | None:
        """Return the newest run that reads older history."""
        row = await self._transaction.fetchrow(
            f"""
            SELECT run_id, kind, state, stage, done, total, started_at,
                   CASE WHEN state = 'done' AND NOT EXISTS (
                        SELECT FROM mrr.v1_estimated e JOIN collector.v1_history h
                            USING (account_id, source, connection_id)
                        WHERE e.connection_id = $3 AND e.history_revision >= h.revision)
                   THEN finished_at END AS ended
            FROM collector.v1_run WHERE {_OF} AND kind = 'history'
            ORDER BY created_at DESC LIMIT 1
            """,  # noqa: S608 - a constant
            *(self._account_id, source, connection_id),
        )
        if row is None:
            return None
        values = dict(row)
        ended = values.pop("ended")
        return StoredRun(Run(**values), ended)

    async def estimate(
        self, source: Source, connection_id: UUID
    ) -> StoredEstimate | None:
        """Return the estimate of older history."""
        of = self._account_id, source, connection_id
        made = await self._transaction.fetchrow(
            f"""
            SELECT currency, timezone, policy, reason, as_of, first_day, last_day,
                   (SELECT min(day) FROM mrr.v1_movement WHERE {_OF}) AS exact_from
            FROM mrr.v1_estimated WHERE {_OF}
            """,  # noqa: S608 - a constant
            *of,
        )
        if made is None:
            return None
        rows = await self._transaction.fetch(
            f"""
            SELECT day AS date, new_minor AS new, expansion_minor AS expansion,
                   contraction_minor AS contraction, churned_minor AS churned,
                   net_minor AS net, fx_minor AS fx, snapshot_minor AS snapshot,
                   subscriptions AS active_subscriptions
            FROM mrr.v1_estimate WHERE {_OF} ORDER BY day
            """,  # noqa: S608 - a constant
            *of,
        )
        days = DayRange(made["first_day"], made["last_day"])
        exact, _, _ = await self.movements(source, connection_id, days, "subscription")
        return StoredEstimate(
            currency=made["currency"],
            timezone=made["timezone"],
            policy=msgspec.json.decode(made["policy"]),
            reason=made["reason"],
            as_of=made["as_of"],
            rows=[EstimatedRow(**dict(row)) for row in rows],
            exact=exact,
            exact_from=made["exact_from"],
        )


class TrendStore(ReadingStore):
    """Opens readers."""

    @override
    @asynccontextmanager
    async def reading(self, account_id: UUID) -> AsyncIterator[TrendReader]:
        """Read for an account from one state of the database."""
        async with self._database.snapshot(account_id) as transaction:
            yield TrendReader(transaction, account_id)

    async def ask_history(
        self, account_id: UUID, source: Source, now: datetime
    ) -> UUID:
        """Ask for older history; return its run, or the one that is under way.

        Raises RefusedError(NOT_CONNECTED).
        """
        async with self._database.transaction(account_id) as transaction:
            connection = await read_connection(
                transaction, account_id, source, lock=True
            )
            if connection is None:
                raise RefusedError("NOT_CONNECTED", "Nothing is connected there.")
            over = await transaction.fetchval(
                f"""
                SELECT count(*) FROM collector.v1_run WHERE {_OF} AND kind = 'history'
                  AND state NOT IN ('queued', 'running')
                """,  # noqa: S608 - a constant
                *(account_id, source, connection.connection_id),
            )
            # Whoever asks while one is under way, or not heard of yet, means that one.
            run_id = uuid5(connection.connection_id, f"history:{over}")
            await note(transaction, account_id, source, "history requested", now)
            asked = CollectionRequested.of(
                account_id, source, connection.connection_id, run_id, "history"
            )
            await outbox.say(transaction, _SCHEMA, asked)
            return run_id


def _parts(document: str) -> tuple[DifferencePart, ...]:
    """Return the stored parts of a difference."""
    return tuple(
        DifferencePart(part["cause"], part["subscription_id"], part["difference_minor"])
        for part in msgspec.json.decode(document)
    )
