"""Stripe's subscriptions of every API version, made into one form."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from opseer_collector.providers.stripe.prices import (
    coupons_in,
    discount_index,
    tiers_index,
)
from opseer_collector.providers.stripe.shapes import ShapeError
from opseer_collector.providers.stripe.subscriptions import Known, subscription_from
from opseer_common.contracts.subscription import (
    Discount,
    Subscription,
    Tier,
    UsageCharge,
)

Json = dict[str, Any]
_CREATED = 1_767_225_600
# The same subscription as each generation of the API renders it.
SHAPES: dict[str, Json] = json.loads(
    (Path(__file__).parents[2] / "data" / "stripe_subscriptions.json").read_text()
)
_BASIL = SHAPES["2025-08-27.basil"]
PRICE: Json = _BASIL["items"]["data"][0]["price"]
_COUPON: Json = _BASIL["discounts"][0]["coupon"]


def _listed(*lines: Json) -> Json:
    return {"object": "list", "data": list(lines), "has_more": False}


def _line(**fields: Any) -> Json:
    return {"id": "si_1", "object": "subscription_item", "quantity": 2, **fields}


def _read(fields: Json, known: Known | None = None) -> Subscription:
    return subscription_from(fields, known or Known())


def _with_price(**fields: Any) -> Json:
    line = _line(price={**PRICE, **fields})
    return {**_BASIL, "currency": "usd", "items": _listed(line)}


@pytest.mark.parametrize("version", SHAPES)
def test_every_shape_says_the_same(version: str) -> None:
    """Five generations of one subscription: 2 x 10.00 USD a month at half price."""
    found = _read(SHAPES[version])
    assert (found.id, found.customer, found.status) == ("sub_1", "cus_1", "active")
    assert (found.currency, found.created) == ("usd", _CREATED)
    (item,) = found.items
    price = item.price
    assert (item.quantity, price.id, price.unit_amount) == (2, "plan_1", "1000")
    assert (price.currency, price.product) == ("usd", "prod_1")
    assert (price.interval, price.interval_count) == ("month", 1)
    assert price.usage_type == "licensed"
    (discount,) = found.discounts
    assert (discount.duration, discount.end) == ("forever", None)
    assert Decimal(discount.percent_off or "0") == 50
    assert found.items_complete


def test_all_of_the_state() -> None:
    """Everything that MRR depends on is carried over."""
    found = _read(
        {
            **_BASIL,
            "start_date": 1,
            "trial_start": 2,
            "trial_end": 3,
            "cancel_at": 4,
            "cancel_at_period_end": True,
            "canceled_at": 5,
            "ended_at": 6,
            "pause_collection": {"behavior": "void", "resumes_at": 7},
        }
    )
    assert (found.start_date, found.trial_start, found.trial_end) == (1, 2, 3)
    assert (found.cancel_at, found.canceled_at, found.ended_at) == (4, 5, 6)
    assert found.cancel_at_period_end
    assert (found.pause_behavior, found.pause_resumes_at) == ("void", 7)


def test_the_decimal_twin_is_the_exact_amount() -> None:
    """`unit_amount` is null or rounded where a price has parts of a cent."""
    found = _read(_with_price(unit_amount=None, unit_amount_decimal="0.123456789012"))
    assert found.items[0].price.unit_amount == "0.123456789012"


def test_transform_quantity_and_usage() -> None:
    """Packages: on prices it is transform_quantity, on plans transform_usage."""
    packages = {"divide_by": 10, "round": "up"}
    price = _read(_with_price(transform_quantity=packages)).items[0].price
    assert (price.divide_by, price.round) == (10, "up")
    plan = {**SHAPES["2019-05-16"]["plan"], "transform_usage": packages}
    old = _read({**SHAPES["2019-05-16"], "items": _listed(_line(plan=plan))})
    assert (old.items[0].price.divide_by, old.items[0].price.round) == (10, "up")


def test_lines_that_do_not_recur_are_left_out() -> None:
    """A one-off price is no part of a subscription's worth."""
    assert _read(_with_price(type="one_time", recurring=None)).items == ()


def test_tiers_come_from_the_price_list() -> None:
    """Tiers are in the list of prices only; inline ones go first."""
    tiers = [
        {"up_to": 5, "unit_amount": 500, "flat_amount": None},
        {"up_to": None, "unit_amount_decimal": "0.5", "flat_amount": 100},
    ]
    expected = (Tier(5, "500", "0"), Tier(None, "0.5", "100"))
    index = tiers_index([{**PRICE, "tiers": tiers}, {**PRICE, "id": "price_2"}])
    assert index == {"plan_1": expected}
    tiered = _with_price(billing_scheme="tiered", unit_amount=None, tiers_mode="volume")
    assert _read(tiered).items[0].price.tiers is None
    assert _read(tiered, Known(tiers=index)).items[0].price.tiers == expected
    inline = _with_price(billing_scheme="tiered", tiers=tiers[1:])
    assert _read(inline).items[0].price.tiers == expected[1:]


def test_a_price_in_the_subscriptions_currency() -> None:
    """A price of another currency is read at its option for the subscription's."""
    options = {"eur": {"unit_amount": 900, "unit_amount_decimal": "900"}}
    fields = {**_with_price(currency_options=options), "currency": "eur"}
    price = _read(fields).items[0].price
    assert (price.currency, price.unit_amount) == ("eur", "900")
    bare = _read({**_with_price(), "currency": "eur"}).items[0].price
    assert bare.currency == "usd"


def test_an_amount_off_in_the_subscriptions_currency() -> None:
    """A coupon takes off its amount for the currency; its own where it has none."""
    coupon = {
        "id": "five_off",
        "duration": "forever",
        "percent_off": None,
        "amount_off": 500,
        "currency": "usd",
        "currency_options": {"eur": {"amount_off": 400}},
    }
    shown = {"id": "di_1", "coupon": coupon}
    fields = {
        **_BASIL,
        "customer": {"id": "cus_1", "discount": shown},
        "discounts": [shown],
        "items": _listed(_line(price=PRICE, discounts=[shown])),
    }
    for currency, expected in (
        ("eur", (400, "eur")),
        ("usd", (500, "usd")),
        ("gbp", (500, "usd")),
    ):
        found = _read({**fields, "currency": currency})
        for one in (
            *found.discounts,
            *found.customer_discounts,
            *found.items[0].discounts,
        ):
            assert (one.amount_off, one.currency) == expected
    index = discount_index([{**fields, "currency": "EUR"}], [], {})
    assert index["di_1"].amount_off == 400


def test_inclusive_taxes_are_summed() -> None:
    """An item's own rates replace the subscription's default ones."""
    inside = [
        {"percentage": 7.5, "inclusive": True},
        {"percentage": 2, "inclusive": True},
        {"percentage": 20, "inclusive": False},
    ]
    default = {**_with_price(), "default_tax_rates": inside}
    assert Decimal(_read(default).items[0].inclusive_tax) == Decimal("9.5")
    own = [{"percentage": 19, "inclusive": True}]
    fields = {**default, "items": _listed(_line(price=PRICE, tax_rates=own))}
    assert Decimal(_read(fields).items[0].inclusive_tax) == 19


def test_usage_is_given_to_its_item() -> None:
    """A metered item has its charges, and no quantity."""
    charges = (UsageCharge(1, 300, "in_1"), UsageCharge(2, 500, "in_2"))
    metered = {"interval": "month", "interval_count": 1, "usage_type": "metered"}
    found = _read(_with_price(recurring=metered), Known(usage={"si_1": charges}))
    (item,) = found.items
    assert (item.quantity, item.usage, item.usage_amount) == (None, charges, 500)


def test_more_items_than_were_read() -> None:
    """A subscription with unread items is not complete."""
    items = {**_listed(_line(price=PRICE)), "has_more": True}
    assert not _read({**_BASIL, "currency": "usd", "items": items}).items_complete


def test_discount_ids_are_resolved() -> None:
    """Ids are looked up; one that is not known stays, as unknown."""
    fields = {**_with_price(), "discounts": ["di_1", "di_2"]}
    known = Known(discounts={"di_1": Discount(id="di_1", percent_off="50")})
    first, second = _read(fields, known).discounts
    assert first.percent_off == "50"
    assert second == Discount(id="di_2", duration="unknown")


def test_item_and_customer_discounts() -> None:
    """Discounts of an item and of an expanded customer stand where they apply."""
    own = {"id": "di_1", "coupon": {**_COUPON, "applies_to": {"products": ["prod_1"]}}}
    customer = {"id": "cus_1", "discount": {"id": "di_2", "coupon": _COUPON}}
    fields = {
        **_BASIL,
        "customer": customer,
        "discounts": [],
        "items": _listed(_line(price=PRICE, discounts=[own])),
    }
    found = _read(fields)
    assert found.customer == "cus_1"
    assert [one.id for one in found.customer_discounts] == ["di_2"]
    assert found.discounts == ()
    assert found.items[0].discounts[0].applies_to == ("prod_1",)


def test_the_index_of_discounts() -> None:
    """Discounts are told by live subscriptions and by customer.discount events."""
    event = {
        "id": "evt_1",
        "type": "customer.discount.deleted",
        "data": {"object": {"id": "di_9", "coupon": {**_COUPON, "amount_off": 5}}},
    }
    bare = {"type": "customer.discount.created", "data": {"object": {"id": "di_8"}}}
    index = discount_index(
        [SHAPES["2025-09-30.clover"], {**_with_price(), "discounts": ["di_7"]}],
        [event, bare, {"type": "customer.subscription.updated"}],
        {},
    )
    assert sorted(index) == ["di_1", "di_9"]
    assert index["di_9"].amount_off == 5


def test_a_discount_behind_a_coupons_id_is_told_by_the_coupon() -> None:
    """Since clover events have the id alone; the coupon is shown somewhere else."""
    discount = {"id": "di_9", "source": {"coupon": "half", "type": "coupon"}}
    event = {"type": "customer.discount.deleted", "data": {"object": discount}}
    coupon = {"id": "half", "percent_off": 50, "duration": "forever"}
    shown = {"items": {"data": [{"discounts": [{"id": "di_1", "coupon": coupon}]}]}}
    coupons = dict(coupons_in([shown]))
    assert coupons == {"half": coupon}
    assert discount_index([], [event], coupons)["di_9"].percent_off == "50"
    assert discount_index([], [event], {}) == {}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"id": None}, "subscription.id"),
        ({"id": 7}, "subscription.id"),
        ({"customer": None}, "subscription.customer"),
        ({"created": "secret-content"}, "subscription.created"),
        ({"status": ["secret-content"]}, "subscription.status"),
        ({"cancel_at_period_end": "secret-content"}, None),
        ({"items": "secret-content"}, "subscription.items"),
        ({"items": {"data": {}}}, "subscription.items.data"),
        ({"items": {"data": [7]}}, "subscription.items.data[0]"),
        ({"items": {"data": [{"id": "si_1"}]}}, "subscription.items.data[0].price"),
        ({"discounts": [7]}, "subscription.discounts[0]"),
        ({"pause_collection": {}}, "subscription.pause_collection.behavior"),
    ],
)
def test_what_cannot_be_read(fields: Json, path: str | None) -> None:
    """A failure names the path and never what stands there."""
    with pytest.raises(ShapeError) as caught:
        _read({**_with_price(), **fields})
    assert caught.value.path == (path or "subscription.cancel_at_period_end")
    assert "secret-content" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "end"),
    [
        ({"unit_amount_decimal": "secret-content"}, "unit_amount_decimal"),
        ({"unit_amount_decimal": "NaN"}, "unit_amount_decimal"),
        ({"unit_amount_decimal": "1e999999999"}, "unit_amount_decimal"),
        ({"unit_amount_decimal": "1e-999999999"}, "unit_amount_decimal"),
        ({"unit_amount_decimal": None, "unit_amount": True}, "unit_amount"),
        ({"recurring": {"interval": "secret-content"}}, "recurring.interval"),
        (
            {"recurring": {"interval": "day", "interval_count": 0}},
            "recurring.interval_count",
        ),
        (
            {"transform_quantity": {"divide_by": 0, "round": "up"}},
            "transform_quantity.divide_by",
        ),
    ],
)
def test_a_price_that_cannot_be_read(fields: Json, end: str) -> None:
    """The same for prices: amounts are decimals, intervals are known and positive."""
    with pytest.raises(ShapeError) as caught:
        _read(_with_price(**fields))
    assert caught.value.path == f"subscription.items.data[0].price.{end}"
    assert "secret-content" not in str(caught.value)


@pytest.mark.parametrize("percent", [-1, 100.5])
def test_a_percentage_outside_of_0_to_100(percent: float) -> None:
    """A coupon takes off nothing to everything."""
    coupon = {**_COUPON, "percent_off": percent}
    fields = {**_with_price(), "discounts": [{"id": "di_1", "coupon": coupon}]}
    with pytest.raises(ShapeError):
        _read(fields)
