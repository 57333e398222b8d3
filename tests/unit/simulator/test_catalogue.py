"""Prices a month and periods."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from itertools import count

import pytest

from opseer_simulator.catalogue import (
    Catalogue,
    monthly_worth,
    next_period_end,
    open_catalogue,
)


def _catalogue() -> Catalogue:
    numbers = count()
    return open_catalogue(0, lambda prefix: f"{prefix}{next(numbers)}")


def _second(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("key", "seats", "coupon", "worth"),
    [
        ("monthly", 1, None, Fraction(2900)),
        ("yearly", 1, None, Fraction(7225, 3)),
        ("quarterly", 1, None, Fraction(7990, 3)),
        ("weekly", 1, None, Fraction(11570, 3)),
        ("seats", 7, None, Fraction(8750)),
        ("seats", 1, "loyal", Fraction(2125, 2)),
        ("monthly", 1, "welcome", Fraction(2900)),
    ],
)
def test_worth_a_month_by_hand(
    key: str, seats: int, coupon: str | None, worth: Fraction
) -> None:
    """28900/12, 7990/3, 890*52/12, 7*1250, 1250*0.85; a coupon once is nothing."""
    catalogue = _catalogue()
    coupons = {None: None, "loyal": catalogue.loyal, "welcome": catalogue.welcome}
    assert monthly_worth(catalogue.plans[key], seats, coupons[coupon]) == worth


@pytest.mark.parametrize(
    ("key", "anchor", "start", "end"),
    [
        ("monthly", "2026-01-31T10:00", "2026-01-31T10:00", "2026-02-28T10:00"),
        ("monthly", "2026-01-31T10:00", "2026-02-28T10:00", "2026-03-31T10:00"),
        ("quarterly", "2025-11-30T00:00", "2025-11-30T00:00", "2026-02-28T00:00"),
        ("yearly", "2024-02-29T00:00", "2024-02-29T00:00", "2025-02-28T00:00"),
        ("weekly", "2026-01-01T00:00", "2026-01-08T00:00", "2026-01-15T00:00"),
    ],
)
def test_periods_keep_the_day_of_the_anchor(
    key: str, anchor: str, start: str, end: str
) -> None:
    """Months end on the anchor's day, or on their last; weeks are seven days."""
    plan = _catalogue().plans[key]
    assert next_period_end(_second(anchor), _second(start), plan) == _second(end)
