"""Lists of the full company over HTTP: what the plain one has no case of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request

from opseer_simulator.event_shapes import BASIL, VERSIONS
from opseer_simulator.server import make_app
from opseer_simulator.simulation import Simulation

KEY = "rk_" + "test_" + "a1B2c3D4e5F6g7H8"
Client = TestClient[Request, Application]
Json = dict[str, Any]


@pytest.fixture
async def client(full: Simulation) -> AsyncIterator[Client]:
    """Serve the full company."""
    async with TestClient(TestServer(make_app(full, [KEY]))) as client:
        yield client


async def _get(client: Client, url: str) -> Json:
    answer = await client.get(url, headers={"Authorization": f"Bearer {KEY}"})
    assert answer.status == 200, await answer.text()
    body: Json = await answer.json()
    return body


async def test_tiers_come_only_when_expanded(client: Client) -> None:
    """The list leaves them out; a price by id has them on request."""
    prices = (await _get(client, "/v1/prices?limit=100"))["data"]
    graduated = next(p for p in prices if p["tiers_mode"] == "graduated")
    assert "tiers" not in graduated
    opened = await _get(client, f"/v1/prices/{graduated['id']}?expand[]=tiers")
    assert [tier["up_to"] for tier in opened["tiers"]] == [5, 20, None]
    assert opened["tiers"][1]["flat_amount"] == 100
    assert opened["tiers"][2]["unit_amount"] is None
    assert opened["tiers"][2]["unit_amount_decimal"] == "512.5"
    assert opened["unit_amount"] is None


async def test_prices_off_sale_are_listed_when_asked_for(client: Client) -> None:
    """The default list leaves the volume price out."""
    usual = (await _get(client, "/v1/prices?limit=100"))["data"]
    gone = (await _get(client, "/v1/prices?limit=100&active=false"))["data"]
    assert {price["tiers_mode"] for price in gone} == {"volume"}
    assert not {price["id"] for price in usual} & {price["id"] for price in gone}


async def test_prices_are_narrowed_by_interval_and_use(client: Client) -> None:
    """recurring[interval] and recurring[usage_type] narrow."""
    url = "/v1/prices?recurring[interval]=week&recurring[usage_type]=metered"
    (price,) = (await _get(client, url))["data"]
    assert price["recurring"]["interval"] == "week"
    assert price["recurring"]["usage_type"] == "metered"
    euros = (await _get(client, "/v1/prices?currency=eur"))["data"]
    assert {price["currency"] for price in euros} == {"eur"}
    assert len(euros) == 4


async def test_products_are_narrowed_by_ids(client: Client) -> None:
    """ids[] names those wanted."""
    first, second = (await _get(client, "/v1/products?limit=2"))["data"]
    url = f"/v1/products?ids[]={second['id']}"
    assert [one["id"] for one in (await _get(client, url))["data"]] == [second["id"]]
    assert first["id"] != second["id"]


async def test_payouts_are_narrowed_by_arrival(client: Client) -> None:
    """arrival_date takes the four bounds; status narrows too."""
    payouts = (await _get(client, "/v1/payouts?limit=100"))["data"]
    at = payouts[3]["arrival_date"]
    some = await _get(client, f"/v1/payouts?limit=100&arrival_date[gte]={at}")
    assert [p["id"] for p in some["data"]] == [
        p["id"] for p in payouts if p["arrival_date"] >= at
    ]
    failed = (await _get(client, "/v1/payouts?status=failed"))["data"]
    assert failed
    assert all(p["failure_balance_transaction"] for p in failed)


async def test_more_items_than_ten_are_read_by_themselves(
    client: Client, full: Simulation
) -> None:
    """A subscription shows ten and has_more; the list of items has the rest."""
    wide = next(s for s in full.books().subscriptions.all() if len(s.items) == 12)
    shown = await _get(client, f"/v1/subscriptions/{wide.id}")
    items = shown["items"]
    assert (len(items["data"]), items["has_more"], items["total_count"]) == (
        10,
        True,
        12,
    )
    url = f"{items['url']}&limit=7"
    first = await _get(client, url)
    rest = await _get(client, f"{url}&starting_after={first['data'][-1]['id']}")
    ids = [item["id"] for page in (first, rest) for item in page["data"]]
    assert (first["has_more"], rest["has_more"]) == (True, False)
    assert ids == [item.id for item in wide.items]


async def test_item_and_customer_discounts_expand(client: Client) -> None:
    """Inline in the list of subscriptions, each where it was applied."""
    paths = "&".join(
        f"expand[]={path}"
        for path in ("data.items.data.discounts", "data.discounts", "data.customer")
    )
    url = f"/v1/subscriptions?limit=100&{paths}"
    subs = (await _get(client, url))["data"]
    on_items = [d for s in subs for i in s["items"]["data"] for d in i["discounts"]]
    assert {d["coupon"]["id"] for d in on_items} == {"PARTNER", "FIVE_OFF"}
    assert all(d["subscription_item"] for d in on_items)
    customers = [s["customer"]["discount"] for s in subs if s["customer"]["discount"]]
    assert {d["coupon"]["id"] for d in customers} == {"PARTNER"}
    assert all(d["subscription"] is None for d in customers)


async def test_the_balance_has_a_row_per_currency(client: Client) -> None:
    """Dollars, and the pounds that are kept."""
    balance = await _get(client, "/v1/balance")
    assert [row["currency"] for row in balance["available"]] == ["usd", "gbp"]
    assert [row["currency"] for row in balance["pending"]] == ["usd", "gbp"]


async def test_the_version_of_events_is_the_accounts(
    client: Client, full: Simulation
) -> None:
    """Whatever version a request asks for; set by the control API."""
    url = "/v1/events?type=customer.subscription.created&limit=100"
    try:
        for version in VERSIONS:
            answer = await client.post("/_control/events", json={"version": version})
            assert answer.status == 200
            events = (await _get(client, url))["data"]
            assert version in {event["api_version"] for event in events}
        refused = await client.post("/_control/events", json={"version": "1999"})
        assert refused.status == 400
    finally:
        full.event_version = BASIL
