"""The list of ended subscriptions, and the discounts that only they still tell."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from tests.unit.collector.intake import Intake

from opseer_collector.domain.fetching import Request
from opseer_collector.domain.records import Fetched
from opseer_collector.providers.session import open_session
from opseer_collector.providers.stripe.collect import StripeProvider
from opseer_common.sealing import Secret

if TYPE_CHECKING:
    from tests.unit.collector.conftest import StandIn

    from opseer_common.contracts.collection import RunKind

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
AT = int(NOW.timestamp())
COUPON = {"id": "c", "percent_off": 50, "duration": "forever"}
EXPANDED = {"discounts": [{"id": "di_1", "coupon": COUPON}]}
CUSTOMER = {"id": "cus_sub_3", "discount": {"id": "di_2", "coupon": COUPON}}


def ended(name: str, **changes: Any) -> dict[str, Any]:
    """Return a subscription of 10.00 dollars that ended long ago."""
    recurring = {"interval": "month", "usage_type": "licensed"}
    price = {"id": "p", "currency": "usd", "unit_amount": 1000, "recurring": recurring}
    return {
        "id": name,
        "customer": f"cus_{name}",
        "status": "canceled",
        "currency": "usd",
        "created": AT - 9_000_000,
        "ended_at": AT - 8_000_000,
        "items": {"data": [{"id": "si_1", "price": price}], "has_more": False},
        **changes,
    }


def deleted(shown: dict[str, Any]) -> dict[str, Any]:
    """Return the event of an end an hour ago."""
    return {
        "id": "evt_1",
        "created": AT - 3600,
        "type": "customer.subscription.deleted",
        "data": {"object": shown},
    }


LISTS = {
    f"/v1/{name}"
    for name in (
        *("balance_transactions", "charges", "refunds", "disputes"),
        *("subscriptions", "events"),
    )
}


class Account:
    """An account with ended subscriptions and an event, and nothing else."""

    def __init__(self, *events: dict[str, Any], refuse: str = "") -> None:
        """Refuse requests for ended subscriptions for want of the right `refuse`."""
        self.events = list(events)
        self.refuse = refuse
        self.rows: list[Any] = [ended("sub_1"), ended("sub_2")]
        self.items: list[Any] = []
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, request: web.Request) -> web.Response:
        """Answer one request."""
        path, status = request.path, request.query.get("status", "")
        self.asked.append((path, status))
        if path == "/v1/balance":
            return web.json_response({"livemode": False, "available": []})
        if path == "/v1/customers/cus_sub_3":
            return web.json_response(CUSTOMER)
        if path.startswith("/v1/subscriptions/"):
            return web.json_response(ended(path.rpartition("/")[2], **EXPANDED))
        if status and self.refuse:
            message = f"Having the 'rak_{self.refuse}' permission would allow it"
            return web.json_response({"error": {"message": message}}, status=403)
        found = self.rows if status == "canceled" else []
        if path == "/v1/subscription_items":
            found = self.items
        if path == "/v1/events":
            found = self.events
        return web.json_response({"data": found, "has_more": False})


async def fetched(
    stripe: StandIn, account: Account, kind: RunKind = "first"
) -> tuple[Fetched, Intake]:
    """Return what a run of a kind fetches and stores."""
    stripe.answers.append(account)
    request = Request(kind, "test", Secret("x"), AT - 9999, AT, AT - 9999, NOW)
    intake = Intake()
    async with open_session() as session:
        provider = StripeProvider(session, {"test": stripe.base}, 5000, stripe.sleep)
        return await provider.fetch(request, intake), intake


@pytest.mark.parametrize("kind", ["first", "refresh"])
async def test_it_is_the_last_list_of_a_whole_run(
    stripe: StandIn, kind: RunKind
) -> None:
    """Nothing that a figure of today needs waits for it."""
    account = Account()
    found, intake = await fetched(stripe, account, kind)
    before = account.asked[: account.asked.index(("/v1/subscriptions", "canceled"))]
    assert {path for path, _ in before} >= LISTS
    assert intake.ended() == ["sub_1", "sub_2"]
    assert not found.lacking


async def test_a_daily_round_takes_ends_from_events(stripe: StandIn) -> None:
    """The list is not read then; a deletion shows the subscription as it ended."""
    account = Account(deleted(ended("sub_3")))
    _, intake = await fetched(stripe, account, "daily")
    assert ("/v1/subscriptions", "canceled") not in account.asked
    assert intake.ended() == ["sub_3"]


async def test_a_daily_round_looks_up_whose_subscriptions_ended(
    stripe: StandIn,
) -> None:
    """Nothing else tells the discount that stood on the customer until then."""
    _, intake = await fetched(stripe, Account(deleted(ended("sub_3"))), "daily")
    [change] = [one for batch in intake.batches for one in batch.changes]
    assert [one.percent_off for one in change.after.customer_discounts] == ["50"]


async def test_a_whole_run_reads_customers_with_what_ended(stripe: StandIn) -> None:
    """One list has them all: nobody is looked up for a discount."""
    account = Account()
    account.rows = [ended("sub_3", customer=CUSTOMER)]
    _, intake = await fetched(stripe, account)
    [state] = [one for batch in intake.batches for one in batch.ended]
    assert state.customer == "cus_sub_3"
    assert [one.percent_off for one in state.customer_discounts] == ["50"]
    [asked] = [one for one in stripe.asked if one.query.get("status") == "canceled"]
    assert "data.customer" in asked.query.getall("expand[]")
    assert "/v1/customers/cus_sub_3" not in [path for path, _ in account.asked]


@pytest.mark.parametrize("right", ["subscription_read", "coupon_read", "file_read"])
async def test_a_refusal_breaks_nothing_else(stripe: StandIn, right: str) -> None:
    """The run ends with every permission as it was, and says that something lacks."""
    found, intake = await fetched(stripe, Account(refuse=right))
    assert found.lacking
    assert set(found.permissions.values()) == {"ok"}
    assert "subscriptions" in found.live_lists
    assert intake.ended() == []


async def test_what_cannot_be_read_is_put_aside_under_its_own_name(
    stripe: StandIn,
) -> None:
    """It is no live subscription: the others are kept, today's figures are whole."""
    account = Account()
    account.rows += [ended("sub_bad", currency=5), "no object"]
    account.rows += [ended("sub_open", ended_at=None)]
    found, intake = await fetched(stripe, account)
    aside = [one for batch in intake.batches for one in batch.quarantined]
    assert {one.endpoint for one in aside} == {"ended_subscriptions"}
    assert len(aside) == 3
    assert intake.ended() == ["sub_1", "sub_2"]
    assert "subscriptions" in found.live_lists


@pytest.mark.parametrize("kind", ["first", "daily"])
async def test_items_of_what_ended_are_followed(stripe: StandIn, kind: RunKind) -> None:
    """More than ten, in the list of a whole run and in the event of a round."""
    many = [{**ended("x")["items"]["data"][0], "id": f"si_{n}"} for n in range(12)]
    shown = ended("sub_3")
    shown["items"] = {"data": many[:10], "has_more": True, "total_count": 12}
    account = Account(*([deleted(shown)] if kind == "daily" else []))
    account.rows, account.items = [shown], many
    _, intake = await fetched(stripe, account, kind)
    [state] = [one for batch in intake.batches for one in batch.ended]
    assert [item.id for item in state.items] == [f"si_{n}" for n in range(12)]
    assert state.items_complete


@pytest.mark.parametrize("kind", ["first", "daily"])
async def test_discounts_of_what_ended_are_looked_up(
    stripe: StandIn, kind: RunKind
) -> None:
    """Its event names a discount by id, and no list of live ones has it."""
    account = Account(deleted(ended("sub_3", discounts=["di_1"])))
    _, intake = await fetched(stripe, account, kind)
    [change] = [one for batch in intake.batches for one in batch.changes]
    [discount] = change.after.discounts
    assert (discount.percent_off, discount.duration) == ("50", "forever")
    assert account.asked.count(("/v1/subscriptions/sub_3", "")) == 1


async def test_known_discounts_are_not_looked_up(stripe: StandIn) -> None:
    """An event that shows a discount's terms is enough."""
    told = {
        "id": "evt_0",
        "created": AT - 3700,
        "type": "customer.discount.created",
        "data": {"object": {"id": "di_1", "coupon": COUPON}},
    }
    account = Account(deleted(ended("sub_3", discounts=["di_1"])), told)
    await fetched(stripe, account, "daily")
    assert ("/v1/subscriptions/sub_3", "") not in account.asked
