"""A subscription's monthly worth, each expectation worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from opseer_common.contracts.subscription import (
    Discount,
    Item,
    Price,
    Subscription,
    Tier,
    UsageCharge,
)
from opseer_mrr.domain.normalise import arithmetic, worth, worth_by_item
from opseer_mrr.domain.policy import PRESETS, Policy

Build = Callable[..., Subscription]
_AT = 1_768_478_400
_STRIPE = Policy()
_GRADUATED = (Tier(5, "500", "1000"), Tier(10, "400", "0"), Tier(None, "300", "200"))


@pytest.mark.parametrize(
    ("interval", "count", "amount", "monthly"),
    [
        ("month", 1, "1000", 1000),
        ("month", 3, "30000", 10000),
        ("year", 1, "42", 4),  # 3.5 to the even 4
        ("year", 1, "30", 2),  # 2.5 to the even 2
        ("year", 2, "240000", 10000),
        ("week", 1, "1000", 4333),  # 1000 * 52/12 = 4333.3
        ("week", 2, "5000", 10833),  # 5000 * 52/24 = 10833.3
        ("day", 1, "100", 3042),  # 100 * 365/12 = 3041.7
        ("month", 1, "0.5", 0),  # half a cent to the even 0
        ("month", 1, "1.500000000001", 2),
    ],
)
def test_intervals(
    subscription: Build, interval: str, count: int, amount: str, monthly: int
) -> None:
    """An interval is spread over months exactly and rounded once, half-even."""
    one = subscription(
        price={"interval": interval, "interval_count": count, "unit_amount": amount}
    )
    assert worth(one, _STRIPE, _AT).total == monthly


def test_items_are_rounded_together(subscription: Build, price: Any) -> None:
    """Three items of 1/3 of a cent make one cent, not none."""
    third = price(interval="year", unit_amount="4")
    items = tuple(Item(id=f"si_{n}", price=third, quantity=1) for n in range(3))
    one = subscription(items=items)
    assert worth(one, _STRIPE, _AT).total == 1
    assert worth_by_item(one, 1, _STRIPE, _AT) == [1, 0, 0]


@pytest.mark.parametrize(
    ("quantity", "monthly"),
    [
        (3, 3 * 500 + 1000),
        (5, 5 * 500 + 1000),  # up_to is inclusive
        (6, 5 * 500 + 1000 + 400),
        (12, 5 * 500 + 1000 + 5 * 400 + 2 * 300 + 200),
    ],
)
def test_graduated_tiers(subscription: Build, quantity: int, monthly: int) -> None:
    """Each unit costs what its own tier says; tiers reached add their flat amount."""
    one = subscription(
        price={
            "billing_scheme": "tiered",
            "tiers_mode": "graduated",
            "tiers": _GRADUATED,
            "unit_amount": None,
        },
        quantity=quantity,
    )
    assert worth(one, _STRIPE, _AT).total == monthly


@pytest.mark.parametrize(
    ("quantity", "monthly"), [(5, 3500), (6, 2400), (11, 11 * 300 + 200)]
)
def test_volume_tiers(subscription: Build, quantity: int, monthly: int) -> None:
    """All units cost what the one tier that holds the quantity says."""
    one = subscription(
        price={
            "billing_scheme": "tiered",
            "tiers_mode": "volume",
            "tiers": _GRADUATED,
            "unit_amount": None,
        },
        quantity=quantity,
    )
    assert worth(one, _STRIPE, _AT).total == monthly


def test_unread_tiers_are_said(subscription: Build) -> None:
    """A tiered price without its tiers is worth nothing and says why."""
    one = subscription(price={"billing_scheme": "tiered", "unit_amount": None})
    found = worth(one, _STRIPE, _AT)
    assert (found.total, found.reason) == (0, "PRICES_PERMISSION")


def test_a_price_in_another_currency_is_not_added(subscription: Build) -> None:
    """An item whose amount in the subscription's currency is unknown is left out."""
    one = subscription(price={"currency": "eur"}, currency="usd")
    found = worth(one, _STRIPE, _AT)
    assert (found.total, found.reason) == (0, "PRICES_PERMISSION")


def test_items_not_all_read_are_said(subscription: Build) -> None:
    """A subscription with unread items is not complete."""
    one = subscription(items_complete=False)
    assert worth(one, _STRIPE, _AT).reason == "QUARANTINE"


def test_an_unknown_tax_inside_the_price_is_said(subscription: Build) -> None:
    """It counts with the tax then, by the reason that the collector gave."""
    one = subscription(item={"tax_missing": "INVOICES_PERMISSION"})
    found = worth(one, _STRIPE, _AT)
    assert (found.total, found.reason) == (1000, "INVOICES_PERMISSION")


def test_an_unknown_discount_is_said(subscription: Build) -> None:
    """A discount of which only the id is known makes the figure incomplete."""
    one = subscription(discounts=(Discount(id="di_1", duration="unknown"),))
    found = worth(one, _STRIPE, _AT)
    assert (found.total, found.reason) == (1000, "MISSED_EVENT")


_EURO_OFF = Discount(id="di_1", duration="forever", amount_off=300, currency="eur")


def test_an_amount_off_in_another_currency_is_said(subscription: Build) -> None:
    """A coupon on the subscription has an amount in its currency: it is not shown."""
    one = subscription(discounts=(_EURO_OFF,))
    found = worth(one, _STRIPE, _AT)
    assert (found.total, found.reason) == (1000, "MISSED_EVENT")
    one = subscription(item={"discounts": (_EURO_OFF,)})
    found = worth(one, _STRIPE, _AT)
    assert (found.total, found.reason) == (1000, "MISSED_EVENT")


def test_a_customers_amount_off_in_another_currency_is_none(
    subscription: Build,
) -> None:
    """A coupon of the customer's does not apply to what is paid in another currency."""
    found = worth(subscription(customer_discounts=(_EURO_OFF,)), _STRIPE, _AT)
    assert (found.total, found.reason) == (1000, None)


def test_an_amount_off_that_is_not_subtracted_need_not_be_known(
    subscription: Build,
) -> None:
    """What the policy leaves out leaves nothing open; what it subtracts does."""
    once = Discount(id="di_1", duration="once", amount_off=300, currency="eur")
    one = subscription(discounts=(once,))
    assert worth(one, _STRIPE, _AT).reason is None
    assert worth(one, Policy(discounts="all"), _AT).reason == "MISSED_EVENT"


@pytest.mark.parametrize(
    ("discounts", "monthly"),
    [
        ([Discount("a", percent_off="20"), Discount("b", percent_off="10")], 720),
        (
            [
                Discount("a", percent_off="50"),
                Discount("b", amount_off=100, currency="usd"),
            ],
            400,
        ),
        (
            [
                Discount("b", amount_off=100, currency="usd"),
                Discount("a", percent_off="50"),
            ],
            450,
        ),
        ([Discount("a", amount_off=5000, currency="usd")], 0),
        ([Discount("a", amount_off=500, currency="eur")], 1000),
        ([Discount("a", percent_off="50", applies_to=("prod_2",))], 1000),
    ],
)
def test_discounts_in_list_order(
    subscription: Build, discounts: list[Discount], monthly: int
) -> None:
    """Discounts compound in list order, never below zero, in their currency only."""
    one = subscription(discounts=tuple(discounts))
    assert worth(one, _STRIPE, _AT).total == monthly


def test_item_discounts_go_before_the_subscriptions(subscription: Build) -> None:
    """10.00 - 1.00 (item) then 50 % (subscription) = 4.50."""
    one = subscription(
        item={"discounts": (Discount("a", amount_off=100, currency="usd"),)},
        discounts=(Discount("b", percent_off="50"),),
    )
    assert worth(one, _STRIPE, _AT).total == 450


def test_a_customers_discount_is_replaced(subscription: Build) -> None:
    """The customer's discount counts only where the subscription has none."""
    customers = (Discount("c", percent_off="50"),)
    alone = subscription(customer_discounts=customers)
    assert worth(alone, _STRIPE, _AT).total == 500
    own = subscription(
        customer_discounts=customers, discounts=(Discount("d", percent_off="10"),)
    )
    assert worth(own, _STRIPE, _AT).total == 900


@pytest.mark.parametrize(
    ("policy", "duration", "monthly"),
    [
        ("forever", "forever", 500),
        ("forever", "repeating", 1000),
        ("forever", "once", 1000),
        ("recurring", "repeating", 500),
        ("recurring", "once", 1000),
        ("all", "once", 500),
    ],
)
def test_durations(
    subscription: Build, policy: str, duration: str, monthly: int
) -> None:
    """The policy says which durations are subtracted."""
    one = subscription(discounts=(Discount("a", duration, percent_off="50"),))
    assert worth(one, Policy(discounts=policy), _AT).total == monthly


def test_the_end_of_a_discount_is_exclusive(subscription: Build) -> None:
    """A discount is in force up to the second before its end."""
    one = subscription(discounts=(Discount("a", percent_off="50", end=_AT),))
    assert worth(one, _STRIPE, _AT - 1).total == 500
    assert worth(one, _STRIPE, _AT).total == 1000


def test_amount_off_by_the_shortest_interval(
    subscription: Build, price: Callable[..., Price]
) -> None:
    """1.20 off each monthly invoice, of 10.00 a month and 120.00 a year: 18.80."""
    items = (
        Item(id="si_1", price=price(), quantity=1),
        Item(id="si_2", price=price(interval="year", unit_amount="12000"), quantity=1),
    )
    one = subscription(
        items=items, discounts=(Discount("a", amount_off=120, currency="usd"),)
    )
    assert worth(one, _STRIPE, _AT).total == 1880


def test_inclusive_tax_is_taken_off(subscription: Build) -> None:
    """12.00 with 20 % inside is 10.00; with half off first it is 5.00."""
    taxed = {"price": {"unit_amount": "1200"}, "item": {"inclusive_tax": "20"}}
    assert worth(subscription(**taxed), _STRIPE, _AT).total == 1000
    half = (Discount("a", percent_off="50"),)
    assert worth(subscription(discounts=half, **taxed), _STRIPE, _AT).total == 500


def _metered(subscription: Build, usage: tuple[UsageCharge, ...]) -> Subscription:
    return subscription(
        price={"usage_type": "metered", "interval": "year", "unit_amount": "2"},
        quantity=None,
        item={"usage": usage, "usage_amount": 1200},
    )


def test_usage_counts_by_policy(subscription: Build) -> None:
    """Metered items count by the newest charge, per month, or not at all."""
    one = _metered(subscription, ())
    assert worth(one, _STRIPE, _AT).total == 0
    found = worth(one, PRESETS["opseer"], _AT)
    assert (found.licensed, found.usage, found.total) == (0, 100, 100)


def test_usage_is_that_of_its_time(subscription: Build) -> None:
    """Each charge counts from its invoice's finalisation on; before the first, none."""
    charges = (
        UsageCharge(_AT - 100, 2400, "in_1"),
        UsageCharge(_AT, 3600, "in_2"),
    )
    one = _metered(subscription, charges)
    policy = PRESETS["opseer"]
    totals = [worth(one, policy, at).total for at in (_AT - 101, _AT - 1, _AT)]
    assert totals == [0, 200, 300]


def test_the_arithmetic_in_words(subscription: Build) -> None:
    """The steps are told with amounts in major units."""
    one = subscription(
        price={"interval": "year", "unit_amount": "10000"},
        quantity=2,
        discounts=(Discount("a", percent_off="25"),),
    )
    assert arithmetic(one, _STRIPE, _AT) == (
        "price_1: 2 x 100.00 USD per year / 12 = 16.666667 USD per month",
        "- discount of 25 % (forever): 12.50 USD",
        "= 12.50 USD per month",
    )
