"""What a run looks up one by one, and when it reads a list instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web
from tests.unit.collector.test_billing import (
    AT,
    NOW,
    Paths,
    billing,
    event,
    item,
    price,
    subscription,
)

from opseer_collector.domain.records import Batch
from opseer_collector.providers.stripe.billing import Billing
from opseer_collector.providers.stripe.client import StripeClient
from opseer_collector.providers.stripe.invoices import Invoices
from opseer_collector.providers.stripe.names import Names

if TYPE_CHECKING:
    from tests.unit.collector.conftest import StandIn

DAY = 86_400


def metered(number: int) -> dict[str, Any]:
    """Return a subscription that is charged by use each month."""
    recurring = {"interval": "month", "usage_type": "metered"}
    used = item(number, price=price(recurring=recurring), quantity=None)
    return subscription(used, id=f"sub_{number}")


def invoice(number: int, age: int) -> dict[str, Any]:
    """Return an invoice of `metered(number)`, `age` days old, over its number."""
    return {
        "id": f"in_{number}_{age}",
        "created": AT - age * DAY,
        "status": "paid",
        "billing_reason": "subscription_cycle",
        "parent": {"subscription_details": {"subscription": f"sub_{number}"}},
        "lines": {
            "has_more": False,
            "data": [
                {
                    "amount": number,
                    "parent": {
                        "subscription_item_details": {
                            "subscription_item": f"si_{number}"
                        }
                    },
                }
            ],
        },
    }


async def test_invoices_of_many_come_from_their_list(
    stripe: StandIn, client: StripeClient
) -> None:
    """20 subscriptions, 40 invoices: one call, and one for who is in none of it."""
    many = [invoice(number, age) for age in (5, 35) for number in range(20)]
    lone = [invoice(20, 50)]
    paths = Paths(
        invoices=lambda asked: lone if "subscription" in asked.query else many
    )
    stripe.answers.append(paths)
    reading = Invoices(client, NOW)
    found = (await reading.read([metered(number) for number in range(21)])).usage
    assert {name: [one.amount for one in rows] for name, rows in found.items()} == {
        f"si_{number}": [number] * (1 if number == 20 else 2) for number in range(21)
    }
    assert [asked.query.get("subscription") for asked in paths.asked] == [
        None,
        "sub_20",
    ]


def mixed(number: int, coupon: str, products: int = 2) -> dict[str, Any]:
    """Return a subscription of some products with a coupon on all of it."""
    items = [
        item(n, price=price(id=f"price_{n}", product=f"prod_{n}"))
        for n in range(products)
    ]
    discount = {
        "id": f"di_{number}",
        "coupon": {"id": coupon, "duration": "forever", "percent_off": 50},
    }
    return subscription(*items, id=f"sub_{number}", discounts=[discount])


async def test_what_a_coupon_is_for_is_looked_up_where_it_matters(
    stripe: StandIn, client: StripeClient
) -> None:
    """Once for each coupon of what sells several products; lists leave it out."""

    def one(request: web.Request) -> Any:
        shown = mixed(1, "some")
        shown["discounts"][0]["coupon"]["applies_to"] = {"products": ["prod_1"]}
        return shown

    live = [mixed(1, "some"), mixed(2, "some"), mixed(3, "single", products=1)]
    paths = Paths(subscriptions=live, subscriptions_sub_1=one)
    stripe.answers.append(paths)
    reading = billing(client)
    await reading.read_live()
    found = (await reading.normalised()).subscriptions
    scopes = [each.discounts[0].applies_to for each in found]
    assert scopes == [("prod_1",), ("prod_1",), None]
    assert [asked.path for asked in paths.asked[1:]] == ["/v1/subscriptions/sub_1"]
    asked = paths.asked[1].query.getall("expand[]")
    assert asked == ["discounts.coupon.applies_to", "discounts.coupon.currency_options"]


async def test_a_coupons_amount_in_another_currency_is_looked_up(
    stripe: StandIn, client: StripeClient
) -> None:
    """5 USD off are 4 EUR off for who pays in euros."""

    def coupon(**more: Any) -> dict[str, Any]:
        terms = {"id": "five", "duration": "forever", "amount_off": 500}
        discount = {"id": "di_1", "coupon": {**terms, "currency": "usd", **more}}
        euros = item(price=price(currency="eur"))
        return subscription(euros, currency="eur", discounts=[discount])

    told = coupon(currency_options={"eur": {"amount_off": 400}})
    stripe.answers.append(Paths(subscriptions=[coupon()], subscriptions_sub_1=told))
    reading = billing(client)
    await reading.read_live()
    [found] = (await reading.normalised()).subscriptions
    [discount] = found.discounts
    assert (discount.amount_off, discount.currency) == (400, "eur")


async def test_a_coupon_whose_products_are_not_told_is_for_all(
    stripe: StandIn, client: StripeClient
) -> None:
    """A refusal of the look-up takes nothing else away."""
    stripe.answers.append(
        Paths(subscriptions=[mixed(1, "some")], subscriptions_sub_1="coupon_read")
    )
    reading = billing(client)
    await reading.read_live()
    [found] = (await reading.normalised()).subscriptions
    assert found.discounts[0].percent_off == "50"
    assert found.discounts[0].applies_to is None


def ended(number: int, age: int) -> dict[str, Any]:
    """Return the event of a subscription that ended `age` seconds ago."""
    gone = subscription(id=f"sub_{number}", customer=f"cus_{number}", status="canceled")
    return event(number, "deleted", AT - age, gone)


async def read(reading: Billing) -> Batch:
    """Read everything."""
    await reading.read_live()
    await reading.read_events()
    await reading.read_discounts()
    return await reading.normalised()


async def test_customers_of_what_ended_since_the_last_round_are_looked_up(
    stripe: StandIn, client: StripeClient
) -> None:
    """Nobody twice: what ended before is stored with its customer's discount."""
    paths = Paths(
        subscriptions=[],
        events=[ended(1, 50), ended(2, 500)],
        customers_cus_1={"id": "cus_1", "name": "Ada"},
    )
    stripe.answers.append(paths)
    reading = billing(client, kind="daily", fresh=AT - 100)
    batch = await read(reading)
    assert [one.id for one in batch.ended] == ["sub_1"]
    assert len(batch.changes) == 2
    assert [asked.path for asked in paths.asked][2:] == ["/v1/customers/cus_1"]


async def test_customers_of_very_many_come_with_the_list_of_what_ended(
    stripe: StandIn, client: StripeClient
) -> None:
    """201 look-ups are not made: the list of all that ended has them."""
    paths = Paths(subscriptions=[], events=[ended(number, 50) for number in range(201)])
    stripe.answers.append(paths)
    reading = billing(client, kind="daily", fresh=AT - 100)
    await read(reading)
    assert reading.many_ended
    assert len(paths.asked) == 2


async def test_names_that_came_along_are_not_looked_up(
    stripe: StandIn, client: StripeClient
) -> None:
    """Only for those that were not read is the list asked."""
    paths = Paths(customers=[{"id": "cus_2", "name": "Bob"}])
    stripe.answers.append(paths)
    names = Names(client, {"cus_1": {"id": "cus_1", "name": "Ada", "email": "a@b.c"}})
    [ada] = await names.customers(frozenset({"cus_1"}))
    assert (ada.name, ada.email, len(paths.asked)) == ("Ada", "a@b.c", 0)
    both = await names.customers(frozenset({"cus_1", "cus_2"}))
    assert {one.name for one in both} == {"Ada", "Bob"}
    assert len(paths.asked) == 1
