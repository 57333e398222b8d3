"""The figures of a period, summed from its days; money in minor units.

A day that is not known adds nothing, and the sum says that it is not complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import Final

import msgspec

from opseer_common.days import DayRange
from opseer_common.money import round_half_even
from opseer_gateway.domain.figures import DailyRow, MovementRow

WEEK: Final = 7
_ONE: Final = timedelta(days=1)
REVENUE_FIELDS: Final = (
    *("net_revenue", "charges_count", "charges_amount", "refunds_count"),
    *("refunds_amount", "failed_payments", "disputes"),
)
MOVEMENT_FIELDS: Final = ("new", "expansion", "contraction", "churned", "net")


class ActiveDay(msgspec.Struct, frozen=True):
    """How many subscriptions were active at the end of a day."""

    date: date
    subscriptions: int | None


class RevenueTotals(msgspec.Struct, frozen=True):
    """Sums of the daily rows; null where no day of the period is known."""

    net_revenue: int | None = None
    charges_count: int | None = None
    charges_amount: int | None = None
    refunds_count: int | None = None
    refunds_amount: int | None = None
    failed_payments: int | None = None
    disputes: int | None = None
    reasons: tuple[str, ...] = ()
    """Why days are missing or incomplete, each once; none for a complete period."""


class MovementTotals(msgspec.Struct, frozen=True):
    """What moved MRR over the period, from one snapshot to the other.

    end = start + new + expansion + contraction + churned + fx, where complete.
    """

    start: int | None = None
    new: int | None = None
    expansion: int | None = None
    contraction: int | None = None
    churned: int | None = None
    net: int | None = None
    fx: int = 0
    end: int | None = None
    first: date | None = None
    """The first day of the period that has movements."""


def revenue_totals(rows: Iterable[DailyRow]) -> RevenueTotals:
    """Return the sums of the rows."""
    kept = list(rows)
    sums = {field: _sum(kept, field) for field in REVENUE_FIELDS}
    reasons = dict.fromkeys(row.reason for row in kept if row.reason is not None)
    return RevenueTotals(**sums, reasons=tuple(reasons))


def movement_totals(rows: Sequence[MovementRow]) -> MovementTotals:
    """Return the sums of the rows, which are ascending."""
    moved = [row for row in rows if row.net is not None]
    if not moved:
        return MovementTotals()
    first, last = moved[0], moved[-1]
    start = first.snapshot
    if start is not None:
        start -= (first.net or 0) + (first.fx or 0)
    return MovementTotals(
        start=start,
        **{field: _sum(moved, field) for field in MOVEMENT_FIELDS},
        fx=_sum(moved, "fx") or 0,
        end=last.snapshot,
        first=first.date,
    )


def within(rows: Iterable[DailyRow], days: DayRange) -> list[DailyRow]:
    """Return the rows of `days`."""
    return [row for row in rows if days.first <= row.date <= days.last]


def week_average(values: Mapping[date, int | None], today: date) -> int | None:
    """Return the mean of the seven closed days before `today`, rounded half-even.

    None unless each of them is known.
    """
    known = [
        value
        for back in range(1, WEEK + 1)
        if (value := values.get(today - back * _ONE)) is not None
    ]
    return round_half_even(Fraction(sum(known), WEEK)) if len(known) == WEEK else None


def _sum(rows: Iterable[DailyRow | MovementRow], field: str) -> int | None:
    """Return the sum of what is known of a field, None where nothing is."""
    known = [value for row in rows if (value := getattr(row, field)) is not None]
    return sum(known) if known else None
