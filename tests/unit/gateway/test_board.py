"""Sums of a period."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from opseer_common.days import DayRange
from opseer_gateway.domain.board import (
    MovementTotals,
    RevenueTotals,
    movement_totals,
    revenue_totals,
    week_average,
    within,
)
from opseer_gateway.domain.figures import DailyRow, MovementRow

FIRST = date(2026, 11, 1)


def revenue(day: int, net: int | None, reason: str | None = None) -> DailyRow:
    """Return a day of November with `net` of revenue from one charge."""
    charges = None if net is None else 1
    return DailyRow(
        FIRST.replace(day=day), "usd", net, charges, net, 0, 0, 2, 0, not reason, reason
    )


def movement(day: int, new: int, churned: int, fx: int, snapshot: int) -> MovementRow:
    """Return a complete day of November."""
    return MovementRow(
        *(FIRST.replace(day=day), new, 0, 0, churned, new + churned, 0, fx, snapshot),
        complete=True,
    )


def test_known_days_are_summed() -> None:
    """What is not known adds nothing, and its reason stands beside the sum, once."""
    rows = [
        revenue(1, 500),
        revenue(2, None, "COLLECTING"),
        revenue(3, None, "COLLECTING"),
        revenue(4, -200, "ARRIVES_TOMORROW"),
    ]
    found = revenue_totals(rows)
    assert (found.net_revenue, found.charges_count, found.failed_payments) == (
        300,
        2,
        8,
    )
    assert found.reasons == ("COLLECTING", "ARRIVES_TOMORROW")


def test_nothing_known_is_no_zero() -> None:
    """A period of which no day is known has no sum."""
    found = revenue_totals([revenue(1, None, "COLLECTING")])
    assert found.net_revenue is None
    assert revenue_totals([]) == RevenueTotals()
    assert movement_totals([MovementRow(FIRST)]) == MovementTotals()


def test_movements_lead_from_start_to_end() -> None:
    """Start + net + fx = end, where start is what was there before the first day."""
    rows = [
        MovementRow(FIRST, reason="CRON_PENDING"),
        movement(2, 300, -100, 5, 1_205),
        movement(3, 0, -50, -5, 1_150),
    ]
    found = movement_totals(rows)
    assert (found.start, found.end, found.first) == (1_000, 1_150, date(2026, 11, 2))
    assert (found.new, found.churned, found.net, found.fx) == (300, -150, 150, 0)


@pytest.mark.parametrize(
    ("values", "average"),
    [
        ([7, 7, 7, 7, 7, 7, 7], 7),
        ([1, 0, 0, 0, 0, 0, 2], 0),
        ([10, 0, 0, 0, 0, 0, 1], 2),
        ([7, 7, 7, None, 7, 7, 7], None),
        ([7, 7, 7], None),
    ],
)
def test_average_of_a_week(values: list[int | None], average: int | None) -> None:
    """The mean of seven closed days, half-even; none where one of them is missing."""
    today = date(2026, 11, 24)
    by_day = {today - timedelta(days=at): one for at, one in enumerate(values, 1)}
    assert week_average({today: 1_000_000, **by_day}, today) == average


def test_days_within() -> None:
    """Both ends belong to a range."""
    rows = [revenue(day, day) for day in range(1, 6)]
    days = DayRange(FIRST.replace(day=2), FIRST.replace(day=4))
    assert [row.net_revenue for row in within(rows, days)] == [2, 3, 4]
