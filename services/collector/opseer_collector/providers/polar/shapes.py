"""Polar's answers, read strictly. Numbers are exact decimals, money is in cents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from opseer_common.days import day_of

_MOST: Final = Decimal(10**15)
_YEARS: Final = range(2015, 2200)
"""Instants outside of it are none of Polar's, and no zone can hold the outermost."""
SUCCEEDED: Final = "succeeded"


class Metrics(msgspec.Struct):
    """What is read of the metrics: a period per day, slugs are there or not."""

    periods: list[msgspec.Raw]


class _Stamp(msgspec.Struct):
    timestamp: datetime


class Page(msgspec.Struct):
    """How far a list goes."""

    max_page: int


class List(msgspec.Struct):
    """A page of any list."""

    items: list[msgspec.Raw]
    pagination: Page


class Refund(msgspec.Struct):
    """What is read of a refund: `amount` in minor units, before tax."""

    id: str
    created_at: datetime
    status: str
    amount: int
    currency: str
    order_id: str
    customer_id: str


class _Created(msgspec.Struct):
    created_at: datetime


class PeriodError(ValueError):
    """A period that does not fit. `day` is None where even that cannot be read."""

    def __init__(self, path: str, day: date | None = None) -> None:
        """Keep where."""
        super().__init__(path)
        self.path = path
        self.day = day


def day_of_period(raw: msgspec.Raw, tz: ZoneInfo) -> date:
    """Return the day of `tz` that a period begins. Raises PeriodError."""
    try:
        stamp = msgspec.json.decode(raw, type=_Stamp).timestamp
    except (msgspec.DecodeError, RecursionError):
        raise PeriodError("$.periods[].timestamp") from None
    if stamp.year not in _YEARS:
        raise PeriodError("$.periods[].timestamp")
    return stamp.date() if stamp.tzinfo is None else day_of(stamp, tz)


def values(raw: msgspec.Raw, slugs: Mapping[str, bool], day: date) -> dict[str, int]:
    """Return the whole numbers of a period by slug. Raises PeriodError.

    `slugs` says of each whether it is money: that is rounded half-even to a cent.
    """
    try:
        fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        found = {
            slug: msgspec.json.decode(fields[slug], type=Decimal)
            for slug in slugs
            if slug in fields
        }
    except (msgspec.DecodeError, RecursionError):
        raise PeriodError("$.periods[]", day) from None
    whole: dict[str, int] = {}
    for slug, is_money in slugs.items():
        value = found.get(slug)
        if value is None or not value.is_finite() or abs(value) >= _MOST:
            raise PeriodError(f"$.periods[].{slug}", day)
        if value % 1 and not is_money:
            raise PeriodError(f"$.periods[].{slug}", day)
        whole[slug] = int(value.to_integral_value(rounding=ROUND_HALF_EVEN))
    return whole


def created(raw: msgspec.Raw) -> datetime | None:
    """Return when a row was created, in UTC; None where that cannot be read."""
    try:
        at = msgspec.json.decode(raw, type=_Created).created_at
    except (msgspec.DecodeError, RecursionError):
        return None
    if at.year not in _YEARS:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def refund(raw: msgspec.Raw) -> Refund:
    """Read a refund. Raises msgspec.DecodeError, PeriodError."""
    found = msgspec.json.decode(raw, type=Refund)
    if not 0 <= found.amount < _MOST or not found.currency.isalpha():
        raise PeriodError("$.items[].amount")
    if found.created_at.year not in _YEARS:
        raise PeriodError("$.items[].created_at")
    return found
