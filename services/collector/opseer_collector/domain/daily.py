"""The rows of `revenue_daily_cache`, from sums over stored rows.

A pure function: the same stored rows give the same days, however they came. The
formulas are over `reporting_category` (source: Stripe, "Reporting categories").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from opseer_collector.domain.rates import RateTable
from opseer_collector.domain.windows import is_over
from opseer_common.money import Money, convert

TRANSACTIONS = "balance_transaction_source"
CHARGES = "charges_and_refunds"
"""The permissions that the daily rows need, by the names of the API."""


@dataclass(frozen=True, slots=True)
class Sum:
    """All balance transactions of one day, currency and category.

    `paid` counts those with an amount above 0, `sources` the distinct sources
    of disputes.
    """

    day: int
    currency: str
    category: str
    amount: int
    count: int
    paid: int
    sources: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What is stored about the days; days are indexes from the window's first.

    `failed` are failed charges without a failure transaction. `quarantined` are days
    of which something could not be read. `missing` are missing permissions. `unread`
    are days that a first run has not come to yet.
    """

    sums: Iterable[Sum] = ()
    failed: Mapping[int, int] = field(default_factory=dict)
    quarantined: frozenset[int] = frozenset()
    missing: frozenset[str] = frozenset()
    unread: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class DailyRow:
    """One day in the settlement currency, in minor units.

    None is what could not be read. `unconverted` holds the net of currencies without
    a rate on that day, which are in no amount.
    """

    day: date
    net_revenue: int | None
    charges_count: int | None
    charges_amount: int | None
    refunds_count: int | None
    refunds_amount: int | None
    failed_payments: int | None
    disputes: int | None
    unconverted: Mapping[str, int]
    reason: str | None

    @property
    def complete(self) -> bool:
        """Tell whether everything of the day was read and it is over."""
        return self.reason is None


@dataclass(slots=True)
class _Tally:
    """One currency of one day."""

    charges: int = 0
    refunds: int = 0


@dataclass(slots=True)
class _Day:
    charges: int = 0
    refunds: int = 0
    disputes: int = 0
    bounced: int = 0
    by_currency: dict[str, _Tally] = field(default_factory=lambda: defaultdict(_Tally))

    def add(self, row: Sum) -> None:
        """Count one sum; categories that are no revenue are left out."""
        match row.category:
            case "charge":
                self.charges += row.paid
                self.by_currency[row.currency].charges += row.amount
            case "partial_capture_reversal":
                self.by_currency[row.currency].charges += row.amount
            case "charge_failure":
                self.bounced += row.count
                self.by_currency[row.currency].charges += row.amount
            case "refund":
                self.refunds += row.count
                self.by_currency[row.currency].refunds -= row.amount
            case "refund_failure":
                self.by_currency[row.currency].refunds -= row.amount
            case "dispute":
                self.disputes += row.sources
            case _:
                pass


def daily_rows(
    days: Iterable[date],
    starts: list[int],
    facts: Facts,
    currency: str,
    rates: RateTable,
    as_of: datetime,
) -> list[DailyRow]:
    """Return a row for each of `days`, ascending, as known at `as_of`.

    `starts` are the days' first unix seconds and the end of the last. Amounts of other
    currencies are converted at the day's rate, rounded once per day, currency and
    field; net is charges minus refunds.
    """
    tallies: dict[int, _Day] = defaultdict(_Day)
    for one in facts.sums:
        tallies[one.day].add(one)
    rows = []
    for index, day in enumerate(days):
        end = starts[index + 1]
        charges, refunds, unconverted = _converted(
            tallies[index].by_currency, currency, rates, end
        )
        reason = _reason(index, end, facts, as_of, no_rate=bool(unconverted))
        row = _row(day, tallies[index], charges, refunds)
        rows.append(_limited(row, index, facts, unconverted, reason))
    return rows


def _converted(
    by_currency: Mapping[str, _Tally], currency: str, rates: RateTable, end: int
) -> tuple[int, int, dict[str, int]]:
    """Return charges and refunds in `currency`, and what has no rate."""
    charges = refunds = 0
    unconverted = {}
    for code, tally in sorted(by_currency.items()):
        rate = rates.before(code, currency, end)
        if rate is not None:
            charges += convert(Money(tally.charges, code), currency, rate).minor
            refunds += convert(Money(tally.refunds, code), currency, rate).minor
        elif tally.charges or tally.refunds:
            unconverted[code] = tally.charges - tally.refunds
    return charges, refunds, unconverted


def _row(day: date, tally: _Day, charges: int, refunds: int) -> DailyRow:
    return DailyRow(
        day=day,
        net_revenue=charges - refunds,
        charges_count=tally.charges,
        charges_amount=charges,
        refunds_count=tally.refunds,
        refunds_amount=refunds,
        failed_payments=tally.bounced,
        disputes=tally.disputes,
        unconverted={},
        reason=None,
    )


def _limited(
    row: DailyRow,
    index: int,
    facts: Facts,
    unconverted: Mapping[str, int],
    reason: str | None,
) -> DailyRow:
    """Return the row with what could not be read taken out."""
    unread = TRANSACTIONS in facts.missing or index in facts.unread
    failed = (row.failed_payments or 0) + facts.failed.get(index, 0)
    return DailyRow(
        day=row.day,
        net_revenue=None if unread else row.net_revenue,
        charges_count=None if unread else row.charges_count,
        charges_amount=None if unread else row.charges_amount,
        refunds_count=None if unread else row.refunds_count,
        refunds_amount=None if unread else row.refunds_amount,
        failed_payments=None if unread or CHARGES in facts.missing else failed,
        disputes=None if unread else row.disputes,
        unconverted=unconverted,
        reason=reason,
    )


def _reason(
    index: int, end: int, facts: Facts, as_of: datetime, *, no_rate: bool
) -> str | None:
    """Return why the day is not complete; None when it is."""
    if index in facts.unread:
        return "COLLECTING"
    for name in (TRANSACTIONS, CHARGES):
        if name in facts.missing:
            return f"{name.upper()}_PERMISSION"
    if index in facts.quarantined:
        return "QUARANTINE"
    if no_rate:
        return "NO_RATE"
    if is_over(end, as_of):
        return None
    under_way = int(as_of.timestamp()) < end
    return "ARRIVES_TOMORROW" if under_way else "CRON_PENDING"
