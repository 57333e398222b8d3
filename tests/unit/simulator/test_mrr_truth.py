"""Several currencies in the truth: rates, one rounding each, shares, exchange."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

from opseer_simulator.ledger import Entry, Ledger, PaidRate, Worth
from opseer_simulator.mrr_truth import Movement, Rates
from opseer_simulator.truth import Truth, count_truth

START = date(2026, 3, 1)
NOON = 1_772_366_400
"""2026-03-01 12:00 UTC."""
DAY = 86_400


def _worth(day: int, sub: str, monthly: Fraction | int, currency: str) -> Worth:
    at = NOON + day * DAY
    return Worth(at, sub, f"cus_{sub}", Fraction(monthly), "new", currency)


def _rate(day: int, currency: str, millionths: int, hours: int = 0) -> PaidRate:
    return PaidRate(NOON + day * DAY + hours * 3600, currency, "usd", millionths)


def _truth(ledger: Ledger, days: int) -> Truth:
    last = START + timedelta(days=days - 1)
    return count_truth(ledger, "UTC", START, last, NOON + days * DAY - DAY)


def test_a_days_rate_is_that_of_its_newest_payment() -> None:
    """A payment later in the day counts for all of it, and for days without one."""
    ledger = Ledger()
    ledger.worths = [_worth(0, "a", 10_000, "eur")]
    ledger.rates = [
        _rate(0, "eur", 1_100_000, -6),
        _rate(0, "eur", 1_200_000, -1),
        _rate(2, "eur", 1_000_000, -3),
    ]
    days = _truth(ledger, 4).days
    assert [day.mrr for day in days] == [12_000, 12_000, 10_000, 10_000]
    assert [day.fx for day in days] == [0, 0, -2_000, 0]
    assert [day.grain_subscription.net for day in days] == [12_000, 0, 0, 0]


def test_totals_are_rounded_once_and_shares_add_up() -> None:
    """3 x 333 at 0.5: 999 x 0.5 = 499.5, so 500 (even), shared 167, 167, 166."""
    ledger = Ledger()
    ledger.worths = [_worth(0, sub, 333, "jpy") for sub in ("a", "b", "c")]
    ledger.worths += [_worth(1, "a", 0, "jpy")]
    ledger.rates = [_rate(0, "jpy", 500_000, -1)]
    first, second = _truth(ledger, 2).days
    assert (first.mrr, first.fx) == (500, 0)
    assert first.grain_subscription == Movement(new=500, net=500)
    assert second.grain_subscription == Movement(churned=-167, net=-167)
    assert (second.mrr, second.fx) == (333, 0)


def test_half_is_rounded_to_even_in_the_subscriptions_own_currency() -> None:
    """2.5 and 3.5 are 2 and 4 before they are converted."""
    ledger = Ledger()
    ledger.worths = [
        _worth(0, "a", Fraction(5, 2), "eur"),
        _worth(0, "b", Fraction(7, 2), "eur"),
    ]
    ledger.rates = [_rate(0, "eur", 10_000_000, -1)]
    assert _truth(ledger, 1).mrr == 60


def test_without_a_rate_it_stands_apart_and_joins_by_exchange() -> None:
    """Nothing of it in the figure or the movement until somebody pays."""
    ledger = Ledger()
    ledger.worths = [_worth(0, "a", 5_000, "sek"), _worth(0, "b", 100, "usd")]
    ledger.rates = [_rate(1, "sek", 100_000, -1)]
    first, second = _truth(ledger, 2).days
    assert (first.mrr, first.unconverted) == (100, {"sek": 5_000})
    assert (first.new_subs, first.grain_subscription.new) == (2, 100)
    assert (second.mrr, second.fx, second.unconverted) == (600, 500, {})
    assert second.native == {"sek": 5_000, "usd": 100}


def test_rates_into_another_balance_are_none_of_ours() -> None:
    """Only what was converted into the settlement currency tells its rate."""
    paid = [PaidRate(1, "eur", "gbp", 900_000)]
    assert Rates(paid, "usd").before("eur", 99) is None


def test_a_customer_who_changes_currency_is_one_net() -> None:
    """Churned and New per subscription; for the customer what differs."""
    ledger = Ledger()
    eur = Worth(NOON + DAY, "b", "cus_a", Fraction(1_000), "new", "eur")
    ledger.worths = [_worth(0, "a", 1_000, "usd"), _worth(1, "a", 0, "usd"), eur]
    ledger.rates = [_rate(0, "eur", 1_500_000, -1)]
    day = _truth(ledger, 2).days[1]
    assert day.grain_subscription == Movement(new=1_500, churned=-1_000, net=500)
    assert day.grain_customer == Movement(expansion=500, net=500)


def test_revenue_of_another_balance_is_converted_as_a_whole() -> None:
    """Two of 33 pence at 1.5 are 99, not 50 + 50; without a rate they stand apart."""
    ledger = Ledger()
    ledger.sales = [
        Entry(NOON, "ch_1", 33, "gbp"),
        Entry(NOON, "ch_2", 33, "gbp"),
        Entry(NOON, "ch_3", 200, "usd"),
    ]
    ledger.refunds = [Entry(NOON, "re_1", 11, "gbp")]
    apart = _truth(ledger, 1).days[0]
    assert (apart.charges_count, apart.charges_amount) == (3, 200)
    assert apart.revenue_unconverted == {"gbp": 55}
    ledger.rates = [_rate(0, "gbp", 1_500_000, -3)]
    day = _truth(ledger, 1).days[0]
    assert (day.charges_amount, day.refunds_amount, day.net_revenue) == (299, 16, 283)
    assert day.net_by_currency == {"gbp": 55, "usd": 200}


def test_parts_captured_and_refunds_that_came_back() -> None:
    """100 of which 40 were not captured; 30 given back and returned next day."""
    ledger = Ledger()
    ledger.sales = [Entry(NOON, "ch_1", 100)]
    ledger.uncaptured = [Entry(NOON, "ch_1", 40)]
    ledger.refunds = [Entry(NOON, "re_1", 30)]
    ledger.returned = [Entry(NOON + DAY, "re_1", 30)]
    first, second = _truth(ledger, 2).days
    assert (first.charges_count, first.charges_amount) == (1, 60)
    assert (first.refunds_count, first.refunds_amount, first.net_revenue) == (1, 30, 30)
    assert (second.refunds_count, second.refunds_amount) == (0, -30)
    assert second.net_revenue == 30
