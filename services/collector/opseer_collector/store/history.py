"""Older history in Postgres: lines beside those that are shown, until a run is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from opseer_collector.domain.history import InvoiceLine
from opseer_collector.domain.work import Claim
from opseer_collector.store.figures import OF
from opseer_collector.store.runs import fenced
from opseer_common.database import Database

_LINES: Final = """
    INSERT INTO collector.invoice_line (account_id, source, connection_id, run_id, id,
        invoice_id, subscription_id, item_id, customer_id, price_id, product_id,
        currency, amount_minor, off_forever_minor, off_repeating_minor, off_once_minor,
        billed, starts, ends, interval, interval_count, usage, proration)
    SELECT $1, $2, $3, $4, * FROM json_to_recordset($5::json) AS r(id text,
        invoice_id text, subscription_id text, item_id text, customer_id text,
        price_id text, product_id text, currency text, amount bigint, forever bigint,
        repeating bigint, once bigint, billed bigint, starts bigint, ends bigint,
        interval text, interval_count int, usage boolean, proration boolean)
    ON CONFLICT (account_id, source, connection_id, run_id, id) DO NOTHING
"""


class HistoryStore:
    """The older history of a claim's connection."""

    def __init__(self, database: Database) -> None:
        """Write through `database`."""
        self._database = database

    async def store(self, claim: Claim, lines: Sequence[InvoiceLine]) -> None:
        """Store lines of the claim's run. Overtaken where it is not ours any more."""
        rows = msgspec.json.encode([_flat(line) for line in lines]).decode()
        async with fenced(self._database, claim, alone=False) as connection:
            await connection.execute(_LINES, *_of(claim), claim.run_id, rows)

    async def publish(
        self, claim: Claim, since: int, until: int, reason: str | None
    ) -> None:
        """Show the run's lines in place of those of earlier runs."""
        async with fenced(self._database, claim) as connection:
            await connection.execute(
                """
                INSERT INTO collector.history AS h (account_id, source, connection_id,
                    run_id, revision, since, until, reason)
                VALUES ($1, $2, $3, $4, 1, $5, $6, $7)
                ON CONFLICT (account_id, source) DO UPDATE
                SET connection_id = $3, run_id = $4, revision = h.revision + 1,
                    since = $5, until = $6, reason = $7
                """,
                *(*_of(claim), claim.run_id, since, until, reason),
            )
            await connection.execute(
                f"DELETE FROM collector.invoice_line WHERE {OF} AND run_id <> $4",  # noqa: S608
                *(*_of(claim), claim.run_id),
            )

    async def someone_waits(self, claim: Claim, now: datetime) -> bool:
        """Tell whether another run of the connection is due."""
        async with self._database.transaction(claim.account_id) as connection:
            found: bool = await connection.fetchval(
                f"""
                SELECT EXISTS (SELECT FROM collector.run
                    WHERE {OF} AND state = 'queued' AND not_before <= $4)
                """,  # noqa: S608 - a constant
                *(*_of(claim), now),
            )
        return found

    async def give_way(self, claim: Claim, not_before: datetime) -> None:
        """Put the run back in line; it goes on from what it has stored."""
        async with fenced(self._database, claim) as connection:
            await connection.execute(
                """
                UPDATE collector.run SET state = 'queued', not_before = $2,
                    leased_by = NULL, leased_until = NULL
                WHERE run_id = $1
                """,
                *(claim.run_id, not_before),
            )


def _of(claim: Claim) -> tuple[object, ...]:
    return claim.account_id, claim.source, claim.connection_id


def _flat(line: InvoiceLine) -> dict[str, object]:
    """Return a line with its discounts as columns."""
    fields: dict[str, object] = msgspec.to_builtins(line)
    return {**fields, **msgspec.to_builtins(line.off)}
