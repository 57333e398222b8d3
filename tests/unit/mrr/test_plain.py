"""The short way in integers against the exact way in fractions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opseer_common.contracts.subscription import (
    Discount,
    Item,
    Price,
    Subscription,
    Tier,
    UsageCharge,
)
from opseer_mrr.domain.normalise import exact_worth, worth
from opseer_mrr.domain.plain import plain_total
from opseer_mrr.domain.policy import PRESETS, Policy

_AT = 1_768_478_400
_POLICIES = (
    *PRESETS.values(),
    Policy(discounts="recurring", week_factor="4.33", day_factor="30"),
    Policy(discounts="all", week_factor="4", day_factor="30.44"),
)

_discounts = st.builds(
    Discount,
    id=st.sampled_from(["di_1", "di_2"]),
    duration=st.sampled_from(["forever", "repeating", "once", "unknown"]),
    percent_off=st.none() | st.sampled_from(["0", "10", "33", "33.3", "100"]),
    amount_off=st.none() | st.integers(0, 5000),
    currency=st.sampled_from(["usd", "eur"]),
    start=st.none() | st.integers(_AT - 5, _AT + 5),
    end=st.none() | st.integers(_AT - 5, _AT + 5),
    applies_to=st.none() | st.just(("prod_1",)),
)
_few_discounts = st.lists(_discounts, max_size=2).map(tuple)
_prices = st.builds(
    Price,
    id=st.sampled_from(["price_1", "price_2"]),
    currency=st.sampled_from(["usd", "usd", "usd", "eur"]),
    interval=st.sampled_from(["day", "week", "month", "year"]),
    interval_count=st.integers(1, 7),
    unit_amount=st.none() | st.integers(0, 99_999).map(str) | st.just("10.5"),
    product=st.sampled_from(["prod_1", "prod_2"]),
    usage_type=st.sampled_from(["licensed", "licensed", "licensed", "metered"]),
    billing_scheme=st.sampled_from(["per_unit", "per_unit", "tiered"]),
    tiers_mode=st.sampled_from(["volume", "graduated"]),
    tiers=st.none() | st.just((Tier(5, "700", "100"), Tier(None, "300"))),
    divide_by=st.none() | st.none() | st.just(3),
    round=st.sampled_from(["up", "down"]),
)
_usage = st.lists(
    st.builds(
        UsageCharge, st.integers(_AT - 3, _AT + 3), st.integers(0, 99), st.just("in_1")
    ),
    max_size=2,
).map(lambda charges: tuple(sorted(charges, key=lambda one: one.at)))
_items = st.builds(
    Item,
    id=st.just("si_1"),
    price=_prices,
    quantity=st.none() | st.integers(0, 40),
    discounts=st.just(()) | _few_discounts,
    inclusive_tax=st.sampled_from(["0", "0", "0", "19"]),
    usage=_usage,
)
_subscriptions = st.builds(
    Subscription,
    id=st.just("sub_1"),
    customer=st.just("cus_1"),
    status=st.just("active"),
    currency=st.just("usd"),
    created=st.just(1_000_000_000),
    items=st.lists(_items, max_size=3).map(tuple),
    discounts=st.just(()) | _few_discounts,
    customer_discounts=st.just(()) | _few_discounts,
    items_complete=st.sampled_from([True, True, True, False]),
)


def _check(subscription: Subscription, policy: Policy) -> None:
    total = plain_total(subscription, policy, _AT)
    exact = exact_worth(subscription, policy, _AT)
    if total is not None:
        assert (exact.licensed, exact.usage, exact.reason) == (total, 0, None)
    assert worth(subscription, policy, _AT) == exact


@given(_subscriptions, st.sampled_from(_POLICIES))
@settings(max_examples=60, deadline=None)
def test_both_ways_lead_to_the_same(subscription: Subscription, policy: Policy) -> None:
    """What the short way takes is worth the same the exact way, and wholly known."""
    _check(subscription, policy)


@pytest.mark.deep
@pytest.mark.timeout(900)
@given(_subscriptions, st.sampled_from(_POLICIES))
@settings(max_examples=2000, deadline=None)
def test_both_ways_lead_to_the_same_2000_times(
    subscription: Subscription, policy: Policy
) -> None:
    """The same for two thousand subscriptions."""
    _check(subscription, policy)


@pytest.mark.parametrize(
    ("fields", "monthly"),
    [
        ({}, 1000),
        ({"quantity": 3}, 3000),
        ({"price": {"interval": "year", "unit_amount": "29990"}}, 2499),
        ({"price": {"interval": "week", "interval_count": 2}}, 2167),
        ({"price": {"interval": "day", "unit_amount": "100"}}, 3042),
        ({"discounts": (Discount("a", percent_off="25"),)}, 750),
        ({"discounts": (Discount("a", "once", percent_off="25"),)}, 1000),
        # 3.5 to the even 4, 2.5 to the even 2.
        ({"price": {"interval": "year", "unit_amount": "42"}}, 4),
        ({"price": {"interval": "year", "unit_amount": "30"}}, 2),
    ],
)
def test_what_is_plain(
    subscription: Callable[..., Subscription], fields: dict[str, Any], monthly: int
) -> None:
    """Nearly all of what there is goes the short way."""
    assert plain_total(subscription(**fields), Policy(), _AT) == monthly


@pytest.mark.parametrize(
    "fields",
    [
        {"price": {"unit_amount": "0.5"}},
        {"price": {"unit_amount": None}},
        {"price": {"usage_type": "metered"}},
        {"price": {"billing_scheme": "tiered"}},
        {"price": {"divide_by": 5}},
        {"price": {"currency": "eur"}, "currency": "usd"},
        {"item": {"inclusive_tax": "19"}},
        {"item": {"tax_missing": "INVOICES_PERMISSION"}},
        {"item": {"discounts": (Discount("a", percent_off="25"),)}},
        {"discounts": (Discount("a", percent_off="12.5"),)},
        {"discounts": (Discount("a", amount_off=300, currency="usd"),)},
        {"discounts": (Discount("a", "unknown"),)},
        {"discounts": (Discount("a", percent_off="5", applies_to=("prod_1",)),)},
        {"items_complete": False},
    ],
)
def test_what_is_not(
    subscription: Callable[..., Subscription], fields: dict[str, Any]
) -> None:
    """Fractions, tiers, taxes, usage, amounts off, and what is not wholly known."""
    assert plain_total(subscription(**fields), Policy(), _AT) is None
