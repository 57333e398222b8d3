"""Subscriptions and events from Stripe's lists, and what is looked up beside them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from opseer_collector.domain.fetching import Request
from opseer_collector.providers.attempts import PermissionMissingError
from opseer_collector.providers.stripe.billing import EVENT_TYPES, Billing
from opseer_collector.providers.stripe.client import StripeClient
from opseer_collector.providers.stripe.decode import Reader
from opseer_common.contracts.collection import RunKind
from opseer_common.contracts.subscription import Tier, UsageCharge
from opseer_common.sealing import Secret

if TYPE_CHECKING:
    from tests.unit.collector.conftest import StandIn

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
AT = int(NOW.timestamp())


def price(**changes: Any) -> dict[str, Any]:
    """Return a monthly price of 10.00 dollars."""
    recurring = {"interval": "month", "interval_count": 1, "usage_type": "licensed"}
    return {
        "id": "price_1",
        "currency": "usd",
        "unit_amount": 1000,
        "recurring": recurring,
        **changes,
    }


def item(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return an item of one seat."""
    return {"id": f"si_{number}", "quantity": 1, "price": price(), **changes}


def subscription(*items: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return an active subscription."""
    return {
        "id": "sub_1",
        "customer": "cus_1",
        "status": "active",
        "currency": "usd",
        "created": AT - 1000,
        "livemode": False,
        "items": {"data": list(items) or [item()], "has_more": False},
        **changes,
    }


def event(number: int, kind: str, at: int, shown: dict[str, Any]) -> dict[str, Any]:
    """Return an event about a subscription."""
    return {
        "id": f"evt_{number}",
        "created": at,
        "type": f"customer.subscription.{kind}",
        "livemode": False,
        "data": {"object": shown},
    }


class Paths:
    """Answers by path; a number is a refusal that names coupons."""

    def __init__(self, **answers: Any) -> None:
        """Take lists by the name of their endpoint."""
        self.answers = answers
        self.asked: list[web.Request] = []

    async def __call__(self, request: web.Request) -> web.Response:
        """Answer one request."""
        self.asked.append(request)
        name = request.path.removeprefix("/v1/").replace("/", "_")
        found = self.answers[name]
        if callable(found):
            found = found(request)
        if isinstance(found, str):
            message = f"Having the 'rak_{found}' permission would allow it"
            return web.json_response({"error": {"message": message}}, status=403)
        if isinstance(found, list):
            found = {"data": found, "has_more": False}
        return web.json_response(found)


def billing(
    client: StripeClient, days: int = 30, kind: RunKind = "first", fresh: int = 0
) -> Billing:
    """Return what reads, with a test key at noon; events of some days."""
    request = Request(
        kind=kind,
        environment="test",
        key=Secret("x"),
        since=0,
        until=AT,
        events_since=AT - days * 86_400,
        now=NOW,
        fresh=fresh,
    )
    return Billing(client, request, Reader(AT, livemode=False))


async def test_live_subscriptions_come_with_their_discounts(
    stripe: StandIn, client: StripeClient
) -> None:
    """Coupons are expanded in the one list call."""
    coupon = {"id": "c", "percent_off": 50, "duration": "forever"}
    shown = subscription(discounts=[{"id": "di_1", "coupon": coupon}])
    paths = Paths(subscriptions=[shown])
    stripe.answers.append(paths)
    reading = billing(client)
    await reading.read_live()
    [found] = (await reading.normalised()).subscriptions
    assert found.discounts[0].percent_off == "50"
    assert paths.asked[0].query.getall("expand[]") == [
        "data.discounts",
        "data.items.data.discounts",
        "data.customer",
    ]
    assert "status" not in paths.asked[0].query


async def test_without_the_right_to_coupons_the_list_is_read_plain(
    stripe: StandIn, client: StripeClient
) -> None:
    """Subscriptions are shown before coupons, and that is noted."""

    def refuse(request: web.Request) -> Any:
        return "coupon_read" if "expand[]" in request.query else [subscription()]

    stripe.answers.append(Paths(subscriptions=refuse))
    reading = billing(client)
    await reading.read_live()
    assert len(reading.found.live) == 1
    assert not reading.found.discounts_readable


async def test_customers_bring_their_own_discount(
    stripe: StandIn, client: StripeClient
) -> None:
    """20 percent for ever for all that the customer has."""
    coupon = {"id": "c", "percent_off": 20, "duration": "forever"}
    customer = {"id": "cus_1", "discount": {"id": "di_1", "coupon": coupon}}
    stripe.answers.append(Paths(subscriptions=[subscription(customer=customer)]))
    reading = billing(client)
    await reading.read_live()
    [found] = (await reading.normalised()).subscriptions
    assert found.customer == "cus_1"
    assert [one.percent_off for one in found.customer_discounts] == ["20"]


@pytest.mark.parametrize("coupons", [True, False])
async def test_without_the_right_to_customers_the_rest_is_read(
    stripe: StandIn, client: StripeClient, *, coupons: bool
) -> None:
    """Each right that is missing is left out by itself, and noted."""

    def refuse(request: web.Request) -> Any:
        wanted = request.query.getall("expand[]", [])
        if "data.discounts" in wanted and not coupons:
            return "coupon_read"
        return "customer_read" if "data.customer" in wanted else [subscription()]

    paths = Paths(subscriptions=refuse)
    stripe.answers.append(paths)
    reading = billing(client)
    await reading.read_live()
    assert len(reading.found.live) == 1
    assert reading.found.missing == {"customers"}
    assert reading.found.discounts_readable is coupons
    assert ("expand[]" in paths.asked[-1].query) is coupons


async def test_a_missing_right_to_subscriptions_is_told(
    stripe: StandIn, client: StripeClient
) -> None:
    """It is not taken for the coupons' one."""
    stripe.answers.append(Paths(subscriptions="subscription_read"))
    with pytest.raises(PermissionMissingError):
        await billing(client).read_live()


async def test_items_beyond_the_first_page_are_followed(
    stripe: StandIn, client: StripeClient
) -> None:
    """Stripe shows ten items of a subscription; all of them count."""
    items = [item(number) for number in range(23)]
    shown = subscription(*items[:10])
    shown["items"]["has_more"] = True
    stripe.answers.append(Paths(subscriptions=[shown], subscription_items=items))
    reading = billing(client)
    await reading.read_live()
    [found] = (await reading.normalised()).subscriptions
    assert [one.id for one in found.items] == [one["id"] for one in items]
    assert found.items_complete


async def test_tiers_are_looked_up_only_where_they_are_missing(
    stripe: StandIn, client: StripeClient
) -> None:
    """Lists leave tiers out; each tiered price is asked for once."""
    tiered = price(id="price_t", billing_scheme="tiered", tiers_mode="volume")
    answer = {**tiered, "tiers": [{"up_to": None, "unit_amount": 7}]}
    paths = Paths(
        subscriptions=[
            subscription(item(price=tiered)),
            subscription(item(price=tiered), id="sub_2"),
            subscription(id="sub_3"),
        ],
        prices_price_t=answer,
    )
    stripe.answers.append(paths)
    reading = billing(client)
    await reading.read_live()
    found = (await reading.normalised()).subscriptions
    assert [one.items[0].price.tiers for one in found] == [
        (Tier(None, "7"),),
        (Tier(None, "7"),),
        None,
    ]
    assert len(paths.asked) == 2


async def test_metered_items_bring_what_they_were_charged(
    stripe: StandIn, client: StripeClient
) -> None:
    """The invoices of metered subscriptions are read, of others none."""
    recurring = {"interval": "month", "usage_type": "metered"}
    metered = item(price=price(recurring=recurring), quantity=None)
    parent = {"subscription_item_details": {"subscription_item": "si_1"}}
    invoice = {
        "id": "in_1",
        "created": AT - 500,
        "status": "paid",
        "billing_reason": "subscription_cycle",
        "lines": {"data": [{"amount": 420, "parent": parent}], "has_more": False},
    }
    paths = Paths(
        subscriptions=[subscription(metered), subscription(id="sub_2")],
        invoices=[invoice],
    )
    stripe.answers.append(paths)
    reading = billing(client)
    await reading.read_live()
    first, _ = (await reading.normalised()).subscriptions
    assert first.items[0].usage == (UsageCharge(AT - 500, 420, "in_1"),)
    assert [asked.query.get("subscription") for asked in paths.asked[1:]] == ["sub_1"]


def _taxed() -> dict[str, Any]:
    """Return a subscription whose tax inside the price is worked out by invoice."""
    one = item(price=price(tax_behavior="inclusive"))
    return subscription(one, automatic_tax={"enabled": True})


async def test_a_tax_inside_the_price_comes_from_the_newest_invoice(
    stripe: StandIn, client: StripeClient
) -> None:
    """A first invoice tells it as well as any."""
    parent = {"subscription_item_details": {"subscription_item": "si_1"}}
    tax = {"amount": 160, "tax_behavior": "inclusive"}
    invoice = {
        "id": "in_1",
        "created": AT - 50,
        "status": "paid",
        "billing_reason": "subscription_create",
        "lines": {
            "data": [{"amount": 1000, "parent": parent, "taxes": [tax]}],
            "has_more": False,
        },
    }
    stripe.answers.append(Paths(subscriptions=[_taxed()], invoices=[invoice]))
    reading = billing(client)
    await reading.read_live()
    [one] = (await reading.normalised()).subscriptions
    assert (one.items[0].inclusive_tax, one.items[0].tax_missing) == ("19", None)


async def test_a_tax_that_may_not_be_read_is_said(
    stripe: StandIn, client: StripeClient
) -> None:
    """Without the right to invoices the price is with tax, and says so."""
    stripe.answers.append(Paths(subscriptions=[_taxed()], invoices="invoice_read"))
    reading = billing(client)
    await reading.read_live()
    [one] = (await reading.normalised()).subscriptions
    assert one.items[0].tax_missing == "INVOICES_PERMISSION"
    assert reading.found.missing == {"invoices"}


@pytest.mark.parametrize("form", ["price", "plan"])
async def test_usage_of_what_ended_is_read_as_well(
    stripe: StandIn, client: StripeClient, form: str
) -> None:
    """Its last invoice tells what its end takes away, in old forms too."""
    terms = {"interval": "month", "usage_type": "metered"}
    told = price(recurring=terms) if form == "price" else price(**terms)
    metered = {"id": "si_1", form: told}
    parent = {"subscription_item_details": {"subscription_item": "si_1"}}
    invoice = {
        "id": "in_1",
        "created": AT - 40 * 86_400,
        "status": "paid",
        "billing_reason": "subscription_cycle",
        "lines": {"data": [{"amount": 420, "parent": parent}], "has_more": False},
    }
    gone = subscription(metered, status="canceled")
    stripe.answers.append(
        Paths(events=[event(1, "deleted", AT - 50, gone)], invoices=[invoice])
    )
    reading = billing(client)
    await reading.read_events()
    [change] = (await reading.normalised()).changes
    assert [one.amount for one in change.after.items[0].usage] == [420]


@pytest.mark.parametrize("days", [30, 7])
async def test_usage_goes_back_to_before_the_days_shown(
    stripe: StandIn, client: StripeClient, days: int
) -> None:
    """Past other invoices to the first charge older than 30 days, in rounds as well."""
    recurring = {"interval": "month", "usage_type": "metered"}
    metered = item(price=price(recurring=recurring), quantity=None)
    parent = {"subscription_item_details": {"subscription_item": "si_1"}}
    charged = [{"amount": 420, "parent": parent}]
    invoices = [
        {
            "id": f"in_{age}",
            "created": AT - age * 86_400,
            "status": "paid",
            "billing_reason": "subscription_cycle",
            "lines": {"data": charged if age in {4, 35, 66} else [], "has_more": False},
        }
        for age in range(70)
    ]
    stripe.answers.append(
        Paths(subscriptions=[subscription(metered)], invoices=invoices)
    )
    reading = billing(client, days)
    await reading.read_live()
    [found] = (await reading.normalised()).subscriptions
    assert [usage.invoice_id for usage in found.items[0].usage] == ["in_35", "in_4"]


async def test_events_become_changes_in_the_order_they_apply(
    stripe: StandIn, client: StripeClient
) -> None:
    """Of one second: created, updated, deleted, whatever the list's order."""
    gone = subscription(status="canceled")
    paths = Paths(
        events=[
            event(3, "deleted", AT - 50, gone),
            event(1, "created", AT - 50, subscription()),
            event(2, "updated", AT - 50, subscription()),
        ]
    )
    stripe.answers.append(paths)
    reading = billing(client)
    await reading.read_events()
    changes = (await reading.normalised()).changes
    ordered = sorted(changes, key=lambda one: (one.at, one.position))
    assert [one.kind for one in ordered] == ["created", "updated", "deleted"]
    assert tuple(paths.asked[0].query.getall("types[]")) == EVENT_TYPES
    assert len(EVENT_TYPES) <= 20


async def test_one_unreadable_subscription_is_put_aside(
    stripe: StandIn, client: StripeClient
) -> None:
    """The others are kept; the list does not count as whole."""
    bad = subscription(item(price=price(unit_amount=None, currency=5)), id="sub_bad")
    stripe.answers.append(Paths(subscriptions=[bad, subscription(), "no object"]))
    reading = billing(client)
    await reading.read_live()
    batch = await reading.normalised()
    assert [one.id for one in batch.subscriptions] == ["sub_1"]
    assert "sub_bad" in {one.object_id for one in batch.quarantined}
    assert len(batch.quarantined) == 2
    assert not reading.found.live_whole
