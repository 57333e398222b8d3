"""From stored rows to daily rows: SQL sums up, domain/daily.py makes the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from opseer_collector.domain.daily import DailyRow, Facts, Sum, daily_rows
from opseer_collector.domain.fetching import Overtaken
from opseer_collector.domain.rates import Rate, RateTable
from opseer_collector.domain.settlement import Evidence, settlement_currency
from opseer_collector.domain.windows import KEPT, bounds, touched
from opseer_collector.domain.work import Claim
from opseer_common.database import Connection
from opseer_common.days import DayRange, zone

_DAILY_ENDPOINTS: Final = ["balance_transactions", "charges"]
_RATE_SLOT: Final = 900  # seconds; zones begin their days on quarters of an hour
OF: Final = "(account_id, source, connection_id) = ($1, $2, $3)"


@dataclass(frozen=True, slots=True)
class Standing:
    """The connection while it is being published."""

    tz: ZoneInfo
    chosen: str | None
    known: str | None
    settings_revision: int
    permissions: dict[str, str]
    flags: tuple[str, ...]
    last_collected_at: datetime | None


class Figures:
    """Reads what is stored of a claim's connection, and replaces its daily rows."""

    def __init__(self, connection: Connection, claim: Claim) -> None:
        """Work inside the running transaction."""
        self._connection = connection
        self._of = (claim.account_id, claim.source, claim.connection_id)

    async def standing(self) -> Standing:
        """Lock the connection and read its settings as they are now."""
        row = await self._connection.fetchrow(
            f"""
            SELECT settlement_currency, permissions, flags, last_collected_at
            FROM collector.connection WHERE {OF} FOR UPDATE
            """,  # noqa: S608 - a constant
            *self._of,
        )
        settings = await self._connection.fetchrow(
            f"""
            SELECT timezone, settlement_currency, settings_revision
            FROM gateway.v1_integration WHERE {OF}
            """,  # noqa: S608 - a constant
            *self._of,
        )
        if row is None or settings is None:
            raise Overtaken("the connection has ended")
        return Standing(
            tz=zone(settings["timezone"]),
            chosen=settings["settlement_currency"],
            known=row["settlement_currency"],
            settings_revision=settings["settings_revision"],
            permissions=msgspec.json.decode(row["permissions"], type=dict[str, str]),
            flags=tuple(row["flags"]),
            last_collected_at=row["last_collected_at"],
        )

    async def find_rates(self, as_of: datetime) -> None:
        """Note at which rates the account's own charges were converted.

        The newest of each quarter of an hour is enough: days begin on them.
        """
        oldest = int((as_of - KEPT).timestamp())
        await self._connection.execute(
            f"DELETE FROM collector.fx_rate WHERE {OF} AND at >= $4",  # noqa: S608
            *(*self._of, oldest),
        )
        await self._connection.execute(
            """
            INSERT INTO collector.fx_rate (account_id, source, connection_id, origin,
                target, at, rate, sample_id)
            SELECT DISTINCT ON (c.currency, t.currency, t.created / $4::int)
                account_id, source, connection_id, c.currency, t.currency, t.created,
                t.exchange_rate, t.id
            FROM collector.balance_transaction t
            JOIN collector.charge c USING (account_id, source, connection_id)
            WHERE (account_id, source, connection_id) = ($1, $2, $3)
              AND c.id = t.source_id AND c.currency <> t.currency
              AND t.exchange_rate IS NOT NULL
            ORDER BY c.currency, t.currency, t.created / $4::int, t.created DESC,
                t.id DESC
            ON CONFLICT (account_id, source, connection_id, origin, target, at)
            DO UPDATE SET rate = excluded.rate, sample_id = excluded.sample_id
            """,
            *(*self._of, _RATE_SLOT),
        )

    async def currency(
        self, standing: Standing, candidates: frozenset[str]
    ) -> str | None:
        """Return the currency of settling; None where nothing tells it yet.

        The user's choice is none of it, so that what was found is there again after.
        """
        rows = await self._connection.fetch(
            f"""
            SELECT currency, count(exchange_rate) AS conversions,
                   count(*) FILTER (WHERE category = 'charge') AS charges
            FROM collector.balance_transaction WHERE {OF} GROUP BY currency
            """,  # noqa: S608 - a constant
            *self._of,
        )
        evidence = Evidence(
            conversions={row["currency"]: row["conversions"] for row in rows},
            charges={row["currency"]: row["charges"] for row in rows},
        )
        return settlement_currency(standing.known, candidates, evidence)

    async def facts(
        self,
        starts: list[int],
        permissions: Mapping[str, str],
        covered_since: int | None = None,
    ) -> Facts:
        """Sum up the stored rows of the days that begin at `starts`.

        Days that begin before `covered_since` are still being read.
        """
        sums = await self._connection.fetch(
            f"""
            SELECT width_bucket(created, $4::bigint[]) - 1 AS day, currency, category,
                   sum(amount_minor)::bigint AS amount, count(*)::int AS count,
                   count(*) FILTER (WHERE amount_minor > 0)::int AS paid
            FROM collector.balance_transaction
            WHERE {OF} AND created >= $5 AND created < $6
            GROUP BY 1, 2, 3
            """,  # noqa: S608 - a constant
            *(*self._of, starts, starts[0], starts[-1]),
        )
        # Apart from the sums: telling sources apart sorts all rows.
        disputed = await self._connection.fetch(
            f"""
            SELECT width_bucket(created, $4::bigint[]) - 1 AS day, currency,
                   count(DISTINCT source_id)::int AS sources
            FROM collector.balance_transaction
            WHERE {OF} AND created >= $5 AND created < $6 AND category = 'dispute'
            GROUP BY 1, 2
            """,  # noqa: S608 - a constant
            *(*self._of, starts, starts[0], starts[-1]),
        )
        sources = {
            (row["day"], row["currency"], "dispute"): row["sources"] for row in disputed
        }
        failed = await self._connection.fetch(
            f"""
            SELECT width_bucket(created, $4::bigint[]) - 1 AS day,
                   count(*)::int AS count
            FROM collector.charge
            WHERE {OF} AND created >= $5 AND created < $6
              AND status = 'failed' AND NOT has_failure_balance_transaction
            GROUP BY 1
            """,  # noqa: S608 - a constant
            *(*self._of, starts, starts[0], starts[-1]),
        )
        aside = await self._connection.fetch(
            f"""
            SELECT since, until FROM collector.quarantine
            WHERE {OF} AND endpoint = ANY($4::text[])
            """,  # noqa: S608 - a constant
            *(*self._of, _DAILY_ENDPOINTS),
        )
        unknown = (touched(row["since"], row["until"], starts) for row in aside)
        return Facts(
            sums=[
                Sum(
                    **dict(row),
                    sources=sources.get(
                        (row["day"], row["currency"], row["category"]), 0
                    ),
                )
                for row in sums
            ],
            failed={row["day"]: row["count"] for row in failed},
            quarantined=frozenset[int]().union(*unknown),
            missing=missing(permissions),
            unread=touched(None, covered_since, starts)
            if covered_since is not None
            else frozenset(),
        )

    async def _rates(self) -> RateTable:
        rows = await self._connection.fetch(
            f"""
            SELECT origin, target, at, rate, sample_id FROM collector.fx_rate
            WHERE {OF}
            """,  # noqa: S608 - a constant
            *self._of,
        )
        return RateTable(Rate(**dict(row)) for row in rows)

    async def cache(
        self,
        days: DayRange,
        tz: ZoneInfo,
        facts: Facts,
        currency: str | None,
        as_of: datetime,
    ) -> bool:
        """Compute the daily rows and put them in place, as `replace` does."""
        rows: list[DailyRow] = []
        if currency is not None:
            rates = await self._rates()
            rows = daily_rows(days, bounds(days, tz), facts, currency, rates, as_of)
        return await self.replace(days, tz, rows, currency or "", as_of)

    async def replace(
        self,
        days: DayRange,
        tz: ZoneInfo,
        rows: Sequence[DailyRow],
        currency: str,
        as_of: datetime,
    ) -> bool:
        """Put `rows` in place of what was stored for them: other days' rows go.

        Tell whether a day that is and had been complete now has other figures.
        """
        await self._connection.execute(
            f"""
            DELETE FROM collector.revenue_daily_cache
            WHERE {OF} AND (day < $4 OR day > $5)
            """,  # noqa: S608 - a constant
            *(*self._of, days.first, days.last),
        )
        known = await self._complete_before(currency, tz)
        await self._connection.executemany(
            _CACHE, [(*self._of, *_values(row, currency, tz, as_of)) for row in rows]
        )
        return any(
            row.complete and known.get(row.day, _settled(row)) != _settled(row)
            for row in rows
        )

    async def _complete_before(
        self, currency: str, tz: ZoneInfo
    ) -> dict[date, tuple[int | None, ...]]:
        """Return the figures of complete days, as they are before they are replaced."""
        rows = await self._connection.fetch(
            f"""
            SELECT day, net_revenue_minor, charges_count, charges_amount_minor,
                   refunds_count, refunds_amount_minor, disputes
            FROM collector.revenue_daily_cache
            WHERE {OF} AND complete AND currency = $4 AND timezone = $5
            """,  # noqa: S608 - a constant
            *(*self._of, currency, str(tz)),
        )
        return {row["day"]: tuple(row)[1:] for row in rows}


_CACHE: Final = """
    INSERT INTO collector.revenue_daily_cache (account_id, source, connection_id, day,
        currency, net_revenue_minor, charges_count, charges_amount_minor, refunds_count,
        refunds_amount_minor, failed_payments, disputes, unconverted, timezone,
        complete, reason, as_of)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
    ON CONFLICT (account_id, source, connection_id, day) DO UPDATE SET
        currency = excluded.currency, net_revenue_minor = excluded.net_revenue_minor,
        charges_count = excluded.charges_count,
        charges_amount_minor = excluded.charges_amount_minor,
        refunds_count = excluded.refunds_count,
        refunds_amount_minor = excluded.refunds_amount_minor,
        failed_payments = excluded.failed_payments, disputes = excluded.disputes,
        unconverted = excluded.unconverted, timezone = excluded.timezone,
        complete = excluded.complete, reason = excluded.reason, as_of = excluded.as_of
    """


def _settled(row: DailyRow) -> tuple[int | None, ...]:
    """Return the figures that never change once a day is over.

    A charge may fail days after it was made, so failed payments are none of them.
    """
    return (
        *(row.net_revenue, row.charges_count, row.charges_amount),
        *(row.refunds_count, row.refunds_amount, row.disputes),
    )


def _values(
    row: DailyRow, currency: str, tz: ZoneInfo, as_of: datetime
) -> tuple[Any, ...]:
    return (
        row.day,
        currency,
        row.net_revenue,
        row.charges_count,
        row.charges_amount,
        row.refunds_count,
        row.refunds_amount,
        row.failed_payments,
        row.disputes,
        msgspec.json.encode(row.unconverted).decode(),
        str(tz),
        row.complete,
        row.reason,
        as_of,
    )


def missing(permissions: Mapping[str, str]) -> frozenset[str]:
    """Return the names of missing permissions."""
    return frozenset(name for name, word in permissions.items() if word == "missing")
