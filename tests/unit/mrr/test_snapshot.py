"""MRR at an instant: what is in it and what stands beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from fractions import Fraction

import pytest

from opseer_common.contracts.subscription import Item, Price, Subscription
from opseer_common.days import zone
from opseer_mrr.domain.plans import compute_plans
from opseer_mrr.domain.policy import PRESETS, Policy
from opseer_mrr.domain.rates import RateTable
from opseer_mrr.domain.snapshot import Snapshot, compute_snapshot

Build = Callable[..., Subscription]
_AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
_UTC = zone("UTC")
_RATES = RateTable.from_major(
    [
        ("eur", "usd", date(2026, 1, 1), Fraction("1.10")),
        ("eur", "usd", date(2026, 1, 15), Fraction("1.1111")),
        ("eur", "usd", date(2026, 1, 16), Fraction(9)),
    ]
)


def _snapshot(states: Sequence[Subscription], policy: Policy | None = None) -> Snapshot:
    return compute_snapshot(states, policy or Policy(), "usd", _RATES, _AT, _UTC)


def test_the_parts(subscription: Build, price: Callable[..., Price]) -> None:
    """Usage, past_due and what will end are parts of MRR, a trial is not."""
    metered = price(id="price_2", usage_type="metered")
    both = (*subscription().items, Item(id="si_2", price=metered, usage_amount=250))
    states = [
        subscription(id="sub_1", items=both),
        subscription(id="sub_2", status="past_due"),
        subscription(id="sub_3", status="trialing", quantity=3),
        subscription(id="sub_4", cancel_at_period_end=True, quantity=4),
        subscription(id="sub_5", quantity=0),
    ]
    found = _snapshot(states, PRESETS["opseer"])
    assert found.mrr == 1250 + 1000 + 4000
    assert found.active_subscriptions == 3
    assert found.usage_mrr == 250
    assert found.mrr_stripe_comparable == 6000
    assert found.at_risk_mrr == 1000
    assert found.trial_mrr == 3000
    assert found.committed_mrr == 2250
    assert found.complete


def test_a_currency_is_converted_as_a_whole(subscription: Build) -> None:
    """Three times 10.01 EUR at 1.1111 is 30.03 EUR = 33.37 USD, not 3 x 11.12."""
    states = [
        subscription(id=f"sub_{n}", price={"currency": "eur", "unit_amount": "1001"})
        for n in range(3)
    ]
    found = _snapshot(states)
    assert found.native == {"eur": 3003}
    assert found.mrr == 3337


def test_no_rate_is_never_one_to_one(subscription: Build) -> None:
    """A currency without a rate stands apart, and the figure is not complete."""
    states = [
        subscription(),
        subscription(id="sub_2", price={"currency": "gbp", "unit_amount": "500"}),
    ]
    found = _snapshot(states)
    assert (found.mrr, found.unconverted) == (1000, {"gbp": 500})
    assert found.reason == "NO_RATE"


def test_a_free_currency_needs_no_rate(subscription: Build) -> None:
    """A currency worth nothing is left out."""
    found = _snapshot([subscription(quantity=0, price={"currency": "gbp"})])
    assert (found.native, found.unconverted, found.complete) == ({}, {}, True)


def test_the_rate_is_of_the_zones_day(subscription: Build) -> None:
    """At 2026-01-15 12:00 UTC it is the 16th in Kiritimati, with that day's rate."""
    states = [subscription(price={"currency": "eur"})]
    tz = zone("Pacific/Kiritimati")
    found = compute_snapshot(states, Policy(), "usd", _RATES, _AT, tz)
    assert (found.day, found.mrr) == (date(2026, 1, 16), 9000)


def test_what_is_unknown_is_said(subscription: Build) -> None:
    """A counted subscription that is not wholly known makes the figure incomplete."""
    assert _snapshot([subscription(items_complete=False)]).reason == "QUARANTINE"
    ended = subscription(items_complete=False, status="canceled")
    assert _snapshot([ended]).complete


def test_rates_cross_exponents() -> None:
    """0.0067 USD per JPY is 0.67 cents per yen: the yen has no minor unit."""
    rates = RateTable.from_major([("jpy", "usd", date(2026, 1, 1), Fraction("0.0067"))])
    assert rates.on("jpy", "usd", date(2026, 1, 1)) == Fraction("0.67")
    assert rates.on("jpy", "usd", date(2025, 12, 31)) is None
    assert rates.on("usd", "jpy", date(2026, 1, 1)) is None
    assert rates.on("usd", "usd", date(2020, 1, 1)) == 1


def test_plans_sum_to_mrr(subscription: Build, price: Callable[..., Price]) -> None:
    """Every cent of MRR is in exactly one plan."""
    third = [
        Item(id=f"si_{n}", price=price(id=f"p_{n}", currency="eur"), quantity=1)
        for n in range(3)
    ]
    states = [
        subscription(),
        subscription(id="sub_2", currency="eur", items=tuple(third)),
        subscription(id="sub_3", status="trialing"),
    ]
    plans = compute_plans(states, Policy(), "usd", _RATES, _AT, _UTC)
    # 30.00 EUR are 33.33 USD.
    assert [(row.price.id, row.mrr, row.subscriptions) for row in plans] == [
        ("p_0", 1111, 1),
        ("p_1", 1111, 1),
        ("p_2", 1111, 1),
        ("price_1", 1000, 1),
    ]
    assert sum(row.mrr or 0 for row in plans) == _snapshot(states).mrr


@pytest.mark.parametrize("quantity", [1, 2])
def test_plans_without_a_rate(subscription: Build, quantity: int) -> None:
    """A plan in a currency without a rate has no converted figure."""
    one = subscription(price={"currency": "gbp"}, quantity=quantity)
    (row,) = compute_plans([one], Policy(), "usd", _RATES, _AT, _UTC)
    assert (row.native, row.mrr) == (1000 * quantity, None)
