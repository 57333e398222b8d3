"""What a refund of another currency is worth in Polar's US cents.

Polar does not say at which rate it converted an order. But it tells the revenue of a
day for one customer: that, over what the customer's orders of the day come to, is the
rate. A refund is worth its share of its order.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from opseer_collector.providers.attempts import UnreadableError
from opseer_collector.providers.polar.shapes import (
    List,
    Metrics,
    PeriodError,
    Refund,
    day_of_period,
    values,
)
from opseer_collector.providers.reading import JsonReader, Place
from opseer_common.days import day_of
from opseer_common.money import round_half_even

_PAGE: Final = "100"
_MOST: Final = 200
"""How many refunds of a run are looked up: two calls each."""
_REVENUE: Final = "revenue"


class _Order(msgspec.Struct):
    id: str
    created_at: datetime
    paid: bool
    net_amount: int
    currency: str


class Conversion:
    """Converts the refunds of one run. Days are of `tz`."""

    def __init__(self, reader: JsonReader, tz: ZoneInfo) -> None:
        """Ask through `reader`."""
        self._reader = reader
        self._tz = tz
        self._asked = 0

    async def cents(
        self, refund: Refund, organization: Sequence[tuple[str, str]]
    ) -> int | None:
        """Return the refund in US cents; None where that cannot be told.

        Raises PermissionMissingError where the token may not read orders.
        """
        if self._asked >= _MOST:
            return None
        self._asked += 1
        try:
            return await self._share(refund, organization)
        except (UnreadableError, PeriodError, msgspec.DecodeError, OverflowError):
            return None

    async def _share(
        self, refund: Refund, organization: Sequence[tuple[str, str]]
    ) -> int | None:
        customer = ("customer_id", refund.customer_id)
        params = [customer, ("limit", _PAGE), *organization]
        answer = await self._reader.get(Place("/v1/orders/"), params, List)
        orders = [msgspec.json.decode(raw, type=_Order) for raw in answer.items]
        day = next(
            (self._day(one) for one in orders if one.id == refund.order_id), None
        )
        if day is None:
            return None
        paid = [one for one in orders if one.paid and self._day(one) == day]
        if any(one.currency.lower() != refund.currency.lower() for one in paid):
            return None
        net = sum(one.net_amount for one in paid)
        revenue = await self._revenue(day, [customer, *organization])
        if revenue is None or net <= 0:
            return None
        return round_half_even(Fraction(refund.amount * revenue, net))

    def _day(self, order: _Order) -> date:
        at = order.created_at
        return day_of(at if at.tzinfo else at.replace(tzinfo=UTC), self._tz)

    async def _revenue(self, day: date, of: Sequence[tuple[str, str]]) -> int | None:
        """Return what Polar says a customer's day came to, in US cents."""
        params = [
            *(("start_date", day.isoformat()), ("end_date", day.isoformat())),
            *(("interval", "day"), ("timezone", str(self._tz)), ("metrics", _REVENUE)),
            *of,
        ]
        answer = await self._reader.get(Place("/v1/metrics/"), params, Metrics)
        for raw in answer.periods:
            if day_of_period(raw, self._tz) == day:
                return values(raw, {_REVENUE: True}, day)[_REVENUE]
        return None
