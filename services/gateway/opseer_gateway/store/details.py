"""Reading what stands behind the figures, from the same published views."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from uuid import UUID

import msgspec
from typing_extensions import override

from opseer_common.contracts import Source
from opseer_common.days import DayRange, zone
from opseer_gateway.domain.entries import StoredDay, StoredEntry
from opseer_gateway.domain.figures import DailyRow, Grain, MovementRow
from opseer_gateway.domain.movement_changes import (
    Arithmetic,
    StoredChange,
    StoredMovement,
)
from opseer_gateway.domain.names import Name, Price
from opseer_gateway.domain.plans import StoredPlan
from opseer_gateway.store.reading import Reader, ReadingStore

_OF = "account_id = $1 AND source = $2 AND connection_id = $3"


class DetailReader(Reader):
    """Reads what is behind the figures, too. Only the current connection's rows."""

    async def day(
        self, source: Source, connection_id: UUID, day: date
    ) -> StoredDay | None:
        """Return a day's row of the cache."""
        row = await self._transaction.fetchrow(
            f"""
            SELECT day AS date, currency, net_revenue_minor AS net_revenue,
                   charges_count, charges_amount_minor AS charges_amount,
                   refunds_count, refunds_amount_minor AS refunds_amount,
                   failed_payments, disputes, complete, reason, timezone, as_of
            FROM collector.v1_revenue_daily WHERE {_OF} AND day = $4
            """,  # noqa: S608 - a constant
            *(self._account_id, source, connection_id, day),
        )
        if row is None:
            return None
        values = dict(row)
        timezone, as_of = values.pop("timezone"), values.pop("as_of")
        return StoredDay(DailyRow(**values), timezone, as_of)

    async def cached_days(self, source: Source, connection_id: UUID) -> DayRange | None:
        """Return the days from the oldest of the cache to the newest."""
        row = await self._transaction.fetchrow(
            f"""
            SELECT min(day) AS first, max(day) AS last
            FROM collector.v1_revenue_daily WHERE {_OF}
            """,  # noqa: S608 - a constant
            *(self._account_id, source, connection_id),
        )
        return DayRange(*row) if row and row["first"] is not None else None

    async def entries(
        self, source: Source, connection_id: UUID, of: StoredDay
    ) -> list[StoredEntry]:
        """Return what stands behind a day, in no order."""
        start, end = DayRange(of.row.date, of.row.date).bounds(zone(of.timezone))
        rows = await self._transaction.fetch(
            f"""
            SELECT kind, id, created, amount_minor AS amount, currency,
                   fee_minor AS fee, net_minor AS net, exchange_rate, category, detail,
                   object_id, has_transaction, customer,
                   original_minor AS original_amount, original_currency
            FROM collector.v1_entry WHERE {_OF} AND created >= $4 AND created < $5
            """,  # noqa: S608 - a constant
            *(self._account_id, source, connection_id),
            *(int(start.timestamp()), int(end.timestamp())),
        )
        return [StoredEntry(**dict(row)) for row in rows]

    async def rates(
        self, source: Source, connection_id: UUID, of: StoredDay
    ) -> dict[str, Decimal]:
        """Return the newest rate into the day's currency before the day's end."""
        _, end = DayRange(of.row.date, of.row.date).bounds(zone(of.timezone))
        rows = await self._transaction.fetch(
            f"""
            SELECT DISTINCT ON (origin) origin, rate FROM collector.v1_fx_rate
            WHERE {_OF} AND target = $4 AND at < $5 ORDER BY origin, at DESC
            """,  # noqa: S608 - a constant
            *(self._account_id, source, connection_id),
            *(of.row.currency, int(end.timestamp())),
        )
        return {row["origin"]: row["rate"] for row in rows}

    async def names(
        self, source: Source, connection_id: UUID, ids: Iterable[str]
    ) -> dict[str, Name]:
        """Return the names of customers and products, by id."""
        rows = await self._transaction.fetch(
            f"""
            SELECT id, name, email FROM collector.v1_name
            WHERE {_OF} AND id = ANY($4::text[])
            """,  # noqa: S608 - a constant
            *(self._account_id, source, connection_id, list(ids)),
        )
        return {row["id"]: Name(row["name"], row["email"]) for row in rows}

    async def movement(
        self, source: Source, connection_id: UUID, day: date, grain: Grain
    ) -> StoredMovement | None:
        """Return a day's movements."""
        row = await self._transaction.fetchrow(
            f"""
            SELECT day AS date, new_minor AS new, expansion_minor AS expansion,
                   contraction_minor AS contraction, churned_minor AS churned,
                   net_minor AS net,
                   of_which_reactivation_minor AS of_which_reactivation,
                   fx_minor AS fx, snapshot_minor AS snapshot, complete, reason,
                   currency, timezone, as_of
            FROM mrr.v1_movement WHERE {_OF} AND day = $4 AND grain = $5
            """,  # noqa: S608 - a constant
            *(self._account_id, source, connection_id, day, grain),
        )
        if row is None:
            return None
        values = dict(row)
        said = {name: values.pop(name) for name in ("currency", "timezone", "as_of")}
        return StoredMovement(row=MovementRow(**values), **said)

    async def first_movement(self, source: Source, connection_id: UUID) -> date | None:
        """Return the oldest day that has movements."""
        first: date | None = await self._transaction.fetchval(
            f"SELECT min(day) FROM mrr.v1_movement WHERE {_OF}",  # noqa: S608
            *(self._account_id, source, connection_id),
        )
        return first

    async def changes(
        self, source: Source, connection_id: UUID, day: date
    ) -> list[StoredChange]:
        """Return the subscriptions behind a day of movements."""
        rows = await self._transaction.fetch(
            f"""
            SELECT subscription_id, customer_id, category, reason, currency,
                   before_minor AS before, after_minor AS after,
                   settlement_minor AS amount, event_ids, arithmetic, plans,
                   reactivation, customer_category, customer_reactivation
            FROM mrr.v1_movement_change WHERE {_OF} AND day = $4
            ORDER BY subscription_id, position
            """,  # noqa: S608 - a constant
            *(self._account_id, source, connection_id, day),
        )
        result = []
        for row in rows:
            values = dict(row)
            arithmetic = msgspec.json.decode(values.pop("arithmetic"), type=Arithmetic)
            plans = msgspec.json.decode(values.pop("plans"), type=tuple[Price, ...])
            events = tuple(values.pop("event_ids"))
            result.append(
                StoredChange(
                    arithmetic=arithmetic, plans=plans, event_ids=events, **values
                )
            )
        return result

    async def plans(self, source: Source, connection_id: UUID) -> list[StoredPlan]:
        """Return what each price adds to the newest snapshot."""
        rows = await self._transaction.fetch(
            f"""
            SELECT price_id, product_id, nickname, interval, interval_count, currency,
                   native_minor AS native_mrr, settlement_minor AS mrr, subscriptions
            FROM mrr.v1_plan WHERE {_OF}
            """,  # noqa: S608 - a constant
            *(self._account_id, source, connection_id),
        )
        return [
            StoredPlan(
                price=Price(*(row[name] for name in Price.__struct_fields__)),
                currency=row["currency"],
                native_mrr=row["native_mrr"],
                mrr=row["mrr"],
                subscriptions=row["subscriptions"],
            )
            for row in rows
        ]


class DetailStore(ReadingStore):
    """Opens readers of details."""

    @override
    @asynccontextmanager
    async def reading(self, account_id: UUID) -> AsyncIterator[DetailReader]:
        """Read for an account from one state of the database."""
        async with self._database.snapshot(account_id) as transaction:
            yield DetailReader(transaction, account_id)
