"""Reading what the revenue page adds: who was active of late, and customers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from uuid import UUID

from typing_extensions import override

from opseer_common.contracts import Source
from opseer_gateway.domain.board import ActiveDay
from opseer_gateway.domain.customers import Found, FoundChange, FoundEntry
from opseer_gateway.store.details import DetailReader, DetailStore

_OF = "account_id = $1 AND source = $2 AND connection_id = $3"
_CUSTOMERS = 20
_PER_CUSTOMER = 10


class BoardReader(DetailReader):
    """Reads for the revenue page. Only the current connection's rows."""

    async def active(
        self, source: Source, connection_id: UUID, since: date
    ) -> list[ActiveDay]:
        """Return how many subscriptions were active from `since` on, ascending.

        As a snapshot has it, else as it follows from the movements.
        """
        rows = await self._transaction.fetch(
            f"""
            SELECT day AS date,
                   coalesce(taken.active_subscriptions, counted.subscriptions)
                       AS subscriptions
            FROM (SELECT day, active_subscriptions FROM mrr.v1_snapshot
                  WHERE {_OF} AND day >= $4) taken
            FULL JOIN (SELECT day, subscriptions FROM mrr.v1_day_basis
                       WHERE {_OF} AND day >= $4) counted USING (day)
            ORDER BY day
            """,  # noqa: S608 - a constant
            *(self._account_id, source, connection_id, since),
        )
        return [ActiveDay(**dict(row)) for row in rows]

    async def customers(
        self, source: Source, connection_id: UUID, text: str
    ) -> list[Found]:
        """Return customers whose name, e-mail address or id holds `text`."""
        rows = await self._transaction.fetch(
            f"""
            SELECT id, name, email FROM collector.v1_name
            WHERE {_OF} AND kind = 'customer'
              AND (strpos(lower(name), $4) > 0 OR strpos(lower(email), $4) > 0
                   OR lower(id) = $4)
            ORDER BY name NULLS LAST, id LIMIT $5
            """,  # noqa: S608 - a constant
            *(self._account_id, source, connection_id, text.lower(), _CUSTOMERS),
        )
        return [Found(**dict(row)) for row in rows]

    async def changes_of(
        self, source: Source, connection_id: UUID, customers: list[str]
    ) -> list[FoundChange]:
        """Return the newest changes of each customer, newest first."""
        rows = await self._transaction.fetch(
            """
            SELECT customer_id, day AS date, subscription_id, category, reason, amount,
                   currency
            FROM (
              SELECT c.customer_id, c.day, c.subscription_id, c.category, c.reason,
                     c.settlement_minor AS amount, m.currency,
                     row_number() OVER (PARTITION BY c.customer_id
                                        ORDER BY c.day DESC, c.position DESC) AS place
              FROM mrr.v1_movement_change c
              JOIN mrr.v1_movement m USING (account_id, source, connection_id, day)
              WHERE c.account_id = $1 AND c.source = $2 AND c.connection_id = $3
                AND c.customer_id = ANY($4::text[]) AND m.grain = 'subscription'
            ) AS numbered
            WHERE place <= $5 ORDER BY customer_id, place
            """,
            *(self._account_id, source, connection_id, customers, _PER_CUSTOMER),
        )
        return [FoundChange(**dict(row)) for row in rows]

    async def entries_of(
        self, source: Source, connection_id: UUID, customers: list[str]
    ) -> list[FoundEntry]:
        """Return the newest entries of each customer, newest first."""
        rows = await self._transaction.fetch(
            f"""
            SELECT customer, kind, id, created, amount, currency, category, object_id
            FROM (
              SELECT customer, kind, id, created, amount_minor AS amount, currency,
                     category, object_id,
                     row_number() OVER (PARTITION BY customer
                                        ORDER BY created DESC, id) AS place
              FROM collector.v1_entry
              WHERE {_OF} AND customer = ANY($4::text[])
            ) AS numbered
            WHERE place <= $5 ORDER BY customer, place
            """,  # noqa: S608 - a constant
            *(self._account_id, source, connection_id, customers, _PER_CUSTOMER),
        )
        return [FoundEntry(**dict(row)) for row in rows]


class BoardStore(DetailStore):
    """Opens readers of the revenue page."""

    @override
    @asynccontextmanager
    async def reading(self, account_id: UUID) -> AsyncIterator[BoardReader]:
        """Read for an account from one state of the database."""
        async with self._database.snapshot(account_id) as transaction:
            yield BoardReader(transaction, account_id)
