"""Older history: read line by line, estimated, and written apart from exact rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final

import msgspec
import structlog

from opseer_common.database import Connection, Database, Row
from opseer_common.days import ONE_DAY, DayRange, day_of, zone
from opseer_mrr.domain.computation import (
    ConnectionKey,
    ObservedRate,
    Settings,
    policy_of,
    rates_by_day,
)
from opseer_mrr.domain.estimate import BilledLine, Estimate, EstimatedDay, backdated
from opseer_mrr.store.figures import RATES, lock
from opseer_mrr.store.rows import OF, of

SHOWN: Final = timedelta(days=366)
"""How many days are estimated. Invoices are read further back: what is paid by the year
is known on the first of these days by what was billed before.
"""
_AT_ONCE: Final = 5000
_TERMS: Final = f"""
    SELECT h.revision, h.since, h.until, h.reason, i.settings_revision, i.policy,
           i.timezone, s.currency,
           (e.history_revision, e.settings_revision, e.currency) IS NOT DISTINCT FROM
           (h.revision, i.settings_revision, s.currency) AS done
    FROM collector.v1_history h
    JOIN gateway.v1_integration i USING (account_id, source, connection_id)
    JOIN collector.v1_connection c USING (account_id, source, connection_id)
    LEFT JOIN mrr.estimated e USING (account_id, source, connection_id),
    LATERAL (SELECT coalesce(i.settlement_currency, c.settlement_currency)) s (currency)
    WHERE {OF}
"""  # noqa: S608 - constants
_LINES: Final = f"""
    WITH told AS (
        SELECT body ->> 'subscription_id' AS id, max(at) AS at
        FROM collector.v1_subscription_change
        WHERE {OF} AND body ->> 'kind' = 'deleted' GROUP BY 1)
    SELECT l.subscription_id, l.item_id, l.currency, l.amount_minor AS amount,
           l.off_forever_minor, l.off_repeating_minor, l.off_once_minor, l.billed,
           l.starts, l.ends, l.interval, l.interval_count, l.usage,
           l.proration,
           coalesce((e.body ->> 'ended_at')::bigint, told.at) AS ended_at
    FROM collector.v1_invoice_line l
    LEFT JOIN collector.v1_ended_subscription e
        ON (e.account_id, e.source, e.connection_id, e.id)
         = (l.account_id, l.source, l.connection_id, l.subscription_id)
    LEFT JOIN told ON told.id = l.subscription_id
    WHERE (l.account_id, l.source, l.connection_id) = ($1, $2, $3)
    ORDER BY l.subscription_id, l.item_id, l.starts
"""  # noqa: S608 - constants
_INSERT_DAY: Final = """
    INSERT INTO mrr.estimate (account_id, source, connection_id, day, currency,
        new_minor, expansion_minor, contraction_minor, churned_minor, net_minor,
        fx_minor, snapshot_minor, subscriptions)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""
_UPSERT: Final = """
    INSERT INTO mrr.estimated (account_id, source, connection_id, history_revision,
        settings_revision, currency, first_day, last_day, policy, timezone, reason,
        as_of)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT (account_id, source) DO UPDATE
    SET connection_id = excluded.connection_id, currency = excluded.currency,
        history_revision = excluded.history_revision,
        settings_revision = excluded.settings_revision,
        first_day = excluded.first_day, last_day = excluded.last_day,
        policy = excluded.policy, timezone = excluded.timezone,
        reason = excluded.reason, as_of = excluded.as_of
"""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Terms:
    """What an estimate is made from and under; `reason` is what the history lacks."""

    revision: int
    until: int
    reason: str | None
    settings: Settings
    currency: str
    days: DayRange


class Estimates:
    """The estimates of connections whose older history was read."""

    def __init__(self, database: Database) -> None:
        """Use `database` with this service's own login."""
        self._database = database

    async def bring_up_to_date(self, key: ConnectionKey) -> None:
        """Estimate anew where other lines were read or other settings chosen."""
        async with self._database.snapshot(key.account_id) as connection:
            row = await connection.fetchrow(_TERMS, *of(key))
            if row is None or row["done"] or row["currency"] is None:
                return
            terms = _terms(row)
            rows, lacks = await _estimate(connection, key, terms)
        async with self._database.transaction(key.account_id) as connection:
            await lock(connection, key)
            current = await connection.fetchrow(_TERMS, *of(key))
            if current is None or _terms(current) != terms:
                return  # what has changed says so, and leads here again
            await _write(connection, key, terms, rows, terms.reason or lacks)
        _log.info("estimated", connection=str(key.connection_id), days=len(rows))


def _terms(row: Row) -> _Terms:
    tz = zone(row["timezone"])
    first, today = (
        day_of(datetime.fromtimestamp(at, UTC) + later, tz)
        for at, later in ((row["since"], SHOWN), (row["until"], timedelta()))
    )
    return _Terms(
        revision=row["revision"],
        until=row["until"],
        reason=row["reason"],
        settings=Settings(
            row["settings_revision"],
            msgspec.json.decode(row["policy"], type=dict[str, object]),
            row["timezone"],
        ),
        currency=row["currency"],
        days=DayRange(first, today - ONE_DAY),
    )


async def _estimate(
    connection: Connection, key: ConnectionKey, terms: _Terms
) -> tuple[tuple[EstimatedDay, ...], str | None]:
    """Add up subscription after subscription: never more than some lines in memory."""
    tz = zone(terms.settings.timezone)
    found = Estimate(terms.days, tz, policy_of(terms.settings))
    async for subscription, rows in _by_subscription(connection, key):
        found.add(subscription, [_line(row) for row in rows], rows[0]["ended_at"])
    rates = await connection.fetch(RATES, *of(key))
    observed = rates_by_day((ObservedRate(*one) for one in rates), tz)
    return found.rows(terms.currency, backdated(observed))


async def _by_subscription(
    connection: Connection, key: ConnectionKey
) -> AsyncIterator[tuple[str, list[Row]]]:
    """Yield each subscription with all of its lines."""
    cursor = await connection.cursor(_LINES, *of(key))
    left: list[Row] = []
    while rows := await cursor.fetch(_AT_ONCE):
        groups = [
            (name, [*own])
            for name, own in groupby([*left, *rows], lambda row: row["subscription_id"])
        ]
        left = groups.pop()[1]
        for group in groups:
            yield group
    if left:
        yield left[0]["subscription_id"], left


def _line(row: Row) -> BilledLine:
    return BilledLine(
        item_id=row["item_id"],
        currency=row["currency"],
        amount=row["amount"],
        off={
            name: row[f"off_{name}_minor"] for name in ("forever", "repeating", "once")
        },
        billed=row["billed"],
        starts=row["starts"],
        ends=row["ends"],
        interval=row["interval"],
        interval_count=row["interval_count"],
        usage=row["usage"],
        proration=row["proration"],
    )


async def _write(
    connection: Connection,
    key: ConnectionKey,
    terms: _Terms,
    rows: tuple[EstimatedDay, ...],
    reason: str | None,
) -> None:
    """Replace the estimate of the account's source."""
    await connection.execute(
        "DELETE FROM mrr.estimate WHERE account_id = $1 AND source = $2",
        *of(key)[:2],
    )
    await connection.executemany(
        _INSERT_DAY,
        [
            (
                *(*of(key), one.day, terms.currency),
                *(one.new, one.expansion, one.contraction, one.churned, one.net),
                *(one.fx, one.snapshot, one.subscriptions),
            )
            for one in rows
        ],
    )
    await connection.execute(
        _UPSERT,
        *(*of(key), terms.revision, terms.settings.revision, terms.currency),
        *(terms.days.first, terms.days.last),
        msgspec.json.encode(terms.settings.policy).decode(),
        *(terms.settings.timezone, reason, datetime.fromtimestamp(terms.until, UTC)),
    )
