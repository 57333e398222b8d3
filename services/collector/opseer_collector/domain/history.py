"""Older history: what subscriptions were billed, from which MRR is estimated.

Instants are unix seconds, amounts minor units.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal, Protocol

from opseer_collector.domain.fetching import Request
from opseer_collector.domain.records import Quarantined, Window
from opseer_common.errors import OpseerError

READ_BACK: Final = timedelta(days=2 * 366)
"""How far back invoices are read: twelve months are shown, and what is paid by the year
is known on the first of their days by what was billed in the twelve before.
"""
ENDPOINT: Final = "invoice_history"
"""The name of the list where something of it is put aside."""
_DAY: Final = 86_400
_WEEK: Final = 7
_YEAR: Final = 12

Interval = Literal["day", "week", "month", "year"]


@dataclass(frozen=True, slots=True)
class Off:
    """What discounts took off a line, by their duration."""

    forever: int = 0
    repeating: int = 0
    once: int = 0


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """A line of a finalised invoice of a subscription.

    `amount` is without taxes, and before `off`. It is for [starts, ends), which is
    `interval_count` intervals; it `ends` earlier where the invoice was given up.
    `billed` is when the invoice was finalised, `usage` that it bills what was used
    before. A proration may not tell its item, whose id is empty then.
    """

    id: str
    invoice_id: str
    subscription_id: str
    item_id: str
    customer_id: str
    price_id: str | None
    product_id: str | None
    currency: str
    amount: int
    off: Off
    billed: int
    starts: int
    ends: int
    interval: Interval
    interval_count: int
    usage: bool
    proration: bool


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Lines that are stored together, and the window that is read whole with them."""

    lines: Sequence[InvoiceLine] = ()
    quarantined: Sequence[Quarantined] = ()
    read: Window | None = None
    permissions: dict[str, str] = field(default_factory=dict)


class HistoryIntake(Protocol):
    """Where a provider puts what it read of older history."""

    async def store(self, page: HistoryPage) -> None:
        """Store a page; again is the same once. Raises Overtaken, GiveWay."""
        ...

    async def progress(self, percent: int) -> None:
        """Tell how far it is. Raises Overtaken."""
        ...


class HistoryProvider(Protocol):
    """A payment channel whose invoices tell of older history."""

    async def fetch(self, request: Request, intake: HistoryIntake) -> str | None:
        """Read what was billed in [since, until); return what it lacks, None: nothing.

        That is a reason of the API. Raises KeyRefusedError, ProviderAwayError, and
        what the intake raises.
        """
        ...


class GiveWay(OpseerError):  # noqa: N818 - no fault: something else is more urgent
    """Another run of the connection waits: older history has time."""


def since(now: datetime) -> int:
    """Return from when on invoices are read."""
    return int((now - READ_BACK).timestamp())


def interval_of(starts: int, ends: int) -> tuple[Interval, int]:
    """Return the interval and how many of it a billed period has.

    Months where it ends on its own day of the month, or on the last one of a month
    that is too short; else weeks or days. 28 days from the first of a February are
    taken for a month, whatever they were.
    """
    first, last = _day(starts), _day(ends)
    months = (last.year - first.year) * _YEAR + last.month - first.month
    if months > 0 and _are_months(first, last):
        if months % _YEAR:
            return "month", months
        return "year", months // _YEAR
    days = max(1, (ends - starts + _DAY // 2) // _DAY)
    return ("day", days) if days % _WEEK else ("week", days // _WEEK)


def _day(at: int) -> date:
    return datetime.fromtimestamp(at, UTC).date()


def _are_months(first: date, last: date) -> bool:
    """Tell whether two days are a whole number of months apart."""
    if first.day == last.day:
        return True
    shortened = _is_last(last) and last.day < first.day
    lengthened = _is_last(first) and first.day < last.day
    return shortened or lengthened


def _is_last(day: date) -> bool:
    """Tell whether a day is the last one of its month."""
    return day.day == monthrange(day.year, day.month)[1]
