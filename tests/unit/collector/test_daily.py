"""Daily rows by hand arithmetic, and what must not matter to them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opseer_collector.domain.daily import DailyRow, Facts, Sum, daily_rows
from opseer_collector.domain.rates import Rate, RateTable
from opseer_collector.domain.windows import bounds
from opseer_common.days import DayRange, zone

DAYS = DayRange(date(2026, 11, 22), date(2026, 11, 24))
STARTS = bounds(DAYS, zone("UTC"))
AS_OF = datetime(2026, 11, 24, 12, tzinfo=UTC)
NONE = RateTable(())


def rows(facts: Facts, rates: RateTable = NONE) -> list[DailyRow]:
    """Return the three days in dollars."""
    return daily_rows(DAYS, STARTS, facts, "usd", rates, AS_OF)


def total(category: str, amount: int, count: int = 1, currency: str = "usd") -> Sum:
    """Return a sum of the first day in which every transaction is of one sign."""
    paid = count if amount > 0 else 0
    return Sum(0, currency, category, amount, count, paid, count)


def test_the_formulas_over_every_category() -> None:
    """1000 - 200 - 50 charged, 300 - 20 given back: 750 - 280 = 470 net."""
    facts = Facts(
        sums=[
            total("charge", 1000, 4),
            total("partial_capture_reversal", -200),
            total("charge_failure", -50, 2),
            total("refund", -300, 3),
            total("refund_failure", 20),
            total("dispute", -999, 2),
            total("dispute_reversal", 999),
            total("fee", -7),
            total("payout", -400),
            total("a_category_of_tomorrow", 12345),
        ],
        failed={0: 5},
    )
    assert rows(facts)[0] == DailyRow(
        day=DAYS.first,
        net_revenue=470,
        charges_count=4,
        charges_amount=750,
        refunds_count=3,
        refunds_amount=280,
        failed_payments=7,
        disputes=2,
        unconverted={},
        reason=None,
    )


def test_validations_are_no_charges() -> None:
    """A charge transaction of 0 is not counted."""
    facts = Facts(sums=[Sum(0, "usd", "charge", 500, 3, 2, 3)])
    assert rows(facts)[0].charges_count == 2


def test_empty_days_are_zero_and_complete() -> None:
    """A day on which nothing happened is 0 of everything, and closed."""
    empty = rows(Facts())[1]
    assert (empty.net_revenue, empty.charges_count, empty.failed_payments) == (0, 0, 0)
    assert empty.complete


def test_today_is_not_complete() -> None:
    """The day under way arrives tomorrow."""
    assert [row.reason for row in rows(Facts())] == [None, None, "ARRIVES_TOMORROW"]


@pytest.mark.parametrize(
    ("as_of", "reason"),
    [
        (datetime(2026, 11, 24, 0, 9, 59, tzinfo=UTC), "CRON_PENDING"),
        (datetime(2026, 11, 24, 0, 10, tzinfo=UTC), None),
    ],
)
def test_ten_minutes_are_held_back(as_of: datetime, reason: str | None) -> None:
    """A day is over for good ten minutes after its end."""
    made = daily_rows(DAYS, STARTS, Facts(), "usd", NONE, as_of)
    assert made[1].reason == reason


def test_other_currencies_are_rounded_once_per_field() -> None:
    """333 at 1.5 is 499.5, half-even 500; 111 at 1.5 is 166.5, half-even 166."""
    rates = RateTable([Rate("eur", "usd", STARTS[0], Decimal("1.5"), "txn_1")])
    facts = Facts(
        sums=[
            total("charge", 333, currency="eur"),
            total("refund", -111, currency="eur"),
            total("charge", 1),
        ]
    )
    first = rows(facts, rates)[0]
    assert (first.charges_amount, first.refunds_amount, first.net_revenue) == (
        501,
        166,
        335,
    )


def test_the_rate_is_the_newest_on_or_before_the_day() -> None:
    """A rate paid on the next day says nothing about this one."""
    rates = RateTable(
        [
            Rate("eur", "usd", STARTS[0] - 10, Decimal(2), "txn_1"),
            Rate("eur", "usd", STARTS[1] - 1, Decimal(3), "txn_2"),
            Rate("eur", "usd", STARTS[1], Decimal(5), "txn_3"),
        ]
    )
    facts = Facts(sums=[total("charge", 100, currency="eur")])
    assert rows(facts, rates)[0].charges_amount == 300


def test_a_currency_without_a_rate_is_left_out_and_told() -> None:
    """It is in no amount; the day says NO_RATE; counts are of all currencies."""
    facts = Facts(
        sums=[total("charge", 700, currency="sek"), total("charge", 100)],
    )
    first = rows(facts)[0]
    assert (first.charges_amount, first.charges_count) == (100, 2)
    assert (first.unconverted, first.reason) == ({"sek": 700}, "NO_RATE")


def test_a_day_with_something_unreadable_says_so() -> None:
    """QUARANTINE marks the day of the row and no other closed day."""
    made = rows(Facts(quarantined=frozenset({1})))
    assert [row.reason for row in made[:2]] == [None, "QUARANTINE"]


def test_failed_payments_are_null_without_the_right_to_charges() -> None:
    """Null with the permission's name; the other figures stay."""
    facts = Facts(
        sums=[total("charge", 100)], missing=frozenset({"charges_and_refunds"})
    )
    first = rows(facts)[0]
    assert (first.failed_payments, first.net_revenue) == (None, 100)
    assert first.reason == "CHARGES_AND_REFUNDS_PERMISSION"


_SUMS = st.builds(
    Sum,
    day=st.integers(0, 2),
    currency=st.sampled_from(["usd", "eur", "jpy"]),
    category=st.sampled_from(
        ["charge", "refund", "charge_failure", "refund_failure", "dispute", "fee"]
    ),
    amount=st.integers(-(10**12), 10**12),
    count=st.integers(0, 1000),
    paid=st.integers(0, 1000),
    sources=st.integers(0, 1000),
)
_RATES = RateTable(
    [
        Rate("eur", "usd", STARTS[0] - 1, Decimal("1.0837"), "txn_1"),
        Rate("jpy", "usd", STARTS[1], Decimal("0.671"), "txn_2"),
    ]
)


@given(st.lists(_SUMS, max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_sums_does_not_matter(sums: list[Sum], random: object) -> None:
    """Any order of the same sums gives the same rows."""
    shuffled = list(sums)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert rows(Facts(sums=sums), _RATES) == rows(Facts(sums=shuffled), _RATES)


@given(st.lists(_SUMS, max_size=20))
def test_net_is_always_charges_minus_refunds(sums: list[Sum]) -> None:
    """The identity of the contract holds after conversion and rounding."""
    for row in rows(Facts(sums=sums), _RATES):
        assert row.charges_amount is not None
        assert row.refunds_amount is not None
        assert row.net_revenue == row.charges_amount - row.refunds_amount
